/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>

#include "base/own.h"
#include "cli/cmd.h"

static const struct command *const commands[] = { &cmd_health, &cmd_logs, &cmd_ps, &cmd_run, &cmd_version };

int cmd_fail(const struct command *cmd, const struct err *e)
{
	fprintf(stderr, "kiln %s: %s\n", cmd->name, e->msg);
	return 125;
}

bool cmd_options(const struct command *cmd, int argc, char **argv, struct arena *a, void *into, int *ret_first, int *ret_status)
{
	AUTO_STRBUF struct strbuf help = {0};
	bool wants_help = false;
	struct err e = {0};

	if (opt_parse(cmd->opts, argc, argv, a, into, ret_first, &wants_help, &e) < 0) {
		cmd_fail(cmd, &e);
		fprintf(stderr, "'kiln %s --help' tells the options\n", cmd->name);
		*ret_status = 125;
		return false;
	}
	if (!wants_help)
		return true;
	opt_help(cmd, &help);
	fputs(help.data, stdout);
	*ret_status = 0;
	return false;
}

static int usage(FILE *to, int status)
{
	fputs("Usage:  kiln COMMAND [OPTIONS]\n\nThe client of kilnd, the container daemon.\n\nCommands:\n", to);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(to, "  %-10s %s\n", commands[i]->name, commands[i]->help);
	fputs("\n'kiln COMMAND --help' tells a command's options. The daemon is found by KILN_HOST, else DOCKER_HOST,\n"
	      "else at " API_HOST_DEFAULT ". The docker client works on the same socket and does more.\n", to);
	return status;
}

int main(int argc, char **argv)
{
	AUTO_ARENA struct arena *a = arena_new();
	const char *name = argc > 1 ? argv[1] : "";

	signal(SIGPIPE, SIG_IGN);
	if (argc < 2)
		return usage(stderr, 125);
	if (str_eq(name, "--help") || str_eq(name, "-h") || str_eq(name, "help"))
		return usage(stdout, 0);
	if (str_eq(name, "--version"))
		return cmd_version.run(argc - 2, argv + 2, a);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (str_eq(name, commands[i]->name))
			return commands[i]->run(argc - 2, argv + 2, a);
	fprintf(stderr, "kiln: '%s' is not a command; 'kiln --help' lists them\n", name);
	return 125;
}
