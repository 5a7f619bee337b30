/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd.h"

#include <errno.h>
#include <stdarg.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"

static bool is_alias(const char *aliases, const char *name)
{
	size_t n_name = strlen(name);

	for (const char *p = aliases ? aliases : ""; *p;) {
		size_t n = strcspn(p, "|");

		if (n == n_name && memcmp(p, name, n) == 0)
			return true;
		p += n + (p[n] == '|');
	}
	return false;
}

const struct command *command_find(const char *group, const char *name)
{
	for (size_t i = 0; commands[i]; i++) {
		const struct command *cmd = commands[i];

		if (!group && str_eq(cmd->name, name))
			return cmd;
		if (group && str_eq(cmd->group, group) && (str_eq(cmd->member, name) || is_alias(cmd->aliases, name)))
			return cmd;
	}
	return NULL;
}

const char *command_title(const struct command *cmd, struct arena *a)
{
	return cmd->name ? cmd->name : arena_printf(a, "%s %s", cmd->group, cmd->member);
}

void cmd_say(FILE *to, const char *fmt, ...)
{
	AUTO_STRBUF struct strbuf shown = {0};
	AUTO_FREE char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	strbuf_add_visible(&shown, text ? text : "", "\n\t");
	fputs(strbuf_cstr(&shown), to);
}

/* The daemon tells names of images and their programs as they are. */
static void print_message(const char *prefix, const char *message)
{
	AUTO_STRBUF struct strbuf shown = {0};

	strbuf_add_visible(&shown, message, "\n\t");
	fflush(stdout);
	fprintf(stderr, "%s%s\n", prefix, strbuf_cstr(&shown));
}

int cmd_fail_with(const char *message)
{
	print_message("", message);
	return EXIT_FAILED;
}

int cmd_fail(const struct err *e)
{
	return cmd_fail_with(e->msg);
}

/* Docker's exit statuses for what could not be started */
static int status_of(const char *message)
{
	static const struct { const char *part; int status; } known[] = {
		{ "executable file not found", EXIT_NOT_FOUND }, { "no such file or directory", EXIT_NOT_FOUND },
		{ "system cannot find the file", EXIT_NOT_FOUND },
		{ "permission denied", EXIT_NOT_EXECUTABLE }, { "is a directory", EXIT_NOT_EXECUTABLE },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcasestr(message, known[i].part))
			return known[i].status;
	return EXIT_NOT_RUN;
}

static void print_with_help(const struct call *c, const struct err *e)
{
	print_message("kiln: ", e->msg);
	fprintf(stderr, "\nRun 'kiln %s --help' for more information\n", c->title);
}

int cmd_not_run(const struct call *c, const struct err *e)
{
	print_with_help(c, e);
	return EXIT_NOT_RUN;
}

int cmd_not_started(const struct call *c, const struct err *e)
{
	print_with_help(c, e);
	return status_of(e->msg);
}

static void print_usage(const struct call *c)
{
	fprintf(stderr, "\nUsage:  kiln %s%s%s\n\nRun 'kiln %s --help' for more information\n", c->title, c->cmd->usage[0] ? " " : "",
		c->cmd->usage, c->title);
}

int cmd_bad_option(const struct call *c, const struct err *e)
{
	fprintf(stderr, "%s\n", e->msg);
	print_usage(c);
	return EXIT_NOT_RUN;
}

static void print_count(const struct call *c)
{
	size_t min = c->cmd->n_args_min, max = c->cmd->n_args_max;

	if (max == 0)
		fprintf(stderr, "kiln: 'kiln %s' accepts no arguments\n", c->title);
	else if (min == max)
		fprintf(stderr, "kiln: 'kiln %s' requires %zu argument%s\n", c->title, min, min == 1 ? "" : "s");
	else if (max == ARGS_MANY)
		fprintf(stderr, "kiln: 'kiln %s' requires at least %zu argument%s\n", c->title, min, min == 1 ? "" : "s");
	else if (min > 0)
		fprintf(stderr, "kiln: 'kiln %s' requires at least %zu and at most %zu arguments\n", c->title, min, max);
	else
		fprintf(stderr, "kiln: 'kiln %s' requires at most %zu argument%s\n", c->title, max, max == 1 ? "" : "s");
}

int cmd_usage(const struct call *c)
{
	print_count(c);
	print_usage(c);
	return EXIT_FAILED;
}

int cmd_output_ok(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	if (errno == EPIPE) {
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);
	}
	fprintf(stderr, "kiln: write standard output: %s\n", strerror(errno));
	return EXIT_FAILED;
}
