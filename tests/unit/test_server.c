/* SPDX-License-Identifier: Apache-2.0 */
/* What a client of HTTP sees: answers, routes, bodies, streams, hijacked connections. The limits: test_server_limits.c */
#include "tests/unit/server_frame.h"

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

/* Long enough to go from socket to pipe unseen, and to fill the pipe again and again */
#define LONG_BODY (3u << 20)

static void *pour_pattern(void *ctx)
{
	static unsigned char block[4096];
	int fd = *(int *)ctx;

	for (size_t at = 0; at < LONG_BODY; at += sizeof(block)) {
		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = (unsigned char)((at + i) % 251);
		ck_assert_int_eq(send(fd, block, sizeof(block), MSG_NOSIGNAL), (ssize_t)sizeof(block));
	}
	/* The next request is already behind it. */
	say(fd, "GET /echo/next HTTP/1.1\r\n\r\n");
	return NULL;
}

static void pour_much(void)
{
	static unsigned char got[65536];
	int fd = dial();
	size_t at = 0, n_wrong = 0;
	pthread_t writer;
	ssize_t n;

	say(fd, "POST /sink HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3145728\r\n\r\n");
	ck_assert_str_eq(hear(fd, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
	ck_assert_int_eq(pthread_create(&writer, NULL, pour_pattern, &fd), 0);
	while ((n = read(sink_fd, got, sizeof(got))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			n_wrong += got[i] != (at + (size_t)i) % 251;
		at += (size_t)n;
	}
	ck_assert_uint_eq(at, LONG_BODY);
	ck_assert_uint_eq(n_wrong, 0);
	pthread_join(writer, NULL);
	HAS(hear(fd, "\"\n"), "next");
	close(fd);
}

START_TEST(a_long_body_arrives_whole_and_its_connection_goes_on)
{
	run(pour_much);
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
	fd = dial();
	say(fd, "POST /sink?dead=1 HTTP/1.1\r\nContent-Length: 262140\r\n\r\n");
	HAS(hear(fd, "}\n"), "HTTP/1.1 500 ");
	close(fd);

	for (int is_long = 0; is_long < 2; is_long++) {
		is_sink_done = false;
		fd = dial();
		say(fd, is_long ? "POST /sink HTTP/1.1\r\nContent-Length: 999999\r\n\r\nhalf" :
				  "POST /sink HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf");
		usleep(50000);
		close(fd);
		for (int i = 0; i < 100 && !is_sink_done; i++)
			usleep(5000);
		ck_assert_int_ne(sink_err.kind, ERR_NONE);
	}
}

START_TEST(a_dead_reader_and_a_vanished_writer_are_told)
{
	run(broken_sinks);
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
	  a_long_body_arrives_whole_and_its_connection_goes_on, a_dead_reader_and_a_vanished_writer_are_told,
	  a_socket_that_is_served_is_refused_and_a_stale_one_replaced)
