/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/doors/docker_logs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/own.h"
#include "daemon/dirwatch.h"
#include "daemon/doors/docker_attach.h"
#include "daemon/doors/door_util.h"
#include "daemon/engine/events.h"
#include "daemon/logfile.h"

enum { BACKLOG_MAX_BYTES = 256 << 10 };

/*
 * One reply. Steps: read a chunk, write its entries; when the client lags, wait for its backlog; at the end of
 * the file, end, or with follow wait for changes in its directory and for the container's end.
 */
struct logs {
	struct request *r;
	struct loop *loop;
	char id[65];
	struct logfile *file;          /* NULL: nothing was ever logged */
	char *path;
	unsigned n_files;
	struct event_sub *sub;         /* NULL unless following */
	struct dirwatch *watch;        /* NULL unless following */
	int64_t since_ns, until_ns;    /* 0: open */
	bool wants_stdout, wants_stderr, wants_times, wants_details, is_tty, is_following, has_ended, is_scheduled;
};

static void logs_step(void *ctx);

static void logs_free(struct logs *l)
{
	if (l->sub)
		events_unsubscribe(l->sub);
	dirwatch_free(l->watch);
	logfile_free(l->file);
	free(l->path);
	free(l);
}

/* Deferred steps find the reply gone by this mark; the last one frees it. */
static void logs_gone(void *ctx)
{
	struct logs *l = ctx;

	l->r = NULL;
	if (!l->is_scheduled)
		logs_free(l);
}

static void logs_end(struct logs *l)
{
	struct request *r = TAKE_PTR(l->r);

	request_on_gone(r, NULL, NULL);
	reply_stream_on_drain(r, NULL, NULL);
	reply_stream_end(r);
	logs_free(l);
}

static void logs_schedule(struct logs *l)
{
	if (l->is_scheduled)
		return;
	l->is_scheduled = true;
	loop_defer(l->loop, logs_step, l);
}

struct details {
	struct str_map pairs;
};
static const struct jfield details_fields[] = { J_MAP(struct details, pairs, "attrs", 0) };
static const struct jschema details_schema = J_SCHEMA(struct details, "attrs of a log line", details_fields);

/* As Go's url.QueryEscape() */
static void add_escaped(struct strbuf *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || strchr("-_.~", c))
			strbuf_addc(out, *text);
		else if (c == ' ')
			strbuf_addc(out, '+');
		else
			strbuf_addf(out, "%%%02X", c);
	}
}

/* "key=value,key=value": by key, as they are written */
static void add_details(struct strbuf *out, const struct log_entry *entry)
{
	AUTO_ARENA struct arena *a = arena_new();
	char *text = arena_printf(a, "{\"attrs\":%.*s}", (int)entry->n_attrs, entry->attrs);
	struct details *d = NULL;

	if (json_decode(text, strlen(text), &details_schema, a, NULL, NULL, (void **)&d, ERR_IGNORED) < 0)
		return;
	for (size_t i = 0; i < d->pairs.n; i++) {
		strbuf_adds(out, i ? "," : "");
		add_escaped(out, d->pairs.v[i].key);
		strbuf_addc(out, '=');
		add_escaped(out, d->pairs.v[i].value);
	}
}

static bool write_entry(void *ctx, const struct log_entry *entry)
{
	AUTO_STRBUF struct strbuf out = {0};
	unsigned char head[8] = {0};
	struct logs *l = ctx;
	char time[CLOCK_TEXT_MAX];
	size_t n;

	if (l->until_ns && entry->time_ns > l->until_ns) {
		l->has_ended = true;
		return false;
	}
	if ((l->since_ns && entry->time_ns < l->since_ns) || !(entry->is_stderr ? l->wants_stderr : l->wants_stdout))
		return true;
	strbuf_add(&out, head, l->is_tty ? 0 : sizeof(head));
	if (l->wants_times)
		strbuf_addf(&out, "%s ", clock_rfc3339_fixed(entry->time_ns, time));
	if (l->wants_details) {
		if (entry->attrs)
			add_details(&out, entry);
		strbuf_addc(&out, ' ');
	}
	strbuf_add(&out, entry->text, entry->n_text);
	if (!l->is_tty) {
		n = out.len - sizeof(head);
		out.data[0] = entry->is_stderr ? 2 : 1;
		for (int i = 0; i < 4; i++)
			out.data[4 + i] = (char)(n >> (24 - 8 * i));
	}
	reply_stream_write(l->r, out.data, out.len);
	return true;
}

static void logs_drained(void *ctx)
{
	logs_schedule(ctx);
}

/* One chunk. Returns true when there may be more to do right away. */
static bool logs_chunk(struct logs *l)
{
	bool has_more = false;
	struct err e = {0};

	if (reply_stream_backlog(l->r) > BACKLOG_MAX_BYTES) {
		reply_stream_on_drain(l->r, logs_drained, l);
		return false;
	}
	if (!l->file && logfile_open(l->path, l->n_files, &l->file, &e) < 0)
		l->file = NULL;
	if (l->file && logfile_read(l->file, write_entry, l, &has_more, &e) < 0)
		l->has_ended = true;
	if (!has_more && (l->has_ended || !l->is_following)) {
		logs_end(l);
		return false;
	}
	return has_more && !(l->until_ns && l->has_ended);
}

static void logs_step(void *ctx)
{
	struct logs *l = ctx;

	l->is_scheduled = false;
	if (!l->r) {
		logs_free(l);
		return;
	}
	if (logs_chunk(l))
		logs_schedule(l);
}

static void logs_written(void *ctx)
{
	struct logs *l = ctx;

	/* Also while the client is slow, so that a file is not gone before it is read */
	if (l->file)
		logfile_keep_up(l->file);
	logs_schedule(l);
}

/* The monitor has written everything before kilnd hears of the exit, and so before this event. */
static void logs_event(void *ctx, const struct event *ev)
{
	struct logs *l = ctx;

	if (!str_eq(ev->type, "container") || !str_eq(ev->id, l->id))
		return;
	if (!str_eq(ev->action, "die") && !str_eq(ev->action, "destroy"))
		return;
	l->has_ended = true;
	logs_schedule(l);
}

/* Of its directory: there may be no file yet, and there will be others. */
static int watch_dir(struct logs *l, struct err *e)
{
	AUTO_FREE char *dir = xstrndup(l->path, (size_t)(strrchr(l->path, '/') - l->path));

	if (dirwatch_new(l->loop, dir, logs_written, l, &l->watch, e) == 0)
		return 0;
	/* Of a container that an older kilnd made: its first start makes it */
	if (e->kind != ERR_NOT_FOUND || (mkdir(dir, 0700) < 0 && errno != EEXIST))
		return -1;
	return dirwatch_new(l->loop, dir, logs_written, l, &l->watch, e);
}

static int logs_follow(struct logs *l, struct engine *eng, struct err *e)
{
	if (fd_check_spare(e) < 0 || watch_dir(l, e) < 0)
		return err_wrap(e, "watch log '%s'", l->path);
	l->sub = events_subscribe(engine_events(eng), logs_event, l);
	l->is_following = true;
	return 0;
}

static int parse_time(struct request *r, const char *key, int64_t *ret_ns, struct err *e)
{
	const char *text = request_query(r, key);

	if (str_is_empty(text) || str_eq(text, "0"))
		return 0;
	if (!clock_parse(text, ret_ns))
		return err_set(e, ERR_INVALID, "parameter '%s': expected a time, got '%.64s'", key, text);
	return 0;
}

static int logs_position(struct logs *l, const char *tail, struct err *e)
{
	uint64_t n_lines;

	if (str_is_empty(tail) || str_eq(tail, "all") || str_eq(tail, "-1") || !l->file)
		return 0;
	if (!str_to_u64(tail, &n_lines))
		return err_set(e, ERR_INVALID, "parameter 'tail': expected 'all' or a number, got '%.64s'", tail);
	return logfile_seek_tail(l->file, n_lines, e);
}

static int logs_open(struct logs *l, struct request *r, struct container *c, struct err *e)
{
	l->wants_stdout = request_query_bool(r, "stdout");
	l->wants_stderr = request_query_bool(r, "stderr");
	l->wants_times = request_query_bool(r, "timestamps");
	l->wants_details = request_query_bool(r, "details");
	l->is_tty = c->opt->config->tty;
	if (!l->wants_stdout && !l->wants_stderr)
		return err_set(e, ERR_INVALID, "Bad parameters: you must choose at least one stream");
	if (parse_time(r, "since", &l->since_ns, e) < 0 || parse_time(r, "until", &l->until_ns, e) < 0)
		return -1;
	if (logfile_open(l->path, l->n_files, &l->file, e) < 0 && e->kind != ERR_NOT_FOUND)
		return -1;
	if (logs_position(l, request_query(r, "tail"), e) < 0)
		return -1;
	if (!request_query_bool(r, "follow") || (c->pid <= 0 && !c->wants_running))
		return 0;
	return logs_follow(l, c->eng, e);
}

void docker_logs(struct request *r)
{
	struct container *c = door_container(r);
	struct err e = {0};
	struct logs *l;

	if (!c)
		return;
	if (!c->log_path) {
		reply_error_status(r, 501, "configured logging driver does not support reading");
		return;
	}
	l = xcalloc(1, sizeof(*l));
	l->loop = engine_loop(c->eng);
	l->path = xstrdup(c->log_path);
	l->n_files = c->n_log_files;
	memcpy(l->id, c->id, sizeof(l->id));
	if (logs_open(l, r, c, &e) < 0) {
		logs_free(l);
		reply_error(r, &e);
		return;
	}
	l->r = r;
	reply_stream_begin(r, 200, docker_stream_type(r, l->is_tty, true));
	request_on_gone(r, logs_gone, l);
	logs_schedule(l);
}
