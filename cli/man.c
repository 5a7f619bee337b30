/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/man.h"

#include <string.h>

#include "base/own.h"
#include "base/roff.h"

void man_name(const struct command *cmd, struct strbuf *out)
{
	if (cmd->name)
		strbuf_addf(out, "kiln-%s", cmd->name);
	else
		strbuf_addf(out, "kiln-%s-%s", cmd->group, cmd->member);
}

/* "container\0ls\0list|ps": one line for each name that it has */
static void add_synopsis(const struct command *cmd, struct strbuf *out)
{
	AUTO_STRBUF struct strbuf names = {0};

	if (cmd->name)
		strbuf_addf(&names, "%s|", cmd->name);
	if (cmd->group)
		strbuf_addf(&names, "%s %s|", cmd->group, cmd->member);
	for (const char *p = cmd->group && cmd->aliases ? cmd->aliases : ""; *p;) {
		size_t n = strcspn(p, "|");

		strbuf_addf(&names, "%s %.*s|", cmd->group, (int)n, p);
		p += n + (p[n] == '|');
	}
	for (const char *p = strbuf_cstr(&names); *p;) {
		AUTO_STRBUF struct strbuf line = {0};
		size_t n = strcspn(p, "|");

		strbuf_addf(&line, "kiln %.*s", (int)n, p);
		roff_line(out, line.data, cmd->usage);
		p += n + 1;
	}
}

void man_command(const struct command *cmd, struct strbuf *out)
{
	AUTO_STRBUF struct strbuf name = {0};
	AUTO_STRBUF struct strbuf line = {0};

	man_name(cmd, &name);
	roff_page(out, name.data, "1", cmd->help);
	roff_section(out, "SYNOPSIS");
	add_synopsis(cmd, out);
	roff_section(out, "DESCRIPTION");
	strbuf_addf(&line, "%s.", cmd->help);
	roff_text(out, line.data);
	if (cmd->more)
		roff_text(out, cmd->more);
	if (opt_next(&cmd->opts, NULL)) {
		roff_section(out, "OPTIONS");
		opt_man(&cmd->opts, out);
	}
	roff_section(out, "SEE ALSO");
	roff_text(out, "kiln(1) has the options before the command, templates of --format, exit statuses and the environment.");
}

static void add_commands(struct strbuf *out)
{
	for (size_t i = 0; commands[i]; i++) {
		AUTO_STRBUF struct strbuf term = {0};
		AUTO_STRBUF struct strbuf page = {0};

		if (commands[i]->name)
			strbuf_adds(&term, commands[i]->name);
		if (commands[i]->group)
			strbuf_addf(&term, "%s%s %s", term.len ? ", " : "", commands[i]->group, commands[i]->member);
		man_name(commands[i], &page);
		strbuf_addf(&page, "(1): %s", commands[i]->help);
		roff_item(out, term.data, NULL, page.data);
	}
	roff_item(out, "help", "[COMMAND]", "The same as kiln COMMAND --help.");
}

static void add_refused(struct strbuf *out)
{
	roff_text(out, "Commands of docker that Kiln does not have, and why:");
	for (size_t i = 0; commands_refused[i].name; i++)
		roff_item(out, commands_refused[i].name, NULL, commands_refused[i].why);
}

static void add_formats(struct strbuf *out)
{
	roff_text(out, "--format takes 'json', a template of Go's text/template as docker's users write it, and for lists 'table' and "
		       "'table TEMPLATE'. A template knows fields, if, range, with, else, end, break, continue, variables, pipelines, "
		       "parentheses, comments, and the functions and, or, not, eq, ne, lt, le, gt, ge, len, index, print, println, printf, "
		       "json, join, split, upper, lower, title, pad and truncate; define, template, block, call, html, js, slice and "
		       "urlquery are refused.");
	roff_code(out, "kiln ps --format '{{.ID}} {{.Names}}'\n"
		       "kiln ps --format 'table {{.Names}}\\t{{.Label \"team\"}}'\n"
		       "kiln inspect -f '{{range .Mounts}}{{.Source}} {{end}}' web\n"
		       "kiln inspect -f '{{if .State.Running}}up{{else}}{{.State.ExitCode}}{{end}}' web\n");
}

static void add_statuses(struct strbuf *out)
{
	roff_item(out, "0", NULL, "It did what was asked.");
	roff_item(out, "1", NULL, "It failed; standard error says why.");
	roff_item(out, "125", NULL, "An option is wrong; or run started no program, because kiln or kilnd failed.");
	roff_item(out, "126, 127", NULL, "The program of run could not be executed; was not found.");
	roff_item(out, "another", NULL, "run, start -a, attach and exec: the program's own.");
}

static void add_environment(struct strbuf *out)
{
	roff_item(out, "KILN_HOST, DOCKER_HOST", NULL,
		  "Where the daemon listens when --host does not say it, as unix:///path; the first of them that is set.");
	roff_item(out, "NO_COLOR", NULL, "When it is set, nothing is coloured. What is not written to a terminal never is.");
	roff_item(out, "TERM", NULL, "\"dumb\" has no colours.");
	roff_item(out, "TZ", NULL, "The time zone of dates without one, and of those that are printed.");
}

void man_kiln(struct strbuf *out)
{
	roff_page(out, "kiln", "1", "client of kilnd, the container daemon");
	roff_section(out, "SYNOPSIS");
	roff_line(out, "kiln", "[OPTIONS] COMMAND [ARG...]");
	roff_section(out, "DESCRIPTION");
	roff_text(out, "kiln asks kilnd(8) over its unix socket. Commands, options, columns and exit statuses are docker's; health and "
		       "system check are Kiln's own. Who may use the socket is as good as root on this machine: it belongs to the group "
		       "kiln.");
	roff_section(out, "OPTIONS");
	opt_man(&global_options, out);
	roff_section(out, "COMMANDS");
	add_commands(out);
	add_refused(out);
	roff_section(out, "FORMATS");
	add_formats(out);
	roff_section(out, "EXIT STATUS");
	add_statuses(out);
	roff_section(out, "ENVIRONMENT");
	add_environment(out);
	roff_section(out, "FILES");
	roff_item(out, &API_HOST_DEFAULT[strlen("unix://")], NULL, "The socket, when nothing else is said.");
	roff_section(out, "SEE ALSO");
	roff_text(out, "kilnd(8), kilnd.json(5), kiln-runtime(8)");
}
