/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists as docker prints them, by a table of columns for each verb: aligned with a head line, by a template, or a JSON object a row.
 */
#pragma once

#include "base/arena.h"
#include "cli/format.h"

struct table;

/* Appends what a cell shows. @key: of {{.Label "key"}}, else NULL */
typedef void (*column_fn)(const struct table *t, const void *row, const char *key, struct strbuf *out);

struct column {
	const char *field;           /* "ID"; in a template {{.ID}} */
	const char *head;            /* "CONTAINER ID" */
	column_fn cell;
	bool is_method;              /* {{.Label "key"}}: takes an argument, and is not in {{json .}} */
};

/* What the cells may look at; each verb fills what its own want. */
struct table_style {
	bool no_trunc;
	bool is_raw;                 /* sizes and times as numbers */
	int64_t now_s;
	const void *more;            /* the verb's own */
};

struct table {
	const struct column *columns;   /* ends with a NULL field */
	struct table_style style;
	struct format format;
	struct arena *a;             /* borrows */
	char unknown[64];            /* a field that there is not */
	struct err e;                /* why a row could not be shown: the first reason */
	struct str_list *lines;      /* cells of each aligned line, the head first */
	size_t n_lines, cap;
	struct strbuf out;           /* what is not aligned */
};

#define AUTO_TABLE __attribute__((cleanup(table_done)))

/**
 * table_init() - Choose the columns
 * @format: what --format says, NULL: @fields
 * @fields: what "", "table" and no format mean: "ID Image Command"; for quiet output "-ID": one field without a head
 * @a:      keeps; owns the cells
 * @e:      ERR_INVALID there is no such field; ERR_UNSUPPORTED the template is more than Kiln does
 * Return: 0, or -1 with @e set
 */
int table_init(struct table *t, const struct column *columns, const char *format, const char *fields, struct arena *a, struct err *e);
void table_done(struct table *t);

/**
 * table_row() - Add a row
 * Return: nothing; what is wrong with the template on this row is told by table_print()
 */
void table_row(struct table *t, const void *row);

/**
 * table_print() - Append all rows, up to the one that the template failed on
 * @e: ERR_INVALID that failure
 * Return: 0, or -1 with @e set
 */
int table_print(struct table *t, struct strbuf *out, struct err *e);

/**
 * table_show() - table_print() to standard output
 * Return: 0, or -1 with @e set; an error of writing is seen by cmd_output_ok()
 */
int table_show(struct table *t, struct err *e);
