/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <float.h>
#include <math.h>

#include "base/own.h"
#include "tests/unit/unit.h"

struct limit {
	char *name;
	uint64_t soft;
	uint64_t hard;
};

static const struct jfield limit_fields[] = {
	J_STRING(struct limit, name, "name", J_REQUIRED),
	J_U64(struct limit, soft, "soft", 0),
	J_U64(struct limit, hard, "hard", 0),
};
static const struct jschema limit_schema = J_SCHEMA(struct limit, "test#limit", limit_fields);

struct port {
	char *key;
	int64_t number;
};

static const struct jfield port_fields[] = {
	J_I64(struct port, number, "number", J_OMIT_EMPTY),
};
static const struct jschema port_schema = J_SCHEMA(struct port, "test#port", port_fields);

struct all {
	bool flag;
	struct opt_bool opt_flag;
	int64_t i;
	uint64_t u;
	uint32_t u32;
	struct opt_i64 opt_i;
	struct opt_u64 opt_u;
	double d;
	char *s;
	struct str_list strings;
	struct str_map map;
	struct limit *limit;
	struct limit *limits;
	size_t n_limits;
	struct port *ports;
	size_t n_ports;
	struct json_raw raw;
};

#define ALL_ROWS(fl)                                                                              \
	J_BOOLEAN(struct all, flag, "flag", fl), J_OPT_BOOL(struct all, opt_flag, "optFlag", fl), \
		J_I64(struct all, i, "i", fl), J_U64(struct all, u, "u", fl),                     \
		J_U32(struct all, u32, "u32", fl), J_OPT_I64(struct all, opt_i, "optI", fl),      \
		J_OPT_U64(struct all, opt_u, "optU", fl), J_DOUBLE(struct all, d, "d", fl),       \
		J_STRING(struct all, s, "s", fl), J_STRINGS(struct all, strings, "strings", fl),  \
		J_MAP(struct all, map, "map", fl),                                                \
		J_OBJECT(struct all, limit, "limit", &limit_schema, fl),                          \
		J_ARRAY(struct all, limits, n_limits, "limits", &limit_schema, fl),               \
		J_OBJECT_MAP(struct all, ports, n_ports, "ports", &port_schema, fl),              \
		J_RAW(struct all, raw, "raw", fl)

static const struct jfield all_fields[] = { ALL_ROWS(0) };
static const struct jfield omit_fields[] = { ALL_ROWS(J_OMIT_EMPTY) };
static const struct jfield null_fields[] = { ALL_ROWS(J_NULLABLE) };
static const struct jschema all_schema = J_SCHEMA(struct all, "test#all", all_fields);
static const struct jschema omit_schema = J_SCHEMA(struct all, "test#all", omit_fields);
static const struct jschema null_schema = J_SCHEMA(struct all, "test#all", null_fields);
static const struct jschema fold_schema = J_SCHEMA_FOLD(struct all, "test#all", all_fields);

static struct arena *arena;
static struct err err;

static struct all *decode_by(const struct jschema *schema, const char *text)
{
	void *obj = NULL;

	if (arena == NULL)
		arena = arena_new();
	err = (struct err){ 0 };
	if (json_decode(text, strlen(text), schema, arena, NULL, NULL, &obj, &err) < 0)
		return NULL;
	return obj;
}

static struct all *decode(const char *text)
{
	struct all *a = decode_by(&all_schema, text);

	ck_assert_msg(a != NULL, "%s: %s", text, err.msg);
	return a;
}

static void assert_refused(const char *text, const char *message)
{
	ck_assert_msg(decode_by(&all_schema, text) == NULL, "taken: %s", text);
	ck_assert_int_eq(err.kind, ERR_INVALID);
	ck_assert_str_eq(err.msg, message);
}

static void done(void)
{
	arena_freep(&arena);
}

/* --- decoding ------------------------------------------------------------------------------------ */

START_TEST(every_type_is_decoded)
{
	struct all *a =
		decode("{\"flag\":true,\"optFlag\":false,\"i\":-5,\"u\":7,\"u32\":4294967295,"
		       "\"optI\":0,\"optU\":1,\"d\":1.5,\"s\":\"h\\u00e9\\n\","
		       "\"strings\":[\"a\",\"\"],\"map\":{\"z\":\"1\",\"a\":\"2\"},"
		       "\"limit\":{\"name\":\"n\",\"soft\":1},"
		       "\"limits\":[{\"name\":\"x\"},{\"name\":\"y\",\"hard\":2}],"
		       "\"ports\":{\"80/tcp\":{},\"81/tcp\":{\"number\":3},\"82\":null},"
		       "\"raw\": { \"k\" : [ 1 , 2.5, null, true, \"x\" ] } }");

	ck_assert(a->flag);
	ck_assert(a->opt_flag.set && !a->opt_flag.v);
	ck_assert_int_eq(a->i, -5);
	ck_assert_uint_eq(a->u, 7);
	ck_assert_uint_eq(a->u32, UINT32_MAX);
	ck_assert(a->opt_i.set && a->opt_i.v == 0);
	ck_assert(a->opt_u.set && a->opt_u.v == 1);
	ck_assert_double_eq(a->d, 1.5);
	ck_assert_str_eq(a->s, "h\xc3\xa9\n");
	ck_assert_uint_eq(a->strings.n, 2);
	ck_assert_str_eq(a->strings.v[1], "");
	ck_assert_ptr_null(a->strings.v[2]);
	ck_assert_str_eq(a->map.v[0].key, "z");
	ck_assert_str_eq(str_map_get(&a->map, "a"), "2");
	ck_assert_ptr_null(str_map_get(&a->map, "b"));
	ck_assert_str_eq(a->limit->name, "n");
	ck_assert_uint_eq(a->n_limits, 2);
	ck_assert_uint_eq(a->limits[1].hard, 2);
	ck_assert_uint_eq(a->n_ports, 3);
	ck_assert_str_eq(a->ports[1].key, "81/tcp");
	ck_assert_int_eq(a->ports[1].number, 3);
	ck_assert_str_eq(a->ports[2].key, "82");
	ck_assert_str_eq(a->raw.text, "{\"k\":[1,2.5,null,true,\"x\"]}");
	ck_assert_uint_eq(a->raw.len, strlen(a->raw.text));
	done();
}
END_TEST

START_TEST(absent_and_null_are_empty)
{
	static const char *const texts[] = {
		"{}",
		"{\"flag\":null,\"optFlag\":null,\"i\":null,\"u\":null,\"u32\":null,\"optI\":null,"
		"\"optU\":null,\"d\":null,\"s\":null,\"strings\":null,\"map\":null,\"limit\":null,"
		"\"limits\":null,\"ports\":null,\"raw\":null}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct all *a = decode(texts[i]);
		struct all empty = { 0 };

		ck_assert_mem_eq(a, &empty, sizeof(empty));
	}
	done();
}
END_TEST

START_TEST(integers_outside_int64_are_exact)
{
	struct all *a =
		decode("{\"u\":18446744073709551615,\"optU\":9223372036854775808,\n"
		       "\"i\":-9223372036854775808,\"d\":18446744073709551616,"
		       "\"limits\":[{\"name\":\"18446744073709551615\",\"soft\":9223372036854775807,"
		       "\"hard\":18446744073709551614}],"
		       "\"raw\":[18446744073709551615,-9223372036854775809,1]}");

	ck_assert_uint_eq(a->u, UINT64_MAX);
	ck_assert_uint_eq(a->opt_u.v, (uint64_t)INT64_MAX + 1);
	ck_assert_int_eq(a->i, INT64_MIN);
	ck_assert_double_eq(a->d, 18446744073709551616.0);
	ck_assert_str_eq(a->limits[0].name, "18446744073709551615");
	ck_assert_uint_eq(a->limits[0].soft, INT64_MAX);
	ck_assert_uint_eq(a->limits[0].hard, UINT64_MAX - 1);
	ck_assert_str_eq(a->raw.text, "[18446744073709551615,-9223372036854775809,1]");
	done();
}
END_TEST

START_TEST(integers_out_of_range_are_told_with_their_path)
{
	assert_refused("{\"u\":18446744073709551616}",
		       "u: expected integer from 0 to 18446744073709551615, got 18446744073709551616");
	assert_refused("{\"u\":-1}", "u: expected integer from 0 to 18446744073709551615, got -1");
	assert_refused("{\"limits\":[{\"name\":\"x\"},{\"name\":\"y\",\"soft\":-9223372036854775809}]}",
		       "limits[1].soft: expected integer from 0 to 18446744073709551615, "
		       "got -9223372036854775809");
	assert_refused("{\"u32\":4294967296}",
		       "u32: expected integer from 0 to 4294967295, got 4294967296");
	assert_refused("{\"optI\":9223372036854775808}",
		       "optI: expected integer from -9223372036854775808 to 9223372036854775807, "
		       "got 9223372036854775808");
	assert_refused("{\"u\":1.0}", "u: expected integer, got number");
	assert_refused("{\"i\":1e3}", "i: expected integer, got number");
	done();
}
END_TEST

START_TEST(huge_numbers_do_not_fill_the_message)
{
	AUTO_STRBUF struct strbuf text = { 0 };

	strbuf_adds(&text, "{\"u\":");
	for (int i = 0; i < 10000; i++)
		strbuf_addc(&text, '9');
	strbuf_addc(&text, '}');
	ck_assert_ptr_null(decode_by(&all_schema, text.data));
	ck_assert_uint_lt(strlen(err.msg), 200);
	ck_assert_ptr_nonnull(strstr(err.msg, "999..."));
	text.data[2] = 'd';
	ck_assert_ptr_null(decode_by(&all_schema, text.data));
	ck_assert_str_eq(err.msg, "d: number is too large");
	done();
}
END_TEST

START_TEST(a_string_cannot_pretend_to_be_a_marked_integer)
{
	assert_refused("{\"u\":\"\\u000000000000001\"}",
		       "line 1, column 7, at u: strings may not contain NUL");
	assert_refused("{\"s\":\"x\\\\\\u0000y\"}",
		       "line 1, column 10, at s: strings may not contain NUL");
	assert_refused("{\"a\\u0000b\":1}", "line 1, column 4: strings may not contain NUL");
	/* a backslash that is escaped, and then plain text */
	ck_assert_str_eq(decode("{\"s\":\"\\\\u0000\"}")->s, "\\u0000");
	done();
}
END_TEST

START_TEST(marks_do_not_stand_where_numbers_may_not)
{
	ck_assert_ptr_null(decode_by(&all_schema, "{18446744073709551615:1}"));
	ck_assert_ptr_null(decode_by(&all_schema, "{\"u\":018446744073709551615}"));
	ck_assert_ptr_null(decode_by(&all_schema, "{\"u\":+18446744073709551615}"));
	ck_assert_ptr_null(decode_by(&all_schema, "{\"u\":18446744073709551615x}"));
	ck_assert_ptr_null(decode_by(&all_schema, "{\"u\":18446744073709551615-1}"));
	assert_refused("{\"s\":18446744073709551615}", "s: expected string, got number");
	assert_refused("{\"strings\":[\"a\",18446744073709551615]}",
		       "strings[1]: expected string, got number");
	assert_refused("{\"map\":{\"k\":18446744073709551615}}",
		       "map.k: expected string, got number");
	assert_refused("18446744073709551615", "expected object, got number");
	done();
}
END_TEST

START_TEST(wrong_types_are_told_with_their_path)
{
	assert_refused("[]", "expected object, got array");
	assert_refused("{\"flag\":1}", "flag: expected boolean, got number");
	assert_refused("{\"optFlag\":\"true\"}", "optFlag: expected boolean, got string");
	assert_refused("{\"i\":\"1\"}", "i: expected integer, got string");
	assert_refused("{\"d\":\"1\"}", "d: expected number, got string");
	assert_refused("{\"s\":1}", "s: expected string, got number");
	assert_refused("{\"strings\":\"a\"}", "strings: expected array of strings, got string");
	assert_refused("{\"strings\":[\"a\",null]}", "strings[1]: expected string, got null");
	assert_refused("{\"map\":[]}", "map: expected object of strings, got array");
	assert_refused("{\"map\":{\"k\":true}}", "map.k: expected string, got boolean");
	assert_refused("{\"limit\":[]}", "limit: expected object, got array");
	assert_refused("{\"limits\":{}}", "limits: expected array, got object");
	assert_refused("{\"limits\":[{\"name\":\"a\"},7]}",
		       "limits[1]: expected object, got number");
	assert_refused("{\"limits\":[{\"name\":[]}]}", "limits[0].name: expected string, got array");
	assert_refused("{\"ports\":{\"80\":{\"number\":{}}}}",
		       "ports.80.number: expected integer, got object");
	done();
}
END_TEST

START_TEST(required_keys_are_required)
{
	assert_refused("{\"limit\":{}}", "limit.name: required, but missing");
	assert_refused("{\"limits\":[{\"name\":null}]}", "limits[0].name: required, but missing");
	done();
}
END_TEST

START_TEST(duplicate_keys_are_refused_with_their_path)
{
	assert_refused("{\"i\":1,\"i\":2}", "line 1, column 11, at i: duplicate key");
	assert_refused("{\"limits\":[{\"name\":\"a\"},\n {\"name\":\"b\",\"name\":\"c\"}]}",
		       "line 2, column 20, at limits[1].name: duplicate key");
	assert_refused("{\"raw\":{\"x\":18446744073709551615,\"x\":1}}",
		       "line 1, column 37, at raw.x: duplicate key");
	done();
}
END_TEST

START_TEST(malformed_text_is_told_with_place_and_path)
{
	assert_refused("", "line 1, column 1: unexpected end");
	assert_refused("{", "line 1, column 2: unexpected end");
	assert_refused("{\"limits\":[{\"name\":",
		       "line 1, column 20, at limits[0].name: unexpected end");
	assert_refused("{\"strings\":[\"a\",\n\"b\" \"c\"]}",
		       "line 2, column 8, at strings[1]: ']' expected");
	ck_assert_ptr_null(decode_by(&all_schema, "{\"i\":1} x"));
	ck_assert_ptr_nonnull(strstr(err.msg, "end of file expected"));
	ck_assert_ptr_null(decode_by(&all_schema, "{\"i\":tru}"));
	ck_assert_ptr_nonnull(strstr(err.msg, "at i: invalid token"));
	ck_assert_ptr_null(decode_by(&all_schema, "{\"i\":01}"));
	ck_assert_ptr_null(decode_by(&all_schema, "{\"d\":1e999}"));
	ck_assert_ptr_nonnull(strstr(err.msg, "overflow"));
	ck_assert_ptr_null(decode_by(&all_schema, "{'i':1}"));
	ck_assert_ptr_null(decode_by(&all_schema, "{\"i\":1,}"));
	done();
}
END_TEST

START_TEST(invalid_utf8_is_refused_with_its_place)
{
	static const char *const wrong[] = { "\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
					     "\xe2\x82" };

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		AUTO_FREE char *text = xasprintf("{\n \"s\":\"ab%s\"}", wrong[i]);

		ck_assert_ptr_null(decode_by(&all_schema, text));
		ck_assert_msg(strstr(err.msg, "line 2, column ") == err.msg, "%s", err.msg);
		ck_assert_ptr_nonnull(strstr(err.msg, "unable to decode byte 0x"));
	}
	ck_assert_ptr_null(decode_by(&all_schema, "{\"s\":\"\\ud800\"}"));
	ck_assert_ptr_null(decode_by(&all_schema, "{\"s\":\"tab\there\"}"));
	done();
}
END_TEST

static void nested(struct strbuf *out, const char *before, char open, char close, int n)
{
	strbuf_adds(out, before);
	for (int i = 0; i < n; i++)
		strbuf_addc(out, open);
	for (int i = 0; i < n; i++)
		strbuf_addc(out, close);
	strbuf_addc(out, '}');
}

START_TEST(nesting_is_bounded)
{
	AUTO_STRBUF struct strbuf ok = { 0 };
	AUTO_STRBUF struct strbuf deep = { 0 };
	AUTO_STRBUF struct strbuf very = { 0 };

	nested(&ok, "{\"raw\":", '[', ']', JSON_MAX_DEPTH - 1);
	nested(&deep, "{\"raw\":", '[', ']', JSON_MAX_DEPTH);
	nested(&very, "{\"raw\":", '[', ']', 1000000);
	ck_assert_uint_eq(decode(ok.data)->raw.len, 2 * (JSON_MAX_DEPTH - 1));
	ck_assert_ptr_null(decode_by(&all_schema, deep.data));
	ck_assert_ptr_nonnull(strstr(err.msg, "column 71, at raw[0][0]"));
	ck_assert_ptr_nonnull(strstr(err.msg, ": nested too deeply"));
	ck_assert_ptr_null(decode_by(&all_schema, very.data));
	/* brackets in strings do not nest */
	ck_assert_ptr_nonnull(decode(
		"{\"s\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"}"));
	done();
}
END_TEST

START_TEST(case_is_folded_where_the_schema_says_so)
{
	struct all *a = decode_by(&fold_schema, "{\"OPTflag\":true,\"S\":\"x\"}");

	ck_assert_ptr_nonnull(a);
	ck_assert(a->opt_flag.v);
	ck_assert_str_eq(a->s, "x");
	ck_assert_ptr_null(decode("{\"S\":\"x\"}")->s);
	ck_assert_ptr_null(decode_by(&fold_schema, "{\"S\":\"x\",\"s\":\"y\"}"));
	ck_assert_str_eq(err.msg, "s: duplicate key");
	ck_assert_ptr_null(decode_by(&fold_schema, "{\"S\":null,\"s\":\"y\"}"));
	done();
}
END_TEST

static int collect_unknown(void *ctx, const char *path, const char *value, struct err *e)
{
	struct strbuf *out = ctx;

	strbuf_addf(out, "%s=%s;", path, value);
	if (strstr(path, "forbidden") != NULL)
		return err_set(e, ERR_UNSUPPORTED, "'%s' is not supported", path);
	return 0;
}

START_TEST(unknown_keys_are_handed_to_the_callback)
{
	static const char text[] =
		"{\"x\":{\"y\":[1,18446744073709551615]},\"limit\":{\"name\":\"n\",\"z\":\"t\"},"
		"\"ports\":{\"80\":{\"q\":null}}}";
	static const char refused[] = "{\"limits\":[{\"name\":\"a\",\"forbidden\":1}]}";
	AUTO_STRBUF struct strbuf out = { 0 };
	AUTO_ARENA struct arena *a = arena_new();
	struct err e = { 0 };
	void *obj = NULL;

	ck_assert_int_eq(json_decode(text, strlen(text), &all_schema, a, collect_unknown, &out,
				     &obj, &e),
			 0);
	ck_assert_str_eq(out.data,
			 "x={\"y\":[1,18446744073709551615]};limit.z=\"t\";ports.80.q=null;");
	obj = NULL;
	ck_assert_int_eq(json_decode(refused, strlen(refused), &all_schema, a, collect_unknown,
				     &out, &obj, &e),
			 -1);
	ck_assert_int_eq(e.kind, ERR_UNSUPPORTED);
	ck_assert_str_eq(e.msg, "'limits[0].forbidden' is not supported");
	ck_assert_ptr_null(obj);
	ck_assert_ptr_nonnull(decode("{\"x\":1}"));
	done();
}
END_TEST

START_TEST(text_need_not_be_terminated)
{
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_FREE char *exact = xmalloc(8);
	struct err e = { 0 };
	void *obj = NULL;

	memcpy(exact, "{\"i\":12}", 8);
	ck_assert_int_eq(json_decode(exact, 8, &all_schema, a, NULL, NULL, &obj, &e), 0);
	ck_assert_int_eq(((struct all *)obj)->i, 12);
	ck_assert_int_eq(json_decode(exact, 7, &all_schema, a, NULL, NULL, &obj, &e), -1);
	for (size_t n = 0; n < 7; n++)
		ck_assert_int_eq(json_decode(exact, n, &all_schema, a, NULL, NULL, &obj, &e), -1);
}
END_TEST

/* --- emitting ------------------------------------------------------------------------------------ */

static void assert_emits(const struct jschema *schema, const struct all *a, const char *want)
{
	AUTO_STRBUF struct strbuf out = { 0 };

	json_emit(schema, a, &out);
	ck_assert_str_eq(out.data, want);
}

START_TEST(empty_values_are_emitted_as_the_flags_say)
{
	struct all a = { 0 };

	assert_emits(&all_schema, &a,
		     "{\"flag\":false,\"optFlag\":null,\"i\":0,\"u\":0,\"u32\":0,\"optI\":null,"
		     "\"optU\":null,\"d\":0,\"s\":\"\",\"strings\":[],\"map\":{},\"limit\":null,"
		     "\"limits\":[],\"ports\":{},\"raw\":null}");
	assert_emits(&omit_schema, &a, "{}");
	assert_emits(&null_schema, &a,
		     "{\"flag\":false,\"optFlag\":null,\"i\":0,\"u\":0,\"u32\":0,\"optI\":null,"
		     "\"optU\":null,\"d\":0,\"s\":null,\"strings\":null,\"map\":null,\"limit\":null,"
		     "\"limits\":null,\"ports\":null,\"raw\":null}");
}
END_TEST

START_TEST(set_options_are_emitted_even_when_zero)
{
	struct all a = { .opt_flag = { true, false }, .opt_i = { true, 0 }, .opt_u = { true, 0 } };

	assert_emits(&omit_schema, &a, "{\"optFlag\":false,\"optI\":0,\"optU\":0}");
}
END_TEST

struct lists {
	struct opt_strs some, none, absent;
};
static const struct jfield lists_fields[] = {
	J_OPT_STRINGS(struct lists, some, "some", 0),
	J_OPT_STRINGS(struct lists, none, "none", 0),
	J_OPT_STRINGS(struct lists, absent, "absent", 0),
};
static const struct jschema lists_schema = J_SCHEMA(struct lists, "test", lists_fields);

START_TEST(an_empty_list_is_told_from_an_absent_one)
{
	static const char text[] = "{\"some\":[\"a\",\"b\"],\"none\":[],\"absent\":null}";
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_STRBUF struct strbuf out = { 0 };
	struct err e = { 0 };
	struct lists *l;
	void *ret;

	ck_assert_int_eq(json_decode(text, strlen(text), &lists_schema, a, NULL, NULL, &ret, &e), 0);
	l = ret;
	ck_assert(l->some.set && l->some.v.n == 2 && l->none.set && l->none.v.n == 0 && !l->absent.set);
	json_emit(&lists_schema, l, &out);
	ck_assert_str_eq(out.data, text);
	ck_assert_int_lt(json_decode("{\"some\":[1]}", 12, &lists_schema, a, NULL, NULL, &ret, &e), 0);
	ck_assert_msg(strstr(e.msg, "some[0]: expected string") != NULL, "%s", e.msg);
}
END_TEST

START_TEST(what_is_decoded_is_emitted_the_same)
{
	static const char text[] =
		"{\"flag\":true,\"optFlag\":false,\"i\":-9223372036854775808,\"u\":18446744073709551615,"
		"\"u32\":4294967295,\"optI\":-1,\"optU\":0,\"d\":0.1,\"s\":\"a\\\"\\\\\\n\\u0001\xe2\x82\xac\","
		"\"strings\":[\"a\",\"\"],\"map\":{\"k\":\"v\"},"
		"\"limit\":{\"name\":\"n\",\"soft\":0,\"hard\":18446744073709551615},"
		"\"limits\":[{\"name\":\"x\",\"soft\":1,\"hard\":2}],"
		"\"ports\":{\"80/tcp\":{},\"81/tcp\":{\"number\":3}},"
		"\"raw\":{\"a\":[1.5,18446744073709551615,-9223372036854775809,1e+300]}}";

	assert_emits(&all_schema, decode(text), text);
	done();
}
END_TEST

START_TEST(strings_are_always_valid)
{
	static const struct {
		const char *in;
		const char *out;
	} cases[] = {
		{ "plain", "\"plain\"" },
		{ "\"\\/\b\f\n\r\t\x1f\x7f", "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u001f\x7f\"" },
		{ "\xc3\xa9\xf0\x9f\x98\x80", "\"\xc3\xa9\xf0\x9f\x98\x80\"" },
		{ "a\xff"
		  "b",
		  "\"a\xef\xbf\xbd"
		  "b\"" },
		{ "\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xe2\x82\"", "\"\xef\xbf\xbd\xef\xbf\xbd\\\"\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_STRBUF struct strbuf out = { 0 };
		struct jw w;

		jw_init(&w, &out);
		jw_str(&w, NULL, cases[i].in);
		ck_assert_str_eq(out.data, cases[i].out);
	}
}
END_TEST

START_TEST(the_writer_minds_the_commas)
{
	char *two[] = { (char *)"x", (char *)"y" };
	struct str_pair pair = { (char *)"k", (char *)"v" };
	struct limit l = { .name = (char *)"n" };
	AUTO_STRBUF struct strbuf out = { 0 };
	struct jw w;

	jw_init(&w, &out);
	jw_obj(&w, NULL);
	jw_obj(&w, "empty");
	jw_obj_end(&w);
	jw_arr(&w, "list");
	jw_i64(&w, NULL, INT64_MIN);
	jw_u64(&w, NULL, UINT64_MAX);
	jw_bool(&w, NULL, true);
	jw_null(&w, NULL);
	jw_arr(&w, NULL);
	jw_arr_end(&w);
	jw_arr_end(&w);
	jw_str(&w, "none", NULL);
	jw_null(&w, "null");
	jw_str(&w, "key \"q\"", "v");
	jw_strn(&w, "nul", "a\0b", 3);
	jw_raw(&w, "raw", "[1]");
	jw_raw(&w, "noraw", NULL);
	jw_struct(&w, "struct", &limit_schema, &l);
	jw_struct(&w, "nostruct", &limit_schema, NULL);
	jw_strs(&w, "strs", &(struct str_list){ two, 2 });
	jw_map(&w, "map", &(struct str_map){ &pair, 1 });
	jw_obj_end(&w);
	ck_assert_uint_eq(w.depth, 0);
	ck_assert_str_eq(out.data,
			 "{\"empty\":{},\"list\":[-9223372036854775808,18446744073709551615,true,null,[]],"
			 "\"none\":\"\",\"null\":null,\"key \\\"q\\\"\":\"v\",\"nul\":\"a\\u0000b\",\"raw\":[1],"
			 "\"noraw\":null,\"struct\":{\"name\":\"n\",\"soft\":0,\"hard\":0},\"nostruct\":null,"
			 "\"strs\":[\"x\",\"y\"],\"map\":{\"k\":\"v\"}}");
}
END_TEST

START_TEST(doubles_read_back_exactly)
{
	static const double values[] = { 0,       0.1,         -1.5,    1e300, DBL_MAX,
					 DBL_MIN, DBL_EPSILON, 1.0 / 3, 5e-324 };

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		AUTO_STRBUF struct strbuf out = { 0 };
		struct jw w;

		jw_init(&w, &out);
		jw_dbl(&w, NULL, values[i]);
		ck_assert_double_eq(strtod(out.data, NULL), values[i]);
	}
	AUTO_STRBUF struct strbuf out = { 0 };
	struct jw w;

	jw_init(&w, &out);
	jw_dbl(&w, NULL, INFINITY);
	ck_assert_str_eq(out.data, "null");
}
END_TEST

START_TEST(a_wrong_value_is_found_in_the_text)
{
	static const struct {
		const char *path, *says;
	} cases[] = {
		{ "a", "line 2, column 8, at a: wrong" },
		{ "b.c", "line 3, column 15, at b.c: wrong" },
		{ "b.list[1]", "line 4, column 17, at b.list[1]: wrong" },
		{ "last", "line 5, column 2, at last: wrong" },
		{ "x y\":", "at x y\":: wrong" },
		{ "c", "at c: wrong" },
	};
	static const char text[] = "{\n \"a\" : 1,\n  \"b\": { \"c\": {\"a\": 2},\n  \"list\": [ 1,  2]},\"last\":\n true}";

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err e = { 0 };

		ck_assert_int_eq(json_err_in(text, strlen(text), cases[i].path, "wrong", &e), -1);
		ck_assert_str_eq(e.msg, cases[i].says);
	}
}
END_TEST

UNIT_MAIN("json", every_type_is_decoded, absent_and_null_are_empty,
	  integers_outside_int64_are_exact, integers_out_of_range_are_told_with_their_path,
	  huge_numbers_do_not_fill_the_message, a_string_cannot_pretend_to_be_a_marked_integer,
	  marks_do_not_stand_where_numbers_may_not, wrong_types_are_told_with_their_path,
	  required_keys_are_required, duplicate_keys_are_refused_with_their_path,
	  malformed_text_is_told_with_place_and_path, invalid_utf8_is_refused_with_its_place,
	  nesting_is_bounded, case_is_folded_where_the_schema_says_so,
	  unknown_keys_are_handed_to_the_callback,
	  text_need_not_be_terminated, empty_values_are_emitted_as_the_flags_say,
	  set_options_are_emitted_even_when_zero, what_is_decoded_is_emitted_the_same,
	  a_wrong_value_is_found_in_the_text, an_empty_list_is_told_from_an_absent_one,
	  strings_are_always_valid, the_writer_minds_the_commas, doubles_read_back_exactly)
