/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of a command line by tables: one row gives parsing, --help, completion, the page of the manual and, where the value
 * goes into a JSON document as it is, its place there.
 *
 * "-x", "-xy" (flags together), "-x value", "-xvalue", "-x=value", "--name value", "--name=value"; "--" ends them. Options and
 * arguments may be mixed, but for commands whose arguments hold another command line.
 * Pure; strings are borrowed from argv.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

enum opt_type {
	OPT_BOOL,       /* bool: no value, or =true and =false */
	OPT_MAYBE,      /* struct opt_bool: the same, and absent is not false */
	OPT_STRING,     /* const char * */
	OPT_LIST,       /* struct str_list in an arena: may be given again */
	OPT_INT,        /* struct opt_i64 */
	OPT_BYTES,      /* struct opt_i64: "64m", "1.5g" */
	OPT_DURATION,   /* struct opt_i64, ns: "1m30s" */
	OPT_DECIMAL,    /* struct opt_i64, billionths: "0.5" */
};

/* What a value or an argument names: what completion offers. */
enum value_kind {
	VALUE_TEXT,             /* nothing to offer */
	VALUE_CONTAINER,
	VALUE_RUNNING,          /* a container that runs */
	VALUE_IMAGE,
	VALUE_OBJECT,           /* a container or an image */
	VALUE_FILE,
	VALUE_DIR,
	VALUE_SIGNAL,
	VALUE_CAPABILITY,
	VALUE_CHOICE,           /* one of .choices */
};

/* Is it a value for this option? Return: 0, or -1 with @e set */
typedef int (*opt_check_fn)(const char *value, struct err *e);

/* Puts a value into a document. @key: the last part of the row's .json; @at: the value in the command's struct. */
typedef int (*opt_emit_fn)(struct jw *w, const char *key, const void *at, struct err *e);

struct opt {
	char letter;              /* 0: none */
	const char *name;         /* without "--" */
	enum opt_type type;
	size_t offset;            /* in the command's struct */
	const char *value;        /* what --help calls the value, NULL for OPT_BOOL and OPT_MAYBE */
	const char *help;         /* one line */
	const char *more;         /* a paragraph for the manual, or NULL */
	const char *group;        /* the heading from this row on, or NULL: that of the row above, "Options" at first */
	enum value_kind kind;
	const char *choices;      /* "a|b|c"; VALUE_CHOICE and VALUE_TEXT */
	opt_check_fn check;       /* NULL: any text; OPT_STRING and OPT_LIST */
	const char *json;         /* where the value goes in a document ("HostConfig.Memory"), NULL: the command reads it */
	opt_emit_fn emit;         /* NULL: by the type */
	const char *refused;      /* an option that users of other programs may try, and why we do not have it */
	bool is_hidden;           /* in no help, manual or completion */
};

/* Rows. The macros check the member's type; what follows are more members by name: .kind = VALUE_FILE. */
#define OPT_ROW_(T, m, ctype, ot, l, n, v, h, ...) \
	{ .letter = (l), .name = (n), .type = (ot), .offset = offsetof(T, m) + J_CHECK_(T, m, ctype), .value = (v), .help = (h), ##__VA_ARGS__ }
#define OPT_FLAG(T, m, l, n, h, ...)        OPT_ROW_(T, m, bool, OPT_BOOL, l, n, NULL, h, ##__VA_ARGS__)
#define OPT_SWITCH(T, m, l, n, h, ...)      OPT_ROW_(T, m, struct opt_bool, OPT_MAYBE, l, n, NULL, h, ##__VA_ARGS__)
#define OPT_TEXT(T, m, l, n, v, h, ...)     OPT_ROW_(T, m, const char *, OPT_STRING, l, n, v, h, ##__VA_ARGS__)
#define OPT_TEXTS(T, m, l, n, v, h, ...)    OPT_ROW_(T, m, struct str_list, OPT_LIST, l, n, v, h, ##__VA_ARGS__)
#define OPT_NUMBER(T, m, l, n, v, h, ...)   OPT_ROW_(T, m, struct opt_i64, OPT_INT, l, n, v, h, ##__VA_ARGS__)
#define OPT_SIZE(T, m, l, n, h, ...)        OPT_ROW_(T, m, struct opt_i64, OPT_BYTES, l, n, "BYTES", h, ##__VA_ARGS__)
#define OPT_TIME(T, m, l, n, h, ...)        OPT_ROW_(T, m, struct opt_i64, OPT_DURATION, l, n, "DURATION", h, ##__VA_ARGS__)
#define OPT_BILLIONTHS(T, m, l, n, v, h, ...) OPT_ROW_(T, m, struct opt_i64, OPT_DECIMAL, l, n, v, h, ##__VA_ARGS__)
/* What is refused by name. It has no place in a struct: .json is for documents only. */
#define OPT_REFUSED_FLAG(l, n, why, ...)    { .letter = (l), .name = (n), .type = OPT_BOOL, .refused = (why), .is_hidden = true, ##__VA_ARGS__ }
#define OPT_REFUSED_VALUE(l, n, why, ...)   { .letter = (l), .name = (n), .type = OPT_STRING, .value = "VALUE", .refused = (why), .is_hidden = true, ##__VA_ARGS__ }
#define OPT_END                             { .name = NULL }

enum { OPT_TABLES_MAX = 3 };

/* A command's options: up to three tables over one struct, each ending with a NULL name; the first may be NULL. */
struct opt_tables { const struct opt *v[OPT_TABLES_MAX]; };

/**
 * opt_next() - Walk over all rows of the tables, hidden ones too
 * @prev: the row before, NULL at first
 * Return: the row, NULL behind the last
 */
const struct opt *opt_next(const struct opt_tables *t, const struct opt *prev);

/**
 * opt_find() - The row of a name, of which @n bytes count; opt_find_letter() of a letter
 * Return: the row, or NULL
 */
const struct opt *opt_find(const struct opt_tables *t, const char *name, size_t n);
const struct opt *opt_find_letter(const struct opt_tables *t, char letter);

/**
 * opt_takes_value() - Is a value expected behind it?
 * Return: true unless it is a flag
 */
bool opt_takes_value(const struct opt *o);

/**
 * opt_parse() - Read options into a struct, and collect the arguments
 * @is_mixed:       options may come behind arguments
 * @ret_args:       the arguments, in @a
 * @ret_wants_help: --help was among them; what follows it is not looked at
 * @e:              ERR_INVALID "unknown flag: --x" and the like; ERR_UNSUPPORTED it is refused by name
 * Return: 0, or -1 with @e set
 */
int opt_parse(const struct opt_tables *t, bool is_mixed, const struct str_list *argv, struct arena *a, void *into,
	      struct str_list *ret_args, bool *ret_wants_help, struct err *e);

/**
 * opt_is_given() - Has the row's value been set?
 * Return: false for what is empty, zero or absent
 */
bool opt_is_given(const struct opt *o, const void *from);

/**
 * opt_emit() - Write all given values of rows whose .json is @object (NULL: the top) and one more part
 * @e: what a row's own emitter says
 * Return: 0, or -1 with @e set
 */
int opt_emit(const struct opt_tables *t, const void *from, const char *object, struct jw *w, struct err *e);

/**
 * opt_help() - Append what --help shows of the options, under the headings of their groups
 * @t: not more than OPT_HELP_WIDTH columns are used for a row, unless one word is longer
 * Return: nothing
 */
void opt_help(const struct opt_tables *t, struct strbuf *out);

enum { OPT_HELP_WIDTH = 100 };

/**
 * opt_wrap() - Append text behind a left column of @left characters, broken at spaces; a newline in it begins a new line
 * Return: nothing
 */
void opt_wrap(struct strbuf *out, size_t left, const char *text);

/**
 * opt_man() - Append the options as the manual has them, in roff: sections for those with headings of their own
 * Return: nothing
 */
void opt_man(const struct opt_tables *t, struct strbuf *out);
