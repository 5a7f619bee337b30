/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/format.h"

#include "tests/unit/unit.h"

static const char answer[] = "{\"Id\":\"abc\",\"Pid\":7}";
static struct err e;

static const char *made(const char *text, bool is_list)
{
	static struct strbuf out;
	AUTO_ARENA struct arena *a = arena_new();
	struct format f;

	strbuf_reset(&out);
	memset(&e, 0, sizeof(e));
	if ((is_list ? format_parse_list : format_parse)(text, a, &f, &e) < 0 || format_answer(&f, answer, strlen(answer), &out, &e) < 0)
		return e.msg;
	return strbuf_cstr(&out);
}

START_TEST(json_is_the_whole_answer)
{
	ck_assert_str_eq(made("json", false), "{\"Id\":\"abc\",\"Pid\":7}\n");
	ck_assert_str_eq(made("json", true), "{\"Id\":\"abc\",\"Pid\":7}\n");
}
END_TEST

START_TEST(escapes_are_for_lists_as_docker_has_it)
{
	ck_assert_str_eq(made("{{.Id}}\\t{{.Pid}}\\n\\x", true), "abc\t7\n\\x\n");
	ck_assert_str_eq(made("{{.Id}}\\t{{.Pid}}", false), "abc\\t7\n");
}
END_TEST

START_TEST(a_list_may_be_a_table)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct format f;

	ck_assert_int_eq(format_parse_list("table  {{.Id}}", a, &f, &e), 0);
	ck_assert(f.is_table);
	ck_assert_int_eq(format_parse_list("tables {{.Id}}", a, &f, &e), 0);
	ck_assert(!f.is_table);
	ck_assert_int_eq(format_parse("table {{.Id}}", a, &f, &e), 0);
	ck_assert(!f.is_table);
}
END_TEST

START_TEST(what_is_wrong_is_told)
{
	ck_assert_ptr_nonnull(strstr(made("raw", true), "format 'raw' is refused"));
	ck_assert_int_eq(e.kind, ERR_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(made("{{.Id", true), "unclosed action"));
	ck_assert_ptr_nonnull(strstr(made("{{.Nosuch}}", false), "no field '.Nosuch'"));
}
END_TEST

UNIT_MAIN("format", json_is_the_whole_answer, escapes_are_for_lists_as_docker_has_it, a_list_may_be_a_table, what_is_wrong_is_told)
