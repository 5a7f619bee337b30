/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of a command line by tables: one row gives parsing and --help.
 *
 * "-x", "-xy" (flags together), "-x value", "-xvalue", "--name value", "--name=value"; "--" ends them, and so does the first
 * argument that is none. Pure; strings are borrowed from argv.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

enum opt_type {
	OPT_BOOL,      /* bool: no value, or =true and =false */
	OPT_STRING,    /* const char * */
	OPT_LIST,      /* struct str_list in an arena: may be given again */
};

struct opt {
	char letter;              /* 0: none */
	const char *name;         /* without "--" */
	enum opt_type type;
	size_t offset;            /* in the command's struct */
	const char *value;        /* what --help calls the value, NULL for OPT_BOOL */
	const char *help;
};

struct command {
	const char *name;
	const char *usage;        /* behind "kiln NAME" */
	const char *help;         /* one line */
	const struct opt *opts;   /* ends with a NULL name */
	int (*run)(int argc, char **argv, struct arena *a);   /* arguments behind the name; returns the exit status */
};

/**
 * opt_parse() - Read options into a struct
 * @ret_first: index in argv of the first argument that is no option
 * @ret_wants_help: --help was among them
 * @e:         ERR_INVALID "unknown option '--x'" and the like
 * Return: 0, or -1 with @e set
 */
int opt_parse(const struct opt *opts, int argc, char **argv, struct arena *a, void *into, int *ret_first,
	      bool *ret_wants_help, struct err *e);

/**
 * opt_help() - Append what --help shows for a command
 * Return: nothing
 */
void opt_help(const struct command *cmd, struct strbuf *out);
