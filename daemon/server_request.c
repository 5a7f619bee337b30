/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: routing, what came, bodies. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "daemon/audit.h"
#include "daemon/server_priv.h"

/* ---- life ---- */

static void copy_head(struct request *r, const struct http_head *h)
{
	struct http_field **last = &r->head.fields;

	r->head = *h;
	r->head.fields = NULL;
	r->head.target = arena_strdup(r->arena, h->target);
	r->method = r->head.method = arena_strdup(r->arena, h->method);
	for (const struct http_field *f = h->fields; f; f = f->next) {
		struct http_field *copy = arena_new_obj(r->arena, struct http_field);

		copy->name = arena_strdup(r->arena, f->name);
		copy->value = arena_strdup(r->arena, f->value);
		*last = copy;
		last = &copy->next;
	}
}

struct request *request_new(struct conn *c, const struct http_head *h)
{
	struct request *r = xcalloc(1, sizeof(*r));

	r->arena = arena_new();
	r->conn = c;
	r->s = c->s;
	r->l = c->s->l;
	r->peer = c->peer;
	r->api = API_MAX;
	r->begun_ns = clock_mono_ns();
	copy_head(r, h);
	r->path = arena_strndup(r->arena, r->head.target, strcspn(r->head.target, "?"));   /* until it is decoded */
	if (audit_is_wanted(r->method))
		memcpy(r->comm, conn_comm(c), sizeof(r->comm));
	return r;
}

static void request_free(void *ctx)
{
	struct request *r = ctx;

	strbuf_done(&r->body);
	strbuf_done(&r->extra_headers);
	if (r->sink)
		strbuf_done(&r->sink->pending);
	arena_free(r->arena);
	free(r);
}

static void audit(const struct request *r)
{
	const struct audit_entry entry = {
		.method = r->method,
		.path = r->path,
		.query = r->query,
		.n_query = r->n_query,
		.peer = r->peer,
		.comm = r->comm,
		.object = r->object,
		.status = r->status,
		.duration_ms = (clock_mono_ns() - r->begun_ns) / 1000000,
	};

	if (audit_is_wanted(r->method))
		audit_write(&entry);
	else
		log_debug("%s %s: %d (uid %d, pid %d)", r->method, entry.path, r->status, (int)r->peer.uid, (int)r->peer.pid);
}

static void sink_close(struct sink *k)
{
	loop_watch_free(TAKE_PTR(k->watch));
	close_fd(&k->fd);
}

/* ---- how many ---- */

bool request_take_slot(struct request *r)
{
	if (r->s->bodies->n == MAX_BODIES)
		return false;
	r->slots = r->s->bodies;
	r->slots->n++;
	return true;
}

static void give_slot(struct request *r)
{
	struct body_slots *b = TAKE_PTR(r->slots);

	if (b && --b->n == 0 && b->is_ownerless)
		free(b);
}

void body_slots_done(struct body_slots *b)
{
	b->is_ownerless = true;
	if (b->n == 0)
		free(b);
}

void request_finish(struct request *r)
{
	struct conn *c = TAKE_PTR(r->conn);

	BUG(r->reply == REPLY_DONE, "%s %s is answered twice", r->method, r->path);
	r->reply = REPLY_DONE;
	audit(r);
	if (r->sink)
		sink_close(r->sink);
	give_slot(r);
	if (c) {
		c->req = NULL;
		conn_wake(c);
	}
	loop_defer(r->l, request_free, r);
}

/* ---- routing ---- */

/* "/v1.41/info" -> 141 and "/info". A path without a version asks for the newest. */
static const char *split_version(struct request *r, const char *path, const char **ret_text)
{
	size_t n = str_starts(path, "/v") ? strspn(path + 2, "0123456789.") : 0;
	unsigned major, minor;
	char *end;

	if (n == 0 || path[2 + n] != '/')
		return path;
	*ret_text = arena_strndup(r->arena, path + 2, n);
	major = (unsigned)strtoul(*ret_text, &end, 10);
	minor = *end == '.' ? (unsigned)strtoul(end + 1, NULL, 10) : 0;
	r->api = (major > 99 ? 99 : major) * 100 + (minor > 99 ? 99 : minor);
	return path + 2 + n;
}

/* One {name} or {name...} at @pattern. Return: the rest of the pattern, *path moved behind the value; NULL when it does not fit */
static const char *match_param(struct request *r, const char *pattern, const char **path)
{
	const char *close = strchr(pattern, '}');
	bool is_multi;
	size_t len;

	BUG(!close || r->n_params == MAX_PARAMS, "pattern '%s'", pattern);
	if (**path == '/')   /* docker's names begin with a slash, and clients may send it: "/containers//web/json" */
		(*path)++;
	is_multi = close - pattern > 4 && strncmp(close - 3, "...", 3) == 0;
	if (is_multi) {
		size_t all = strlen(*path), tail = strlen(close + 1);

		len = all > tail ? all - tail : 0;
	} else {
		len = strcspn(*path, "/");
	}
	if (len == 0)
		return NULL;
	r->param_names[r->n_params] =
		arena_strndup(r->arena, pattern + 1, (size_t)(close - pattern - 1) - (is_multi ? 3 : 0));
	r->param_values[r->n_params++] = arena_strndup(r->arena, *path, len);
	*path += len;
	return close + 1;
}

static bool match(struct request *r, const char *pattern, const char *path)
{
	r->n_params = 0;
	while (*pattern) {
		if (*pattern == '{') {
			pattern = match_param(r, pattern, &path);
			if (!pattern)
				return false;
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	return *path == 0;
}

static bool find_route(struct request *r, const char *method)
{
	for (size_t i = 0; i < r->s->n_doors; i++) {
		const struct door *d = &r->s->doors[i];

		for (size_t k = 0; k < d->n_routes; k++) {
			if (!str_eq(d->routes[k].method, method) || !match(r, d->routes[k].pattern, r->path))
				continue;
			r->door = d;
			r->route = &d->routes[k];
			return true;
		}
	}
	return false;
}

static int check_version(const struct request *r, const char *text, struct err *e)
{
	if (r->api > API_MAX)
		return err_set(e, ERR_INVALID,
			       "client version %s is too new. Maximum supported API version is %s", text,
			       API_MAX_TEXT);
	if (r->api < API_MIN)
		return err_set(e, ERR_INVALID,
			       "client version %s is too old. Minimum supported API version is %s, please upgrade "
			       "your client to a newer version", text, API_MIN_TEXT);
	return 0;
}

void request_route(struct request *r)
{
	const char *version = NULL;
	struct err e = { 0 };
	char *path = NULL;

	if (http_split_target(r->arena, r->head.target, &path, &r->query, &r->n_query, &e) < 0) {
		reply_error(r, &e);
		return;
	}
	r->path = split_version(r, path, &version);
	if (!find_route(r, r->method) && !(str_eq(r->method, "HEAD") && find_route(r, "GET"))) {
		reply_error_status(r, 404, "page not found");
		return;
	}
	if (version && check_version(r, version, &e) < 0)
		reply_error(r, &e);
	else if (!request_wants_stream(r) && r->head.content_length > JSON_BODY_MAX)
		reply_error_status(r, 413, "request body too large: the limit is %u bytes", JSON_BODY_MAX);
}

bool request_wants_stream(const struct request *r)
{
	return r->route && (r->route->flags & ROUTE_BODY_STREAM);
}

void request_call(struct request *r)
{
	r->is_called = true;
	r->route->fn(r);
}

/* ---- bodies ---- */

static void sink_report(void *ctx)
{
	struct request *r = ctx;
	struct sink *k = r->sink;

	if (k->is_reported)
		return;
	k->is_reported = true;
	k->done(k->ctx, &k->err);
}

/* The body is all written, or cannot be: tell it from a clean stack. */
static void sink_settle(struct request *r)
{
	if (r->sink->is_settled)
		return;
	r->sink->is_settled = true;
	sink_close(r->sink);
	loop_defer(r->l, sink_report, r);
}

static void sink_flush(struct request *r)
{
	struct sink *k = r->sink;

	while (k->pending.len > 0) {
		ssize_t n = write(k->fd, k->pending.data, k->pending.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			k->was_full = true;
			loop_watch_set(k->watch, LOOP_WRITE);
			return;
		}
		if (n < 0) {
			err_sys(&k->err, "take the request's body");
			sink_settle(r);
			return;
		}
		strbuf_drop_front(&k->pending, (size_t)n);
	}
	/* Nothing to write: still hear it when the reader ends. */
	loop_watch_set(k->watch, LOOP_HUP);
	if (k->is_ended)
		sink_settle(r);
}

static void on_sink(void *ctx, unsigned events)
{
	struct request *r = ctx;

	if (events & LOOP_HUP) {
		err_set(&r->sink->err, ERR_SYSTEM, "take the request's body: the reader has ended");
		r->sink->err.sys = EPIPE;
		sink_settle(r);
	} else {
		sink_flush(r);
	}
	if (r->conn)
		conn_wake(r->conn);
}

bool request_is_blocked(const struct request *r)
{
	if (r->route && !(r->route->flags & ROUTE_BODY_STREAM))
		return false;
	/* A settled sink drops what comes; the reply decides what becomes of the connection. */
	return !r->sink || (!r->sink->is_settled && r->sink->pending.len > 0);
}

void request_body_to_fd(struct request *r, int fd, void (*done)(void *ctx, const struct err *err), void *ctx)
{
	struct sink *k = arena_new_obj(r->arena, struct sink);

	BUG(r->sink != NULL, "the body of %s %s is asked for twice", r->method, r->path);
	*k = (struct sink){ .fd = fd, .done = done, .ctx = ctx };
	r->sink = k;
	if (!r->conn) {
		err_set(&k->err, ERR_SYSTEM, "the client went away");
		sink_settle(r);
		return;
	}
	k->watch = loop_watch_new(r->l, "request body", fd, LOOP_HUP, on_sink, r);
	if (r->conn->is_message_ended) {
		request_body_ended(r);
		return;
	}
	if (r->head.expects_continue && r->conn->in.len <= 1)
		conn_send(r->conn, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	conn_wake(r->conn);
}

/* A reader that takes nothing is not the client's fault; a body that nobody wants any more is judged by its reply */
bool request_stood_still(struct request *r)
{
	struct sink *k = r->sink;

	if (request_is_blocked(r) || k->is_settled || k->was_full) {
		if (k)
			k->was_full = false;
		return false;
	}
	err_set(&k->err, ERR_TIMEOUT, "the request's body stood still for %llu s",
		(unsigned long long)(r->s->body_idle_ms / 1000));
	sink_settle(r);
	return true;
}

ssize_t request_splice_body(const struct request *r, int fd, uint64_t n)
{
	const struct sink *k = r->sink;

	if (!k || k->is_settled || k->pending.len > 0)
		return -1;
	return splice(fd, NULL, k->fd, NULL, n < SPLICE_BYTES ? (size_t)n : SPLICE_BYTES, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}

static void sink_take(struct request *r, const char *data, size_t n)
{
	struct sink *k = r->sink;
	ssize_t done = k->pending.len == 0 ? write(k->fd, data, n) : 0;

	if (done == (ssize_t)n)
		return;
	/* What it does not take now, and what went wrong, are for later. */
	strbuf_add(&k->pending, data + (done > 0 ? done : 0), n - (size_t)(done > 0 ? done : 0));
	sink_flush(r);
}

void request_take_body(struct request *r, const char *data, size_t n)
{
	if (request_wants_stream(r)) {
		if (r->sink && !r->sink->is_settled)
			sink_take(r, data, n);
		return;
	}
	if (r->body.len + n > JSON_BODY_MAX)
		reply_error_status(r, 413, "request body too large: the limit is %u bytes", JSON_BODY_MAX);
	else if (!limits_body(r->conn, n))
		reply_error_status(r, 503, "too many request bodies are under way: try again");
	else
		strbuf_add(&r->body, data, n);
}

void request_body_ended(struct request *r)
{
	if (!r->sink || r->sink->is_settled)
		return;
	r->sink->is_ended = true;
	if (r->sink->pending.len == 0)
		sink_settle(r);
}

void request_gone(struct request *r)
{
	r->conn = NULL;
	if (r->sink && !r->sink->is_reported) {
		if (!r->sink->is_settled)
			err_set(&r->sink->err, ERR_SYSTEM, "the client went away");
		r->sink->is_settled = true;
		sink_close(r->sink);
		sink_report(r);
	}
	if (r->reply == REPLY_DONE)
		return;
	if (r->on_gone)
		r->on_gone(r->on_gone_ctx);
	/* Without on_gone the handler still holds it, and its reply goes nowhere. */
	if (r->on_gone || !r->is_called)
		request_finish(r);
}

void request_on_gone(struct request *r, void (*fn)(void *ctx), void *ctx)
{
	r->on_gone = fn;
	r->on_gone_ctx = ctx;
}

/* ---- what came ---- */

void request_object(struct request *r, const char *id)
{
	r->object = arena_strdup(r->arena, id);
}

void *request_ctx(const struct request *r)
{
	return r->door->ctx;
}

const char *request_method(const struct request *r)
{
	return r->method;
}

const char *request_path(const struct request *r)
{
	return r->path;
}

unsigned request_api(const struct request *r)
{
	return r->api;
}

const char *request_param(const struct request *r, const char *name)
{
	for (size_t i = 0; i < r->n_params; i++) {
		if (str_eq(r->param_names[i], name))
			return r->param_values[i];
	}
	BUG(true, "route '%s' has no {%s}", r->route->pattern, name);
}

const char *request_query(const struct request *r, const char *key)
{
	for (size_t i = 0; i < r->n_query; i++) {
		if (str_eq(r->query[i].key, key))
			return r->query[i].value;
	}
	return NULL;
}

bool request_query_bool(const struct request *r, const char *key)
{
	static const char *const falses[] = { "", "0", "no", "false", "none" };
	const char *v = request_query(r, key);

	if (!v)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(falses); i++) {
		if (strcasecmp(v, falses[i]) == 0)
			return false;
	}
	return true;
}

size_t request_n_query(const struct request *r)
{
	return r->n_query;
}

const char *request_query_key(const struct request *r, size_t i)
{
	return r->query[i].key;
}

const char *request_query_value(const struct request *r, size_t i)
{
	return r->query[i].value;
}

const char *request_header(const struct request *r, const char *name)
{
	return http_field(&r->head, name);
}

const char *request_body(const struct request *r, size_t *ret_n)
{
	if (ret_n)
		*ret_n = r->body.len;
	return strbuf_cstr(&r->body);
}

struct arena *request_arena(struct request *r)
{
	return r->arena;
}
