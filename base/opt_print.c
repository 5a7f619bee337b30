/* SPDX-License-Identifier: Apache-2.0 */
/* What is printed from the tables of options: --help and the manual. */
#include <string.h>

#include "base/opt.h"
#include "base/own.h"
#include "base/roff.h"

enum { LEFT_MAX = 34 };

void opt_wrap(struct strbuf *out, size_t left, const char *text)
{
	size_t room = OPT_HELP_WIDTH - left;

	while (*text) {
		size_t n = strcspn(text, "\n");

		if (n > room) {
			n = room;
			while (n > 0 && text[n] != ' ')
				n--;
			if (n == 0)
				n = strcspn(text, " \n");
		}
		strbuf_add(out, text, n);
		strbuf_addc(out, '\n');
		text += n;
		text += *text == ' ' || *text == '\n';
		if (*text)
			strbuf_addf(out, "%*s", (int)left, "");
	}
}

static void add_spelling(struct strbuf *out, const struct opt *o)
{
	if (o->letter)
		strbuf_addf(out, "-%c, --%s", o->letter, o->name);
	else
		strbuf_addf(out, "--%s", o->name);
}

static void add_left(struct strbuf *out, const struct opt *o)
{
	strbuf_adds(out, o->letter ? "  " : "      ");
	add_spelling(out, o);
	if (o->value)
		strbuf_addf(out, " %s", o->value);
}

/* How wide the left column is: as the longest spelling that is not too long */
static size_t left_width(const struct opt_tables *t)
{
	size_t width = 0;

	for (const struct opt *o = opt_next(t, NULL); o; o = opt_next(t, o)) {
		AUTO_STRBUF struct strbuf left = { 0 };

		add_left(&left, o);
		if (!o->is_hidden && left.len > width && left.len <= LEFT_MAX)
			width = left.len;
	}
	return width;
}

void opt_help(const struct opt_tables *t, struct strbuf *out)
{
	size_t width = left_width(t);
	const char *group = "Options";

	for (const struct opt *o = opt_next(t, NULL); o; o = opt_next(t, o)) {
		AUTO_STRBUF struct strbuf left = { 0 };

		group = o->group ? o->group : group;
		if (o->is_hidden)
			continue;
		if (group)
			strbuf_addf(out, "\n%s:\n", group);
		group = NULL;
		add_left(&left, o);
		strbuf_addf(out, "%-*s   ", (int)width, left.data);
		if (left.len > width)
			strbuf_addf(out, "\n%*s   ", (int)width, "");
		opt_wrap(out, width + 3, o->help);
	}
}

void opt_man(const struct opt_tables *t, struct strbuf *out)
{
	for (const struct opt *o = opt_next(t, NULL); o; o = opt_next(t, o)) {
		AUTO_STRBUF struct strbuf spelling = { 0 };
		AUTO_STRBUF struct strbuf text = { 0 };

		if (o->group)
			roff_subsection(out, o->group);
		if (o->is_hidden)
			continue;
		add_spelling(&spelling, o);
		strbuf_addf(&text, "%s%s%s", o->help, o->more ? ". " : "", o->more ? o->more : "");
		roff_item(out, spelling.data, o->value, text.data);
	}
}
