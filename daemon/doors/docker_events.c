/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /events: what the ring still holds, then what happens, one JSON object a line.
 *
 * Spec: Docker Engine API 1.51, SystemEvents
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "daemon/doors/docker_system.h"
#include "daemon/doors/filters.h"
#include "daemon/engine/events.h"

#define BACKLOG_MAX (4u * 1024 * 1024)   /* a client that does not read is let go */

static const char *const event_filters[] = {
	"config", "container", "daemon", "event", "image", "label", "network", "node", "plugin", "scope",
	"secret", "service", "type", "volume", NULL,
};

struct listener {
	struct request *r;
	struct filters filters;
	struct event_sub *sub;
	struct loop_timer *until;
	int64_t since_ns, until_ns;  /* 0: open */
};

/* ---- filters, as dockerd applies them ---- */

static bool is_among(const struct str_list *l, const char *value, bool by_prefix)
{
	for (size_t i = 0; value && i < l->n; i++) {
		if (by_prefix ? str_starts(value, l->v[i]) : str_eq(value, l->v[i]))
			return true;
	}
	return false;
}

/* "health_status" asks for "health_status: healthy", too */
static bool matches_action(const struct filters *f, const char *action)
{
	const struct str_list *l = filters_get(f, "event");
	size_t n = strcspn(action, ":");

	for (size_t i = 0; l && i < l->n; i++) {
		if (str_eq(l->v[i], action) || (strlen(l->v[i]) == n && strncmp(l->v[i], action, n) == 0))
			return true;
	}
	return !l || l->n == 0;
}

static bool matches_named(const struct filters *f, const char *key, const struct event *ev)
{
	const struct str_list *l = filters_get(f, key);

	return !l || l->n == 0 || is_among(l, ev->id, true) || is_among(l, str_map_get(&ev->attributes, "name"), true);
}

/* The image by ID or name; a tag may be left out */
static bool matches_image(const struct filters *f, const struct event *ev)
{
	const struct str_list *l = filters_get(f, "image");
	const char *name = str_map_get(&ev->attributes, str_eq(ev->type, "image") ? "name" : "image");
	AUTO_FREE char *bare = NULL;
	char *colon;

	if (!l || l->n == 0)
		return true;
	bare = xstrdup(name ? name : "");
	colon = strrchr(bare, ':');
	if (colon && !strchr(colon, '/'))
		*colon = 0;
	return is_among(l, ev->id, false) || is_among(l, name, false) || is_among(l, bare, false);
}

static bool is_wanted(const struct filters *f, const struct event *ev)
{
	static const char *const named[] = {
		"container", "config", "daemon", "network", "node", "plugin", "secret", "service", "volume",
	};

	for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
		if (!matches_named(f, named[i], ev))
			return false;
	}
	return matches_action(f, ev->action) && filters_match_exact(f, "type", ev->type) &&
	       filters_match_exact(f, "scope", "local") && matches_image(f, ev) &&
	       filters_match_labels(f, "label", &ev->attributes);
}

/* ---- the stream ---- */

static void print_event(struct strbuf *out, const struct event *ev)
{
	struct jw w;

	jw_init(&w, out);
	jw_obj(&w, NULL);
	jw_str(&w, "status", ev->action);
	jw_str(&w, "id", ev->id);
	if (!str_is_empty(ev->from))
		jw_str(&w, "from", ev->from);
	jw_str(&w, "Type", ev->type);
	jw_str(&w, "Action", ev->action);
	jw_obj(&w, "Actor");
	jw_str(&w, "ID", ev->id);
	jw_map(&w, "Attributes", &ev->attributes);
	jw_obj_end(&w);
	jw_str(&w, "scope", "local");
	jw_i64(&w, "time", ev->time_ns / CLOCK_NS_PER_SEC);
	jw_i64(&w, "timeNano", ev->time_ns);
	jw_obj_end(&w);
	strbuf_addc(out, '\n');
}

static void listener_free(struct listener *li)
{
	events_unsubscribe(li->sub);
	loop_timer_free(li->until);
	free(li);
}

static void end_stream(void *ctx)
{
	struct listener *li = ctx;
	struct request *r = li->r;

	listener_free(li);
	request_on_gone(r, NULL, NULL);
	reply_stream_end(r);
}

static void on_gone(void *ctx)
{
	listener_free(ctx);
}

static void on_event(void *ctx, const struct event *ev)
{
	struct listener *li = ctx;
	AUTO_STRBUF struct strbuf line = { 0 };

	if (!is_wanted(&li->filters, ev))
		return;
	print_event(&line, ev);
	reply_stream_write(li->r, line.data, line.len);
	if (li->sub && reply_stream_backlog(li->r) > BACKLOG_MAX) {
		log_warn("a client of /events does not read: its stream ends");
		end_stream(li);
	}
}

static int read_time(struct request *r, const char *key, int64_t *ret, struct err *e)
{
	const char *text = request_query(r, key);

	if (str_is_empty(text))
		return 0;
	if (!clock_parse(text, ret))
		return err_set(e, ERR_INVALID, "parameter '%s': '%.64s' is neither a unix time nor RFC 3339", key, text);
	if (*ret == 0)
		*ret = 1;   /* the epoch was asked for; 0 is "not asked" */
	return 0;
}

static int listener_read(struct listener *li, struct err *e)
{
	struct request *r = li->r;

	if (read_time(r, "since", &li->since_ns, e) < 0 || read_time(r, "until", &li->until_ns, e) < 0)
		return -1;
	if (li->since_ns && li->until_ns && li->until_ns < li->since_ns)
		return err_set(e, ERR_INVALID, "`since` time (%s) cannot be after `until` time (%s)",
			       request_query(r, "since"), request_query(r, "until"));
	return filters_parse(request_query(r, "filters"), event_filters, request_arena(r), &li->filters, e);
}

void docker_events(struct request *r)
{
	struct engine *eng = request_ctx(r);
	struct events *evs = engine_events(eng);
	struct listener *li = xcalloc(1, sizeof(*li));
	int64_t now_ns = clock_wall_ns();
	struct err e = { 0 };

	li->r = r;
	if (listener_read(li, &e) < 0) {
		free(li);
		reply_error(r, &e);
		return;
	}
	request_on_gone(r, on_gone, li);
	reply_stream_begin(r, 200, "application/json");
	if (li->since_ns || (li->until_ns && li->until_ns <= now_ns))
		events_replay(evs, li->since_ns, li->until_ns, on_event, li);
	if (li->until_ns && li->until_ns <= now_ns) {
		end_stream(li);
		return;
	}
	li->sub = events_subscribe(evs, on_event, li);
	if (li->until_ns) {
		li->until = loop_timer_new(engine_loop(eng), "events until", end_stream, li);
		loop_timer_start(li->until, (uint64_t)((li->until_ns - now_ns) / 1000000) + 1, 0);
	}
}
