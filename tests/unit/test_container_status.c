/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/container_status.h"

#include "base/str.h"
#include "tests/unit/unit.h"

#define SEC  1000000000LL
#define NOW  (1000000 * SEC)

static const char *text(const struct container *c)
{
	static char out[128];

	return status_text(c, NOW, out);
}

static const char *why(const struct container *c)
{
	static char out[256];

	ck_assert(!container_is_warm(c, out));
	return out;
}

START_TEST(states_are_worded_as_docker_does)
{
	struct container c = { .state = CT_CREATED };

	ck_assert_str_eq(text(&c), "Created");
	c.state = CT_RUNNING;
	c.started_wall_ns = NOW - 180 * SEC;
	ck_assert_str_eq(text(&c), "Up 3 minutes");
	c.has_healthcheck = true;
	c.health = HEALTH_STARTING;
	ck_assert_str_eq(text(&c), "Up 3 minutes (health: starting)");
	c.health = HEALTH_HEALTHY;
	ck_assert_str_eq(text(&c), "Up 3 minutes (healthy)");
	c.health = HEALTH_UNHEALTHY;
	ck_assert_str_eq(text(&c), "Up 3 minutes (unhealthy)");
	c.state = CT_PAUSED;
	ck_assert_str_eq(text(&c), "Up 3 minutes (Paused)");
	c.state = CT_EXITED;
	c.exit_code = 137;
	c.finished_wall_ns = NOW - 2 * SEC;
	ck_assert_str_eq(text(&c), "Exited (137) 2 seconds ago");
	c.state = CT_RESTARTING;
	c.is_restarting = true;
	ck_assert_str_eq(text(&c), "Restarting (137) 2 seconds ago");
	c.is_restarting = false;
	c.state = CT_REMOVING;
	ck_assert_str_eq(text(&c), "Removal In Progress");
	c.state = CT_DEAD;
	ck_assert_str_eq(text(&c), "Dead");
}
END_TEST

START_TEST(a_first_start_that_failed_is_still_created)
{
	struct container c = { .state = CT_EXITED, .exit_code = 127 };

	ck_assert_str_eq(text(&c), "Created");
	ck_assert_str_eq(container_state_name(&c), "created");
	c.started_wall_ns = NOW;
	ck_assert_str_eq(container_state_name(&c), "exited");
}
END_TEST

START_TEST(running_and_healthy_is_warm)
{
	struct container c = { .state = CT_RUNNING };
	char out[256];

	ck_assert(container_is_warm(&c, out));
	c.has_healthcheck = true;
	c.health = HEALTH_HEALTHY;
	ck_assert(container_is_warm(&c, out));
	c.is_degraded = true;
	ck_assert(container_is_warm(&c, out));
	ck_assert_str_eq(out, "");
}
END_TEST

START_TEST(what_is_not_warm_tells_why)
{
	struct container c = { .state = CT_RUNNING,
			       .has_healthcheck = true,
			       .health = HEALTH_STARTING };

	ck_assert(strstr(why(&c), "has not succeeded yet"));
	c.health = HEALTH_UNHEALTHY;
	c.health_failing_streak = 4;
	ck_assert_str_eq(why(&c), "unhealthy: 4 checks failed in a row");
	c.state = CT_RESTARTING;
	c.is_restarting = true;
	c.exit_code = 3;
	c.restart_count = 2;
	ck_assert_str_eq(why(&c), "restarting: it exited with code 3, restart 2");
	c.state = CT_EXITED;
	c.is_restarting = false;
	ck_assert_str_eq(why(&c), "exited with code 3");
	snprintf(c.error, sizeof c.error, "no such file");
	ck_assert_str_eq(why(&c), "no such file");
}
END_TEST

START_TEST(what_is_being_removed_need_not_be_warm)
{
	struct container c = { .wants_running = true };

	ck_assert(container_should_be_warm(&c));
	c.is_removing = true;
	ck_assert(!container_should_be_warm(&c));
	c.is_removing = false;
	c.wants_running = false;
	ck_assert(!container_should_be_warm(&c));
}
END_TEST

UNIT_MAIN("container_status", states_are_worded_as_docker_does,
	  a_first_start_that_failed_is_still_created, running_and_healthy_is_warm,
	  what_is_not_warm_tells_why, what_is_being_removed_need_not_be_warm)
