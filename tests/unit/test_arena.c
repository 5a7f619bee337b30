/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>

#include "tests/unit/unit.h"

START_TEST(pieces_are_zeroed_aligned_and_apart)
{
	AUTO_ARENA struct arena *a = arena_new();
	unsigned char *last = NULL;

	for (size_t n = 0; n < 700; n++) {
		unsigned char *p = arena_alloc(a, n);

		ck_assert_ptr_nonnull(p);
		ck_assert_uint_eq((uintptr_t)p % 16, 0);
		ck_assert_ptr_ne(p, last);
		for (size_t i = 0; i < n; i++)
			ck_assert_uint_eq(p[i], 0);
		memset(p, 0xff, n);
		last = p;
	}
}
END_TEST

START_TEST(large_pieces_do_not_disturb_small_ones)
{
	AUTO_ARENA struct arena *a = arena_new();
	char *first = arena_alloc(a, 1000000);
	char *small = arena_strdup(a, "small");
	char *large = arena_alloc(a, 1000000);
	char *next = arena_strdup(a, "next");

	memset(first, 'x', 1000000);
	memset(large, 'y', 1000000);
	ck_assert_str_eq(small, "small");
	ck_assert_str_eq(next, "next");
}
END_TEST

START_TEST(strings_are_copied)
{
	AUTO_ARENA struct arena *a = arena_new();

	ck_assert_ptr_null(arena_strdup(a, NULL));
	ck_assert_str_eq(arena_strdup(a, ""), "");
	ck_assert_str_eq(arena_strndup(a, "abcdef", 3), "abc");
	ck_assert_str_eq(arena_strndup(a, "ab", 100), "ab");
	ck_assert_str_eq(arena_printf(a, "%s=%d", "n", 5), "n=5");
}
END_TEST

START_TEST(arrays_and_objects_have_their_types)
{
	AUTO_ARENA struct arena *a = arena_new();
	uint64_t *numbers = arena_new_array(a, uint64_t, 10);
	uint32_t *obj = arena_new_obj(a, uint32_t);

	numbers[9] = 7;
	ck_assert_uint_eq(numbers[0], 0);
	ck_assert_uint_eq(*obj, 0);
}
END_TEST

START_TEST(freeing_nothing_is_fine)
{
	struct arena *a = arena_new();

	arena_free(NULL);
	arena_freep(&a);
	ck_assert_ptr_null(a);
	arena_freep(&a);
}
END_TEST

START_TEST(overflow_of_an_array_aborts)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		struct arena *a = arena_new();

		close(STDERR_FILENO);
		arena_alloc_n(a, 16, SIZE_MAX / 8);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGABRT);
}
END_TEST

UNIT_MAIN("arena", pieces_are_zeroed_aligned_and_apart, large_pieces_do_not_disturb_small_ones,
	  strings_are_copied, arrays_and_objects_have_their_types, freeing_nothing_is_fine,
	  overflow_of_an_array_aborts)
