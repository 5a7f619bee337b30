/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/since.h"

#include <stdlib.h>

#include "tests/unit/unit.h"

static struct err e;

static const char *time_of(const char *text)
{
	static struct strbuf out;

	strbuf_reset(&out);
	return since_read("since", text, 1000000000000, &out, &e) == 0 ? strbuf_cstr(&out) : "refused";
}

START_TEST(times_are_dates_seconds_or_spans)
{
	setenv("TZ", "UTC", 1);
	ck_assert_str_eq(time_of(NULL), "");
	ck_assert_str_eq(time_of("1700000000.5"), "1700000000.5");
	ck_assert_str_eq(time_of("2023-11-14T22:13:20Z"), "2023-11-14T22:13:20Z");
	ck_assert_str_eq(time_of("10m"), "400.000000000");
	ck_assert_str_eq(time_of("500ms"), "999.500000000");
	ck_assert_str_eq(time_of("2023-11-14T22:13:20"), "1700000000.000000000");
	ck_assert_str_eq(time_of("1970-01-02"), "86400.000000000");
	ck_assert_str_eq(time_of("yesterday"), "refused");
}
END_TEST

UNIT_MAIN("since", times_are_dates_seconds_or_spans)
