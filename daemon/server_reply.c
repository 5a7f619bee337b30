/* SPDX-License-Identifier: Apache-2.0 */
/* Replies: whole ones, streams, and giving the connection away. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/own.h"
#include "daemon/server_priv.h"

#define EARLY_BODY_MAX (1024 * 1024)   /* a larger unread body costs the connection */

static bool is_head(const struct request *r)
{
	return str_eq(r->method, "HEAD");
}

static void add_standard_headers(struct strbuf *out)
{
	strbuf_adds(out, "Api-Version: " API_MAX_TEXT "\r\n"
			 "Docker-Experimental: false\r\n"
			 "Ostype: linux\r\n"
			 "Server: Kiln/" KILN_VERSION " (linux)\r\n");
}

static void add_date(struct strbuf *out)
{
	time_t now = time(NULL);
	struct tm tm;
	char text[64];

	if (gmtime_r(&now, &tm) && strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0)
		strbuf_addf(out, "Date: %s\r\n", text);
}

/* Will the connection end with this reply? */
static bool decide_close(struct request *r)
{
	struct conn *c = r->conn;

	if (!c->is_message_ended && (r->head.is_chunked || r->head.content_length > EARLY_BODY_MAX))
		c->wants_close = true;
	return c->wants_close || (c->is_message_ended && !c->is_keep_alive);
}

static void begin(struct request *r, int status, const char *content_type, struct strbuf *out)
{
	BUG(r->reply != REPLY_NONE, "%s %s is answered twice", r->method, r->path);
	r->status = status;
	strbuf_addf(out, "HTTP/1.1 %d %s\r\n", status, http_reason(status));
	add_standard_headers(out);
	add_date(out);
	if (content_type)
		strbuf_addf(out, "Content-Type: %s\r\n", content_type);
	strbuf_add(out, strbuf_cstr(&r->extra_headers), r->extra_headers.len);
	if (decide_close(r))
		strbuf_adds(out, "Connection: close\r\n");
	else if (r->head.minor == 0)
		strbuf_adds(out, "Connection: keep-alive\r\n");
}

/* @n_more: bytes behind @body that the caller counts in ("\n") */
static void reply_whole(struct request *r, int status, const char *content_type, const char *body, size_t n,
			const char *tail)
{
	AUTO_STRBUF struct strbuf out = { 0 };
	bool is_bodiless = status == 204 || status == 304 || status < 200;

	r->status = status;
	if (r->conn) {
		begin(r, status, content_type, &out);
		if (!is_bodiless)
			strbuf_addf(&out, "Content-Length: %zu\r\n", n + strlen(tail));
		strbuf_adds(&out, "\r\n");
		if (!is_bodiless && !is_head(r)) {
			strbuf_add(&out, body, n);
			strbuf_adds(&out, tail);
		}
		conn_send(r->conn, out.data, out.len);
	}
	request_finish(r);
}

void reply_header(struct request *r, const char *name, const char *value)
{
	/* No line breaks: a value may come from outside. */
	BUG(strpbrk(name, "\r\n") != NULL, "header name '%s'", name);
	strbuf_addf(&r->extra_headers, "%s: ", name);
	for (const char *p = value; *p; p++)
		strbuf_addc(&r->extra_headers, *p == '\r' || *p == '\n' ? ' ' : *p);
	strbuf_adds(&r->extra_headers, "\r\n");
}

void reply_json(struct request *r, int status, const struct strbuf *json)
{
	reply_whole(r, status, "application/json", strbuf_cstr(json), json->len, "\n");
}

void reply_text(struct request *r, int status, const char *content_type, const char *text)
{
	reply_whole(r, status, content_type, text, strlen(text), "");
}

void reply_empty(struct request *r, int status)
{
	reply_whole(r, status, NULL, "", 0, "");
}

static void reply_message(struct request *r, int status, const char *message)
{
	AUTO_STRBUF struct strbuf json = { 0 };
	struct jw w;

	if (r->api < API_MIN) {
		/* Clients of that age expect text. */
		reply_whole(r, status, "text/plain; charset=utf-8", message, strlen(message), "\n");
		return;
	}
	jw_init(&w, &json);
	jw_obj(&w, NULL);
	jw_str(&w, "message", message);
	jw_obj_end(&w);
	reply_json(r, status, &json);
}

const char *reply_error_text(struct request *r, const struct err *err)
{
	AUTO_STRBUF struct strbuf advice = { 0 };

	if (r->conn && r->s->advise)
		r->s->advise(r->s->advise_ctx, err, &advice);
	return advice.len == 0 ? err->msg : arena_printf(r->arena, "%s; %s", err->msg, strbuf_cstr(&advice));
}

void reply_error(struct request *r, const struct err *err)
{
	reply_message(r, err_http_status(err->kind), reply_error_text(r, err));
}

void reply_error_status(struct request *r, int status, const char *fmt, ...)
{
	AUTO_FREE char *message = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&message, fmt, ap) < 0)
		message = NULL;
	va_end(ap);
	BUG(!message, "out of memory");
	reply_message(r, status, message);
}

/* ---- streams ---- */

void reply_stream_begin(struct request *r, int status, const char *content_type)
{
	AUTO_STRBUF struct strbuf out = { 0 };

	r->status = status;
	if (r->conn) {
		r->is_chunked_reply = r->head.minor > 0;
		/* HTTP/1.0 knows no chunks: the stream ends with the connection. */
		if (!r->is_chunked_reply)
			r->conn->wants_close = true;
		begin(r, status, content_type, &out);
		if (r->is_chunked_reply)
			strbuf_adds(&out, "Transfer-Encoding: chunked\r\n");
		strbuf_adds(&out, "\r\n");
		conn_send(r->conn, out.data, out.len);
	}
	r->reply = REPLY_STREAM;
}

void reply_stream_write(struct request *r, const void *data, size_t n)
{
	AUTO_STRBUF struct strbuf out = { 0 };

	BUG(r->reply != REPLY_STREAM, "%s %s: no stream was begun", r->method, r->path);
	if (!r->conn || n == 0 || is_head(r))
		return;
	if (!r->is_chunked_reply) {
		conn_send(r->conn, data, n);
		return;
	}
	strbuf_reserve(&out, n + 24);
	strbuf_addf(&out, "%zx\r\n", n);
	strbuf_add(&out, data, n);
	strbuf_adds(&out, "\r\n");
	conn_send(r->conn, out.data, out.len);
}

size_t reply_stream_backlog(const struct request *r)
{
	return r->conn ? conn_backlog(r->conn) : 0;
}

void reply_stream_on_drain(struct request *r, loop_fn fn, void *ctx)
{
	r->on_drain = fn;
	r->on_drain_ctx = ctx;
}

void reply_stream_end(struct request *r)
{
	BUG(r->reply != REPLY_STREAM, "%s %s: no stream was begun", r->method, r->path);
	if (r->conn && r->is_chunked_reply && !is_head(r))
		conn_send(r->conn, "0\r\n\r\n", 5);
	request_finish(r);
}

void reply_stream_abort(struct request *r)
{
	BUG(r->reply != REPLY_STREAM, "%s %s: no stream was begun", r->method, r->path);
	if (r->conn)
		r->conn->wants_close = true;
	request_finish(r);
}

/* ---- hijacking ---- */

int reply_hijack(struct request *r, const char *content_type, bool with_standard_headers, int *ret_fd,
		 char *ret_prefix, size_t prefix_room, size_t *ret_n_prefix, struct err *e)
{
	AUTO_STRBUF struct strbuf out = { 0 };
	struct conn *c = r->conn;
	int fd;

	if (!c)
		return err_set(e, ERR_SYSTEM, "the client went away");
	if (c->in.len > prefix_room)
		return err_set(e, ERR_INVALID, "the client sent %zu bytes before it was asked to", c->in.len);
	BUG(r->reply != REPLY_NONE, "%s %s is answered twice", r->method, r->path);
	r->status = r->head.wants_upgrade ? 101 : 200;
	strbuf_addf(&out, "HTTP/1.1 %d %s\r\n", r->status, http_reason(r->status));
	if (with_standard_headers)
		add_standard_headers(&out);
	if (content_type)
		strbuf_addf(&out, "Content-Type: %s\r\n", content_type);
	if (r->head.wants_upgrade)
		strbuf_adds(&out, "Connection: Upgrade\r\nUpgrade: tcp\r\n");
	strbuf_adds(&out, "\r\n");
	conn_send(c, out.data, out.len);
	memcpy(ret_prefix, c->in.data, c->in.len);
	*ret_n_prefix = c->in.len;
	fd = conn_detach(c, e);
	if (fd < 0)
		return -1;
	r->conn = NULL;
	request_finish(r);
	*ret_fd = fd;
	return 0;
}
