/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include "base/str.h"
#include "tests/unit/unit.h"

static const char *text_of(struct progress p, int64_t after_ns)
{
	static struct strbuf out;

	strbuf_reset(&out);
	progress_text(&p, p.began_ns + after_ns, &out);
	return out.data;
}

START_TEST(bytes_have_a_rate_and_things_a_count)
{
	ck_assert_str_eq(text_of((struct progress){ .what = "Loading", .done = 50000000, .total = 200000000, .is_bytes = true }, 2000000000),
			 "Loading 50MB of 200MB (25%), 25MB/s");
	ck_assert_str_eq(text_of((struct progress){ .what = "Saving", .done = 1500, .is_bytes = true }, 1000000000), "Saving 1.5kB, 1.5kB/s");
	ck_assert_str_eq(text_of((struct progress){ .what = "Stopping", .done = 2, .total = 5 }, 3400000000), "Stopping 2 of 5, 3 s");
}
END_TEST

START_TEST(any_figures_are_shown)
{
	ck_assert_str_eq(text_of((struct progress){ .what = "x", .done = UINT64_MAX, .total = 1, .is_bytes = true }, 0), "x 18.4EB of 1B (100%)");
	ck_assert_str_eq(text_of((struct progress){ .what = "x", .done = UINT64_MAX / 2, .total = UINT64_MAX, .is_bytes = true }, 0), "x 9.22EB of 18.4EB (50%)");
}
END_TEST

UNIT_MAIN("progress", bytes_have_a_rate_and_things_a_count, any_figures_are_shown)
