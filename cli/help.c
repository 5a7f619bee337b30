/* SPDX-License-Identifier: Apache-2.0 */
/* What --help shows, printed from the tables. */
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "cli/cmd.h"

static void add_aliases(const struct command *cmd, struct strbuf *out)
{
	if (!cmd->group || (!cmd->name && !cmd->aliases))
		return;
	strbuf_addf(out, "\nAliases:\n  kiln %s %s", cmd->group, cmd->member);
	for (const char *p = cmd->aliases ? cmd->aliases : ""; *p;) {
		size_t n = strcspn(p, "|");

		strbuf_addf(out, ", kiln %s %.*s", cmd->group, (int)n, p);
		p += n + (p[n] == '|');
	}
	if (cmd->name)
		strbuf_addf(out, ", kiln %s", cmd->name);
	strbuf_addc(out, '\n');
}

void help_command(const struct command *cmd, const char *title, struct strbuf *out)
{
	strbuf_addf(out, "Usage:  kiln %s%s%s\n\n%s\n", title, cmd->usage[0] ? " " : "", cmd->usage, cmd->help);
	add_aliases(cmd, out);
	if (opt_next(&cmd->opts, NULL))
		opt_help(&cmd->opts, out);
	if (cmd->more) {
		strbuf_addc(out, '\n');
		opt_wrap(out, 0, cmd->more);
	}
}

static int by_member(const void *x, const void *y)
{
	return strcmp((*(const struct command *const *)x)->member, (*(const struct command *const *)y)->member);
}

void help_group(const struct command_group *group, struct strbuf *out)
{
	const struct command *members[64];
	size_t n = 0;

	strbuf_addf(out, "Usage:  kiln %s COMMAND\n\n%s\n\nCommands:\n", group->name, group->help);
	for (size_t i = 0; commands[i]; i++) {
		BUG(n == ARRAY_SIZE(members), "too many commands");
		if (str_eq(commands[i]->group, group->name))
			members[n++] = commands[i];
	}
	qsort(members, n, sizeof(*members), by_member);
	for (size_t i = 0; i < n; i++)
		strbuf_addf(out, "  %-10s  %s\n", members[i]->member, members[i]->help);
	strbuf_addf(out, "\nRun 'kiln %s COMMAND --help' for more information on a command.\n", group->name);
}

void help_all(struct strbuf *out)
{
	strbuf_adds(out, "Usage:  kiln [OPTIONS] COMMAND\n\nThe client of kilnd, the container daemon.\n\nCommands:\n");
	for (size_t i = 0; commands[i]; i++)
		if (commands[i]->name)
			strbuf_addf(out, "  %-10s  %s\n", commands[i]->name, commands[i]->help);
	strbuf_adds(out, "\nManagement Commands:\n");
	for (size_t i = 0; command_groups[i].name; i++)
		strbuf_addf(out, "  %-10s  %s\n", command_groups[i].name, command_groups[i].help);
	opt_help(&global_options, out);
	strbuf_adds(out, "\nThe daemon is found by --host, else KILN_HOST, else DOCKER_HOST, else at " API_HOST_DEFAULT ".\n"
			 "Run 'kiln COMMAND --help' for more information on a command.\n");
}
