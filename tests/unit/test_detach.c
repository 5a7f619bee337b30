/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/detach.h"

#include "tests/unit/unit.h"

/* Feed the input in steps; the result must not depend on them. */
static void check(const char *keys, const char *in, const char *want, bool want_detached)
{
	for (size_t step = 1; step <= strlen(in); step++) {
		char out[256] = { 0 };
		size_t n_out = 0;
		bool is_detached = false;
		struct detach d;

		detach_init(&d, keys);
		for (size_t i = 0; i < strlen(in) && !is_detached; i += step) {
			size_t n = strlen(in) - i < step ? strlen(in) - i : step, got;

			is_detached = detach_filter(&d, in + i, n, out + n_out, &got);
			n_out += got;
		}
		ck_assert_msg(n_out == strlen(want) && memcmp(out, want, n_out) == 0,
			      "keys '%s' in steps of %zu: '%.*s'", keys, step, (int)n_out, out);
		ck_assert_int_eq(is_detached, want_detached);
	}
}

START_TEST(the_sequence_detaches_and_is_not_passed_on)
{
	check("\x10\x11", "ls\n\x10\x11", "ls\n", true);
	check("\x10\x11", "a\x10\x11 rest", "a", true);
	check("q", "abq", "ab", true);
}
END_TEST

START_TEST(a_beginning_that_is_not_continued_is_passed_on)
{
	check("\x10\x11", "a\x10z", "a\x10z", false);
	check("\x10\x11", "\x10\x10z", "\x10\x10z", false);
	check("abc", "ababz", "ababz", false);
}
END_TEST

START_TEST(a_sequence_that_begins_inside_a_failed_one_is_found)
{
	check("aab", "aaab", "a", true);
	check("abac", "ababac", "ab", true);
	check("\x10\x11", "\x10\x10\x11", "\x10", true);
}
END_TEST

START_TEST(no_keys_never_detach)
{
	check("", "\x10\x11", "\x10\x11", false);
}
END_TEST

UNIT_MAIN("detach", the_sequence_detaches_and_is_not_passed_on,
	  a_beginning_that_is_not_continued_is_passed_on,
	  a_sequence_that_begins_inside_a_failed_one_is_found, no_keys_never_detach)
