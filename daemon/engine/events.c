/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/events.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "daemon/engine/engine_impl.h"

#define RING_SIZE 256

struct kept {
	struct arena *arena;         /* NULL: the slot is empty */
	struct event ev;
};

struct event_sub {
	struct events *evs;
	struct event_sub *next, *prev;
	event_fn fn;
	void *ctx;
};

struct events {
	struct kept ring[RING_SIZE];
	size_t n_published;          /* the next goes to ring[n_published % RING_SIZE] */
	struct event_sub *subs;
	struct event_sub *next_sub;  /* whom events_publish() calls next: a subscriber may end itself or others */
	int64_t last_ns;
};

struct events *events_new(void)
{
	return xcalloc(1, sizeof(struct events));
}

void events_free(struct events *evs)
{
	if (!evs)
		return;
	for (size_t i = 0; i < RING_SIZE; i++)
		arena_free(evs->ring[i].arena);
	while (evs->subs)
		events_unsubscribe(evs->subs);
	free(evs);
}

static struct event *keep(struct events *evs, const struct event *ev)
{
	struct kept *k = &evs->ring[evs->n_published++ % RING_SIZE];
	struct event *copy = &k->ev;

	arena_free(k->arena);
	k->arena = arena_new();
	*copy = *ev;
	copy->type = arena_strdup(k->arena, ev->type);
	copy->action = arena_strdup(k->arena, ev->action);
	copy->id = arena_strdup(k->arena, ev->id);
	copy->from = arena_strdup(k->arena, ev->from);
	copy->attributes.v = arena_new_array(k->arena, struct str_pair, ev->attributes.n);
	for (size_t i = 0; i < ev->attributes.n; i++) {
		copy->attributes.v[i].key = arena_strdup(k->arena, ev->attributes.v[i].key);
		copy->attributes.v[i].value = arena_strdup(k->arena, ev->attributes.v[i].value);
	}
	return copy;
}

void events_publish(struct events *evs, const struct event *ev)
{
	struct event *kept = keep(evs, ev);

	/* Strictly increasing, so that "since the last one that I saw" neither repeats nor skips. */
	if (kept->time_ns == 0) {
		kept->time_ns = clock_wall_ns();
		if (kept->time_ns <= evs->last_ns && evs->last_ns - kept->time_ns < CLOCK_NS_PER_SEC)
			kept->time_ns = evs->last_ns + 1;
	}
	evs->last_ns = kept->time_ns;
	for (struct event_sub *s = evs->subs; s; s = evs->next_sub) {
		evs->next_sub = s->next;
		s->fn(s->ctx, kept);
	}
	evs->next_sub = NULL;
}

void events_replay(struct events *evs, int64_t since_ns, int64_t until_ns, event_fn fn, void *ctx)
{
	size_t first = evs->n_published > RING_SIZE ? evs->n_published - RING_SIZE : 0;

	for (size_t i = first; i < evs->n_published; i++) {
		const struct event *ev = &evs->ring[i % RING_SIZE].ev;

		if ((since_ns == 0 || ev->time_ns >= since_ns) && (until_ns == 0 || ev->time_ns <= until_ns))
			fn(ctx, ev);
	}
}

struct event_sub *events_subscribe(struct events *evs, event_fn fn, void *ctx)
{
	struct event_sub *s = xcalloc(1, sizeof(*s));

	s->evs = evs;
	s->fn = fn;
	s->ctx = ctx;
	s->next = evs->subs;
	if (s->next)
		s->next->prev = s;
	evs->subs = s;
	return s;
}

void events_unsubscribe(struct event_sub *sub)
{
	struct events *evs;

	if (!sub)
		return;
	evs = sub->evs;
	if (evs->next_sub == sub)
		evs->next_sub = sub->next;
	if (sub->prev)
		sub->prev->next = sub->next;
	else
		evs->subs = sub->next;
	if (sub->next)
		sub->next->prev = sub->prev;
	free(sub);
}
