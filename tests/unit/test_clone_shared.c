/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/clone_shared.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/unit.h"

static int seen;
static char *const true_argv[] = { (char *)"/bin/true", NULL };

static void write_and_execute(void *ctx)
{
	seen = *(int *)ctx;
	execve(true_argv[0], true_argv, NULL);
	_exit(1);
}

static void write_and_end(void *ctx)
{
	seen = *(int *)ctx;
	_exit(7);
}

static int status_of(pid_t pid)
{
	int status = -1;

	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* What the child has written is there when the call returns, and so is its program. */
START_TEST(memory_is_shared_until_the_program_runs)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	int n = 42;

	if (!clone_shared_works())
		return;
	ck_assert_int_eq(status_of(clone_shared(&args, write_and_execute, &n)), 0);
	ck_assert_int_eq(seen, 42);
}
END_TEST

START_TEST(a_child_that_ends_lets_its_parent_go_on)
{
	int n = 43;

	if (!clone_shared_works())
		return;
	for (int i = 0; i < 100; i++) {
		struct clone_args args = { .exit_signal = SIGCHLD };

		ck_assert_int_eq(status_of(clone_shared(&args, write_and_end, &n)), 7);
		ck_assert_int_eq(seen, 43);
	}
}
END_TEST

START_TEST(what_the_kernel_refuses_is_told_by_errno)
{
	struct clone_args args = { .flags = 1ull << 62, .exit_signal = SIGCHLD };
	int n = 44;

	ck_assert_int_lt(clone_shared(&args, write_and_end, &n), 0);
	ck_assert_int_eq(errno, clone_shared_works() ? EINVAL : ENOSYS);
	ck_assert_int_eq(seen, 0);
}
END_TEST

UNIT_MAIN("clone_shared", memory_is_shared_until_the_program_runs, a_child_that_ends_lets_its_parent_go_on,
	  what_the_kernel_refuses_is_told_by_errno)
