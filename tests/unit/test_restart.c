/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/restart.h"

#include "tests/unit/unit.h"

static struct opt_restart_policy policy(const char *name, int64_t max)
{
	return (struct opt_restart_policy){ .name = (char *)name, .maximum_retry_count = max };
}

static struct restart_facts exited(int32_t code)
{
	return (struct restart_facts){ .exit_code = code, .has_started_once = true };
}

START_TEST(no_policy_never_restarts)
{
	struct opt_restart_policy no = policy("no", 0), empty = policy("", 0);
	struct restart_facts f = exited(1);

	ck_assert(!restart_after_exit(NULL, &f));
	ck_assert(!restart_after_exit(&no, &f));
	ck_assert(!restart_after_exit(&empty, &f));
	ck_assert(!restart_at_boot(&no, &f));
}
END_TEST

START_TEST(always_restarts_whatever_the_code)
{
	struct opt_restart_policy p = policy("always", 0);
	struct restart_facts ok = exited(0), bad = exited(7);

	ck_assert(restart_after_exit(&p, &ok));
	ck_assert(restart_after_exit(&p, &bad));
}
END_TEST

START_TEST(a_stop_by_hand_holds_until_the_daemon_starts)
{
	struct opt_restart_policy always = policy("always", 0), unless = policy("unless-stopped", 0);
	struct opt_restart_policy failure = policy("on-failure", 0);
	struct restart_facts f = exited(137);

	f.was_stopped_by_hand = true;
	ck_assert(!restart_after_exit(&always, &f));
	ck_assert(!restart_after_exit(&unless, &f));
	ck_assert(!restart_after_exit(&failure, &f));
	ck_assert(restart_at_boot(&always, &f));
	ck_assert(!restart_at_boot(&unless, &f));
	ck_assert(!restart_at_boot(&failure, &f));
}
END_TEST

START_TEST(on_failure_counts_its_tries)
{
	struct opt_restart_policy p = policy("on-failure", 2), endless = policy("on-failure", 0);
	struct restart_facts ok = exited(0), bad = exited(1);

	ck_assert(!restart_after_exit(&p, &ok));
	ck_assert(restart_after_exit(&p, &bad));
	bad.restart_count = 1;
	ck_assert(restart_after_exit(&p, &bad));
	bad.restart_count = 2;
	ck_assert(!restart_after_exit(&p, &bad));
	ck_assert(restart_after_exit(&endless, &bad));
}
END_TEST

START_TEST(boot_starts_nothing_that_never_ran)
{
	struct opt_restart_policy p = policy("always", 0);
	struct restart_facts f = { .exit_code = 0 };

	ck_assert(!restart_at_boot(&p, &f));
}
END_TEST

START_TEST(backoff_doubles_to_a_minute)
{
	static const uint64_t expected[] = { 100,  200,   400,   800,   1600,  3200,
					     6400, 12800, 25600, 51200, 60000, 60000 };
	uint64_t ms = 0;

	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		ms = restart_backoff_ms(ms, 5000000000LL);
		ck_assert_uint_eq(ms, expected[i]);
	}
}
END_TEST

START_TEST(backoff_resets_after_ten_seconds_up)
{
	ck_assert_uint_eq(restart_backoff_ms(51200, 9999999999LL), 60000);
	ck_assert_uint_eq(restart_backoff_ms(51200, 10000000000LL), 100);
}
END_TEST

UNIT_MAIN("restart", no_policy_never_restarts, always_restarts_whatever_the_code,
	  a_stop_by_hand_holds_until_the_daemon_starts, on_failure_counts_its_tries,
	  boot_starts_nothing_that_never_ran, backoff_doubles_to_a_minute,
	  backoff_resets_after_ten_seconds_up)
