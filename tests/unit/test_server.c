/* SPDX-License-Identifier: Apache-2.0 */
/* A server with routes of its own on the test's thread, and a blocking client on another. */
#include "daemon/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
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

static void begin(void)
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

static void finish(client_fn fn)
{
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, client_main, &fn), 0);
	loop_run(loop);
	pthread_join(t, NULL);
	server_free(server);
	loop_free(loop);
	ck_assert_int_eq(access(socket_path, F_OK), -1);
}

static void run(client_fn fn)
{
	begin();
	finish(fn);
}

static int dial(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%.100s", socket_path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void say(int fd, const char *text)
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
static char *hear(int fd, const char *until)
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

static bool is_closed(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char c;

	return poll(&p, 1, 2000) == 1 && recv(fd, &c, 1, 0) <= 0;
}

#define HAS(text, part) ck_assert_msg(strstr(text, part) != NULL, "no '%s' in: %s", part, text)
#define HAS_NOT(text, part) ck_assert_msg(strstr(text, part) == NULL, "'%s' in: %s", part, text)

/* ---- tests ---- */

static void simple(void)
{
	int fd = dial();
	const char *got;

	say(fd, "GET /v1.41/echo/abc?flag=1 HTTP/1.1\r\nHost: x\r\n\r\n");
	got = hear(fd, "\"\n");
	HAS(got, "HTTP/1.1 200 OK\r\n");
	HAS(got, "\r\nApi-Version: 1.51\r\n");
	HAS(got, "\r\nOstype: linux\r\n");
	HAS(got, "\r\nDocker-Experimental: false\r\n");
	HAS(got, "\r\nServer: Kiln/");
	HAS(got, "\r\nContent-Type: application/json\r\n");
	HAS(got, "\r\nContent-Length: 12\r\n");
	HAS(got, "\r\n\r\n\"abc 141 1\"\n");
	HAS_NOT(got, "Connection:");
	/* The same connection again, and two at once. */
	say(fd, "GET /echo/a%2Fb?flag=none HTTP/1.1\r\n\r\n");
	HAS(hear(fd, "\n\r\n{"), "page not found");
	say(fd, "GET /echo/one HTTP/1.1\r\n\r\nGET /echo/two?flag=false HTTP/1.1\r\n\r\n");
	got = hear(fd, "two 151");
	HAS(got, "\"one 151 0\"");
	HAS(got, "\"two 151 0\"");
	close(fd);
}

START_TEST(replies_carry_the_standard_headers_and_connections_stay)
{
	run(simple);
}
END_TEST

static void errors(void)
{
	int fd = dial();
	const char *got;

	say(fd, "GET /nosuch HTTP/1.1\r\n\r\n");
	got = hear(fd, "}\n");
	HAS(got, "HTTP/1.1 404 Not Found\r\n");
	HAS(got, "\r\nContent-Type: application/json\r\n");
	HAS(got, "{\"message\":\"page not found\"}\n");
	say(fd, "PUT /echo/x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
	HAS(hear(fd, "}\n"), "404");
	say(fd, "GET /v1.52/echo/x HTTP/1.1\r\n\r\n");
	got = hear(fd, "}\n");
	HAS(got, "400 Bad Request");
	HAS(got, "{\"message\":\"client version 1.52 is too new. Maximum supported API version is 1.51\"}\n");
	say(fd, "GET /v1.23/echo/x HTTP/1.1\r\n\r\n");
	got = hear(fd, "version\n");
	HAS(got, "Content-Type: text/plain; charset=utf-8");
	HAS(got, "\r\n\r\nclient version 1.23 is too old. Minimum supported API version is 1.24, please upgrade");
	close(fd);
}

START_TEST(errors_are_docker_shaped)
{
	run(errors);
}
END_TEST

static void routing(void)
{
	int fd = dial();
	const char *got;

	say(fd, "GET /v1.24/multi/a.b:5000/c%2Fd:tag/json HTTP/1.1\r\n\r\n");
	HAS(hear(fd, "tag"), "\r\n\r\na.b:5000/c/d:tag");
	say(fd, "DELETE /multi/x/y HTTP/1.1\r\n\r\n");
	HAS(hear(fd, "x/y"), "\r\n\r\nx/y");
	say(fd, "HEAD /echo/x HTTP/1.1\r\n\r\n");
	got = hear(fd, "\r\n\r\n");
	HAS(got, "Content-Length: 10\r\n");
	HAS(got, "\r\n\r\n");
	HAS_NOT(got, "\"x 1");
	say(fd, "POST /empty HTTP/1.1\r\n\r\n");
	got = hear(fd, "\r\n\r\n");
	HAS(got, "204 No Content");
	HAS_NOT(got, "Content-Length");
	say(fd, "POST /empty?not-modified=1 HTTP/1.1\r\n\r\n");
	HAS(hear(fd, "\r\n\r\n"), "304 Not Modified");
	close(fd);
}

START_TEST(patterns_take_one_or_many_segments)
{
	run(routing);
}
END_TEST

static void bodies(void)
{
	int fd = dial();
	const char *got;

	say(fd, "POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n");
	HAS(hear(fd, "{}"), "\r\n\r\n{}");
	say(fd, "POST /body HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
	got = hear(fd, "\r\n\r\n");
	ck_assert_str_eq(got, "HTTP/1.1 100 Continue\r\n\r\n");
	say(fd, "true");
	HAS(hear(fd, "true"), "\r\n\r\ntrue");
	say(fd, "POST /body HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4194305\r\n\r\n");
	got = hear(fd, "}\n");
	HAS(got, "HTTP/1.1 413 ");
	HAS(got, "Connection: close");
	HAS_NOT(got, "100 Continue");
	close(fd);
}

START_TEST(bodies_are_chunked_expected_or_too_large)
{
	run(bodies);
}
END_TEST

static void large_chunked(void)
{
	static char chunk[65536 + 16];
	int fd = dial();
	const char *got;

	say(fd, "POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
	memset(chunk, ' ', sizeof(chunk) - 1);
	memcpy(chunk, "10000\r\n", 7);
	memcpy(chunk + 7 + 65536, "\r\n", 3);
	for (int i = 0; i < 80; i++)
		say(fd, chunk);
	got = hear(fd, "}\n");
	HAS(got, "HTTP/1.1 413 ");
	ck_assert(is_closed(fd));
	close(fd);
}

START_TEST(a_chunked_body_is_bounded)
{
	run(large_chunked);
}
END_TEST

static void large_head(void)
{
	static char line[70000];
	int fd = dial();

	memset(line, 'x', sizeof(line) - 1);
	say(fd, "GET /echo/x HTTP/1.1\r\nX: ");
	say(fd, line);
	HAS(hear(fd, "}\n"), "HTTP/1.1 431 ");
	ck_assert(is_closed(fd));
	close(fd);
	fd = dial();
	say(fd, "\x16\x03\x01\x02 this is no http");
	HAS(hear(fd, "}\n"), "HTTP/1.1 400 ");
	ck_assert(is_closed(fd));
	close(fd);
}

START_TEST(heads_are_bounded_and_garbage_is_refused)
{
	run(large_head);
}
END_TEST

static void streams(void)
{
	int fd = dial();
	const char *got;

	say(fd, "GET /stream HTTP/1.1\r\n\r\n");
	got = hear(fd, "0\r\n\r\n");
	HAS(got, "Transfer-Encoding: chunked\r\n");
	HAS(got, "\r\n\r\n4\r\none\n\r\n4\r\ntwo\n\r\n0\r\n\r\n");
	HAS_NOT(got, "Content-Length");
	say(fd, "HEAD /stream HTTP/1.1\r\n\r\n");
	HAS_NOT(hear(fd, "\r\n\r\n"), "one");
	say(fd, "GET /stream HTTP/1.0\r\n\r\n");
	got = hear(fd, NULL);
	HAS(got, "\r\n\r\none\ntwo\n");
	HAS(got, "Connection: close");
	HAS_NOT(got, "chunked");
	close(fd);
}

START_TEST(streams_are_chunked_or_end_with_the_connection)
{
	run(streams);
}
END_TEST

static void vanish(void)
{
	int fd = dial();

	say(fd, "GET /hold?watch=1 HTTP/1.1\r\n\r\n");
	for (int i = 0; i < 100 && !held; i++)
		usleep(5000);
	shutdown(fd, SHUT_WR);
	usleep(50000);
	ck_assert_int_eq(n_gone, 0);
	close(fd);
	for (int i = 0; i < 100 && n_gone == 0; i++)
		usleep(5000);
	ck_assert_int_eq(n_gone, 1);
}

START_TEST(a_vanished_client_is_told_once_and_a_half_close_is_not_one)
{
	run(vanish);
}
END_TEST

static void late(void)
{
	int fd = dial();

	say(fd, "GET /later HTTP/1.1\r\n\r\n");
	shutdown(fd, SHUT_WR);
	HAS(hear(fd, "late"), "\r\n\r\nlate");
	close(fd);
	/* And one that nobody waits for any more. */
	fd = dial();
	say(fd, "GET /later HTTP/1.1\r\n\r\n");
	usleep(30000);
	close(fd);
	usleep(150000);
}

START_TEST(late_replies_arrive_or_go_nowhere)
{
	run(late);
}
END_TEST

static void raw(void)
{
	int fd = dial();
	const char *got;

	say(fd, "POST /hijack HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 2\r\n\r\n{}input");
	got = hear(fd, NULL);
	ck_assert_str_eq(got, "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
			      "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n[input]");
	close(fd);
	fd = dial();
	say(fd, "POST /hijack?std=1 HTTP/1.1\r\n\r\n");
	got = hear(fd, NULL);
	HAS(got, "HTTP/1.1 200 OK\r\nApi-Version: 1.51\r\n");
	HAS(got, "\r\n\r\n[]");
	HAS_NOT(got, "Upgrade");
	HAS_NOT(got, "Content-Length");
	close(fd);
}

START_TEST(hijacked_connections_get_exact_headers_and_keep_their_input)
{
	run(raw);
}
END_TEST

static void *pour_slowly(void *ctx)
{
	static char block[65536];
	int fd = *(int *)ctx;

	memset(block, 'b', sizeof(block) - 1);
	for (int i = 0; i < 10; i++)
		say(fd, block);
	return NULL;
}

static void pour(void)
{
	static char got[65536];
	int fd = dial();
	size_t n_read = 0;
	pthread_t writer;
	ssize_t k;

	say(fd, "POST /sink HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 655350\r\n\r\n");
	ck_assert_str_eq(hear(fd, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
	ck_assert_int_eq(pthread_create(&writer, NULL, pour_slowly, &fd), 0);
	usleep(100000);
	ck_assert(!is_sink_done);
	while ((k = read(sink_fd, got, sizeof(got))) > 0)
		n_read += (size_t)k;
	pthread_join(writer, NULL);
	ck_assert_uint_eq(n_read, 655350);
	HAS(hear(fd, "sunk"), "\r\n\r\nsunk");
	close(fd);
}

START_TEST(a_streamed_body_waits_for_its_reader)
{
	run(pour);
}
END_TEST

static void broken_sinks(void)
{
	static char block[65536];
	int fd = dial();

	memset(block, 'b', sizeof(block) - 1);
	say(fd, "POST /sink?dead=1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 3; i++) {
		say(fd, "ffff\r\n");
		say(fd, block);
		say(fd, "\r\n");
	}
	HAS(hear(fd, "}\n"), "HTTP/1.1 500 ");
	close(fd);

	is_sink_done = false;
	fd = dial();
	say(fd, "POST /sink HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf");
	usleep(50000);
	close(fd);
	for (int i = 0; i < 100 && !is_sink_done; i++)
		usleep(5000);
	ck_assert_int_ne(sink_err.kind, ERR_NONE);
}

START_TEST(a_dead_reader_and_a_vanished_writer_are_told)
{
	run(broken_sinks);
}
END_TEST

static void slow(void)
{
	int fd = dial(), idle = dial();

	say(fd, "GET /echo/x HT");
	HAS(hear(fd, "}\n"), "HTTP/1.1 408 ");
	ck_assert(is_closed(fd));
	close(fd);
	fd = dial();
	say(fd, "POST /body HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc");
	HAS(hear(fd, "}\n"), "HTTP/1.1 408 ");
	close(fd);
	/* An idle one stays. */
	say(idle, "GET /echo/still HTTP/1.1\r\n\r\n");
	HAS(hear(idle, "\"\n"), "still");
	close(idle);
}

START_TEST(slow_requests_time_out_and_idle_connections_do_not)
{
	begin();
	server->incoming_ms = 150;
	finish(slow);
}
END_TEST

static void crowd(void)
{
	int a = dial(), b = dial(), c;

	say(a, "GET /echo/a HTTP/1.1\r\n\r\n");
	HAS(hear(a, "\"\n"), "a 151");
	say(b, "GET /echo/b HTTP/1.1\r\n\r\n");
	HAS(hear(b, "\"\n"), "b 151");
	c = dial();
	say(c, "GET /echo/c HTTP/1.1\r\n\r\n");
	usleep(100000);
	ck_assert_int_eq(recv(c, (char[1]){ 0 }, 1, MSG_DONTWAIT), -1);
	close(a);
	HAS(hear(c, "\"\n"), "c 151");
	close(b);
	close(c);
}

START_TEST(connections_are_bounded_and_waiting_ones_are_served_later)
{
	begin();
	server->max_conns = 2;
	finish(crowd);
}
END_TEST

START_TEST(a_socket_that_is_served_is_refused_and_a_stale_one_replaced)
{
	struct err e = { 0 };
	struct server *other = NULL;
	char url[160], stale[160];
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	begin();
	ck_assert_int_eq(server_new(loop, &other, &e), 0);
	snprintf(url, sizeof(url), "unix://%s", socket_path);
	ck_assert_int_eq(server_listen(other, url, NULL, &e), -1);
	ck_assert_int_eq(e.kind, ERR_CONFLICT);
	ck_assert_int_eq(server_listen(other, "tcp://127.0.0.1:2375", NULL, &e), -1);
	ck_assert_int_eq(e.kind, ERR_INVALID);

	snprintf(at.sun_path, sizeof(at.sun_path), "%.90s.stale", socket_path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	close(fd);
	snprintf(stale, sizeof(stale), "unix://%s", at.sun_path);
	ck_assert_msg(server_listen(other, stale, "nosuchgroup", &e) == 0, "%s", e.msg);
	server_free(other);
	server_free(server);
	loop_free(loop);
}
END_TEST

UNIT_MAIN("server", replies_carry_the_standard_headers_and_connections_stay, errors_are_docker_shaped,
	  patterns_take_one_or_many_segments, bodies_are_chunked_expected_or_too_large, a_chunked_body_is_bounded,
	  heads_are_bounded_and_garbage_is_refused, streams_are_chunked_or_end_with_the_connection,
	  a_vanished_client_is_told_once_and_a_half_close_is_not_one, late_replies_arrive_or_go_nowhere,
	  hijacked_connections_get_exact_headers_and_keep_their_input, a_streamed_body_waits_for_its_reader,
	  a_dead_reader_and_a_vanished_writer_are_told, slow_requests_time_out_and_idle_connections_do_not,
	  connections_are_bounded_and_waiting_ones_are_served_later,
	  a_socket_that_is_served_is_refused_and_a_stale_one_replaced)
