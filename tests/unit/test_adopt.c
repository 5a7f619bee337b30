/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/adopt.h"
#include "daemon/engine/container_record.h"

#include "base/own.h"
#include "tests/unit/unit.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

START_TEST(a_monitor_counts_most)
{
	struct adopt_facts f = { .has_monitor = true, .phase = EXIT_RUNNING };

	ck_assert_int_eq(adopt_decide(&f), ADOPT_RUNNING);
	f.phase = EXIT_NONE;
	ck_assert_int_eq(adopt_decide(&f), ADOPT_STARTING);
	f.phase = EXIT_DONE;
	ck_assert_int_eq(adopt_decide(&f), ADOPT_EXITED);
}
END_TEST

START_TEST(without_a_monitor_the_record_counts)
{
	struct adopt_facts f = { .phase = EXIT_DONE };

	ck_assert_int_eq(adopt_decide(&f), ADOPT_EXITED);
	f.phase = EXIT_RUNNING;
	f.is_alive = true;
	ck_assert_int_eq(adopt_decide(&f), ADOPT_DEGRADED);
	f.is_alive = false;
	ck_assert_int_eq(adopt_decide(&f), ADOPT_LOST);
	f.phase = EXIT_NONE;
	ck_assert_int_eq(adopt_decide(&f), ADOPT_LOST);
}
END_TEST

START_TEST(a_start_without_a_trace_may_still_come)
{
	struct adopt_facts f = { .phase = EXIT_NONE, .was_starting = true };

	ck_assert_int_eq(adopt_decide(&f), ADOPT_STARTING);
	f.phase = EXIT_DONE;
	ck_assert_int_eq(adopt_decide(&f), ADOPT_EXITED);
}
END_TEST

START_TEST(the_group_must_be_named_whole)
{
	ck_assert(adopt_is_in_cgroup("0::/kiln/" ID "\n", ID));
	ck_assert(adopt_is_in_cgroup("4:memory:/\n3:cpu:/kiln/" ID "/below\n", ID));
	ck_assert(!adopt_is_in_cgroup("0::/kiln/x" ID "\n", ID));
	ck_assert(!adopt_is_in_cgroup("0::/kiln/" ID "0\n", ID));
	ck_assert(!adopt_is_in_cgroup("0::/user.slice\n", ID));
	ck_assert(!adopt_is_in_cgroup("", ID));
}
END_TEST

START_TEST(the_group_above_is_found)
{
	static const struct { const char *text, *want; } rows[] = {
		{ "0::/kiln/" ID "\n", "/kiln" },
		{ "1:name=systemd:/\n0::/system.slice/kiln.scope/" ID "/below\n", "/system.slice/kiln.scope" },
		{ "0::/" ID "\n", NULL },
		{ "0::/user.slice\n", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *got = adopt_group_above(rows[i].text, ID);

		ck_assert_pstr_eq(got, rows[i].want);
	}
}
END_TEST

START_TEST(a_record_is_read_back)
{
	struct container *c = calloc(1, sizeof *c), *back = calloc(1, sizeof *back);
	AUTO_STRBUF struct strbuf text = { 0 };
	struct err e = { 0 };
	struct record_intent intent = { .backoff_ms = 6400, .is_stopping = true, .wants_start = true, .cgroup_base = (char[]){ "/kiln" } };

	c->state = CT_RESTARTING;
	c->wants_running = c->has_started_once = true;
	c->exit_code = 139;
	c->started_wall_ns = 1700000000123456789;
	c->restart_count = 7;
	c->health = HEALTH_UNHEALTHY;
	snprintf(c->error, sizeof c->error, "broken \"quotes\"");
	container_record_emit(c, &intent, &text);
	back->id = ID;
	memset(&intent, 0, sizeof intent);
	ck_assert_int_eq(container_record_parse(strbuf_cstr(&text), back, &intent, &e), 0);
	ck_assert_int_eq(back->state, CT_RESTARTING);
	ck_assert(back->wants_running && back->has_started_once && !back->was_stopped_by_hand);
	ck_assert_int_eq(back->exit_code, 139);
	ck_assert_int_eq(back->started_wall_ns, 1700000000123456789);
	ck_assert_int_eq(back->restart_count, 7);
	ck_assert_int_eq(back->health, HEALTH_UNHEALTHY);
	ck_assert_str_eq(back->error, "broken \"quotes\"");
	ck_assert_uint_eq(intent.backoff_ms, 6400);
	ck_assert(intent.wants_start && intent.is_stopping);
	ck_assert_str_eq(intent.cgroup_base, "/kiln");
	free(intent.cgroup_base);
	free(c);
	free(back);
}
END_TEST

START_TEST(a_record_of_an_unknown_state_is_refused)
{
	struct container *c = calloc(1, sizeof *c);
	struct err e = { 0 };
	struct record_intent intent;

	c->id = ID;
	ck_assert_int_eq(container_record_parse("{\"state\":\"flying\"}", c, &intent, &e), -1);
	ck_assert_int_eq(e.kind, ERR_INVALID);
	ck_assert_int_eq(container_record_parse("{", c, &intent, &e), -1);
	free(c);
}
END_TEST

UNIT_MAIN("adopt", a_monitor_counts_most, without_a_monitor_the_record_counts,
	  a_start_without_a_trace_may_still_come, the_group_must_be_named_whole, the_group_above_is_found,
	  a_record_is_read_back, a_record_of_an_unknown_state_is_refused)
