/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of kiln: one table (cli/commands.c), one row each, from which the command line is read and from which --help,
 * completion and the manual are printed.
 *
 * A command has a name of its own ("ps"), a name in a management group ("container ls"), or both. Exit statuses are docker's:
 * 0; 1 when something failed; 125 for options that are wrong and for `run` when no program was started, 126 and 127 when the
 * program could not be executed or was not found; else the program's own.
 */
#pragma once

#include <stdio.h>

#include "base/arena.h"
#include "base/opt.h"
#include "daemon/api.h"

enum { EXIT_FAILED = 1, EXIT_NOT_RUN = 125, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

struct command;

/* One invocation. All of it is borrowed from main. */
struct call {
	const struct command *cmd;
	const char *title;           /* as it was called: "ps", "container ls" */
	const char *host;            /* "unix:///run/kiln/kiln.sock" */
	struct arena *a;             /* lives as long as the program */
	struct str_list args;        /* what is no option */
	const void *o;               /* the command's struct of options, zeroed where not given */
};

/* Return: the exit status */
typedef int (*command_fn)(const struct call *c);

struct command {
	const char *name;            /* "ps", NULL: only in its group */
	const char *group;           /* "container", NULL: in none */
	const char *member;          /* its name in the group: "ls" */
	const char *aliases;         /* other names in the group: "list|ps", or NULL */
	const char *usage;           /* behind the name: "[OPTIONS] CONTAINER [CONTAINER...]" */
	const char *help;            /* one line */
	const char *more;            /* paragraphs for the manual and --help, or NULL */
	struct opt_tables opts;
	size_t options_size;         /* of the struct they fill */
	enum value_kind args;        /* what its arguments name */
	const char *choices;         /* "bash|zsh": of arguments that are VALUE_CHOICE */
	size_t n_args_min, n_args_max;   /* ARGS_MANY: no limit */
	bool is_prefix;              /* behind the first argument comes another command line */
	command_fn run;
};

#define ARGS_MANY SIZE_MAX

/* A management group: `kiln container …` */
struct command_group { const char *name, *help; };

/* docker's commands and groups that Kiln does not do, and why */
struct command_refused { const char *name, *why; };

extern const struct command *const commands[];      /* ends with NULL */
extern const struct command_group command_groups[]; /* ends with a NULL name */
extern const struct command_refused commands_refused[];   /* ends with a NULL name; "pull", "image pull", "volume" */

/* Before the command: -H and others */
struct globals { const char *host; bool version; };
extern const struct opt_tables global_options;

/**
 * command_find() - The row for "ps" or "container ls"
 * @group:  NULL for a name of its own
 * Return: the row, or NULL
 */
const struct command *command_find(const char *group, const char *name);

/**
 * command_title() - "ps", or "container prune" for what has a name in its group only
 * Return: in @a
 */
const char *command_title(const struct command *cmd, struct arena *a);

/**
 * help_command(), help_group(), help_all() - Append what --help shows
 * Return: nothing
 */
void help_command(const struct command *cmd, const char *title, struct strbuf *out);
void help_group(const struct command_group *group, struct strbuf *out);
void help_all(struct strbuf *out);

/*
 * What goes to standard error when something is wrong, in docker's shapes, and the exit status for it.
 */

/**
 * cmd_fail() - Something failed: the message as it is; what the daemon said is called so in it. cmd_fail_with() has only a message
 * Return: EXIT_FAILED
 */
int cmd_fail(const struct err *e);
int cmd_fail_with(const char *message);

/**
 * cmd_bad_option() - An option is wrong: the message, and the usage
 * Return: EXIT_NOT_RUN
 */
int cmd_bad_option(const struct call *c, const struct err *e);

/**
 * cmd_usage() - The number of arguments is wrong: as the row tells, and the usage
 * Return: EXIT_FAILED
 */
int cmd_usage(const struct call *c);

/**
 * cmd_not_run() - What should have run a program did not come to that: "kiln: …" and where help is
 * Return: EXIT_NOT_RUN
 */
int cmd_not_run(const struct call *c, const struct err *e);

/**
 * cmd_not_started() - The program could not be started
 * Return: EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND or EXIT_NOT_RUN, by the message
 */
int cmd_not_started(const struct call *c, const struct err *e);

/**
 * cmd_say() - Show what comes from the daemon: as fprintf(), but control characters other than newlines and tabs are told as \xNN
 * Return: nothing
 */
void cmd_say(FILE *to, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * cmd_output_ok() - Write out what is buffered for standard output; where its reader has gone away, die of SIGPIPE as others do
 * Return: 0, or EXIT_FAILED with the reason on standard error (a full disk)
 */
int cmd_output_ok(void);
