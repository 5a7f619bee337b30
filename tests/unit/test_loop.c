/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/loop.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static struct loop *loop;
static char trace[64];
static unsigned last_events;
static struct loop_watch *watch;
static struct loop_timer *timer;

static void begin(void)
{
	struct err e = { 0 };

	ck_assert_int_eq(loop_new(&loop, &e), 0);
	trace[0] = 0;
}

static void note(void *ctx)
{
	strncat(trace, ctx, sizeof(trace) - strlen(trace) - 1);
}

static void note_stop(void *ctx)
{
	note(ctx);
	loop_stop(loop);
}

static void stop_on(void *ctx, unsigned events)
{
	(void)ctx;
	last_events = events;
	loop_stop(loop);
}

static void *poster(void *ctx)
{
	loop_post(ctx, note, (void *)"p");
	loop_post(ctx, note_stop, (void *)"q");
	return NULL;
}

START_TEST(calls_keep_their_order)
{
	begin();
	loop_defer(loop, note, (void *)"a");
	loop_defer(loop, note, (void *)"b");
	loop_defer(loop, note_stop, (void *)"c");
	loop_run(loop);
	ck_assert_str_eq(trace, "abc");
	loop_free(loop);
}
END_TEST

START_TEST(other_threads_can_post)
{
	pthread_t t;

	begin();
	ck_assert_int_eq(pthread_create(&t, NULL, poster, loop), 0);
	loop_run(loop);
	pthread_join(t, NULL);
	ck_assert_str_eq(trace, "pq");
	loop_free(loop);
}
END_TEST

START_TEST(freeing_makes_pending_calls)
{
	begin();
	loop_defer(loop, note, (void *)"a");
	loop_post(loop, note, (void *)"b");
	loop_free(loop);
	ck_assert_str_eq(trace, "ab");
}
END_TEST

START_TEST(half_close_is_no_hup)
{
	int fds[2];

	begin();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	watch = loop_watch_new(loop, "test", fds[0], LOOP_HUP, stop_on, NULL);
	timer = loop_timer_new(loop, "test", note_stop, (void *)"t");
	shutdown(fds[1], SHUT_WR);
	loop_timer_start(timer, 50, 0);
	loop_run(loop);
	ck_assert_str_eq(trace, "t");
	close(fds[1]);
	loop_run(loop);
	ck_assert_uint_eq(last_events, LOOP_HUP);
	loop_watch_free(watch);
	loop_timer_free(timer);
	close(fds[0]);
	loop_free(loop);
}
END_TEST

START_TEST(a_reader_that_ends_is_told_to_the_writer)
{
	int fds[2];

	begin();
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	watch = loop_watch_new(loop, "test", fds[1], LOOP_HUP, stop_on, NULL);
	close(fds[0]);
	loop_run(loop);
	ck_assert_uint_eq(last_events, LOOP_HUP);
	loop_watch_free(watch);
	close(fds[1]);
	loop_free(loop);
}
END_TEST

static int n_running, max_running, n_done;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void long_work(void *ctx)
{
	(void)ctx;
	pthread_mutex_lock(&lock);
	n_running++;
	max_running = n_running > max_running ? n_running : max_running;
	pthread_mutex_unlock(&lock);
	usleep(5000);
	pthread_mutex_lock(&lock);
	n_running--;
	pthread_mutex_unlock(&lock);
}

static void long_done(void *ctx)
{
	(void)ctx;
	if (++n_done == 8)
		loop_stop(loop);
}

START_TEST(two_long_jobs_at_a_time)
{
	begin();
	for (int i = 0; i < 8; i++)
		loop_work(loop, LOOP_JOB_LONG, long_work, long_done, NULL);
	loop_run(loop);
	ck_assert_int_eq(max_running, 2);
	loop_free(loop);
}
END_TEST

static void blocker(void *ctx)
{
	usleep(100000);
	note(ctx);
}

START_TEST(short_jobs_pass_long_ones)
{
	begin();
	for (int i = 0; i < 4; i++)
		loop_work(loop, LOOP_JOB_LONG, blocker, NULL, (void *)"L");
	loop_work(loop, LOOP_JOB_SHORT, note, note_stop, (void *)"s");
	loop_run(loop);
	ck_assert_str_eq(trace, "ss");
	loop_free(loop);
}
END_TEST

START_TEST(signals_arrive_as_calls)
{
	struct err e = { 0 };

	begin();
	ck_assert_int_eq(loop_on_signal(loop, SIGUSR1, note, (void *)"1", &e), 0);
	ck_assert_int_eq(loop_on_signal(loop, SIGUSR2, note_stop, (void *)"2", &e), 0);
	raise(SIGUSR1);
	raise(SIGUSR2);
	loop_run(loop);
	ck_assert_str_eq(trace, "12");
	loop_free(loop);
}
END_TEST

static void repeat(void *ctx)
{
	note(ctx);
	if (strlen(trace) == 3) {
		loop_timer_free(timer);   /* within its own callback */
		loop_stop(loop);
	}
}

START_TEST(a_timer_repeats_and_frees_itself)
{
	begin();
	timer = loop_timer_new(loop, "test", repeat, (void *)"r");
	loop_timer_start(timer, 1, 1);
	loop_run(loop);
	ck_assert_str_eq(trace, "rrr");
	loop_free(loop);
}
END_TEST

UNIT_MAIN("loop", calls_keep_their_order, other_threads_can_post, freeing_makes_pending_calls, half_close_is_no_hup,
	  a_reader_that_ends_is_told_to_the_writer, two_long_jobs_at_a_time, short_jobs_pass_long_ones,
	  signals_arrive_as_calls, a_timer_repeats_and_frees_itself)
