/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/launcher_stems.h"

#include <sys/socket.h>

#include "base/clock.h"
#include "tests/unit/unit.h"

#define MINUTE_NS (60 * CLOCK_NS_PER_SEC)

static struct stems s;
static int theirs[STEMS_MAX];
static int n_made;

/* One that is made has pid 100, 101 … and its own end of the socket in theirs[]. */
static void make(enum stem_kind kind)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	theirs[n_made] = pair[1];
	stems_add(&s, kind, 100 + n_made++, pair[0]);
}

static void say_ready(int i)
{
	ck_assert_int_eq(send(theirs[i], "", 1, 0), 1);
}

START_TEST(one_of_each_kind_is_kept)
{
	stems_init(&s, 8);
	ck_assert_int_eq(stems_lacking(&s, 0), STEM_LAUNCH);
	make(STEM_LAUNCH);
	ck_assert_int_eq(stems_lacking(&s, 0), STEM_EXEC);
	ck_assert_int_gt(stems_timeout_ms(&s, 0), 0);
	make(STEM_EXEC);
	ck_assert_int_eq(stems_lacking(&s, 0), STEM_KINDS_);
	ck_assert_int_eq(stems_timeout_ms(&s, 0), -1);
}
END_TEST

START_TEST(none_is_taken_before_it_is_ready)
{
	struct stem t;

	stems_init(&s, 8);
	make(STEM_LAUNCH);
	ck_assert(!stems_take(&s, STEM_LAUNCH, 0, &t));
	say_ready(0);
	ck_assert(!stems_take(&s, STEM_EXEC, 0, &t));
	ck_assert(stems_take(&s, STEM_LAUNCH, 0, &t));
	ck_assert_int_eq(t.pid, 100);
	ck_assert(!stems_take(&s, STEM_LAUNCH, 0, &t));
}
END_TEST

START_TEST(misses_double_them_and_rest_ends_that)
{
	struct stem t;

	stems_init(&s, 5);
	for (int i = 0; i < 10; i++)
		stems_take(&s, STEM_LAUNCH, 1, &t);
	while (stems_lacking(&s, 1) == STEM_LAUNCH)
		make(STEM_LAUNCH);
	ck_assert_int_eq(n_made, 5);
	make(STEM_EXEC);
	ck_assert_int_gt(stems_timeout_ms(&s, 1), 59000);
	ck_assert_int_eq(stems_lacking(&s, 1 + MINUTE_NS), STEM_KINDS_);
	ck_assert_uint_eq(s.pools[STEM_LAUNCH].n, 1);
	/* who is let go reads the end */
	ck_assert_int_eq(recv(theirs[4], (char[1]){ 0 }, 1, 0), 0);
	ck_assert_int_eq(stems_timeout_ms(&s, 1 + MINUTE_NS), -1);
}
END_TEST

START_TEST(what_ended_is_forgotten)
{
	struct stem t;

	stems_init(&s, 8);
	make(STEM_LAUNCH);
	say_ready(0);
	ck_assert(!stems_forget(&s, 4711));
	ck_assert(stems_forget(&s, 100));
	ck_assert(!stems_take(&s, STEM_LAUNCH, 0, &t));
	ck_assert(!stems_forget(&s, 100));
}
END_TEST

START_TEST(after_a_failure_there_is_a_pause)
{
	stems_init(&s, 8);
	stems_failed(&s, 0);
	ck_assert_int_eq(stems_lacking(&s, CLOCK_NS_PER_SEC / 2), STEM_KINDS_);
	ck_assert_int_gt(stems_timeout_ms(&s, CLOCK_NS_PER_SEC / 2), 400);
	ck_assert_int_eq(stems_lacking(&s, 2 * CLOCK_NS_PER_SEC), STEM_LAUNCH);
}
END_TEST

START_TEST(there_may_be_none)
{
	struct stem t;

	stems_init(&s, 0);
	ck_assert(!stems_take(&s, STEM_LAUNCH, 0, &t));
	ck_assert_int_eq(stems_lacking(&s, 0), STEM_KINDS_);
	ck_assert_int_eq(stems_timeout_ms(&s, 0), -1);
	stems_init(&s, 8);
	make(STEM_LAUNCH);
	stems_drop(&s);
	ck_assert(!stems_take(&s, STEM_LAUNCH, 0, &t));
	ck_assert_int_eq(stems_lacking(&s, 0), STEM_KINDS_);
}
END_TEST

UNIT_MAIN("launcher_stems", one_of_each_kind_is_kept, none_is_taken_before_it_is_ready, misses_double_them_and_rest_ends_that,
	  what_ended_is_forgotten, after_a_failure_there_is_a_pause, there_may_be_none)
