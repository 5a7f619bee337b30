/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A server with routes of its own on the test's thread, and a blocking client on another: for test_server.c and
 * test_server_limits.c.
 *
 *	static void client(void) { int fd = dial(); say(fd, "GET /echo/x HTTP/1.1\r\n\r\n"); HAS(hear(fd, "x"), "200"); close(fd); }
 *	START_TEST(it_answers) { run(client); } END_TEST
 */
#include "daemon/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "daemon/server_priv.h"
#include "tests/unit/unit.h"


static struct loop *loop;
static struct server *server;
static char socket_path[128];
static struct request *_Atomic held;
static _Atomic int n_gone;
static struct err sink_err;
static _Atomic bool is_sink_done;
static _Atomic int sink_fd = -1;   /* the reading end */
static struct loop_timer *later_timer;
static int hijacked_fd = -1;

/* ---- routes ---- */

static void echo(struct request *r)
{
	AUTO_STRBUF struct strbuf out = { 0 };

	strbuf_addf(&out, "\"%s %u %d\"", request_param(r, "id"), request_api(r), request_query_bool(r, "flag"));
	reply_json(r, 200, &out);
}

static void body(struct request *r)
{
	size_t n = 0;
	const char *text = request_body(r, &n);

	reply_text(r, 200, "text/plain", text);
}

static void multi(struct request *r)
{
	reply_text(r, 200, "text/plain", request_param(r, "name"));
}

static void stream(struct request *r)
{
	reply_stream_begin(r, 200, "application/json");
	reply_stream_write(r, "one\n", 4);
	reply_stream_write(r, "", 0);
	reply_stream_write(r, "two\n", 4);
	reply_stream_end(r);
}

static void on_gone(void *ctx)
{
	(void)ctx;
	n_gone++;
	held = NULL;
}

static void hold(struct request *r)
{
	held = r;
	if (request_query_bool(r, "watch"))
		request_on_gone(r, on_gone, NULL);
}

static void answer_held(void *ctx)
{
	struct request *r = held;

	(void)ctx;
	held = NULL;
	reply_text(r, 200, "text/plain", "late");
	loop_timer_free(TAKE_PTR(later_timer));
}

static void later(struct request *r)
{
	held = r;
	later_timer = loop_timer_new(loop, "later", answer_held, NULL);
	loop_timer_start(later_timer, 100, 0);
}

static void sunk(void *ctx, const struct err *err)
{
	struct request *r = ctx;

	sink_err = *err;
	is_sink_done = true;
	if (err->kind != ERR_NONE)
		reply_error(r, err);
	else
		reply_text(r, 200, "text/plain", "sunk");
}

static void sink(struct request *r)
{
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	fd_set_nonblock(fds[1], true);
	if (request_query_bool(r, "dead"))
		close_fd(&fds[0]);
	sink_fd = fds[0];
	request_body_to_fd(r, fds[1], sunk, r);
}

static void hijack(struct request *r)
{
	struct err e = { 0 };
	char prefix[4096], text[64];
	size_t n = 0;

	ck_assert_int_eq(reply_hijack(r, "application/vnd.docker.raw-stream", request_query_bool(r, "std"), &hijacked_fd,
				      prefix, sizeof(prefix), &n, &e), 0);
	snprintf(text, sizeof(text), "[%.*s]", (int)n, prefix);
	ck_assert_int_eq(send(hijacked_fd, text, strlen(text), 0), (ssize_t)strlen(text));
	close_fd(&hijacked_fd);
}

/* A whole answer of so many KiB. */
static void big(struct request *r)
{
	size_t n = (size_t)strtoul(request_param(r, "kib"), NULL, 10) * 1024;
	AUTO_FREE char *text = xcalloc(1, n + 1);

	memset(text, 'b', n);
	reply_text(r, 200, "text/plain", text);
}

static void empty(struct request *r)
{
	reply_empty(r, request_query_bool(r, "not-modified") ? 304 : 204);
}

static const struct route routes[] = {
	{ "GET", "/echo/{id}", 0, echo },
	{ "POST", "/body", ROUTE_BODY_JSON, body },
	{ "GET", "/multi/json", 0, empty },
	{ "GET", "/multi/{name...}/json", 0, multi },
	{ "DELETE", "/multi/{name...}", 0, multi },
	{ "GET", "/stream", 0, stream },
	{ "GET", "/big/{kib}", 0, big },
	{ "GET", "/hold", 0, hold },
	{ "GET", "/later", 0, later },
	{ "POST", "/sink", ROUTE_BODY_STREAM, sink },
	{ "POST", "/hijack", ROUTE_BODY_JSON, hijack },
	{ "POST", "/empty", 0, empty },
};

/* ---- the frame ---- */

typedef void (*client_fn)(void);

static void stop(void *ctx)
{
	(void)ctx;
	loop_stop(loop);
}

static void *client_main(void *ctx)
{
	client_fn fn = *(client_fn *)ctx;

	fn();
	loop_post(loop, stop, NULL);
	return NULL;
}

static inline void begin(void)
{
	struct err e = { 0 };
	char url[160];

	log_set_level(LOG_LVL_ERR);
	sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	snprintf(socket_path, sizeof(socket_path), "%s/s.sock", unit_dir());
	snprintf(url, sizeof(url), "unix://%s", socket_path);
	ck_assert_int_eq(loop_new(&loop, &e), 0);
	ck_assert_int_eq(server_new(loop, &server, &e), 0);
	server_add_door(server, &(struct door){ .name = "test", .routes = routes, .n_routes = ARRAY_SIZE(routes) });
	ck_assert_msg(server_listen(server, url, NULL, &e) == 0, "%s", e.msg);
}

static inline void finish(client_fn fn)
{
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, client_main, &fn), 0);
	loop_run(loop);
	pthread_join(t, NULL);
	server_free(server);
	loop_free(loop);
	ck_assert_int_eq(access(socket_path, F_OK), -1);
}

static inline void run(client_fn fn)
{
	begin();
	finish(fn);
}

static inline int dial(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%.100s", socket_path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static inline void say(int fd, const char *text)
{
	size_t n = strlen(text);

	while (n > 0) {
		ssize_t k = send(fd, text, n, MSG_NOSIGNAL);

		if (k < 0)
			return;
		text += k;
		n -= (size_t)k;
	}
}

/* What comes until @until is in it, or the end of the stream, or nothing for 2 s */
static inline char *hear(int fd, const char *until)
{
	static char buf[16384];
	size_t n = 0;

	memset(buf, 0, sizeof(buf));
	while (n < sizeof(buf) - 1 && !(until && strstr(buf, until))) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t k;

		if (poll(&p, 1, 2000) <= 0)
			break;
		k = recv(fd, buf + n, sizeof(buf) - 1 - n, 0);
		if (k <= 0)
			break;
		n += (size_t)k;
	}
	return buf;
}

static inline bool is_closed(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char c;

	return poll(&p, 1, 2000) == 1 && recv(fd, &c, 1, 0) <= 0;
}

#define HAS(text, part) ck_assert_msg(strstr(text, part) != NULL, "no '%s' in: %s", part, text)
#define HAS_NOT(text, part) ck_assert_msg(strstr(text, part) == NULL, "'%s' in: %s", part, text)
