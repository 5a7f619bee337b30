/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events: a ring of the last 256 and live subscribers. Derived from state changes, never the other way round.
 * Loop thread only.
 *
 * Spec: Docker Engine API 1.51, SystemEvents
 */
#pragma once

#include <stdint.h>

#include "base/json.h"

struct engine;

struct event {
	const char *type;            /* "container", "image" */
	const char *action;          /* "create", "start", "die", "health_status: healthy" … */
	const char *id;              /* of the actor */
	const char *from;            /* image of the container, else NULL */
	struct str_map attributes;   /* image, name, labels, exitCode, signal … */
	int64_t time_ns;
};

struct events;
struct event_sub;
typedef void (*event_fn)(void *ctx, const struct event *ev);

struct events *engine_events(struct engine *eng);   /* borrowed */
/* Copies everything; stamps time when 0 */
void events_publish(struct events *evs, const struct event *ev);
/* Visit what the ring holds in [since, until] (ns; 0: open) */
void events_replay(struct events *evs, int64_t since_ns, int64_t until_ns, event_fn fn, void *ctx);

/**
 * events_subscribe() - Call @fn for each event from now on, until events_unsubscribe()
 * Return: to unsubscribe by
 */
struct event_sub *events_subscribe(struct events *evs, event_fn fn, void *ctx);
void events_unsubscribe(struct event_sub *sub);
