/* SPDX-License-Identifier: Apache-2.0 */
/* The pure part: paths and their queries. */
#include "cli/reply.h"

#include "tests/unit/unit.h"

static struct err e;

START_TEST(names_are_encoded)
{
	AUTO_ARENA struct arena *a = arena_new();

	ck_assert_str_eq(path_of(a, "containers", "web", "json"), "/containers/web/json");
	ck_assert_str_eq(path_of(a, "images", "reg:5000/a/b:1", "tag"), "/images/reg%3A5000%2Fa%2Fb%3A1/tag");
	ck_assert_str_eq(path_of(a, "containers", "../x?y#z", ""), "/containers/..%2Fx%3Fy%23z");
	ck_assert_str_eq(path_of(a, "containers", "web", "?force=1"), "/containers/web?force=1");
	ck_assert_str_eq(path_of(a, "containers", "a b\r\nX: y", "json"), "/containers/a%20b%0D%0AX%3A%20y/json");
}
END_TEST

START_TEST(queries_have_what_was_given)
{
	AUTO_STRBUF struct strbuf path = {0};

	strbuf_adds(&path, "/x");
	path_query(&path, "none", NULL);
	path_flag(&path, "off", false);
	path_number(&path, "unset", &(struct opt_i64){0});
	ck_assert_str_eq(path.data, "/x");
	path_flag(&path, "all", true);
	path_query(&path, "q", "a&b=c");
	path_number(&path, "t", &(struct opt_i64){ true, -1 });
	ck_assert_str_eq(path.data, "/x?all=1&q=a%26b%3Dc&t=-1");
}
END_TEST

START_TEST(filters_of_a_key_are_one_list)
{
	char *v[] = { (char[]){ "status=running" }, (char[]){ "label=a=b" }, (char[]){ "status=exited" }, (char[]){ "statusx=1" } };
	struct str_list filters = { v, 4 };
	AUTO_STRBUF struct strbuf path = {0};
	AUTO_STRBUF struct strbuf want = {0};

	strbuf_adds(&path, "/x");
	path_filters(&path, &(struct str_list){0});
	ck_assert_str_eq(path.data, "/x");
	path_filters(&path, &filters);
	strbuf_adds(&want, "/x?filters=");
	api_escape(&want, "{\"status\":[\"running\",\"exited\"],\"label\":[\"a=b\"],\"statusx\":[\"1\"]}");
	ck_assert_str_eq(path.data, want.data);
	ck_assert_int_eq(filter_check("label", &e), -1);
	ck_assert_int_eq(filter_check("label=", &e), 0);
}
END_TEST

UNIT_MAIN("reply", names_are_encoded, queries_have_what_was_given, filters_of_a_key_are_one_list)
