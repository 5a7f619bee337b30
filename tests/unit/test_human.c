/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/clock.h"
#include "cli/detach_keys.h"
#include "cli/human.h"
#include "cli/progress.h"
#include "tests/unit/unit.h"

START_TEST(sizes_as_docker_prints_them)
{
	char out[HUMAN_MAX];

	ck_assert_str_eq(human_size(0, 3, out), "0B");
	ck_assert_str_eq(human_size(999, 3, out), "999B");
	ck_assert_str_eq(human_size(1000, 3, out), "1kB");
	ck_assert_str_eq(human_size(1982440, 3, out), "1.98MB");
	ck_assert_str_eq(human_size(1982440, 4, out), "1.982MB");
	ck_assert_str_eq(human_size(123456789012.0, 3, out), "123GB");
	ck_assert_str_eq(human_bytes(0, out), "0B");
	ck_assert_str_eq(human_bytes(1023, out), "1023B");
	ck_assert_str_eq(human_bytes(1536, out), "1.5KiB");
	ck_assert_str_eq(human_bytes(25276973056.0, out), "23.54GiB");
}
END_TEST

START_TEST(times_as_docker_prints_them)
{
	char out[64];

	setenv("TZ", "UTC", 1);
	ck_assert_str_eq(human_ago(100, 100, out), "Less than a second ago");
	ck_assert_str_eq(human_ago(0, 90, out), "About a minute ago");
	ck_assert_str_eq(human_date(1700000000, out), "2023-11-14 22:13:20 +0000 UTC");
}
END_TEST

START_TEST(texts_are_cut_and_quoted)
{
	struct strbuf out = {0};

	human_ellipsis(&out, "abcdef", 6);
	ck_assert_str_eq(out.data, "abcdef");
	strbuf_reset(&out);
	human_ellipsis(&out, "\303\244\303\266\303\274def", 4);
	ck_assert_str_eq(out.data, "\303\244\303\266\303\274\342\200\246");
	strbuf_reset(&out);
	human_quote(&out, "a\"b\\c\n\t\001\303\244");
	ck_assert_str_eq(out.data, "\"a\\\"b\\\\c\\n\\t\\x01\303\244\"");
	ck_assert_uint_eq(human_width("\303\244b"), 2);
	strbuf_done(&out);
}
END_TEST

START_TEST(progress_tells_how_far_and_how_fast)
{
	struct progress p = { .what = "Loading", .is_bytes = true, .done = 5000000, .total = 20000000 };
	struct strbuf out = {0};

	progress_text(&p, 2 * CLOCK_NS_PER_SEC, &out);
	ck_assert_str_eq(out.data, "Loading 5MB of 20MB (25%), 2.5MB/s");
	strbuf_reset(&out);
	p.total = 0;
	progress_text(&p, 2 * CLOCK_NS_PER_SEC, &out);
	ck_assert_str_eq(out.data, "Loading 5MB, 2.5MB/s");
	strbuf_reset(&out);
	p = (struct progress){ .what = "Stopping", .done = 3, .total = 20 };
	progress_text(&p, 4 * CLOCK_NS_PER_SEC, &out);
	ck_assert_str_eq(out.data, "Stopping 3 of 20, 4 s");
	strbuf_done(&out);
}
END_TEST

static bool typed(const char *keys, const char *text)
{
	struct detach_keys k = {0};
	struct err e;

	ck_assert_msg(detach_keys_set(&k, keys, &e) == 0, "%s", e.msg);
	for (; *text; text++)
		if (detach_keys_feed(&k, text, 1))
			return true;
	return false;
}

START_TEST(keys_that_detach)
{
	struct detach_keys k = {0};
	struct err e = {0};

	ck_assert(typed(NULL, "\x10\x11"));
	ck_assert(typed("", "abc\x10\x10\x11"));
	ck_assert(!typed(NULL, "\x10x\x11"));
	ck_assert(typed("ctrl-a,b", "x\x01" "b"));
	ck_assert(typed("q", "q"));
	ck_assert(typed("ctrl-@,ctrl-_", "\x1f") == false);
	ck_assert_int_eq(detach_keys_set(&k, "ctrl-1", &e), -1);
	ck_assert_int_eq(detach_keys_set(&k, "ab", &e), -1);
	ck_assert(detach_keys_set(&k, "ctrl-p,ctrl-q", &e) == 0 && detach_keys_feed(&k, "ls\x10\x11", 4));
}
END_TEST

UNIT_MAIN("human", sizes_as_docker_prints_them, times_as_docker_prints_them, texts_are_cut_and_quoted, progress_tells_how_far_and_how_fast,
	  keys_that_detach)
