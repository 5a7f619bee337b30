/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/front.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "oci/runtime_config.h"
#include "runtime/rootless.h"
#include "runtime/selfcopy.h"

#define PROGRAM      "kiln-runtime"
#define ROOT_DEFAULT "/run/kiln-runtime"
#define PRESERVE_MAX 1024

static const struct opt global_rows[] = {
	OPT_FLAG(struct front_globals, debug, 0, "debug", "write more to the log"),
	OPT_TEXT(struct front_globals, log, 0, "log", "FILE", "append to this file what goes wrong; else standard error has it", .kind = VALUE_FILE),
	OPT_TEXT(struct front_globals, log_format, 0, "log-format", "FORMAT", "how lines of the log look: text or json", .kind = VALUE_CHOICE,
		 .choices = "text|json"),
	OPT_TEXT(struct front_globals, root, 0, "root", "DIR",
		 "where the state of containers is kept; it should be a tmpfs (default " ROOT_DEFAULT ", or $XDG_RUNTIME_DIR/" PROGRAM
		 " for one who is not root)", .kind = VALUE_DIR),
	OPT_TEXT(struct front_globals, rootless, 0, "rootless", "VALUE", "whether errors of control groups are passed over: true, false or auto, which is for one who is not root (default auto)",
		 .kind = VALUE_CHOICE, .choices = "true|false|auto"),
	OPT_FLAG(struct front_globals, systemd_cgroup, 0, "systemd-cgroup", "let systemd make the control groups"),
	OPT_FLAG(struct front_globals, wants_version, 'v', "version", "print the version"),
	OPT_END,
};
const struct opt_tables front_global_options = { { global_rows } };

const struct front_command *front_find(const char *name)
{
	for (size_t i = 0; front_commands[i] != NULL; i++)
		if (str_eq(front_commands[i]->name, name))
			return front_commands[i];
	return NULL;
}

/* --- places -------------------------------------------------------------------------------------------------------- */

/* Some clean $XDG_RUNTIME_DIR of what has not been used for long: the sticky bit keeps it there (XDG base directories). */
static int user_root(const char *xdg, struct arena *a, const char **ret, struct err *e)
{
	AUTO_FREE char *dir = path_join(xdg, PROGRAM);
	AUTO_CLOSE int fd = -1;
	struct stat st;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make '%s'", dir);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "open '%s'", dir);
	/* The variable may be another user's still, or name what all may write to */
	if (st.st_uid != geteuid())
		return err_set(e, ERR_DENIED, "'%s' is another user's: $XDG_RUNTIME_DIR is to be a directory of this one", dir);
	if (fchmod(fd, 0700 | S_ISVTX) < 0)
		return err_sys(e, "change the mode of '%s'", dir);
	*ret = arena_strdup(a, dir);
	return 0;
}

/* As runc has it: one who calls itself root in somebody's user namespace has the directories of a root there. */
static bool is_users(const char *xdg)
{
	if (xdg == NULL || xdg[0] != '/' || !rootless_is())
		return false;
	return geteuid() != 0 || rootless_has_entered() || !str_eq(getenv("USER"), "root");
}

int front_root(const char *given, struct arena *a, const char **ret, struct err *e)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	char cwd[PATH_MAX];

	if (given == NULL && is_users(xdg))
		return user_root(xdg, a, ret, e);
	if (given == NULL && geteuid() != 0)
		return err_set(e, ERR_INVALID, "neither --root nor $XDG_RUNTIME_DIR says where containers are kept, and " ROOT_DEFAULT " is root's");
	if (given == NULL)
		given = ROOT_DEFAULT;
	if (given[0] == '\0')
		return err_set(e, ERR_INVALID, "--root: it is empty");
	if (given[0] != '/' && getcwd(cwd, sizeof(cwd)) == NULL)
		return err_sys(e, "find the working directory");
	*ret = given[0] == '/' ? given : arena_printf(a, "%s/%s", cwd, given);
	return 0;
}

static int open_log(const struct front_globals *g, struct err *e)
{
	bool is_json = str_eq(g->log_format, "json");
	int fd = STDERR_FILENO;

	if (g->log_format != NULL && !is_json && !str_eq(g->log_format, "text"))
		return err_set(e, ERR_INVALID, "--log-format: unknown format '%s', expected text or json", g->log_format);
	if (!str_is_empty(g->log)) {
		fd = open(g->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
		if (fd < 0)
			return err_sys(e, "open the log '%s'", g->log);
	}
	log_init(PROGRAM, fd, g->debug ? LOG_LVL_DEBUG : LOG_LVL_INFO, is_json);
	if (!is_json)
		log_set_logfmt();
	return 0;
}

/* Callers read the last line of the log, people standard error. */
static int fail(const struct front_call *c, struct err *e)
{
	if (c->cmd != NULL && c->cmd->failed != NULL)
		err_wrap(e, "%s", c->cmd->failed);
	log_err("%s", e->msg);
	if (!str_is_empty(c->globals->log))
		fprintf(stderr, "%s\n", e->msg);
	return c->cmd != NULL && c->cmd->fail_status != 0 ? c->cmd->fail_status : EXIT_FAILURE;
}

/* --- help ------------------------------------------------------------------------------------------------------------ */

void front_help(struct strbuf *out)
{
	strbuf_adds(out, "Usage:  " PROGRAM " [OPTIONS] COMMAND\n\nRuns containers as the Open Container Initiative specifies them.\n\nCommands:\n");
	for (size_t i = 0; front_commands[i] != NULL; i++)
		if (front_commands[i]->run != NULL)
			strbuf_addf(out, "  %-10s  %s\n", front_commands[i]->name, front_commands[i]->help);
	opt_help(&front_global_options, out);
	strbuf_adds(out, "\nRun '" PROGRAM " COMMAND --help' for more information on a command.\n");
}

void front_help_command(const struct front_command *cmd, struct strbuf *out)
{
	strbuf_addf(out, "Usage:  " PROGRAM " %s%s%s\n\n%s\n", cmd->name, cmd->usage[0] != '\0' ? " " : "", cmd->usage, cmd->help);
	if (opt_next(&cmd->opts, NULL) != NULL)
		opt_help(&cmd->opts, out);
	if (cmd->more != NULL) {
		strbuf_addc(out, '\n');
		opt_wrap(out, 0, cmd->more);
	}
}

static int print_help(const struct front_command *cmd, FILE *to, int status)
{
	AUTO_STRBUF struct strbuf out = { 0 };

	if (cmd != NULL)
		front_help_command(cmd, &out);
	else
		front_help(&out);
	fputs(strbuf_cstr(&out), to);
	return status;
}

static int print_version(void)
{
	printf(PROGRAM " version %s\ncommit: %s\nspec: %s\n", KILN_VERSION, KILN_VERSION, OCI_RUNTIME_VERSION);
	return 0;
}

/* --- a command ---------------------------------------------------------------------------------------------------- */

static int check_args(const struct front_call *c, struct err *e)
{
	const struct front_command *cmd = c->cmd;

	if (c->args.n >= cmd->n_args_min && c->args.n <= cmd->n_args_max)
		return 0;
	if (c->args.n == 0)
		return err_set(e, ERR_INVALID, "container id cannot be empty; usage: " PROGRAM " %s %s", cmd->name, cmd->usage);
	return err_set(e, ERR_INVALID, "%zu arguments are not what it takes; usage: " PROGRAM " %s %s", c->args.n, cmd->name, cmd->usage);
}

/* --- descriptors -------------------------------------------------------------------------------------------------- */

/* sd_listen_fds(3): they are meant for us only when the pid says so */
static unsigned listen_fds(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t n_pid, n;

	if (pid == NULL || fds == NULL || !str_to_u64(pid, &n_pid) || n_pid != (uint64_t)getpid() || !str_to_u64(fds, &n))
		return 0;
	return n <= PRESERVE_MAX ? (unsigned)n : 0;
}

static int preserve_fds(const struct front_call *c, unsigned *ret, struct err *e)
{
	const struct opt_i64 *n = (const void *)((const char *)c->o + c->cmd->preserve_offset);

	if (c->cmd->preserve_offset == 0 || !n->set)
		return 0;
	if (n->v < 0 || n->v > PRESERVE_MAX)
		return err_set(e, ERR_INVALID, "--preserve-fds: not between 0 and %d", PRESERVE_MAX);
	*ret = (unsigned)n->v;
	return 0;
}

/* Nothing that the caller has left open goes into a container but what it has named; then the program runs from a copy. */
static int settle(struct front_call *c, char *const *argv, struct err *e)
{
	unsigned n;

	c->n_listen = c->cmd->takes_listen ? listen_fds() : 0;
	if (preserve_fds(c, &c->n_preserve, e) < 0)
		return -1;
	n = c->n_listen + c->n_preserve;
	for (unsigned fd = 3; fd < 3 + n; fd++)
		if (fcntl((int)fd, F_SETFD, 0) < 0)
			return err_sys(e, "preserve descriptor %u", fd);
	if (close_range(3 + n, ~0U, 0) < 0)
		return err_sys(e, "close what the caller has left open");
	rootless_setup();
	if (c->cmd->before != NULL && c->cmd->before(c, argv, e) < 0)
		return -1;
	return c->cmd->enters ? selfcopy_ensure(argv, SELFCOPY_BIND, e) : 0;
}

/* --- the line ------------------------------------------------------------------------------------------------------ */

enum line { LINE_COMMAND, LINE_HELP, LINE_USAGE, LINE_VERSION };

/* Return: what it asks for, or -1 with @e set */
static int parse(struct front_call *c, struct front_globals *g, const struct str_list *argv, struct err *e)
{
	struct str_list rest;
	bool wants_help;
	void *o;

	if (opt_parse(&front_global_options, false, argv, c->a, g, &rest, &wants_help, e) < 0)
		return -1;
	if (g->wants_version)
		return LINE_VERSION;
	if (wants_help || rest.n == 0)
		return wants_help ? LINE_HELP : LINE_USAGE;
	if (str_eq(rest.v[0], "help")) {
		c->cmd = rest.n > 1 ? front_find(rest.v[1]) : NULL;
		return LINE_HELP;
	}
	c->cmd = front_find(rest.v[0]);
	if (c->cmd == NULL)
		return err_set(e, ERR_INVALID, "unknown command '%s'; see '" PROGRAM " --help'", rest.v[0]);
	if (c->cmd->run == NULL)
		return err_set(e, ERR_UNSUPPORTED, "command '%s' is not supported: %s", c->cmd->name, c->cmd->help);
	rest.v++;
	rest.n--;
	c->o = o = arena_alloc(c->a, c->cmd->options_size + 1);
	if (opt_parse(&c->cmd->opts, !c->cmd->is_prefix, &rest, c->a, o, &c->args, &wants_help, e) < 0)
		return err_wrap(e, "%s", c->cmd->name);
	if (wants_help)
		return LINE_HELP;
	return check_args(c, e) < 0 ? -1 : LINE_COMMAND;
}

static int run(struct front_call *c, char *const *argv, int *ret_status, struct err *e)
{
	struct err log = { 0 };
	/* The log is opened behind the rest: it must not take the place of a descriptor that the program is to get */
	int settled = settle(c, argv, e);

	if (open_log(c->globals, &log) < 0) {
		*e = log;
		return -1;
	}
	if (settled < 0 || (!c->cmd->is_placeless && front_root(c->globals->root, c->a, &c->root, e) < 0))
		return -1;
	return c->cmd->run(c, ret_status, e);
}

static int go(struct front_call *c, struct front_globals *g, int argc, char **argv, int *ret_status, struct err *e)
{
	struct str_list all = { argv + 1, (size_t)argc - 1 };

	switch (parse(c, g, &all, e)) {
	case LINE_COMMAND:
		return run(c, argv + 1, ret_status, e);
	case LINE_HELP:
		*ret_status = print_help(c->cmd, stdout, 0);
		return 0;
	case LINE_USAGE:
		*ret_status = print_help(NULL, stderr, EXIT_FAILURE);
		return 0;
	case LINE_VERSION:
		*ret_status = print_version();
		return 0;
	default:
		open_log(g, ERR_IGNORED);
		return -1;
	}
}

int front_main(int argc, char **argv)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct front_globals g = { 0 };
	struct front_call c = { .globals = &g, .a = a };
	int status = EXIT_FAILURE;
	struct err e = { 0 };

	log_init(PROGRAM, STDERR_FILENO, LOG_LVL_INFO, false);
	log_set_logfmt();
	if (go(&c, &g, argc, argv, &status, &e) < 0)
		return fail(&c, &e);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		err_sys(&e, "write standard output");
		return fail(&c, &e);
	}
	return status;
}
