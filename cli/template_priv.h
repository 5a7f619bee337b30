/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Within cli/template*.c: what a template is when it has been read, and what its values are when it runs.
 */
#pragma once

#include "base/json.h"
#include "cli/template.h"

enum { TEMPLATE_DEPTH_MAX = 32, TEMPLATE_BYTES_MAX = 64 << 10, TEMPLATE_ARGS_MAX = 16 };

enum tvalue_type { TV_ABSENT, TV_NIL, TV_BOOL, TV_NUMBER, TV_STRING, TV_JSON, TV_ROW };

/* Strings live as long as the run, or as the template. */
struct tvalue {
	enum tvalue_type type;
	bool is_true;                /* TV_BOOL */
	const char *text;            /* TV_STRING; TV_NUMBER as it is written */
	struct jsontext json;        /* TV_JSON: an object or a list */
};

/* ---- what was read ---- */

struct pipe;

enum term_type { TERM_DOT, TERM_VARIABLE, TERM_LITERAL, TERM_PIPE, TERM_FUNCTION };
struct term {
	enum term_type type;
	const char *name;            /* of a variable, "" for "$" */
	const struct template_function *function;
	struct tvalue literal;
	struct pipe *pipe;           /* in parentheses */
	struct str_list fields;      /* behind it: ".A.B" */
};

struct template_command { struct term *terms; size_t n; struct template_command *next; };

struct pipe {
	const char *variables[2];    /* "$i, $v :=": NULL for none */
	size_t n_variables;
	bool is_assignment;          /* "=": the variable is there */
	struct template_command *first;
};

enum node_type { NODE_TEXT, NODE_ACTION, NODE_IF, NODE_WITH, NODE_RANGE, NODE_BREAK, NODE_CONTINUE };
struct node {
	enum node_type type;
	const char *text;
	struct pipe *pipe;
	struct node *body, *otherwise, *next;
};

struct template { struct node *first; };

/* ---- functions ---- */

struct template_call {
	const struct template_data *d;
	struct arena *a;
	const struct tvalue *args;
	size_t n;
};

struct template_function {
	const char *name;
	size_t n_min, n_max;
	int (*run)(const struct template_call *c, struct tvalue *ret, struct err *e);   /* NULL: it is refused */
	bool stops_at_true, stops_at_false;   /* or, and: what is behind is not looked at */
	bool keeps_head;             /* leaves the head of a column alone */
};

/**
 * template_find_function() - By its name
 * Return: the function, one that is refused too; NULL when it is none
 */
const struct template_function *template_find_function(const char *name, size_t n);

/**
 * tvalue_is_true() - As if and with see it
 * Return: false for what is absent, nil, false, zero or empty
 */
bool tvalue_is_true(const struct tvalue *v);

/**
 * tvalue_print() - Append a value as Go prints it
 * Return: nothing
 */
void tvalue_print(const struct template_data *d, const struct tvalue *v, struct arena *a, struct strbuf *out);

/**
 * tvalue_of_json() - A value of a document
 * Return: the value; strings in @a
 */
struct tvalue tvalue_of_json(struct jsontext j, struct arena *a);
