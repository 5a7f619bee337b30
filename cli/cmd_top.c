/* SPDX-License-Identifier: Apache-2.0 */
/* kiln top: a container's processes. */
#include <stdio.h>

#include "base/own.h"
#include "cli/commands.h"
#include "cli/human.h"
#include "base/jsontext.h"
#include "cli/reply.h"

enum { COLUMN_MIN = 20, COLUMN_GAP = 3, CELLS_MAX = 64 };

struct line { const char *cells[CELLS_MAX]; size_t n; };

static struct line read_line(struct jsontext cells, struct arena *a)
{
	struct line l = {0};
	struct jsontext cell;
	size_t pos = 0;
	char *key;

	while (l.n < CELLS_MAX && jsontext_next(cells, &pos, a, &key, &cell))
		l.cells[l.n++] = jsontext_string(cell, a);
	return l;
}

/* As docker: columns of at least 20, the last one as wide as it is, each line ended by a column that is empty */
static void print_lines(const struct line *lines, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < lines[i].n; k++) {
			size_t width = COLUMN_MIN;

			for (size_t j = 0; j < n; j++)
				if (k < lines[j].n && human_width(lines[j].cells[k]) + COLUMN_GAP > width)
					width = human_width(lines[j].cells[k]) + COLUMN_GAP;
			cmd_say(stdout, "%s%*s", lines[i].cells[k], k + 1 < lines[i].n ? (int)(width - human_width(lines[i].cells[k])) : 0, "");
		}
		printf("\n");
	}
}

static int run(const struct call *c)
{
	AUTO_STRBUF struct strbuf path = {0};
	AUTO_STRBUF struct strbuf body = {0};
	AUTO_STRBUF struct strbuf args = {0};
	struct jsontext v, processes, process;
	AUTO_FREE struct line *lines = NULL;
	struct err e = {0};
	size_t pos = 0, n = 1;
	char *key;

	for (size_t i = 1; i < c->args.n; i++)
		strbuf_addf(&args, "%s%s", i > 1 ? " " : "", c->args.v[i]);
	strbuf_adds(&path, path_of(c->a, "containers", c->args.v[0], "top"));
	path_query(&path, "ps_args", args.data);
	if (reply_json(c, path.data, &body, &v, &e) < 0)
		return cmd_fail(&e);
	processes = jsontext_member(v, "Processes");
	while (jsontext_next(processes, &pos, c->a, &key, &process))
		n++;
	lines = xcalloc(n, sizeof(*lines));
	lines[0] = read_line(jsontext_member(v, "Titles"), c->a);
	for (pos = 0, n = 1; jsontext_next(processes, &pos, c->a, &key, &process); n++)
		lines[n] = read_line(process, c->a);
	print_lines(lines, n);
	return 0;
}

const struct command cmd_top = {
	.name = "top", .group = "container", .member = "top", .usage = "CONTAINER [ps OPTIONS]", .help = "Show the processes of a container",
	.args = VALUE_RUNNING, .n_args_min = 1, .n_args_max = ARGS_MANY, .is_prefix = true, .run = run,
};
