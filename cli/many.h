/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same request for each of a command's arguments: all are under way at once, answers are told in the order of the arguments.
 */
#pragma once

#include "cli/cmd.h"

/* Tells what one answer holds. Return: 0, or -1 with @e set */
typedef int (*many_fn)(const struct call *c, const char *name, const struct strbuf *body, struct err *e);

struct many {
	const char *method;
	const char *kind;            /* "containers", "images" */
	const char *verb;            /* behind the name, with its query; "" for none, "?x=1" for a query only */
	const char *doing;           /* "Stopping": for what takes long */
	const char *json;            /* the body, or NULL */
	bool is_in_turn;             /* one after the other: they may name the same thing */
	bool is_missing_fine;        /* what is not there is told, but no failure */
	many_fn on_answer;           /* NULL: the argument is printed */
};

/**
 * many_run() - Ask, and print arguments or errors
 * Return: the exit status: EXIT_FAILED when one failed
 */
int many_run(const struct call *c, const struct many *m);
