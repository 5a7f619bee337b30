/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of kiln-runtime, as runc has it: one row for each command, from which arguments are read, and help, the
 * manual and completion are printed.
 *
 * Exit statuses are runc's: 0; 1 when something failed; 255 when exec failed; else that of the program in the foreground.
 */
#pragma once

#include "base/arena.h"
#include "base/opt.h"

struct front_command;

/* What stands before the command. */
struct front_globals {
	const char *root, *log, *log_format, *rootless;
	bool debug, systemd_cgroup;
	bool wants_version;
};

/* One invocation. All of it is borrowed from main. */
struct front_call {
	const struct front_command *cmd;
	const struct front_globals *globals;
	const char *root;      /* absolute: where the containers are */
	struct arena *a;       /* lives as long as the program */
	struct str_list args;  /* what is no option */
	const void *o;         /* the command's struct of options, zeroed where not given */
	unsigned n_listen, n_preserve; /* descriptors from 3 on that go to the program: of $LISTEN_FDS, and the ones behind */
};

/* Return: 0 with *ret_status, or -1 with @e set */
typedef int (*front_fn)(const struct front_call *c, int *ret_status, struct err *e);

struct front_command {
	const char *name;      /* "create" */
	const char *usage;     /* behind the name: "[OPTIONS] ID" */
	const char *help;      /* one line */
	const char *more;      /* paragraphs for the manual and --help, or NULL */
	const char *failed;    /* put before the reason when it fails, or NULL: "create failed" */
	struct opt_tables opts;
	size_t options_size;   /* of the struct they fill */
	size_t n_args_min, n_args_max;
	bool is_prefix;        /* behind the first argument comes another command line */
	bool enters;           /* it goes into containers, and so runs from a copy of the program (runtime/selfcopy.h) */
	bool takes_listen;     /* $LISTEN_FDS */
	size_t preserve_offset; /* of its --preserve-fds, a struct opt_i64; 0: it has none */
	int fail_status;       /* 0: EXIT_FAILURE */
	int (*before)(const struct front_call *c, char *const *argv, struct err *e); /* before it runs from a copy, with that copy's arguments; NULL: nothing */
	bool is_placeless;     /* it does without --root and its default */
	front_fn run;          /* NULL: refused by name */
};

#define ARGS_MANY SIZE_MAX

extern const struct front_command front_create, front_run, front_start, front_state, front_kill, front_delete, front_list,
	front_exec, front_checkpoint, front_restore, front_pause, front_resume, front_ps, front_events, front_spec, front_features, front_update;
extern const struct front_command *const front_commands[]; /* ends with NULL */
extern const struct opt_tables front_global_options;

/**
 * front_find() - The row of a command
 * Return: the row, or NULL
 */
const struct front_command *front_find(const char *name);

/**
 * front_main() - Read the command line and do what it says
 * @argc, @argv: as main() got them
 * Return: the exit status
 */
int front_main(int argc, char **argv);

/**
 * front_help(), front_help_command() - Append what --help shows
 * Return: nothing
 */
void front_help(struct strbuf *out);
void front_help_command(const struct front_command *cmd, struct strbuf *out);

/**
 * front_root() - Where containers are kept: --root, else /run/kiln-runtime, else below $XDG_RUNTIME_DIR for one who is not root
 * @ret: absolute, in @a
 * @e:   ERR_INVALID
 * Return: 0, or -1 with @e set
 */
int front_root(const char *given, struct arena *a, const char **ret, struct err *e);
