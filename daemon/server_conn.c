/* SPDX-License-Identifier: Apache-2.0 */
/* Connections: reading, parsing, sending, time-outs. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "daemon/server_priv.h"

#define COMM_MAX_BYTES 64
#define SPLICE_FROM    (64u * 1024)   /* bytes that a body still has */

static void conn_process(struct conn *c);

/* ---- life ---- */

static void conn_free(void *ctx)
{
	struct conn *c = ctx;

	http_free(c->http);
	strbuf_done(&c->in);
	strbuf_done(&c->out);
	free(c);
}

static void unlink_conn(struct conn *c)
{
	if (c->prev)
		c->prev->next = c->next;
	else
		c->s->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	c->is_closed = true;
	c->s->n_out_bytes -= conn_backlog(c);
	limits_body_over(c);
	loop_watch_free(TAKE_PTR(c->watch));
	loop_timer_free(TAKE_PTR(c->timer));
	server_conn_closed(c->s);
}

void conn_close(struct conn *c)
{
	struct request *r = TAKE_PTR(c->req);

	if (c->is_closed)
		return;
	unlink_conn(c);
	close_fd(&c->fd);
	if (r)
		request_gone(r);
	loop_defer(c->s->l, conn_free, c);
}

/* Asked once for each connection, and only when somebody wants to know. */
const char *conn_comm(struct conn *c)
{
	AUTO_FREE char *text = NULL;
	char path[32];

	if (c->comm[0] || c->peer.pid <= 0)
		return c->comm;
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)c->peer.pid);
	if (file_read(AT_FDCWD, path, COMM_MAX_BYTES, &text, NULL, ERR_IGNORED) == 0)
		snprintf(c->comm, sizeof(c->comm), "%.*s", (int)strcspn(text, "\n"), text);
	return c->comm;
}

/* ---- sending ---- */

size_t conn_backlog(const struct conn *c)
{
	return c->out.len - c->out_sent;
}

static void on_broken(void *ctx)
{
	conn_close(ctx);
}

/* The caller may be a handler: the end of the connection is told from a clean stack. */
static void conn_break(struct conn *c)
{
	if (c->is_broken || c->is_closed)
		return;
	c->is_broken = true;
	loop_defer(c->s->l, on_broken, c);
}

void conn_drop_output(struct conn *c)
{
	c->s->n_out_bytes -= conn_backlog(c);
	c->out_sent = 0;
	strbuf_done(&c->out);
	conn_break(c);
}

static void conn_flush(struct conn *c)
{
	while (conn_backlog(c) > 0 && !c->is_broken) {
		ssize_t n = send(c->fd, c->out.data + c->out_sent, conn_backlog(c), MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			conn_break(c);
			break;
		}
		c->out_sent += (size_t)n;
		c->s->n_out_bytes -= (size_t)n;
	}
	c->s->n_out_bytes -= conn_backlog(c);   /* of a broken one */
	c->out_sent = 0;
	strbuf_reset(&c->out);
}

void conn_send(struct conn *c, const void *data, size_t n)
{
	bool was_empty = conn_backlog(c) == 0;

	if (c->is_closed || c->is_broken || n == 0)
		return;
	strbuf_add(&c->out, data, n);
	c->s->n_out_bytes += n;
	if (was_empty)
		conn_flush(c);
	else if (c->out_sent > c->out.len / 2) {
		strbuf_drop_front(&c->out, c->out_sent);
		c->out_sent = 0;
	}
	limits_out(c->s);
	if (!c->is_closed)
		conn_update_watch(c);
}

int conn_detach(struct conn *c, struct err *e)
{
	if (c->is_broken || conn_backlog(c) > 0) {
		conn_break(c);
		return err_set(e, ERR_SYSTEM, "hijack the connection: the client does not read");
	}
	unlink_conn(c);
	c->req = NULL;
	loop_defer(c->s->l, conn_free, c);
	return TAKE_FD(c->fd);
}

/* ---- requests in, one at a time ---- */

static bool on_head(void *ctx, const struct http_head *h)
{
	struct conn *c = ctx;

	c->head = h;
	http_pause(c->http);
	return false;
}

static void on_body(void *ctx, const char *data, size_t n)
{
	struct conn *c = ctx;

	if (c->req && c->state == CONN_BODY)
		request_take_body(c->req, data, n);
}

static void on_end(void *ctx, bool keep_alive)
{
	struct conn *c = ctx;

	c->is_message_ended = true;
	c->is_keep_alive = keep_alive;
}

static const struct http_parser_cb parser_cb = { .head = on_head, .body = on_body, .end = on_end };

static void begin_stream(struct conn *c)
{
	if (!request_take_slot(c->req)) {
		reply_error_status(c->req, 503, "%u uploads are under way, and no more are taken: try again when one has ended",
				   MAX_BODIES);
		return;
	}
	loop_timer_start(c->timer, c->s->body_idle_ms, 0);
	request_call(c->req);
}

static void begin_request(struct conn *c)
{
	const struct http_head *h = TAKE_PTR(c->head);

	c->state = CONN_BODY;
	c->is_message_ended = false;
	c->is_keep_alive = h->minor > 0;
	c->req = request_new(c, h);
	loop_timer_stop(c->timer);
	request_route(c->req);
	if (c->req && c->req->reply == REPLY_NONE && request_wants_stream(c->req))
		begin_stream(c);
	else if (c->req && !c->is_closed) {
		if (h->expects_continue && c->in.len <= 1)
			conn_send(c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
		c->body_until_ms = loop_now_ms(c->s->l) + (int64_t)c->s->body_total_ms;
		loop_timer_start(c->timer, c->s->incoming_ms, 0);
	}
}

static void end_of_message(struct conn *c)
{
	loop_timer_stop(c->timer);
	if (c->state == CONN_DRAIN || !c->req)
		return;
	c->state = CONN_BUSY;
	if (request_wants_stream(c->req))
		request_body_ended(c->req);
	else
		request_call(c->req);
}

/* A request that cannot be understood: answer, and take no more from this client. */
static void refuse_bytes(struct conn *c, int status, const char *why)
{
	static const struct http_head nothing = { .method = "GET", .target = "/", .minor = 1, .content_length = -1 };

	if (c->req && c->req->is_called) {
		conn_break(c);   /* a handler is at it: it hears that the client is lost */
		return;
	}
	if (!c->req)
		c->req = request_new(c, &nothing);
	strbuf_reset(&c->in);
	c->wants_close = c->is_garbage = true;
	c->is_message_ended = false;
	c->state = CONN_BUSY;
	reply_error_status(c->req, status, "%s", why);
}

static void feed(struct conn *c)
{
	struct err e = { 0 };
	bool is_too_large = false;
	size_t used = 0;

	if (c->is_garbage) {
		strbuf_reset(&c->in);
		return;
	}
	if (http_feed(c->http, c->in.data, c->in.len, &used, &is_too_large, &e) < 0) {
		if (c->state == CONN_DRAIN)
			conn_break(c);
		else
			refuse_bytes(c, is_too_large ? 431 : 400, is_too_large ? "request header too large" : e.msg);
		return;
	}
	strbuf_drop_front(&c->in, used);
	if (c->is_closed)
		return;
	if (c->head)
		begin_request(c);
	else if (c->is_message_ended && (c->state == CONN_BODY || c->state == CONN_DRAIN))
		end_of_message(c);
	else if (c->state == CONN_HEAD && http_is_within(c->http) && used > 0 && !c->is_head_timed) {
		c->is_head_timed = true;
		loop_timer_start(c->timer, c->s->incoming_ms, 0);
	}
}

/* The reply is out. Return: true when the connection is ready for another request */
static bool begin_next(struct conn *c)
{
	limits_body_over(c);
	if (!c->is_message_ended) {
		/* What the client still sends is read for a moment: closing now could cost it our reply. */
		if (c->wants_close)
			shutdown(c->fd, SHUT_WR);
		loop_timer_start(c->timer, DRAIN_MS, 0);
		c->state = CONN_DRAIN;
		return true;
	}
	if (c->wants_close || !c->is_keep_alive) {
		conn_close(c);
		return false;
	}
	loop_timer_stop(c->timer);
	c->is_head_timed = false;
	c->is_message_ended = false;
	c->state = CONN_HEAD;
	c->idle_since_ms = loop_now_ms(c->s->l);
	server_may_accept(c->s);
	return true;
}

static bool can_feed(const struct conn *c)
{
	if (c->in.len == 0)
		return false;
	return c->state == CONN_HEAD || c->state == CONN_DRAIN ||
	       (c->state == CONN_BODY && c->req && !request_is_blocked(c->req));
}

/* The answer is complete, and waits for its reader alone. A stream's may take its time: it holds little. */
static void time_reader(struct conn *c)
{
	if (!c->req && c->state == CONN_BUSY && conn_backlog(c) > 0)
		loop_timer_start(c->timer, c->s->stall_ms, 0);
}

/* For the next piece of a body. */
static uint64_t patience_ms(const struct conn *c)
{
	int64_t left_ms = c->body_until_ms - loop_now_ms(c->s->l);

	if (request_wants_stream(c->req))
		return c->s->body_idle_ms;
	return left_ms < 1 ? 1 : left_ms < (int64_t)c->s->incoming_ms ? (uint64_t)left_ms : c->s->incoming_ms;
}

static void conn_process(struct conn *c)
{
	c->is_processing = true;
	while (!c->is_closed && !c->is_broken) {
		if (!c->req && conn_backlog(c) == 0 &&
		    (c->state == CONN_BUSY || c->state == CONN_BODY || (c->state == CONN_DRAIN && c->is_message_ended))) {
			if (!begin_next(c))
				break;
		}
		if (!can_feed(c))
			break;
		feed(c);
	}
	c->is_processing = false;
	if (c->is_closed)
		return;
	time_reader(c);
	conn_update_watch(c);
}

static void on_wake(void *ctx)
{
	struct conn *c = ctx;

	if (!c->is_closed)
		conn_process(c);
}

void conn_wake(struct conn *c)
{
	if (!c->is_processing && !c->is_closed)
		loop_defer(c->s->l, on_wake, c);
}

/* ---- descriptor events ---- */

void conn_update_watch(struct conn *c)
{
	unsigned events = LOOP_HUP;

	if (c->is_closed)
		return;
	if (c->state == CONN_HEAD || c->state == CONN_DRAIN ||
	    (c->state == CONN_BODY && c->req && !request_is_blocked(c->req)))
		events = LOOP_READ;
	if (conn_backlog(c) > 0)
		events |= LOOP_WRITE;
	loop_watch_set(c->watch, events);
}

/*
 * A long body of known length goes to its pipe without being looked at; all but its last byte, with which the parser sees
 * the end. Return: false when it must be read: there is no such body, or the pipe is full, or the other side is gone
 */
static bool conn_splice(struct conn *c)
{
	uint64_t left = http_body_left(c->http);
	ssize_t n;

	if (c->state != CONN_BODY || !c->req || c->in.len > 0 || left < SPLICE_FROM || !request_wants_stream(c->req))
		return false;
	n = request_splice_body(c->req, c->fd, left - 1);
	if (n <= 0)
		return false;
	http_skip_body(c->http, (uint64_t)n);
	return true;
}

static void conn_read(struct conn *c)
{
	size_t room = c->state == CONN_HEAD ? READ_HEAD_BYTES : READ_BODY_BYTES;
	bool is_spliced = conn_splice(c);
	ssize_t n = is_spliced ? 0 : recv(c->fd, c->s->read_buffer, room, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 && !is_spliced) {
		conn_close(c);   /* between requests, or within one that can never be complete */
		return;
	}
	if (c->state == CONN_BODY && c->req)
		loop_timer_start(c->timer, patience_ms(c), 0);
	if (is_spliced)
		return;
	strbuf_add(&c->in, c->s->read_buffer, (size_t)n);
	conn_process(c);
}

static void conn_write(struct conn *c)
{
	conn_flush(c);
	if (c->is_closed)
		return;
	if (conn_backlog(c) > 0) {
		time_reader(c);
		return;
	}
	if (c->req && c->req->on_drain)
		c->req->on_drain(c->req->on_drain_ctx);
	if (!c->is_closed)
		conn_process(c);
}

static void on_io(void *ctx, unsigned events)
{
	struct conn *c = ctx;

	if ((events & LOOP_WRITE) && !c->is_closed)
		conn_write(c);
	if ((events & LOOP_HUP) && !c->is_closed) {
		conn_close(c);
		return;
	}
	if ((events & LOOP_READ) && !c->is_closed &&
	    (c->state == CONN_HEAD || c->state == CONN_DRAIN || c->state == CONN_BODY))
		conn_read(c);
}

static void on_timeout(void *ctx)
{
	struct conn *c = ctx;

	/* Answered, but it neither reads the answer nor ends what it sends */
	if (c->state == CONN_DRAIN || (c->state != CONN_HEAD && !c->req)) {
		conn_close(c);
		return;
	}
	if (c->state == CONN_BODY && request_wants_stream(c->req)) {
		if (request_stood_still(c->req))
			c->wants_close = true;
		else
			loop_timer_start(c->timer, c->s->body_idle_ms, 0);
		return;
	}
	refuse_bytes(c, 408, "the request did not arrive in time");
	if (!c->is_closed)
		conn_process(c);
}

void conn_new(struct server *s, int fd)
{
	struct conn *c = xcalloc(1, sizeof(*c));
	socklen_t len = sizeof(c->peer);

	c->s = s;
	c->fd = fd;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c->peer, &len) < 0)
		c->peer = (struct ucred){ .pid = 0, .uid = (uid_t)-1, .gid = (gid_t)-1 };
	c->http = http_new(HTTP_REQUESTS, &parser_cb, c);
	c->timer = loop_timer_new(s->l, "slow client", on_timeout, c);
	c->watch = loop_watch_new(s->l, "connection", fd, LOOP_READ, on_io, c);
	c->idle_since_ms = loop_now_ms(s->l);
	c->next = s->conns;
	if (c->next)
		c->next->prev = c;
	s->conns = c;
	s->n_conns++;
}
