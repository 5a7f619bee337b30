/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the server share: connections and requests. Nobody else includes this.
 *
 * Theory of operation. A connection reads one request at a time: head, then body, then nothing until the reply is
 * complete and sent; meanwhile it only listens for the client's end (a half-close is no end). Objects are freed by
 * deferred calls, which run in order: whoever is on the stack may finish with a closed connection or a finished request.
 */
#pragma once

#include <sys/socket.h>

#include "base/fd.h"
#include "daemon/http.h"
#include "daemon/server.h"

#define API_MIN           124u
#define API_MAX           151u
#define API_MIN_TEXT      "1.24"
#define API_MAX_TEXT      "1.51"
#define JSON_BODY_MAX     (4u * 1024 * 1024)
#define READ_HEAD_BYTES   4096u            /* so that a hijacked connection's prefix is small */
#define READ_BODY_BYTES   (64u * 1024)
#define SPLICE_BYTES      (1024u * 1024)   /* of a streamed body, from socket to pipe */
#define INCOMING_MS       30000u           /* for a head; for each next piece of a small body */
#define BODY_TOTAL_MS     120000u          /* … and for all of it */
#define IDLE_SPARED_MS    1000             /* so long an idle connection is about to ask */
#define STALL_MS          30000u           /* a whole answer waits for its reader, who takes nothing of it */
#define OUT_MAX_BYTES     (128u * 1024 * 1024)   /* of answers that wait for their readers, all together */
#define BODIES_MAX_BYTES  (64u * 1024 * 1024)    /* of small bodies, all together */
#define DRAIN_MS          5000u            /* how long an unwanted body is read after the reply */
#define BODY_IDLE_MS      300000u          /* a streamed body may take for ever, but not stand still for so long */
#define MAX_BODIES        32u              /* requests with a streamed body at a time, answered or not */
#define MAX_CONNS         4096u
#define MAX_DOORS         16u
#define MAX_LISTENERS     16u
#define MAX_PARAMS        4u

enum conn_state {
	CONN_HEAD,      /* idle, or a head is coming */
	CONN_BODY,      /* a body is coming */
	CONN_BUSY,      /* the request is being answered */
	CONN_DRAIN,     /* answered early: the rest of the body is dropped */
};

struct conn {
	struct server *s;
	struct conn *next, *prev;
	struct loop_watch *watch;
	struct loop_timer *timer;
	struct http *http;
	struct request *req;         /* NULL when none is being read or answered */
	struct strbuf in;            /* read, not yet parsed */
	struct strbuf out;           /* not yet taken by the kernel */
	size_t out_sent;             /* bytes of `out` that are */
	const struct http_head *head; /* arrived just now; NULL when taken */
	enum conn_state state;
	int fd;
	struct ucred peer;
	char comm[20];               /* the peer's program, once it was asked for; "" */
	int64_t idle_since_ms;       /* valid in CONN_HEAD: it waits for a request */
	int64_t body_until_ms;       /* valid while a small body comes */
	size_t n_body_bytes;         /* of its small body, as counted by the server */
	bool is_message_ended;       /* the parser saw the end of the request */
	bool is_keep_alive;
	bool is_head_timed;          /* the timer runs for the head that is coming */
	bool is_garbage;             /* not HTTP: what still comes is dropped unseen */
	bool wants_close;            /* when the reply is out */
	bool is_processing;          /* conn_process() is on the stack */
	bool is_broken;              /* writing failed */
	bool is_closed;              /* to be freed by a deferred call */
};

/* Where a streamed body goes. In the request's arena. */
struct sink {
	int fd;                      /* -1 when done */
	struct loop_watch *watch;
	struct strbuf pending;
	void (*done)(void *ctx, const struct err *err);
	void *ctx;
	struct err err;
	bool is_ended, is_settled, is_reported;
	bool was_full;               /* since the idle time was looked at: the reader was slow, not the client */
};

enum reply_state { REPLY_NONE, REPLY_STREAM, REPLY_DONE };

struct request {
	struct conn *conn;           /* NULL when the client is gone */
	struct server *s;            /* may be gone when conn is NULL */
	struct loop *l;
	struct arena *arena;
	const struct door *door;
	const struct route *route;
	const char *method, *path;
	struct http_head head;       /* fields copied into the arena */
	struct http_query *query;
	size_t n_query;
	const char *param_names[MAX_PARAMS], *param_values[MAX_PARAMS];
	size_t n_params;
	unsigned api;
	struct ucred peer;
	struct strbuf body;
	struct sink *sink;
	void (*on_gone)(void *ctx);
	void *on_gone_ctx;
	loop_fn on_drain;
	void *on_drain_ctx;
	enum reply_state reply;
	int status;
	bool is_chunked_reply;
	bool is_called;              /* its handler holds it */
	char comm[20];               /* who asks: for the audit */
	const char *object;          /* what it is about: for the audit */
	int64_t begun_ns;
	struct body_slots *slots;    /* in which it is counted; NULL: it is not */
	struct strbuf extra_headers;
};

/* How many requests with a streamed body there are. They may outlive the server. */
struct body_slots {
	size_t n;
	bool is_ownerless;           /* the last one frees it */
};

struct listener {
	struct server *s;
	struct loop_watch *watch;
	int fd;
	char *path;                  /* NULL: its file is not ours */
};

struct server {
	struct loop *l;
	struct listener listeners[MAX_LISTENERS];
	size_t n_listeners;
	struct door doors[MAX_DOORS];
	size_t n_doors;
	struct conn *conns;
	size_t n_conns, max_conns;
	uint64_t incoming_ms;        /* INCOMING_MS; tests are less patient */
	uint64_t body_idle_ms;       /* BODY_IDLE_MS */
	uint64_t body_total_ms, stall_ms;
	int64_t idle_spared_ms;
	size_t n_out_bytes, max_out_bytes;   /* of all connections */
	size_t n_body_bytes, max_body_bytes;
	struct body_slots *bodies;   /* owned until server_free() */
	struct loop_timer *resume;   /* accepting stopped because descriptors ran out */
	bool is_accepting;
	void (*advise)(void *ctx, const struct err *err, struct strbuf *ret);   /* NULL: nobody does */
	void *advise_ctx;
	int64_t complained_ms;       /* when the log was told that there are too many connections */
	char read_buffer[READ_BODY_BYTES];
};

/* ---- server.c ---- */
void server_conn_closed(struct server *s);       /* there may be room for another */
void server_may_accept(struct server *s);        /* a connection is idle, or gone */
void server_complain(struct server *s);          /* of too many connections, once in a while */

/* ---- server_limits.c ---- */
bool limits_close_idle(struct server *s);        /* Return: true, or false when none has been idle for a while */
bool limits_admit(struct server *s, int fd);     /* Return: true, or false when it was turned away: @fd is closed */
void limits_out(struct server *s);               /* more waits for clients than before */
bool limits_body(struct conn *c, size_t n);      /* so much more of a small body. Return: false: there is no room for it */
void limits_body_over(struct conn *c);           /* its request is over */

/* ---- server_conn.c ---- */
void conn_new(struct server *s, int fd);         /* @fd: takes */
void conn_close(struct conn *c);                 /* the request, if any, becomes an orphan or is told */
void conn_send(struct conn *c, const void *data, size_t n);
size_t conn_backlog(const struct conn *c);       /* Return: bytes that the kernel has not taken */
const char *conn_comm(struct conn *c);           /* Return: what the client's program calls itself, as it is now; "" unknown */
void conn_drop_output(struct conn *c);           /* what waits is dropped, and the connection will be closed */
void conn_update_watch(struct conn *c);
void conn_wake(struct conn *c);                  /* go on, from a clean stack */
int conn_detach(struct conn *c, struct err *e);  /* Return: the descriptor, now the caller's; -1 with @e set */

/* ---- server_request.c ---- */
struct request *request_new(struct conn *c, const struct http_head *h);   /* Return: owned; request_finish() frees it */
void request_route(struct request *r);           /* finds the handler, or replies with an error */
bool request_wants_stream(const struct request *r);  /* Return: its route takes the body as a stream */
bool request_take_slot(struct request *r);       /* Return: true, or false when there are too many streamed bodies */
void body_slots_done(struct body_slots *b);      /* the server goes */
bool request_stood_still(struct request *r);     /* no byte for body_idle_ms. Return: true when that is the client's fault, and told */
void request_call(struct request *r);
void request_take_body(struct request *r, const char *data, size_t n);
void request_body_ended(struct request *r);
ssize_t request_splice_body(const struct request *r, int fd, uint64_t n);   /* Return: bytes moved to the sink, -1 when it must be done by hand */
bool request_is_blocked(const struct request *r);    /* the sink cannot take more now, or is not there yet */
void request_gone(struct request *r);            /* its connection is lost */
void request_finish(struct request *r);          /* the reply is complete (or dropped): freed by a deferred call */
