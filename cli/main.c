/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/own.h"
#include "cli/cmd.h"
#include "cli/complete.h"

static int show(const struct strbuf *text, FILE *to)
{
	fputs(strbuf_cstr(text), to);
	return to == stdout ? cmd_output_ok() : 0;
}

static int run_command(struct call *c, const struct str_list *rest)
{
	AUTO_STRBUF struct strbuf help = {0};
	void *into = arena_alloc(c->a, c->cmd->options_size + 1);
	bool wants_help = false;
	struct err e = {0};
	int status;

	c->o = into;
	if (opt_parse(&c->cmd->opts, !c->cmd->is_prefix, rest, c->a, into, &c->args, &wants_help, &e) < 0)
		return cmd_bad_option(c, &e);
	if (wants_help) {
		help_command(c->cmd, c->title, &help);
		return show(&help, stdout);
	}
	if (c->args.n < c->cmd->n_args_min || c->args.n > c->cmd->n_args_max)
		return cmd_usage(c);
	status = c->cmd->run(c);
	return cmd_output_ok() == 0 ? status : EXIT_FAILED;
}

static const struct command_group *find_group(const char *name)
{
	for (size_t i = 0; command_groups[i].name; i++)
		if (str_eq(command_groups[i].name, name))
			return &command_groups[i];
	return NULL;
}

/* @group: "" or "container": whose help tells more */
static int unknown(const char *group, const char *name)
{
	for (size_t i = 0; commands_refused[i].name; i++)
		if (str_eq(commands_refused[i].name, name)) {
			fprintf(stderr, "kiln: '%s' is refused: %s\n", name, commands_refused[i].why);
			return EXIT_FAILED;
		}
	if (group[0])
		fprintf(stderr, "kiln: unknown command: kiln %s\n\nUsage:  kiln %s COMMAND\n\nRun 'kiln %s --help' for more information\n", name, group, group);
	else
		fprintf(stderr, "kiln: unknown command: kiln %s\n\nRun 'kiln --help' for more information\n", name);
	return EXIT_FAILED;
}

static int run_group(struct call *c, const struct command_group *g, struct str_list rest)
{
	AUTO_STRBUF struct strbuf help = {0};

	if (rest.n == 0 || str_eq(rest.v[0], "--help") || str_eq(rest.v[0], "-h")) {
		help_group(g, &help);
		return show(&help, rest.n ? stdout : stderr);
	}
	c->cmd = command_find(g->name, rest.v[0]);
	c->title = arena_printf(c->a, "%s %s", g->name, rest.v[0]);
	if (!c->cmd)
		return unknown(g->name, c->title);
	return run_command(c, &(struct str_list){ rest.v + 1, rest.n - 1 });
}

/* `kiln help ps`, `kiln help image prune` */
static int help_about(struct call *c, struct str_list rest)
{
	const struct command_group *g = rest.n ? find_group(rest.v[0]) : NULL;
	AUTO_STRBUF struct strbuf help = {0};

	if (rest.n)
		c->cmd = g && rest.n > 1 ? command_find(g->name, rest.v[1]) : command_find(NULL, rest.v[0]);
	if (!rest.n)
		help_all(&help);
	else if (c->cmd)
		help_command(c->cmd, command_title(c->cmd, c->a), &help);
	else if (g && rest.n == 1)
		help_group(g, &help);
	else
		return g ? unknown(g->name, arena_printf(c->a, "%s %s", g->name, rest.v[1])) : unknown("", rest.v[0]);
	return show(&help, stdout);
}

/* For the shells' scripts, contrib/completion/ */
static int complete(struct call *c, const struct str_list *words)
{
	AUTO_STRBUF struct strbuf out = {0};

	if (words->n == 0)
		return EXIT_FAILED;
	complete_words(words, c->a, &out);
	return show(&out, stdout);
}

static int dispatch(struct call *c, struct str_list args)
{
	struct str_list rest = { args.v + 1, args.n - 1 };
	const struct command_group *g;

	c->title = args.v[0];
	if (str_eq(args.v[0], "__complete"))
		return complete(c, &rest);
	if (str_eq(args.v[0], "help"))
		return help_about(c, rest);
	c->cmd = command_find(NULL, args.v[0]);
	if (c->cmd)
		return run_command(c, &rest);
	g = find_group(args.v[0]);
	return g ? run_group(c, g, rest) : unknown("", args.v[0]);
}

/* A standard descriptor that is closed would be the socket's number: what is printed would go to the daemon. */
static void hold_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)   /* lint: cloexec it is inherited as a closed one would be: of no use */
			open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int main(int argc, char **argv)
{
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_STRBUF struct strbuf help = {0};
	struct call c = { .a = a };
	struct str_list args = {0};
	struct globals g = {0};
	bool wants_help = false;
	struct err e = {0};

	hold_standard_descriptors();
	signal(SIGPIPE, SIG_IGN);
	if (opt_parse(&global_options, false, &(struct str_list){ argv + 1, (size_t)argc - 1 }, a, &g, &args, &wants_help, &e) < 0) {
		fprintf(stderr, "%s\n\nUsage:  kiln [OPTIONS] COMMAND\n\nRun 'kiln --help' for more information\n", e.msg);
		return EXIT_NOT_RUN;
	}
	if (g.version && !wants_help) {
		printf("Kiln version " KILN_VERSION "\n");
		return cmd_output_ok();
	}
	if (wants_help || args.n == 0) {
		help_all(&help);
		return show(&help, wants_help ? stdout : stderr);
	}
	c.host = g.host ? g.host : api_host();
	return dispatch(&c, args);
}
