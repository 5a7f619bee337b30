/* SPDX-License-Identifier: Apache-2.0 */
#include "base/jsontext.h"

#include "base/own.h"
#include "tests/unit/unit.h"

static const char answer[] = "{\"Id\":\"abc\",\"State\":{\"Running\":true,\"Pid\":7,\"Error\":null},\"Labels\":{\"a.b\":\"x\",\"c\":\"y\\\"z\"},"
			     "\"Cmd\":[\"sh\",\"-c\"],\"Empty\":[],\"None\":{}}";
static struct err e;

START_TEST(json_is_indented_as_go_does)
{
	AUTO_STRBUF struct strbuf out = {0};
	struct jsontext v;

	ck_assert_int_eq(jsontext_check(answer, strlen(answer), &v, &e), 0);
	jsontext_indent(&out, v, "", "  ");
	ck_assert_str_eq(out.data, "{\n  \"Id\": \"abc\",\n  \"State\": {\n    \"Running\": true,\n    \"Pid\": 7,\n    \"Error\": null\n  },\n"
			 "  \"Labels\": {\n    \"a.b\": \"x\",\n    \"c\": \"y\\\"z\"\n  },\n  \"Cmd\": [\n    \"sh\",\n    \"-c\"\n  ],\n"
			 "  \"Empty\": [],\n  \"None\": {}\n}");
	ck_assert_int_eq(jsontext_check("{\"a\":", 5, &v, &e), -1);
	ck_assert_int_eq(jsontext_check("", 0, &v, &e), -1);
}
END_TEST

START_TEST(text_is_one_value)
{
	static const struct { const char *text; size_t n; } wrong[] = {
		{ "1,\"b\":2", 7 }, { "1}", 2 }, { "[null\0]", 7 }, { "null\0", 5 }, { "\0", 1 }, { "{} {}", 5 }, { "1}\n{\"a\":1", 9 },
	};
	struct jsontext v;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		e = (struct err){0};
		ck_assert_int_eq(jsontext_check(wrong[i].text, wrong[i].n, &v, &e), -1);
		ck_assert_int_eq(e.kind, ERR_INVALID);
	}
	ck_assert_int_eq(jsontext_check(" null\n", 6, &v, &e), 0);
	ck_assert_uint_eq(v.n, 4);
}
END_TEST

START_TEST(space_between_tokens_is_taken_out)
{
	static const char spaced[] = " { \"a b\" :\n[ 1 ,\t\"x \\\" y\" ] , \"c\":null }\n";
	AUTO_STRBUF struct strbuf out = {0};
	struct jsontext v;

	ck_assert_int_eq(jsontext_check(spaced, strlen(spaced), &v, &e), 0);
	jsontext_compact(&out, v);
	ck_assert_str_eq(out.data, "{\"a b\":[1,\"x \\\" y\"],\"c\":null}");
}
END_TEST

START_TEST(values_are_found_without_a_tree)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct jsontext v, none;

	ck_assert_int_eq(jsontext_check(answer, strlen(answer), &v, &e), 0);
	ck_assert_str_eq(jsontext_string(jsontext_member(v, "Id"), a), "abc");
	ck_assert_str_eq(jsontext_string(jsontext_member(jsontext_member(v, "Labels"), "c"), a), "y\"z");
	ck_assert_str_eq(jsontext_string(jsontext_element(jsontext_member(v, "Cmd"), 1), a), "-c");
	none = jsontext_member(v, "Nosuch");
	ck_assert_uint_eq(none.n, 0);
	ck_assert_uint_eq(jsontext_member(none, "x").n, 0);
	ck_assert_uint_eq(jsontext_element(v, 0).n, 0);
	ck_assert_uint_eq(jsontext_element(jsontext_member(v, "Cmd"), 2).n, 0);
}
END_TEST

START_TEST(what_is_no_string_is_an_empty_one)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct jsontext v;

	ck_assert_int_eq(jsontext_check(answer, strlen(answer), &v, &e), 0);
	ck_assert_str_eq(jsontext_string(jsontext_member(v, "State"), a), "");
	ck_assert_str_eq(jsontext_string(jsontext_member(v, "Nosuch"), a), "");
}
END_TEST

/* UBSan sees more than this does */
START_TEST(what_is_not_there_has_no_elements)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct jsontext one;
	size_t pos = 0;
	char *key;

	ck_assert(!jsontext_next((struct jsontext){ 0 }, &pos, a, &key, &one));
}
END_TEST

START_TEST(values_are_printed_as_go_prints_them)
{
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_STRBUF struct strbuf out = {0};
	struct jsontext v;

	ck_assert_int_eq(jsontext_check(answer, strlen(answer), &v, &e), 0);
	jsontext_print(&out, v, a);
	ck_assert_str_eq(out.data, "map[Cmd:[sh -c] Empty:[] Id:abc Labels:map[a.b:x c:y\"z] None:map[] State:map[Error:<nil> Pid:7 Running:true]]");
}
END_TEST

UNIT_MAIN("jsontext", what_is_not_there_has_no_elements, json_is_indented_as_go_does, text_is_one_value, space_between_tokens_is_taken_out, values_are_found_without_a_tree, what_is_no_string_is_an_empty_one,
	  values_are_printed_as_go_prints_them)
