/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include "tests/unit/unit.h"

static struct err e;

struct row { const char *id, *name; };
static void cell_id(const struct table *t, const void *row, const char *key, struct strbuf *out)
{
	(void)key;
	strbuf_addf(out, "%.*s", t->style.no_trunc ? 64 : 3, ((const struct row *)row)->id);
}
static void cell_name(const struct table *t, const void *row, const char *key, struct strbuf *out)
{
	(void)t;
	(void)key;
	strbuf_adds(out, ((const struct row *)row)->name);
}
static void cell_label(const struct table *t, const void *row, const char *key, struct strbuf *out)
{
	(void)t;
	(void)row;
	strbuf_addf(out, "<%s>", key ? key : "");
}
static const struct column columns[] = {
	{ "Names", "NAMES", cell_name, false },
	{ "ID", "CONTAINER ID", cell_id, false },
	{ "Label", "LABEL", cell_label, true },
	{ NULL, NULL, NULL, false },
};
static const struct row rows[] = { { "abcdef", "a-name" }, { "123456", "\303\244\303\266\303\274-longer-name" } };

static const char *table_of(const char *format, const char *fields)
{
	static struct strbuf out;
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_TABLE struct table t = {0};

	strbuf_reset(&out);
	memset(&e, 0, sizeof(e));
	if (table_init(&t, columns, format, fields, a, &e) < 0)
		return e.msg;
	for (size_t i = 0; i < 2; i++)
		table_row(&t, &rows[i]);
	return table_print(&t, &out, &e) < 0 ? e.msg : strbuf_cstr(&out);
}

START_TEST(columns_are_aligned_as_docker_does)
{
	ck_assert_str_eq(table_of(NULL, "ID Names"), "CONTAINER ID   NAMES\nabc            a-name\n123            \303\244\303\266\303\274-longer-name\n");
	ck_assert_str_eq(table_of("table", "Names ID"), "NAMES             CONTAINER ID\na-name            abc\n\303\244\303\266\303\274-longer-name   123\n");
	ck_assert_str_eq(table_of("table {{.ID}}:\\t{{.Names}}", "ID"),
			 "CONTAINER ID:   NAMES\nabc:            a-name\n123:            \303\244\303\266\303\274-longer-name\n");
}
END_TEST

START_TEST(rows_by_a_template)
{
	ck_assert_str_eq(table_of(NULL, "-ID"), "abc\n123\n");
	ck_assert_str_eq(table_of("table", "-ID"), "abc\n123\n");
	ck_assert_str_eq(table_of("{{.Names}}={{json .ID}}", "ID"), "a-name=\"abc\"\n\303\244\303\266\303\274-longer-name=\"123\"\n");
	ck_assert_str_eq(table_of("json", "ID"), "{\"ID\":\"abc\",\"Names\":\"a-name\"}\n{\"ID\":\"123\",\"Names\":\"\303\244\303\266\303\274-longer-name\"}\n");
	ck_assert_str_eq(table_of("{{.Label \"x.y\"}}", "ID"), "<x.y>\n<x.y>\n");
	ck_assert_str_eq(table_of("{{.Nosuch}}", "ID"), "template: there is no field '.Nosuch'; there are .Names .ID .Label");
	ck_assert_str_eq(table_of("{{.ID.X}}", "ID"), "template: nothing to look for '.X' in");
	ck_assert_str_eq(table_of("{{.ID \"x\"}}", "ID"), "template: there is no field '.ID'; there are .Names .ID .Label");
	ck_assert_str_eq(table_of("{{if eq .ID \"123\"}}{{.Names}}{{end}}", "ID"), "\n\303\244\303\266\303\274-longer-name\n");
	ck_assert_str_eq(table_of("{{index (split .Names \"-\") 1}}", "ID"), "name\nlonger\n");
}
END_TEST

UNIT_MAIN("table", columns_are_aligned_as_docker_does, rows_by_a_template)
