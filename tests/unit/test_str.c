/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include "tests/unit/unit.h"

START_TEST(a_buffer_grows_and_stays_terminated)
{
	AUTO_STRBUF struct strbuf b = { 0 };

	ck_assert_str_eq(strbuf_cstr(&b), "");
	for (int i = 0; i < 1000; i++) {
		strbuf_addf(&b, "%d,", i % 10);
		ck_assert_uint_eq(strlen(b.data), b.len);
	}
	ck_assert_uint_eq(b.len, 2000);
	strbuf_reset(&b);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_str_eq(b.data, "");
	strbuf_adds(&b, "ab");
	strbuf_addc(&b, 'c');
	strbuf_add(&b, "de", 2);
	strbuf_add(&b, NULL, 0);
	ck_assert_str_eq(b.data, "abcde");
}
END_TEST

START_TEST(consumed_bytes_are_dropped_in_front)
{
	AUTO_STRBUF struct strbuf b = { 0 };

	strbuf_drop_front(&b, 0);
	strbuf_adds(&b, "hello world");
	strbuf_drop_front(&b, 6);
	ck_assert_str_eq(b.data, "world");
	strbuf_drop_front(&b, 5);
	ck_assert_str_eq(b.data, "");
}
END_TEST

START_TEST(take_gives_the_text_away)
{
	struct strbuf b = { 0 };
	char *empty = strbuf_take(&b);
	char *text;

	strbuf_adds(&b, "x");
	text = strbuf_take(&b);
	ck_assert_str_eq(empty, "");
	ck_assert_str_eq(text, "x");
	ck_assert_ptr_null(b.data);
	free(empty);
	free(text);
}
END_TEST

START_TEST(comparisons)
{
	ck_assert(str_eq(NULL, NULL));
	ck_assert(!str_eq(NULL, ""));
	ck_assert(!str_eq("", NULL));
	ck_assert(str_eq("a", "a"));
	ck_assert(str_starts("docker", "do"));
	ck_assert(!str_starts("d", "do"));
	ck_assert(str_ends("layer.tar", ".tar"));
	ck_assert(!str_ends("tar", ".tar"));
	ck_assert(str_ends("x", ""));
	ck_assert(str_has_word("cpu,io", ",", "io"));
	ck_assert(str_has_word("cpu io\n", " \n", "io"));
	ck_assert(!str_has_word("cpuset,io", ",", "cpu"));
	ck_assert(!str_has_word("io", ",", "iomem"));
	ck_assert(!str_has_word("", ",", "io"));
	ck_assert(!str_has_word("cpu,", ",", "io"));
	ck_assert(str_is_empty(NULL));
	ck_assert(str_is_empty(""));
	ck_assert(!str_is_empty(" "));
}
END_TEST

START_TEST(unsigned_numbers_are_strict)
{
	static const char *const wrong[] = { "",
					     " 1",
					     "1 ",
					     "+1",
					     "-1",
					     "0x1",
					     "1.0",
					     "1a",
					     "18446744073709551616",
					     "99999999999999999999" };
	uint64_t v = 42;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ck_assert_msg(!str_to_u64(wrong[i], &v), "'%s' was taken", wrong[i]);
		ck_assert_uint_eq(v, 42);
	}
	ck_assert(!str_to_u64(NULL, &v));
	ck_assert(str_to_u64("0", &v));
	ck_assert_uint_eq(v, 0);
	ck_assert(str_to_u64("18446744073709551615", &v));
	ck_assert_uint_eq(v, UINT64_MAX);
}
END_TEST

START_TEST(signed_numbers_are_strict)
{
	int64_t v = 42;

	ck_assert(!str_to_i64("", &v));
	ck_assert(!str_to_i64("-", &v));
	ck_assert(!str_to_i64("--1", &v));
	ck_assert(!str_to_i64(NULL, &v));
	ck_assert(!str_to_i64("9223372036854775808", &v));
	ck_assert(!str_to_i64("-9223372036854775809", &v));
	ck_assert_int_eq(v, 42);
	ck_assert(str_to_i64("9223372036854775807", &v));
	ck_assert_int_eq(v, INT64_MAX);
	ck_assert(str_to_i64("-9223372036854775808", &v));
	ck_assert_int_eq(v, INT64_MIN);
	ck_assert(str_to_i64("-7", &v));
	ck_assert_int_eq(v, -7);
}
END_TEST

START_TEST(hex_is_lower_case_and_exact)
{
	char out[9];

	str_hex("\x00\xff\x1a\xb2", 4, out);
	ck_assert_str_eq(out, "00ff1ab2");
	ck_assert(str_is_hex("00ff", 4));
	ck_assert(!str_is_hex("00ff", 3));
	ck_assert(!str_is_hex("00f", 4));
	ck_assert(!str_is_hex("00FF", 4));
	ck_assert(!str_is_hex("00fg", 4));
	ck_assert(str_is_hex("", 0));
}
END_TEST

static void assert_decodes(const char *text, const char *want)
{
	size_t n = 99;
	char *got = str_base64_decode(text, strlen(text), &n);

	ck_assert_msg(got != NULL, "'%s' was refused", text);
	ck_assert_uint_eq(n, strlen(want));
	ck_assert_str_eq(got, want);
	free(got);
}

START_TEST(base64_takes_both_alphabets_and_optional_padding)
{
	assert_decodes("", "");
	assert_decodes("Zg==", "f");
	assert_decodes("Zg", "f");
	assert_decodes("Zm8=", "fo");
	assert_decodes("Zm9v", "foo");
	assert_decodes("Zm9vYmFy", "foobar");
	assert_decodes("Pz8/Pz4+", "???\?>>");
	assert_decodes("Pz8_Pz4-", "???\?>>");
}
END_TEST

START_TEST(base64_refuses_what_is_malformed)
{
	static const char *const wrong[] = { "Z",     "Zg=",    "Zm9v=", "Zm9vY",
					     "Zm 9v", "Zm9v\n", "====",  "Z===" };
	size_t n = 0;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		void *got = str_base64_decode(wrong[i], strlen(wrong[i]), &n);

		ck_assert_msg(got == NULL, "'%s' was taken", wrong[i]);
	}
}
END_TEST

START_TEST(what_is_shown_has_no_control_characters)
{
	AUTO_STRBUF struct strbuf b = { 0 };

	strbuf_add_visible(&b, "a\x1b[2J\x07\x7f b\n\tc \xc2\x9b \xc3\xa9 \\", "\n\t");
	ck_assert_str_eq(strbuf_cstr(&b), "a\\x1b[2J\\x07\\x7f b\n\tc \\xc2\\x9b \xc3\xa9 \\");
	strbuf_reset(&b);
	strbuf_add_visible(&b, "a\nb", "");
	ck_assert_str_eq(strbuf_cstr(&b), "a\\x0ab");
}
END_TEST

UNIT_MAIN("str", a_buffer_grows_and_stays_terminated, what_is_shown_has_no_control_characters, consumed_bytes_are_dropped_in_front,
	  take_gives_the_text_away, comparisons, unsigned_numbers_are_strict,
	  signed_numbers_are_strict,
	  hex_is_lower_case_and_exact,
	  base64_takes_both_alphabets_and_optional_padding, base64_refuses_what_is_malformed)
