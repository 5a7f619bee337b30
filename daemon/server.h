/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 on unix sockets: listeners, connections, routing and replies. All on the loop thread.
 *
 * A door is a table of routes. The server parses (daemon/http.c), bounds (headers 64 KiB, JSON bodies
 * 4 MiB, streamed bodies 32 at a time; slow clients get time-outs while a request is incoming, a streamed body
 * only when it stands still for 5 minutes), finds the route, checks the API
 * version (1.24 to 1.51), reads the JSON body if the route wants one, and calls the handler. A handler answers now or later, exactly
 * once, by one of the reply functions; the request lives until then (and until the stream ends).
 *
 * Spec: Docker Engine API; ../shared facts "docker-engine-api" §1.1-1.5 (headers, errors, hijacking)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "daemon/loop.h"

struct server;
struct request;

typedef void (*handler_fn)(struct request *r);

enum route_flags {
	ROUTE_BODY_JSON   = 1,   /* the whole body is read first (request_body()); Content-Type is not insisted on */
	ROUTE_BODY_STREAM = 2,   /* the handler pulls the body with request_body_to_fd() */
};

struct route {
	const char *method;      /* "GET", "POST" …; "GET" also answers HEAD when the table has no HEAD row */
	const char *pattern;     /* "/containers/{id}/start"; {name...} takes several segments ("/images/{name...}/json") */
	unsigned flags;
	handler_fn fn;
};

/* One door: its routes and their shared context. Kept by the server. */
struct door {
	const char *name;        /* "docker", "kiln" */
	const struct route *routes;
	size_t n_routes;
	void *ctx;
};

/**
 * server_new() - A server without listeners and doors
 * Return: 0, or -1 with @e set
 */
int  server_new(struct loop *l, struct server **ret, struct err *e);

/**
 * server_listen() - Listen on "unix:///run/kiln/kiln.sock", with mode 0660 and root:<group>
 *
 * A socket that nobody listens on any more is replaced.
 *
 * @group: NULL, or one that does not exist: only root may connect
 * @e:     ERR_INVALID for another kind of URL; ERR_CONFLICT somebody listens there
 * Return: 0, or -1 with @e set
 */
int  server_listen(struct server *s, const char *host_url, const char *group, struct err *e);

/**
 * server_listen_fd() - Serve a socket that somebody else made, and whose file is theirs
 * @fd: takes; listens already
 * Return: 0, or -1 with @e set
 */
int  server_listen_fd(struct server *s, int fd, struct err *e);

/* server_add_door(): keeps @d. server_free() closes listeners and connections. */
void server_add_door(struct server *s, const struct door *d);
void server_free(struct server *s);

/**
 * server_set_advice() - Who knows what can be done about an error: it is said behind the message
 * @fn: told @ctx and an error; writes the advice, or leaves @ret empty
 * Return: nothing
 */
void server_set_advice(struct server *s, void (*fn)(void *ctx, const struct err *err, struct strbuf *ret), void *ctx);

/* ---- what came ---- */
void       *request_ctx(const struct request *r);                        /* of the door */
const char *request_method(const struct request *r);                     /* "GET" … */
const char *request_path(const struct request *r);                       /* decoded, without the version prefix */
unsigned    request_api(const struct request *r);                        /* 124 … 151 (1.51 -> 151); newest when the path has none */
const char *request_param(const struct request *r, const char *name);    /* "id" of the pattern; never NULL for a name in the pattern */
const char *request_query(const struct request *r, const char *key);     /* NULL when absent */
bool        request_query_bool(const struct request *r, const char *key);/* docker's rule: "", 0, no, false, none are false */
size_t      request_n_query(const struct request *r);                    /* all of them, to refuse unknown ones by name */
const char *request_query_key(const struct request *r, size_t i);        /* of the i-th, decoded */
const char *request_query_value(const struct request *r, size_t i);      /* of the i-th, decoded */
const char *request_header(const struct request *r, const char *name);   /* NULL when absent */
const char *request_body(const struct request *r, size_t *ret_n);        /* ROUTE_BODY_JSON; "" when empty */
struct arena *request_arena(struct request *r);                          /* lives as long as the request */

/**
 * request_object() - Name what the request is about, for the audit
 * @id: copied
 * Return: nothing
 */
void request_object(struct request *r, const char *id);

/* The client vanished before the reply was complete: called once; the request is gone after it returns (no reply then). */
void request_on_gone(struct request *r, void (*fn)(void *ctx), void *ctx);

/*
 * ROUTE_BODY_STREAM: move the (decoded) body into @fd (a pipe's write end; taken) as it comes, with back-pressure;
 * @done(ctx, err) when it ended (err->kind ERR_NONE on success).
 */
void request_body_to_fd(struct request *r, int fd, void (*done)(void *ctx, const struct err *err), void *ctx);

/* ---- what goes: exactly one of these families per request ---- */
void reply_json(struct request *r, int status, const struct strbuf *json);          /* a "\n" is added */
void reply_text(struct request *r, int status, const char *content_type, const char *text);
void reply_empty(struct request *r, int status);                                    /* 204, 304, 200 with length 0 */
void reply_error(struct request *r, const struct err *err);                         /* {"message": …}, status by kind */
const char *reply_error_text(struct request *r, const struct err *err);             /* the message with the advice; in the request's arena */
void reply_error_status(struct request *r, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void reply_header(struct request *r, const char *name, const char *value);          /* before the reply starts */

/* Chunked stream; headers are flushed at once. */
void   reply_stream_begin(struct request *r, int status, const char *content_type);
void   reply_stream_write(struct request *r, const void *data, size_t n);           /* one chunk */
size_t reply_stream_backlog(const struct request *r);                               /* bytes not yet taken by the kernel */
void   reply_stream_on_drain(struct request *r, loop_fn fn, void *ctx);             /* called when the backlog is empty again */
void   reply_stream_end(struct request *r);
void   reply_stream_abort(struct request *r);                                       /* ends the connection, so that the client sees that it is not whole */

/*
 * Hijack: write the header (101 UPGRADED when the client asked to upgrade, else 200 raw) and give the connection away.
 * @content_type: NULL gives none. @ret_fd: owned by the caller, no longer watched. @prefix: bytes that the client sent behind the
 * header, in the request's arena. @with_standard_headers: exec's reply carries them, attach's does not.
 * The request ends with this call (arena included): copy @prefix first. Return: 0, or -1 with @e set (then reply with an error).
 */
int reply_hijack(struct request *r, const char *content_type, bool with_standard_headers,
		 int *ret_fd, char *ret_prefix, size_t prefix_room, size_t *ret_n_prefix, struct err *e);
