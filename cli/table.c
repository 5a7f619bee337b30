/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "cli/human.h"

enum { COLUMN_MIN = 10, COLUMN_GAP = 3, CELLS_MAX = 64 };

static const struct column *find_column(const struct table *t, const char *field)
{
	for (const struct column *c = t->columns; c->field; c++)
		if (str_eq(c->field, field))
			return c;
	return NULL;
}

static int no_such_field(const struct table *t, struct err *e)
{
	AUTO_STRBUF struct strbuf known = {0};

	for (const struct column *c = t->columns; c->field; c++)
		strbuf_addf(&known, " .%s", c->field);
	return err_set(e, ERR_INVALID, "template: there is no field '.%.64s'; there are%s", t->unknown, strbuf_cstr(&known));
}

/* "ID Names" as "table {{.ID}}\t{{.Names}}" */
static const char *template_of(const char *fields, struct arena *a)
{
	AUTO_STRBUF struct strbuf out = {0};

	if (fields[0] == '-')
		return arena_printf(a, "{{.%s}}", fields + 1);
	strbuf_adds(&out, "table ");
	for (const char *p = fields; *p;) {
		size_t n = strcspn(p, " ");

		strbuf_addf(&out, "%s{{.%.*s}}", p == fields ? "" : "\\t", (int)n, p);
		p += n + (p[n] == ' ');
	}
	return arena_strdup(a, out.data);
}

static int by_field(const void *x, const void *y)
{
	return strcmp((*(const struct column *const *)x)->field, (*(const struct column *const *)y)->field);
}

static void print_json(const struct table *t, const void *row, struct strbuf *out)
{
	const struct column *sorted[48];
	size_t n = 0;
	struct jw w;

	for (const struct column *c = t->columns; c->field; c++) {
		BUG(n == ARRAY_SIZE(sorted), "too many columns");
		if (!c->is_method)
			sorted[n++] = c;
	}
	qsort(sorted, n, sizeof(sorted[0]), by_field);
	jw_init(&w, out);
	jw_obj(&w, NULL);
	for (size_t i = 0; i < n; i++) {
		AUTO_STRBUF struct strbuf cell = {0};

		sorted[i]->cell(t, row, NULL, &cell);
		jw_str(&w, sorted[i]->field, strbuf_cstr(&cell));
	}
	jw_obj_end(&w);
}

/* ---- the template's view of a row ---- */

struct view { struct table *t; const void *row; };

static bool view_field(const void *ctx, const char *name, const char *arg, struct strbuf *out)
{
	const struct view *v = ctx;
	const struct column *c = find_column(v->t, name);
	AUTO_STRBUF struct strbuf cell = {0};

	if (!c || (arg && !c->is_method)) {
		snprintf(v->t->unknown, sizeof(v->t->unknown), "%s", name);
		return false;
	}
	if (!v->row) {
		strbuf_adds(out, c->head);
		return true;
	}
	c->cell(v->t, v->row, arg, &cell);
	strbuf_add_visible(out, strbuf_cstr(&cell), "\n\t");
	return true;
}

static void view_whole(const void *ctx, struct strbuf *out)
{
	const struct view *v = ctx;

	if (v->row)
		print_json(v->t, v->row, out);
}

/* The line that the template makes; @row NULL: the head line */
static int print_line(struct table *t, const void *row, struct strbuf *out, struct err *e)
{
	struct view v = { t, row };
	struct template_data d = { .ctx = &v, .field = view_field, .whole = view_whole, .is_head = !row };

	return template_run(t->format.template, &d, out, e);
}

/* ---- lines ---- */

/* Cells end at tabs */
static void add_line(struct table *t, const char *line)
{
	struct str_list cells = { arena_new_array(t->a, char *, CELLS_MAX), 0 };

	while (cells.n < CELLS_MAX) {
		size_t n = strcspn(line, "\t");

		cells.v[cells.n++] = arena_strndup(t->a, line, n);
		if (!line[n])
			break;
		line += n + 1;
	}
	if (t->n_lines == t->cap) {
		t->cap = t->cap * 2 + 16;
		t->lines = xrealloc(t->lines, t->cap * sizeof(*t->lines));
	}
	t->lines[t->n_lines++] = cells;
}

int table_init(struct table *t, const struct column *columns, const char *format, const char *fields, struct arena *a, struct err *e)
{
	AUTO_STRBUF struct strbuf head = {0};
	struct err wrong = {0};

	*t = (struct table){ .columns = columns, .a = a };
	if (str_is_empty(format) || str_eq(format, "table"))
		format = template_of(fields, a);
	if (format_parse_list(format, a, &t->format, e) < 0)
		return -1;
	/* what it makes of the heads tells whether its fields are there; else it may want to know more of a row */
	if (print_line(t, NULL, &head, &wrong) < 0 && (t->format.is_table || t->unknown[0])) {
		*e = wrong;
		return t->unknown[0] ? no_such_field(t, e) : -1;
	}
	if (t->format.is_table)
		add_line(t, strbuf_cstr(&head));
	return 0;
}

void table_done(struct table *t)
{
	free(t->lines);
	strbuf_done(&t->out);
	*t = (struct table){0};
}

void table_row(struct table *t, const void *row)
{
	AUTO_STRBUF struct strbuf line = {0};

	if (t->e.kind != ERR_NONE || print_line(t, row, &line, &t->e) < 0)
		return;
	if (t->format.is_table)
		add_line(t, strbuf_cstr(&line));
	else
		strbuf_addf(&t->out, "%s\n", strbuf_cstr(&line));
}

static size_t column_width(const struct table *t, size_t k)
{
	size_t width = COLUMN_MIN;

	for (size_t i = 0; i < t->n_lines; i++)
		if (k + 1 < t->lines[i].n && human_width(t->lines[i].v[k]) + COLUMN_GAP > width)
			width = human_width(t->lines[i].v[k]) + COLUMN_GAP;
	return width;
}

static void print_cells(const struct str_list *cells, const size_t *widths, struct strbuf *out)
{
	for (size_t k = 0; k < cells->n; k++) {
		size_t width = human_width(cells->v[k]);

		strbuf_adds(out, cells->v[k]);
		for (; k + 1 < cells->n && width < widths[k]; width++)
			strbuf_addc(out, ' ');
	}
	strbuf_addc(out, '\n');
}

int table_print(struct table *t, struct strbuf *out, struct err *e)
{
	size_t widths[CELLS_MAX];

	for (size_t k = 0; k < CELLS_MAX; k++)
		widths[k] = column_width(t, k);
	for (size_t i = 0; i < t->n_lines; i++)
		print_cells(&t->lines[i], widths, out);
	strbuf_adds(out, strbuf_cstr(&t->out));
	if (t->e.kind == ERR_NONE)
		return 0;
	*e = t->e;
	return -1;
}

int table_show(struct table *t, struct err *e)
{
	AUTO_STRBUF struct strbuf out = {0};
	int status = table_print(t, &out, e);

	fwrite(strbuf_cstr(&out), 1, out.len, stdout);
	return status;
}
