/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <time.h>

#include "tests/unit/unit.h"

#define SEC(s) ((int64_t)(s)*CLOCK_NS_PER_SEC)

START_TEST(clocks_run)
{
	int64_t a = clock_mono_ns();
	int64_t b = clock_mono_ns();

	ck_assert_int_ge(b, a);
	ck_assert_int_gt(clock_wall_ns(), SEC(1600000000));
}
END_TEST

START_TEST(fractions_are_trimmed_as_docker_does)
{
	char out[CLOCK_TEXT_MAX];

	ck_assert_str_eq(clock_rfc3339(0, out), "0001-01-01T00:00:00Z");
	ck_assert_str_eq(clock_rfc3339(SEC(1), out), "1970-01-01T00:00:01Z");
	ck_assert_str_eq(clock_rfc3339(SEC(1700000000) + 120000000, out), "2023-11-14T22:13:20.12Z");
	ck_assert_str_eq(clock_rfc3339(SEC(1700000000) + 1, out), "2023-11-14T22:13:20.000000001Z");
	ck_assert_str_eq(clock_rfc3339_fixed(SEC(1700000000), out),
			 "2023-11-14T22:13:20.000000000Z");
	ck_assert_str_eq(clock_rfc3339_fixed(0, out), "1970-01-01T00:00:00.000000000Z");
	ck_assert_str_eq(clock_rfc3339(-1, out), "1969-12-31T23:59:59.999999999Z");
	ck_assert_str_eq(clock_rfc3339(INT64_MAX, out), "2262-04-11T23:47:16.854775807Z");
	ck_assert_str_eq(clock_rfc3339(INT64_MIN, out), "1677-09-21T00:12:43.145224192Z");
}
END_TEST

START_TEST(formats_agree_with_the_c_library)
{
	char out[CLOCK_TEXT_MAX];
	char want[CLOCK_TEXT_MAX];

	for (int64_t s = -9000000000; s < 9000000000; s += 12345677) {
		time_t t = (time_t)s;
		struct tm tm;
		int64_t back;

		gmtime_r(&t, &tm);
		strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%SZ", &tm);
		ck_assert_str_eq(clock_rfc3339(SEC(s), out), want);
		ck_assert(clock_parse(out, &back));
		ck_assert_int_eq(back, SEC(s));
	}
}
END_TEST

START_TEST(times_are_parsed)
{
	static const struct {
		const char *text;
		int64_t ns;
	} cases[] = {
		{ "2023-11-14T22:13:20Z", SEC(1700000000) },
		{ "2023-11-14T22:13:20.5Z", SEC(1700000000) + 500000000 },
		{ "2023-11-14T22:13:20.123456789123Z", SEC(1700000000) + 123456789 },
		{ "2023-11-14T23:13:20+01:00", SEC(1700000000) },
		{ "2023-11-14T16:43:20-05:30", SEC(1700000000) },
		{ "2024-02-29T00:00:00Z", SEC(1709164800) },
		{ "2016-12-31T23:59:60Z", SEC(1483228800) },
		{ "1700000000", SEC(1700000000) },
		{ "1700000000.000000001", SEC(1700000000) + 1 },
		{ "-1.5", -SEC(1) - 500000000 },
		{ "0", 0 },
		{ "1677-09-21T00:12:43.145224192Z", INT64_MIN },
		{ "2262-04-11T23:47:16.854775807Z", INT64_MAX },
		{ "-9223372036.854775808", INT64_MIN },
		{ "0001-01-01T00:00:00Z", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t ns = -1;

		ck_assert_msg(clock_parse(cases[i].text, &ns), "'%s' was refused", cases[i].text);
		ck_assert_int_eq(ns, cases[i].ns);
	}
}
END_TEST

START_TEST(what_is_no_time_is_refused)
{
	static const char *const wrong[] = {
		"",
		" 1",
		"1 ",
		"abc",
		"1.",
		".5",
		"10m",
		"1e9",
		"99999999999",
		"9223372036854775808",
		"2023-11-14",
		"2023-11-14T22:13:20",
		"2023-13-14T22:13:20Z",
		"2023-02-29T00:00:00Z",
		"2023-11-00T22:13:20Z",
		"2023-11-31T22:13:20Z",
		"2023-11-14T24:13:20Z",
		"2023-11-14T22:60:20Z",
		"2023-11-14T22:13:20.Z",
		"2023-11-14T22:13:20Zx",
		"2023-11-14T22:13:20+1:00",
		"9999-01-01T00:00:00Z",
		"0001-01-02T00:00:00Z",
		"-",
		"--1",
		"9223372036.854775808",
		"-9223372036.854775809",
		"2262-04-11T23:47:16.854775808Z",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		int64_t ns = 42;

		ck_assert_msg(!clock_parse(wrong[i], &ns), "'%s' was taken", wrong[i]);
		ck_assert_int_eq(ns, 42);
	}
	ck_assert(!clock_parse(NULL, &(int64_t){ 0 }));
}
END_TEST

#define HOUR SEC(3600)

static const char *duration(int64_t ns)
{
	static char out[CLOCK_SPAN_MAX];

	return clock_span(ns, out);
}

START_TEST(durations_are_worded_as_docker_does)
{
	ck_assert_str_eq(duration(0), "Less than a second");
	ck_assert_str_eq(duration(SEC(-5)), "Less than a second");
	ck_assert_str_eq(duration(SEC(1)), "1 second");
	ck_assert_str_eq(duration(SEC(59)), "59 seconds");
	ck_assert_str_eq(duration(SEC(60)), "About a minute");
	ck_assert_str_eq(duration(SEC(119)), "About a minute");
	ck_assert_str_eq(duration(SEC(120)), "2 minutes");
	ck_assert_str_eq(duration(SEC(3599)), "59 minutes");
	ck_assert_str_eq(duration(HOUR), "About an hour");
	ck_assert_str_eq(duration(HOUR + SEC(1799)), "About an hour");
	ck_assert_str_eq(duration(HOUR + SEC(1800)), "2 hours");
	ck_assert_str_eq(duration(47 * HOUR), "47 hours");
	ck_assert_str_eq(duration(48 * HOUR), "2 days");
	ck_assert_str_eq(duration(14 * 24 * HOUR), "2 weeks");
	ck_assert_str_eq(duration(60 * 24 * HOUR), "2 months");
	ck_assert_str_eq(duration(730 * 24 * HOUR), "2 years");
}
END_TEST

UNIT_MAIN("clock", clocks_run, durations_are_worded_as_docker_does, fractions_are_trimmed_as_docker_does,
	  formats_agree_with_the_c_library, times_are_parsed, what_is_no_time_is_refused)
