/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/events.h"

#include "daemon/engine/engine_impl.h"
#include "tests/unit/unit.h"

static struct events *evs;
static char seen[4096];
static struct event_sub *subs[3];

static void see(void *ctx, const struct event *ev)
{
	size_t n = strlen(seen);

	snprintf(seen + n, sizeof(seen) - n, "%s%s ", ctx ? (const char *)ctx : "", ev->action);
}

static void publish(const char *action, int64_t time_ns)
{
	struct str_pair pair = { (char *)"name", (char *)"web" };
	struct event ev = { .type = "container", .action = action, .id = "c1", .time_ns = time_ns,
			    .attributes = { &pair, 1 } };

	events_publish(evs, &ev);
}

static void begin(void)
{
	evs = events_new();
	seen[0] = 0;
}

START_TEST(subscribers_hear_what_happens)
{
	begin();
	publish("before", 0);
	subs[0] = events_subscribe(evs, see, NULL);
	publish("start", 0);
	events_unsubscribe(subs[0]);
	publish("die", 0);
	ck_assert_str_eq(seen, "start ");
	events_free(evs);
}
END_TEST

START_TEST(the_ring_keeps_the_last_256)
{
	char action[16];

	begin();
	for (int i = 0; i < 300; i++) {
		snprintf(action, sizeof(action), "e%d", i);
		publish(action, 1000 + i);
	}
	events_replay(evs, 0, 1000 + 46, see, NULL);
	ck_assert_str_eq(seen, "e44 e45 e46 ");
	seen[0] = 0;
	events_replay(evs, 1000 + 298, 0, see, NULL);
	ck_assert_str_eq(seen, "e298 e299 ");
	events_free(evs);
}
END_TEST

static int64_t last_ns;

static void see_time(void *ctx, const struct event *ev)
{
	(void)ctx;
	ck_assert_int_gt(ev->time_ns, last_ns);
	last_ns = ev->time_ns;
}

START_TEST(stamps_increase)
{
	begin();
	for (int i = 0; i < 100; i++)
		publish("x", 0);
	events_replay(evs, 0, 0, see_time, NULL);
	events_free(evs);
}
END_TEST

static void end_others(void *ctx, const struct event *ev)
{
	see(ctx, ev);
	for (int i = 0; i < 3; i++) {
		events_unsubscribe(subs[i]);
		subs[i] = NULL;
	}
}

START_TEST(a_subscriber_may_end_itself_and_others)
{
	begin();
	for (int i = 0; i < 3; i++)
		subs[i] = events_subscribe(evs, end_others, NULL);
	publish("x", 0);
	publish("y", 0);
	ck_assert_str_eq(seen, "x ");
	events_free(evs);
}
END_TEST

static void check_copy(void *ctx, const struct event *ev)
{
	(void)ctx;
	ck_assert_str_eq(ev->id, "c1");
	ck_assert_str_eq(str_map_get(&ev->attributes, "name"), "web");
}

START_TEST(events_are_copies)
{
	char action[] = "start";

	begin();
	publish(action, 0);
	action[0] = 'X';
	events_replay(evs, 0, 0, see, NULL);
	ck_assert_str_eq(seen, "start ");
	events_replay(evs, 0, 0, check_copy, NULL);
	events_free(evs);
}
END_TEST

UNIT_MAIN("events", subscribers_hear_what_happens, the_ring_keeps_the_last_256, stamps_increase,
	  a_subscriber_may_end_itself_and_others, events_are_copies)
