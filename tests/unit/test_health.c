/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/health.h"

#include "tests/unit/unit.h"

#define SEC 1000000000LL

static struct container *box(struct opt_healthcheck hc)
{
	struct container *c = calloc(1, sizeof *c);

	ck_assert_ptr_nonnull(c);
	c->has_healthcheck = true;
	c->healthcheck = hc;
	c->health = HEALTH_STARTING;
	c->started_wall_ns = 1000 * SEC;
	return c;
}

static void box_free(struct container *c)
{
	free(c->health_log);
	free(c);
}

static bool probe(struct container *c, int64_t at_ns, int32_t code)
{
	struct health_result r = { .start_wall_ns = c->started_wall_ns + at_ns, .exit_code = code };

	return health_take(c, &r);
}

static struct container_options options(struct opt_config *config, struct opt_healthcheck *hc,
					char **test, size_t n)
{
	if (hc)
		hc->test = (struct str_list){ .v = test, .n = n };
	config->healthcheck = hc;
	return (struct container_options){ .config = config };
}

START_TEST(defaults_are_dockers)
{
	char *test[] = { (char *)"CMD", (char *)"true" };
	struct opt_config config = { 0 };
	struct opt_healthcheck hc = { 0 }, got;
	struct container_options o = options(&config, &hc, test, 2);

	ck_assert(health_check_of(&o, &got));
	ck_assert_int_eq(got.interval_ns, 30 * SEC);
	ck_assert_int_eq(got.timeout_ns, 30 * SEC);
	ck_assert_int_eq(got.start_period_ns, 0);
	ck_assert_int_eq(got.start_interval_ns, 5 * SEC);
	ck_assert_int_eq(got.retries, 3);
}
END_TEST

START_TEST(none_and_nothing_are_no_check)
{
	char *test[] = { (char *)"NONE" };
	struct opt_config config = { 0 };
	struct opt_healthcheck hc = { 0 }, got;
	struct container_options o = options(&config, &hc, test, 1);

	ck_assert(!health_check_of(&o, &got));
	hc.test.n = 0;
	ck_assert(!health_check_of(&o, &got));
	config.healthcheck = NULL;
	ck_assert(!health_check_of(&o, &got));
}
END_TEST

START_TEST(shell_tests_run_the_images_shell)
{
	char *test[] = { (char *)"CMD-SHELL", (char *)"exit 1" };
	char *shell[] = { (char *)"/bin/ash", (char *)"-ec" };
	struct opt_config config = { 0 };
	struct opt_healthcheck hc = { 0 };
	struct container_options o = options(&config, &hc, test, 2);
	AUTO_ARENA struct arena *a = arena_new();
	struct str_list args = health_args(&o, &hc, a);

	ck_assert_uint_eq(args.n, 3);
	ck_assert_str_eq(args.v[0], "/bin/sh");
	ck_assert_str_eq(args.v[1], "-c");
	ck_assert_str_eq(args.v[2], "exit 1");
	config.shell = (struct str_list){ .v = shell, .n = 2 };
	args = health_args(&o, &hc, a);
	ck_assert_str_eq(args.v[0], "/bin/ash");
	hc.test.v[0] = (char *)"CMD";
	args = health_args(&o, &hc, a);
	ck_assert_uint_eq(args.n, 1);
	hc.test.v[0] = (char *)"HTTP";
	ck_assert_uint_eq(health_args(&o, &hc, a).n, 0);
}
END_TEST

START_TEST(the_start_interval_holds_only_while_starting)
{
	struct opt_healthcheck hc = { .interval_ns = 30 * SEC,
				      .start_period_ns = 60 * SEC,
				      .start_interval_ns = SEC };

	ck_assert_int_eq(health_delay_ns(&hc, HEALTH_STARTING, 5 * SEC), SEC);
	ck_assert_int_eq(health_delay_ns(&hc, HEALTH_STARTING, 60 * SEC), 30 * SEC);
	ck_assert_int_eq(health_delay_ns(&hc, HEALTH_HEALTHY, 5 * SEC), 30 * SEC);
	hc.start_period_ns = 0;
	ck_assert_int_eq(health_delay_ns(&hc, HEALTH_STARTING, 0), 30 * SEC);
}
END_TEST

START_TEST(retries_make_it_unhealthy_and_success_heals)
{
	struct container *c = box((struct opt_healthcheck){ .retries = 3 });

	ck_assert(!probe(c, SEC, 1));
	ck_assert(!probe(c, 2 * SEC, 1));
	ck_assert(probe(c, 3 * SEC, -1));
	ck_assert_int_eq(c->health, HEALTH_UNHEALTHY);
	ck_assert_int_eq(c->health_failing_streak, 3);
	ck_assert(!probe(c, 4 * SEC, 1));
	ck_assert(probe(c, 5 * SEC, 0));
	ck_assert_int_eq(c->health, HEALTH_HEALTHY);
	ck_assert_int_eq(c->health_failing_streak, 0);
	box_free(c);
}
END_TEST

START_TEST(failures_in_the_start_period_do_not_count)
{
	struct container *c =
		box((struct opt_healthcheck){ .retries = 1, .start_period_ns = 10 * SEC });

	ck_assert(!probe(c, 9 * SEC, 1));
	ck_assert_int_eq(c->health, HEALTH_STARTING);
	ck_assert_int_eq(c->health_failing_streak, 0);
	ck_assert(probe(c, 10 * SEC, 1));
	ck_assert_int_eq(c->health, HEALTH_UNHEALTHY);
	box_free(c);
}
END_TEST

START_TEST(a_failure_after_health_counts_in_the_start_period)
{
	struct container *c =
		box((struct opt_healthcheck){ .retries = 1, .start_period_ns = 10 * SEC });

	ck_assert(probe(c, SEC, 0));
	ck_assert(probe(c, 2 * SEC, 1));
	ck_assert_int_eq(c->health, HEALTH_UNHEALTHY);
	box_free(c);
}
END_TEST

START_TEST(the_log_keeps_the_last_five)
{
	struct container *c = box((struct opt_healthcheck){ .retries = 100 });

	for (int i = 1; i <= 7; i++)
		probe(c, i * SEC, i);
	ck_assert_uint_eq(c->n_health_log, HEALTH_LOG_MAX);
	ck_assert_int_eq(c->health_log[0].exit_code, 3);
	ck_assert_int_eq(c->health_log[4].exit_code, 7);
	box_free(c);
}
END_TEST

START_TEST(the_label_takes_three_values)
{
	struct str_pair pair = { .key = (char *)HEALTH_ACTION_LABEL, .value = (char *)"restart" };
	struct opt_config config = { .labels = { .v = &pair, .n = 1 } };
	struct container_options o = { .config = &config };
	enum health_action action;
	struct err e = { 0 };

	ck_assert_int_eq(health_action_of(&o, &action, &e), 0);
	ck_assert_int_eq(action, HEALTH_DO_RESTART);
	pair.value = (char *)"explode";
	ck_assert_int_eq(health_action_of(&o, &action, &e), -1);
	ck_assert_int_eq(e.kind, ERR_INVALID);
	config.labels.n = 0;
	ck_assert_int_eq(health_action_of(&o, &action, &e), 0);
	ck_assert_int_eq(action, HEALTH_DO_NOTHING);
}
END_TEST

START_TEST(durations_are_printed_as_go_does)
{
	char out[40];

	ck_assert_str_eq(health_duration(30 * SEC, out), "30s");
	ck_assert_str_eq(health_duration(90 * SEC, out), "1m30s");
	ck_assert_str_eq(health_duration(3600 * SEC, out), "1h0m0s");
	ck_assert_str_eq(health_duration(1500000000, out), "1.5s");
	ck_assert_str_eq(health_duration(250000000, out), "250ms");
	ck_assert_str_eq(health_duration(1050000, out), "1.05ms");
	ck_assert_str_eq(health_duration(999, out), "999ns");
}
END_TEST

UNIT_MAIN("health", defaults_are_dockers, none_and_nothing_are_no_check,
	  shell_tests_run_the_images_shell, the_start_interval_holds_only_while_starting,
	  retries_make_it_unhealthy_and_success_heals, failures_in_the_start_period_do_not_count,
	  a_failure_after_health_counts_in_the_start_period, the_log_keeps_the_last_five,
	  the_label_takes_three_values, durations_are_printed_as_go_does)
