/* SPDX-License-Identifier: Apache-2.0 */
#include "base/value.h"
#include "tests/unit/unit.h"

static struct err e;

START_TEST(sizes_are_read_as_docker_reads_them)
{
	static const struct { const char *text; int64_t bytes; } cases[] = {
		{ "0", 0 }, { "1", 1 }, { "64m", 64 << 20 }, { "64M", 64 << 20 }, { "1k", 1024 }, { "1kb", 1024 }, { "1KiB", 1024 },
		{ "1.5g", 1610612736 }, { "2b", 2 }, { "1 k", 1024 }, { "2 kb", 2048 }, { "64MB", 64 << 20 }, { "64MiB", 64 << 20 }, { "1T", 1LL << 40 }, { ".5k", 512 }, { "3t", 3LL << 40 }, { "-1", -1 }, { "0.1k", 102 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t v = 42;

		ck_assert_msg(value_bytes(cases[i].text, &v, &e) == 0, "%s: %s", cases[i].text, e.msg);
		ck_assert_int_eq(v, cases[i].bytes);
	}
}
END_TEST

START_TEST(what_is_no_size_is_refused)
{
	static const char *const wrong[] = { "", "m", "-2", "1x", "1mm", "1.2.3", "99999999999t", "9223372036854775808", "1e3", " 1", "1m ", "1ki", "1bb", "64 m b", "1..5m" };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		int64_t v = 42;

		ck_assert_msg(value_bytes(wrong[i], &v, &e) == -1, "'%s' was taken as %lld", wrong[i], (long long)v);
		ck_assert_int_eq(v, 42);
	}
}
END_TEST

START_TEST(durations_are_read_as_go_reads_them)
{
	static const struct { const char *text; int64_t ns; } cases[] = {
		{ "0", 0 }, { "1s", 1000000000 }, { "1m30s", 90000000000 }, { "1.5h", 5400000000000 }, { "200ms", 200000000 },
		{ "1h2m3s4ms5us6ns", 3723004005006 }, { "-1s", -1000000000 }, { "+2s", 2000000000 }, { ".5s", 500000000 },
	};
	static const char *const wrong[] = { "", "1", "s", "1x", "1s2", "1 s", "--1s", "9999999999h", "1..5s" };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t v = 42;

		ck_assert_msg(value_duration(cases[i].text, &v, &e) == 0, "%s: %s", cases[i].text, e.msg);
		ck_assert_int_eq(v, cases[i].ns);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(value_duration(wrong[i], &(int64_t){ 0 }, &e) == -1, "'%s' was taken", wrong[i]);
}
END_TEST

START_TEST(decimals_are_billionths)
{
	int64_t v;

	ck_assert_int_eq(value_decimal("1.5", &v, &e), 0);
	ck_assert_int_eq(v, 1500000000);
	ck_assert_int_eq(value_decimal("0.000000001", &v, &e), 0);
	ck_assert_int_eq(v, 1);
	ck_assert_int_eq(value_decimal("0.0000000001", &v, &e), -1);
	ck_assert_int_eq(value_decimal("1.5x", &v, &e), -1);
	ck_assert_int_eq(value_decimal("", &v, &e), -1);
}
END_TEST

UNIT_MAIN("value", sizes_are_read_as_docker_reads_them, what_is_no_size_is_refused, durations_are_read_as_go_reads_them,
	  decimals_are_billionths)
