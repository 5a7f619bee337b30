/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "daemon/doors/filters.h"

static const char *const allowed[] = { "label", "name", "status", NULL };
static struct arena *a;
static struct filters f;

static void parse(const char *text)
{
	struct err e = {0};

	a = arena_new();
	ck_assert_msg(filters_parse(text, allowed, a, &f, &e) == 0, "%s", e.msg);
}

START_TEST(both_forms_mean_the_same)
{
	static const char *const texts[] = { "{\"status\":{\"running\":true,\"dead\":false}}", "{\"status\":[\"running\"]}" };

	for (int i = 0; i < 2; i++) {
		parse(texts[i]);
		ck_assert(filters_match_exact(&f, "status", "running"));
		ck_assert(!filters_match_exact(&f, "status", "dead"));
		arena_free(a);
	}
}
END_TEST

START_TEST(nothing_given_matches_all)
{
	parse(NULL);
	ck_assert(filters_match_exact(&f, "status", "running"));
	ck_assert(filters_match_name(&f, "name", "web"));
	arena_free(a);
}
END_TEST

/* Unrolled by the C library, the first one takes more memory than the machine has */
START_TEST(expressions_without_bound_are_plain_text)
{
	parse("{\"name\":[\"((((a{1,255}){1,255}){1,255}){1,255})\"]}");
	ck_assert(!filters_match_name(&f, "name", "/aaa"));
	arena_free(a);
	parse("{\"name\":[\"((a*)*)*\\\\1x\"]}");
	ck_assert(!filters_match_name(&f, "name", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
	arena_free(a);
	/* Copies of copies: minutes to compile */
	parse("{\"name\":[\"b????????????????????????????????????????????????????????????????????????????????????????????????????????????????????+++\"]}");
	ck_assert(!filters_match_name(&f, "name", "/b"));
	arena_free(a);
	parse("{\"name\":[\"((((((((((b?c?)+)+)+d?e?)+)+)+f?g?)+)+)+)+\"]}");
	ck_assert(!filters_match_name(&f, "name", "/b"));
	arena_free(a);
	parse("{\"name\":[\"^/web\\\\.[0-9]+$\"]}");
	ck_assert(filters_match_name(&f, "name", "/web.12"));
	ck_assert(!filters_match_name(&f, "name", "/webs12"));
	arena_free(a);
	parse("{\"name\":[\"^/(web|api)-[a-z]+-[0-9]+(\\\\+x)?$\"]}");
	ck_assert(filters_match_name(&f, "name", "/api-blue-12"));
	ck_assert(filters_match_name(&f, "name", "/web-red-1+x"));
	ck_assert(!filters_match_name(&f, "name", "/db-red-1"));
	arena_free(a);
}
END_TEST

START_TEST(unknown_filter_is_refused_by_name)
{
	struct err e = {0};

	a = arena_new();
	ck_assert_int_eq(filters_parse("{\"foo\":[\"x\"]}", allowed, a, &f, &e), -1);
	ck_assert_int_eq(e.kind, ERR_INVALID);
	ck_assert_msg(strstr(e.msg, "invalid filter 'foo'") != NULL, "%s", e.msg);
	arena_free(a);
}
END_TEST

START_TEST(malformed_text_is_an_error)
{
	static const char *const texts[] = { "{", "[]", "{\"label\":7}", "{\"label\":[7]}", "nonsense" };
	struct err e;

	for (size_t i = 0; i < 5; i++) {
		a = arena_new();
		ck_assert_msg(filters_parse(texts[i], allowed, a, &f, &e) == -1, "%s was taken", texts[i]);
		arena_free(a);
	}
}
END_TEST

START_TEST(labels_match_by_key_and_by_pair_with_dots)
{
	char key[] = "com.example.a", value[] = "1", other[] = "b", empty[] = "";
	struct str_pair pairs[] = { { key, value }, { other, empty } };
	struct str_map labels = { pairs, 2 };

	parse("{\"label\":{\"com.example.a=1\":true,\"b\":true}}");
	ck_assert(filters_match_labels(&f, "label", &labels));
	arena_free(a);
	parse("{\"label\":[\"com.example.a=2\"]}");
	ck_assert(!filters_match_labels(&f, "label", &labels));
	arena_free(a);
	parse("{\"label\":[\"com.example\"]}");
	ck_assert(!filters_match_labels(&f, "label", &labels));
	arena_free(a);
}
END_TEST

START_TEST(names_match_as_expressions_and_as_substrings)
{
	parse("{\"name\":[\"^web-[0-9]+$\"]}");
	ck_assert(filters_match_name(&f, "name", "web-12"));
	ck_assert(!filters_match_name(&f, "name", "my-web-12x"));
	arena_free(a);
	parse("{\"name\":[\"web\"]}");
	ck_assert(filters_match_name(&f, "name", "my-web-1"));
	arena_free(a);
	parse("{\"name\":[\"a(b\"]}");
	ck_assert(filters_match_name(&f, "name", "xa(by"));
	arena_free(a);
}
END_TEST

UNIT_MAIN("filters", both_forms_mean_the_same, nothing_given_matches_all, expressions_without_bound_are_plain_text, unknown_filter_is_refused_by_name,
	  malformed_text_is_an_error, labels_match_by_key_and_by_pair_with_dots, names_match_as_expressions_and_as_substrings)
