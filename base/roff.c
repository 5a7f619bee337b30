/* SPDX-License-Identifier: Apache-2.0 */
#include "base/roff.h"

#include <ctype.h>
#include <string.h>

/* One line is one line: what roff would take for a request or an escape is plain text. */
static void add_escaped(struct strbuf *out, const char *text)
{
	bool at_start = out->len == 0 || out->data[out->len - 1] == '\n';

	for (const char *p = text; *p; p++) {
		if (at_start && (*p == '.' || *p == '\''))
			strbuf_adds(out, "\\&");
		if (*p == '\\')
			strbuf_adds(out, "\\e");
		else if (*p == '-')
			strbuf_adds(out, "\\-");
		else
			strbuf_addc(out, *p);
		at_start = *p == '\n';
	}
}

void roff_page(struct strbuf *out, const char *name, const char *section, const char *line)
{
	strbuf_adds(out, ".\\\" Printed by `make man` from the tables in the code; do not edit.\n.TH \"");
	for (const char *p = name; *p; p++)
		strbuf_addc(out, (char)toupper((unsigned char)*p));
	strbuf_addf(out, "\" \"%s\" \"\" \"Kiln " KILN_VERSION "\" \"Kiln\"\n", section);
	strbuf_adds(out, ".ad l\n");
	roff_section(out, "NAME");
	add_escaped(out, name);
	strbuf_adds(out, " \\- ");
	add_escaped(out, line);
	strbuf_addc(out, '\n');
}

void roff_section(struct strbuf *out, const char *title)
{
	strbuf_addf(out, ".SH \"%s\"\n", title);
}

void roff_subsection(struct strbuf *out, const char *title)
{
	strbuf_addf(out, ".SS \"%s\"\n", title);
}

void roff_text(struct strbuf *out, const char *text)
{
	const char *blank;

	strbuf_adds(out, ".PP\n");
	while ((blank = strstr(text, "\n\n")) != NULL) {
		AUTO_STRBUF struct strbuf one = { 0 };

		strbuf_add(&one, text, (size_t)(blank - text));
		add_escaped(out, strbuf_cstr(&one));
		strbuf_adds(out, "\n.PP\n");
		text = blank + 2;
	}
	add_escaped(out, text);
	strbuf_addc(out, '\n');
}

static void add_term(struct strbuf *out, const char *term, const char *arg)
{
	strbuf_adds(out, "\\fB");
	add_escaped(out, term);
	strbuf_adds(out, "\\fR");
	if (!str_is_empty(arg)) {
		strbuf_adds(out, " \\fI");
		add_escaped(out, arg);
		strbuf_adds(out, "\\fR");
	}
	strbuf_addc(out, '\n');
}

void roff_line(struct strbuf *out, const char *term, const char *arg)
{
	add_term(out, term, arg);
	strbuf_adds(out, ".br\n");
}

void roff_item(struct strbuf *out, const char *term, const char *arg, const char *text)
{
	strbuf_adds(out, ".TP\n");
	add_term(out, term, arg);
	add_escaped(out, text);
	strbuf_addc(out, '\n');
}

void roff_code(struct strbuf *out, const char *lines)
{
	strbuf_adds(out, ".PP\n.RS 4\n.nf\n");
	add_escaped(out, lines);
	strbuf_adds(out, ".fi\n.RE\n");
}
