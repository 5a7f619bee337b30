/* SPDX-License-Identifier: Apache-2.0 */
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/unit.h"

static int is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

START_TEST(close_runs_at_scope_end_and_keeps_errno)
{
	int seen;

	{
		AUTO_CLOSE int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		seen = fd;
		ck_assert(is_open(seen));
		errno = EXDEV;
	}
	ck_assert_int_eq(errno, EXDEV);
	ck_assert(!is_open(seen));
}
END_TEST

START_TEST(taken_descriptors_stay_open)
{
	int kept = -1;

	{
		AUTO_CLOSE int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		kept = TAKE_FD(fd);
		ck_assert_int_eq(fd, -1);
	}
	ck_assert(is_open(kept));
	close_fd(&kept);
	ck_assert_int_eq(kept, -1);
	close_fd(&kept);
}
END_TEST

START_TEST(taken_pointers_are_handed_over)
{
	char *kept = NULL;

	{
		AUTO_FREE char *text = xstrdup("mine");

		kept = TAKE_PTR(text);
		ck_assert_ptr_null(text);
	}
	ck_assert_str_eq(kept, "mine");
	free(kept);
}
END_TEST

START_TEST(empty_values_are_left_alone)
{
	AUTO_CLOSE int fd = -1;
	AUTO_FREE char *text = NULL;
	AUTO_REAP pid_t pid = 0;
	AUTO_DIR DIR *dir = NULL;
	AUTO_FILE FILE *file = NULL;

	ck_assert_int_eq(fd, -1);
	ck_assert_ptr_null(text);
	ck_assert_int_eq(pid, 0);
	ck_assert_ptr_null(dir);
	ck_assert_ptr_null(file);
}
END_TEST

START_TEST(reap_kills_and_waits)
{
	pid_t seen;

	{
		AUTO_REAP pid_t pid = fork();

		if (pid == 0) {
			pause();
			_exit(0);
		}
		seen = pid;
		errno = EXDEV;
	}
	ck_assert_int_eq(errno, EXDEV);
	ck_assert_int_eq(waitpid(seen, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

START_TEST(streams_are_closed)
{
	int seen;

	{
		AUTO_DIR DIR *dir = opendir("/");
		AUTO_FILE FILE *file = fopen("/dev/null", "r");

		ck_assert_ptr_nonnull(file);
		seen = dirfd(dir);
	}
	ck_assert(!is_open(seen));
}
END_TEST

START_TEST(allocators_never_give_null)
{
	AUTO_FREE char *none = xmalloc(0);
	AUTO_FREE char *zeroed = xcalloc(4, 4);
	AUTO_FREE char *cut = xstrndup("abcdef", 3);
	AUTO_FREE char *text = xasprintf("%s-%d", "a", 7);

	ck_assert_ptr_nonnull(none);
	for (int i = 0; i < 16; i++)
		ck_assert_int_eq(zeroed[i], 0);
	ck_assert_str_eq(cut, "abc");
	ck_assert_str_eq(text, "a-7");
	zeroed = xrealloc(zeroed, 1000);
	ck_assert_int_eq(zeroed[15], 0);
}
END_TEST

struct inner {
	int x;
};
struct outer {
	long before;
	struct inner in;
};

START_TEST(container_of_finds_the_outer_struct)
{
	struct outer o = { .before = 5 };
	struct inner *i = &o.in;

	ck_assert_int_eq(container_of(i, struct outer, in)->before, 5);
}
END_TEST

UNIT_MAIN("own", close_runs_at_scope_end_and_keeps_errno, taken_descriptors_stay_open,
	  taken_pointers_are_handed_over, empty_values_are_left_alone, reap_kills_and_waits,
	  streams_are_closed, allocators_never_give_null, container_of_finds_the_outer_struct)
