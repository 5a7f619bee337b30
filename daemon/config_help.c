/* SPDX-License-Identifier: Apache-2.0 */
/* --help and the manual pages, printed from the table. */
#include <string.h>

#include "base/own.h"
#include "base/roff.h"
#include "daemon/config_priv.h"

#define HELP_COLUMN  34
#define HELP_COLUMNS 100

/* Break at spaces; the text begins at HELP_COLUMN already. */
static void add_wrapped(struct strbuf *out, const char *text)
{
	size_t column = HELP_COLUMN;

	for (const char *p = text; *p;) {
		size_t n = strcspn(p, " ");

		if (column > HELP_COLUMN && column + 1 + n > HELP_COLUMNS) {
			strbuf_addf(out, "\n%*s", HELP_COLUMN, "");
			column = HELP_COLUMN;
		} else if (column > HELP_COLUMN) {
			strbuf_addc(out, ' ');
			column++;
		}
		strbuf_add(out, p, n);
		column += n;
		p += n + (p[n] == ' ');
	}
	strbuf_addc(out, '\n');
}

static void add_names(const struct config_row *row, struct strbuf *out)
{
	if (row->letter)
		strbuf_addf(out, "-%c, ", row->letter);
	strbuf_addf(out, "--%s", row->flag);
}

static void add_meaning(const struct config_row *row, struct strbuf *out)
{
	strbuf_adds(out, row->help);
	if (row->unset)
		strbuf_addf(out, " (%s)", row->unset);
}

void config_help(struct strbuf *out)
{
	strbuf_adds(out, "usage: kilnd [options]\n\nThe container daemon. SIGTERM ends it and leaves containers running; "
			 "SIGHUP makes it read its\nconfiguration again.\n\n");
	for (size_t i = 0; i < config_n_rows; i++) {
		const struct config_row *row = &config_rows[i];
		AUTO_STRBUF struct strbuf left = { 0 }, right = { 0 };

		strbuf_adds(&left, row->letter ? "  " : "      ");
		add_names(row, &left);
		if (row->arg)
			strbuf_addf(&left, " %s", row->arg);
		add_meaning(row, &right);
		if (left.len >= HELP_COLUMN - 1)
			strbuf_addf(out, "%s\n%*s", left.data, HELP_COLUMN, "");
		else
			strbuf_addf(out, "%-*s", HELP_COLUMN, left.data);
		add_wrapped(out, right.data);
	}
}

void config_man_kilnd(struct strbuf *out)
{
	roff_page(out, "kilnd", "8", "container daemon");
	roff_section(out, "SYNOPSIS");
	roff_item(out, "kilnd", "[options]", "");
	roff_section(out, "DESCRIPTION");
	roff_text(out, "kilnd serves the Docker Engine API on unix sockets and keeps containers running. It ends when it gets "
		       "SIGTERM or SIGINT; containers stay, and the next kilnd on the same roots adopts them. One kilnd at a "
		       "time works on a data root and on an exec root.");
	roff_section(out, "OPTIONS");
	for (size_t i = 0; i < config_n_rows; i++) {
		AUTO_STRBUF struct strbuf names = { 0 }, text = { 0 };

		add_names(&config_rows[i], &names);
		add_meaning(&config_rows[i], &text);
		roff_item(out, names.data, config_rows[i].arg, text.data);
	}
	roff_text(out, "All but the last four, and the name of the file itself, may stand in kilnd.json(5); an option that is "
		       "given as a flag may not stand in the file, too.");
	roff_section(out, "SIGNALS");
	roff_item(out, "SIGTERM, SIGINT", NULL, "End; containers stay.");
	roff_item(out, "SIGHUP", NULL,
		  "Read the configuration again, and reopen the audit log. A file that is wrong changes nothing.");
	roff_item(out, "SIGUSR2", NULL, "Stop all containers by their stop signals, then end; what kilnd --stop-all sends.");
	roff_section(out, "EXIT STATUS");
	roff_item(out, "0", NULL, "It ended as it was asked to; the configuration is valid; all containers are stopped.");
	roff_item(out, "1", NULL, "It could not begin; with --validate: something is wrong; with --stop-all: not all containers "
				  "could be stopped, or no kilnd runs there.");
	roff_item(out, "2", NULL, "The options or the configuration file are wrong.");
	roff_section(out, "ENVIRONMENT");
	roff_item(out, "NOTIFY_SOCKET, WATCHDOG_USEC, LISTEN_FDS, LISTEN_PID, JOURNAL_STREAM", NULL,
		  "As systemd sets them: kilnd tells when it is ready, reloads and ends, shows that its loop is alive, takes over "
		  "sockets, and puts priorities before its lines.");
	roff_section(out, "SEE ALSO");
	roff_text(out, "kilnd.json(5), kiln(1), systemd.service(5)");
}

static const char *type_words(enum config_type type)
{
	static const char *const words[] = {
		[CONFIG_BOOL] = "true or false",
		[CONFIG_TEXT] = "string",
		[CONFIG_PATH] = "string: an absolute path",
		[CONFIG_TEXTS] = "array of strings",
		[CONFIG_PAIRS] = "object of strings",
		[CONFIG_SIZE] = "number of bytes, or a string such as \"64m\"",
		[CONFIG_NUMBER] = "number",
		[CONFIG_ULIMITS] = "object: {\"nofile\": {\"Soft\": 1024, \"Hard\": 4096}}",
	};

	return words[type];
}

void config_man_file(struct strbuf *out)
{
	roff_page(out, "kilnd.json", "5", "configuration of kilnd");
	roff_section(out, "DESCRIPTION");
	roff_text(out, "/etc/kiln/kilnd.json, or what --config-file names, is one JSON object. Its keys are those of dockerd's "
		       "daemon.json where the meaning is the same. Unknown keys are errors, and so are keys of dockerd that Kiln "
		       "does not have, unless their value asks for what Kiln does anyway. kilnd --validate tells what is wrong, "
		       "with line and column.");
	roff_section(out, "KEYS");
	for (size_t i = 0; i < config_n_rows; i++) {
		const struct config_row *row = &config_rows[i];
		AUTO_STRBUF struct strbuf text = { 0 };

		if (!row->key)
			continue;
		add_meaning(row, &text);
		if (row->arg && strchr(row->arg, '|'))
			strbuf_addf(&text, "; one of %s", row->arg);
		strbuf_addf(&text, ". %s", row->can_reload ? "Changes on SIGHUP." : "Changes with a restart of kilnd.");
		roff_item(out, row->key, type_words(row->type), text.data);
	}
	roff_section(out, "EXAMPLE");
	roff_code(out, "{\n"
		       "  \"log-level\": \"info\",\n"
		       "  \"labels\": [\"rack=7\"],\n"
		       "  \"default-ulimits\": {\"nofile\": {\"Soft\": 1024, \"Hard\": 524288}},\n"
		       "  \"shutdown-timeout\": 30\n"
		       "}\n");
	roff_section(out, "SEE ALSO");
	roff_text(out, "kilnd(8)");
}
