/* SPDX-License-Identifier: Apache-2.0 */
/* kiln events: what happens, a line for each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/own.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/reply.h"
#include "cli/since.h"
#include "cli/stream.h"

enum { LINE_MAX = 1 << 20 };

struct options { struct str_list filter; const char *format, *since, *until; };
static const struct opt rows[] = {
	OPT_TEXTS(struct options, filter, 'f', "filter", "KEY=VALUE", "Show those for which it holds: container, event, image, label, type",
		  .check = filter_check, .choices = "container=|event=|image=|label=|type=container|type=image"),
	OPT_TEXT(struct options, format, 0, "format", "FORMAT", "'json', or a TEMPLATE as '{{.Action}} {{.Actor.ID}}'", .choices = "json"),
	OPT_TEXT(struct options, since, 0, "since", "TIME", "From this time on: 2026-01-02T03:04:05Z, unix seconds, or 42m ago"),
	OPT_TEXT(struct options, until, 0, "until", "TIME", "Up to this time"),
	OPT_END,
};

struct actor { char *id; struct str_map attributes; };
static const struct jfield actor_fields[] = {
	J_STRING(struct actor, id, "ID", J_REQUIRED),
	J_MAP(struct actor, attributes, "Attributes", 0),
};
static const struct jschema actor_schema = J_SCHEMA(struct actor, "EventActor", actor_fields);

struct event { char *type, *action; struct actor *actor; int64_t time_ns; };
static const struct jfield event_fields[] = {
	J_STRING(struct event, type, "Type", J_REQUIRED),
	J_STRING(struct event, action, "Action", J_REQUIRED),
	J_OBJECT(struct event, actor, "Actor", &actor_schema, J_REQUIRED),
	J_I64(struct event, time_ns, "timeNano", J_REQUIRED),
};
static const struct jschema event_schema = J_SCHEMA(struct event, "EventMessage", event_fields);

struct listening { bool has_format; struct format f; struct strbuf line; struct err e; };

static int by_key(const void *x, const void *y)
{
	return strcmp(((const struct str_pair *)x)->key, ((const struct str_pair *)y)->key);
}

/* Local time with nine digits of fraction */
static void add_time(struct strbuf *out, int64_t ns)
{
	time_t s = (time_t)(ns / CLOCK_NS_PER_SEC);
	char date[32], zone[8];
	struct tm tm;

	localtime_r(&s, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	strftime(zone, sizeof(zone), "%z", &tm);
	strbuf_addf(out, "%s.%09lld", date, (long long)(ns % CLOCK_NS_PER_SEC));
	if (tm.tm_gmtoff == 0)
		strbuf_addc(out, 'Z');
	else
		strbuf_addf(out, "%.3s:%s", zone, zone + 3);
}

static void add_text(struct strbuf *out, const struct event *ev)
{
	struct str_map *m = &ev->actor->attributes;

	add_time(out, ev->time_ns);
	strbuf_addf(out, " %s %s %s", ev->type, ev->action, ev->actor->id);
	if (m->n)
		qsort(m->v, m->n, sizeof(*m->v), by_key);
	for (size_t i = 0; i < m->n; i++)
		strbuf_addf(out, "%s%s=%s", i ? ", " : " (", m->v[i].key, m->v[i].value);
	strbuf_adds(out, m->n ? ")\n" : "\n");
}

static int show(struct listening *l)
{
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_STRBUF struct strbuf out = {0};
	struct event *ev = NULL;

	if (l->has_format) {
		if (format_answer(&l->f, l->line.data, l->line.len, &out, &l->e) < 0)
			return -1;
	} else {
		if (json_decode(l->line.data, l->line.len, &event_schema, a, NULL, NULL, (void **)&ev, &l->e) < 0)
			return err_wrap(&l->e, "the daemon's answer");
		add_text(&out, ev);
	}
	fwrite(out.data, 1, out.len, stdout);
	return fflush(stdout) == 0 ? 0 : -1;
}

static int on_chunk(void *ctx, const char *data, size_t n)
{
	struct listening *l = ctx;

	for (size_t i = 0; i < n; i++) {
		if (data[i] != '\n') {
			if (l->line.len >= LINE_MAX)
				return err_set(&l->e, ERR_INVALID, "the daemon's answer has a line that does not end");
			strbuf_addc(&l->line, data[i]);
			continue;
		}
		if (l->line.len && show(l) < 0)
			return -1;
		strbuf_reset(&l->line);
	}
	return 0;
}

static int run(const struct call *c)
{
	AUTO_STRBUF struct strbuf path = {0};
	AUTO_STRBUF struct strbuf since = {0};
	AUTO_STRBUF struct strbuf until = {0};
	const struct options *o = c->o;
	struct listening l = { .has_format = o->format != NULL };
	struct err e = {0};
	int status;

	if ((o->format && format_parse(o->format, c->a, &l.f, &e) < 0) || since_read("since", o->since, clock_wall_ns(), &since, &e) < 0 ||
	    since_read("until", o->until, clock_wall_ns(), &until, &e) < 0)
		return cmd_fail(&e);
	strbuf_adds(&path, "/events");
	path_query(&path, "since", since.data);
	path_query(&path, "until", until.data);
	path_filters(&path, &o->filter);
	status = api_stream(c->host, path.data, on_chunk, &l, &e);
	if (status == 0 && l.line.len && l.e.kind == ERR_NONE)
		show(&l);
	strbuf_done(&l.line);
	if (l.e.kind != ERR_NONE)
		return cmd_fail(&l.e);
	return status < 0 ? cmd_fail(&e) : 0;
}

const struct command cmd_events = {
	.name = "events", .group = "system", .member = "events", .usage = "[OPTIONS]", .help = "Show what happens, as it happens",
	.opts = { { rows } }, .options_size = sizeof(struct options), .run = run,
};
