/* SPDX-License-Identifier: Apache-2.0 */
/* Slow, silent, greedy and many clients, against the limits of daemon/server_limits.c and its neighbours */
#include "tests/unit/server_frame.h"

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

/* A body that stands still ends; one whose reader is slow, and one that trickles, do not */
static void standstill(void)
{
	static char block[65536];
	int fd = dial();
	ssize_t k;

	say(fd, "POST /sink HTTP/1.1\r\nContent-Length: 100\r\n\r\n");
	for (int i = 0; i < 6; i++) {
		say(fd, "trickle");
		usleep(80000);
	}
	ck_assert(!is_sink_done);
	HAS(hear(fd, "}\n"), "HTTP/1.1 504 ");
	ck_assert_int_eq(sink_err.kind, ERR_TIMEOUT);
	ck_assert_msg(strstr(sink_err.msg, "stood still") != NULL, "%s", sink_err.msg);
	close(fd);

	is_sink_done = false;
	fd = dial();
	memset(block, 'b', sizeof(block) - 1);
	say(fd, "POST /sink HTTP/1.1\r\nContent-Length: 131070\r\n\r\n");
	say(fd, block);
	say(fd, block);
	usleep(500000);
	ck_assert(!is_sink_done);
	while ((k = read(sink_fd, block, sizeof(block))) > 0)
		continue;
	HAS(hear(fd, "sunk"), "\r\n\r\nsunk");
	close(fd);
}

START_TEST(a_streamed_body_may_trickle_but_not_stand_still)
{
	begin();
	server->body_idle_ms = 200;
	finish(standstill);
}
END_TEST

static void many_bodies(void)
{
	int fds[MAX_BODIES], fd;

	for (size_t i = 0; i < MAX_BODIES; i++) {
		fds[i] = dial();
		say(fds[i], "POST /sink HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n");
		HAS(hear(fds[i], "\r\n\r\n"), "100 Continue");
	}
	fd = dial();
	say(fd, "POST /sink HTTP/1.1\r\nContent-Length: 10\r\n\r\n");
	HAS(hear(fd, "}\n"), "HTTP/1.1 503 ");
	close(fd);
	say(fds[0], "0123456789");
	HAS(hear(fds[0], "sunk"), "\r\n\r\nsunk");
	fd = dial();
	say(fd, "POST /sink HTTP/1.1\r\nContent-Length: 4\r\n\r\nmore");
	HAS(hear(fd, "sunk"), "\r\n\r\nsunk");
	close(fd);
	for (size_t i = 0; i < MAX_BODIES; i++)
		close(fds[i]);
}

START_TEST(streamed_bodies_are_counted)
{
	run(many_bodies);
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

static void idlers(void)
{
	int a = dial(), b = dial(), c;

	say(a, "GET /echo/a HTTP/1.1\r\n\r\n");
	HAS(hear(a, "\"\n"), "a 151");
	usleep(50000);
	say(b, "GET /hold?watch=1 HTTP/1.1\r\n\r\n");
	usleep(100000);
	c = dial();
	say(c, "GET /echo/c HTTP/1.1\r\n\r\n");
	HAS(hear(c, "\"\n"), "c 151");
	ck_assert(is_closed(a));
	ck_assert_int_eq(recv(b, (char[1]){ 0 }, 1, MSG_DONTWAIT), -1);
	close(a);
	close(b);
	close(c);
}

START_TEST(the_longest_idle_connection_makes_room)
{
	begin();
	server->max_conns = 2;
	server->idle_spared_ms = 100;
	finish(idlers);
}
END_TEST

#define HOGS 14   /* of 16, of which an eighth is kept for others */

static void hog(void)
{
	int fds[HOGS], more, status = 0;
	pid_t pid;

	for (size_t i = 0; i < HOGS; i++) {
		fds[i] = dial();
		say(fds[i], "GET /hold?watch=1 HTTP/1.1\r\n\r\n");
	}
	more = dial();
	HAS(hear(more, "}\n"), "HTTP/1.1 503 ");
	ck_assert(is_closed(more));
	close(more);
	pid = fork();
	if (pid == 0) {
		more = dial();
		say(more, "GET /echo/other HTTP/1.1\r\n\r\n");
		_exit(strstr(hear(more, "\"\n"), "other 151") ? 7 : 1);
	}
	waitpid(pid, &status, 0);
	ck_assert_int_eq(WEXITSTATUS(status), 7);
	for (size_t i = 0; i < HOGS; i++)
		close(fds[i]);
	while (n_gone < HOGS)
		usleep(1000);
	more = dial();
	say(more, "GET /echo/again HTTP/1.1\r\n\r\n");
	HAS(hear(more, "\"\n"), "again 151");
	close(more);
}

START_TEST(a_process_with_many_connections_is_turned_away_and_others_are_not)
{
	begin();
	server->max_conns = 16;
	finish(hog);
}
END_TEST

static void slow_readers(void)
{
	static char block[65536];
	int fd = dial(), slow_fd = dial();
	size_t n = 0;
	ssize_t k;

	say(fd, "GET /big/4096 HTTP/1.1\r\n\r\n");
	say(slow_fd, "GET /big/1024 HTTP/1.1\r\n\r\n");
	while (n < 1024 * 1024 && (k = recv(slow_fd, block, sizeof(block), 0)) > 0) {
		n += (size_t)k;
		usleep(20000);
	}
	ck_assert_uint_ge(n, 1024 * 1024);
	for (n = 0; (k = recv(fd, block, sizeof(block), 0)) > 0;)
		n += (size_t)k;
	ck_assert_uint_lt(n, 4096 * 1024);
	close(fd);
	close(slow_fd);
}

START_TEST(an_answer_that_nobody_reads_ends_and_one_that_is_read_slowly_does_not)
{
	begin();
	server->stall_ms = 200;
	finish(slow_readers);
}
END_TEST

static atomic_size_t n_waiting_bytes;

static void note_waiting(void *ctx)
{
	(void)ctx;
	atomic_store(&n_waiting_bytes, server->n_out_bytes);
}

static void hoarders(void)
{
	int small = dial(), large = dial(), more;

	say(small, "GET /big/700 HTTP/1.1\r\n\r\n");
	say(large, "GET /big/900 HTTP/1.1\r\n\r\n");
	usleep(100000);
	more = dial();
	say(more, "GET /big/700 HTTP/1.1\r\n\r\n");
	usleep(100000);
	atomic_store(&n_waiting_bytes, SIZE_MAX);
	loop_post(loop, note_waiting, NULL);
	for (int i = 0; i < 100 && atomic_load(&n_waiting_bytes) == SIZE_MAX; i++)
		usleep(10000);
	ck_assert_uint_le(atomic_load(&n_waiting_bytes), 1600 * 1024);
	/* The largest was closed; what the kernel had taken is still there to be read. */
	while (recv(large, (char[65536]){ 0 }, 65536, 0) > 0)
		continue;
	ck_assert_int_gt(recv(small, (char[1]){ 0 }, 1, MSG_DONTWAIT), 0);
	ck_assert_int_gt(recv(more, (char[1]){ 0 }, 1, 0), 0);
	close(small);
	close(large);
	close(more);
}

START_TEST(answers_that_wait_are_bounded_together)
{
	begin();
	server->max_out_bytes = 1600 * 1024;
	finish(hoarders);
}
END_TEST

static void large_bodies(void)
{
	int a = dial(), b = dial();

	say(a, "POST /body HTTP/1.1\r\nContent-Length: 100\r\n\r\n");
	say(a, "1234567890123456789012345678901234567890123456789012345678901234567890");
	usleep(100000);
	say(b, "POST /body HTTP/1.1\r\nContent-Length: 40\r\n\r\n");
	say(b, "1234567890123456789012345678901234567890");
	HAS(hear(b, "}\n"), "HTTP/1.1 503 ");
	say(a, "123456789012345678901234567890");
	HAS(hear(a, "567890"), "HTTP/1.1 200 ");
	close(b);
	b = dial();
	say(b, "POST /body HTTP/1.1\r\nContent-Length: 40\r\n\r\n");
	say(b, "1234567890123456789012345678901234567890");
	HAS(hear(b, "567890"), "HTTP/1.1 200 ");
	close(a);
	close(b);
}

START_TEST(small_bodies_are_bounded_together)
{
	begin();
	server->max_body_bytes = 100;
	finish(large_bodies);
}
END_TEST

static void trickle(void)
{
	int fd = dial();

	say(fd, "POST /body HTTP/1.1\r\nContent-Length: 1000\r\n\r\n");
	for (int i = 0; i < 20; i++) {
		say(fd, "t");
		usleep(30000);
	}
	HAS(hear(fd, "}\n"), "HTTP/1.1 408 ");
	close(fd);
}

START_TEST(a_small_body_may_not_trickle_for_ever)
{
	begin();
	server->body_total_ms = 300;
	finish(trickle);
}
END_TEST

UNIT_MAIN("server_limits", slow_requests_time_out_and_idle_connections_do_not,
	  a_streamed_body_may_trickle_but_not_stand_still, streamed_bodies_are_counted,
	  connections_are_bounded_and_waiting_ones_are_served_later, the_longest_idle_connection_makes_room,
	  a_process_with_many_connections_is_turned_away_and_others_are_not,
	  an_answer_that_nobody_reads_ends_and_one_that_is_read_slowly_does_not, answers_that_wait_are_bounded_together,
	  small_bodies_are_bounded_together, a_small_body_may_not_trickle_for_ever)
