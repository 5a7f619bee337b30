/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/own.h"
#include "runtime/proto.h"
#include "tests/unit/unit.h"

/* The program's side of its stdio. */
struct program { int in, out, err; };

static char log_path[160];

static struct streams *make(struct streams_config *config)
{
	signal(SIGPIPE, SIG_IGN);
	snprintf(log_path, sizeof log_path, "%s/log", unit_dir());
	config->log_fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	return streams_new(config);
}

static struct program connect_program(struct streams *s, bool has_stdin)
{
	int in[2] = { -1, -1 }, out[2], err[2];

	if (has_stdin)
		ck_assert_int_eq(fd_pipe(in, 0), 0);
	ck_assert_int_eq(fd_pipe(out, 0), 0);
	ck_assert_int_eq(fd_pipe(err, 0), 0);
	streams_connect(s, in[1], out[0], err[0]);
	return (struct program){ .in = in[0], .out = out[1], .err = err[1] };
}

static int attach(struct streams *s, unsigned flags)
{
	struct err e = { 0 };
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(streams_attach(s, pair[0], flags, "", "", 0, &e), 0);
	return pair[1];
}

/* Act until nothing more happens. Return: clients that detached */
static unsigned pump(struct streams *s)
{
	unsigned n_detached = 0;

	for (int i = 0; i < 10000; i++) {
		struct pollfd set[STREAMS_POLL_MAX];
		int64_t due = INT64_MAX, now = clock_mono_ns();
		size_t n = streams_poll(s, set, now, &due);

		ck_assert_uint_le(n, STREAMS_POLL_MAX);
		if (poll(set, n, 10) <= 0)
			return n_detached;
		n_detached += streams_act(s, set, now);
	}
	ck_abort_msg("the streams never come to rest");
	return 0;
}

static void put(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* What is readable now is exactly this. */
static void expect(int fd, const char *want, size_t n)
{
	char got[65536];
	ssize_t n_got;

	fd_set_nonblock(fd, true);
	n_got = read(fd, got, sizeof got);
	if (n == 0 && n_got < 0)
		return;
	ck_assert_int_eq(n_got, (ssize_t)n);
	ck_assert_mem_eq(got, want, n);
}
#define EXPECT(fd, text) expect((fd), (text), sizeof(text) - 1)

static void expect_end(int fd)
{
	char got[64];

	fd_set_nonblock(fd, true);
	ck_assert_int_eq(read(fd, got, sizeof got), 0);
}

#define OUTPUTS (ATTACH_STDOUT | ATTACH_STDERR)

START_TEST(a_client_that_attaches_before_start_misses_nothing)
{
	struct streams_config config = { 0 };
	struct streams *s = make(&config);
	int client = attach(s, OUTPUTS);
	struct program p = connect_program(s, false);

	put(p.out, "first\n");
	pump(s);
	EXPECT(client, "first\n");
	streams_free(s);
	expect_end(client);
}
END_TEST

START_TEST(output_is_framed_by_stream_for_those_who_want_it)
{
	struct streams_config config = { 0 };
	struct streams *s = make(&config);
	int mux = attach(s, OUTPUTS | ATTACH_MUX), raw = attach(s, ATTACH_STDERR);
	struct program p = connect_program(s, false);

	put(p.out, "hi\n");
	pump(s);
	EXPECT(mux, "\1\0\0\0\0\0\0\3hi\n");
	put(p.err, "oops");
	pump(s);
	EXPECT(mux, "\2\0\0\0\0\0\0\4oops");
	EXPECT(raw, "oops");
	streams_free(s);
}
END_TEST

START_TEST(output_without_a_client_goes_to_the_log)
{
	struct streams_config config = { 0 };
	struct streams *s = make(&config);
	struct program p = connect_program(s, false);
	AUTO_FREE char *log = NULL;
	struct err e = { 0 };

	put(p.out, "kept\nbegun");
	pump(s);
	close(p.out);
	close(p.err);
	pump(s);
	ck_assert(streams_is_drained(s));
	streams_free(s);
	ck_assert_int_eq(file_read(AT_FDCWD, log_path, 4096, &log, NULL, &e), 0);
	ck_assert_ptr_nonnull(strstr(log, "{\"log\":\"kept\\n\",\"stream\":\"stdout\""));
	ck_assert_ptr_nonnull(strstr(log, "{\"log\":\"begun\",\"stream\":\"stdout\""));
}
END_TEST

START_TEST(the_end_of_input_is_a_half_close)
{
	struct streams_config config = { .has_stdin = true };
	struct streams *s = make(&config);
	int client = attach(s, OUTPUTS | ATTACH_STDIN);
	struct program p = connect_program(s, true);

	put(client, "question");
	shutdown(client, SHUT_WR);
	pump(s);
	EXPECT(p.in, "question");
	ck_assert_uint_eq(streams_n_clients(s), 1);
	put(p.out, "answer");
	pump(s);
	EXPECT(client, "answer");
	EXPECT(p.in, "");   /* stdin stays open: another client may come */
	streams_free(s);
}
END_TEST

START_TEST(the_first_end_of_input_closes_stdin_once)
{
	struct streams_config config = { .has_stdin = true, .closes_stdin = true };
	struct streams *s = make(&config);
	int client = attach(s, OUTPUTS | ATTACH_STDIN);
	struct program p = connect_program(s, true);

	put(client, "all");
	shutdown(client, SHUT_WR);
	pump(s);
	EXPECT(p.in, "all");
	expect_end(p.in);
	put(p.out, "answer");
	pump(s);
	EXPECT(client, "answer");
	streams_free(s);
}
END_TEST

START_TEST(input_that_ends_before_start_reaches_the_program)
{
	struct streams_config config = { .has_stdin = true, .closes_stdin = true };
	struct streams *s = make(&config);
	int pair[2];
	struct program p;
	struct err e = { 0 };

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	put(pair[1], " behind");
	shutdown(pair[1], SHUT_WR);
	ck_assert_int_eq(streams_attach(s, pair[0], ATTACH_STDIN, "", "prefix", 6, &e), 0);
	pump(s);
	p = connect_program(s, true);
	pump(s);
	EXPECT(p.in, "prefix behind");
	expect_end(p.in);
	streams_free(s);
}
END_TEST

START_TEST(a_client_that_closes_is_removed_and_its_last_input_counts)
{
	struct streams_config config = { .has_stdin = true };
	struct streams *s = make(&config);
	int client = attach(s, OUTPUTS | ATTACH_STDIN);
	struct program p = connect_program(s, true);

	put(client, "last words");
	close(client);
	pump(s);
	EXPECT(p.in, "last words");
	ck_assert_uint_eq(streams_n_clients(s), 0);
	streams_free(s);
}
END_TEST

START_TEST(a_client_without_input_that_closes_is_removed)
{
	struct streams_config config = { 0 };
	struct streams *s = make(&config);
	int client = attach(s, OUTPUTS);

	connect_program(s, false);
	close(client);
	pump(s);
	ck_assert_uint_eq(streams_n_clients(s), 0);
	streams_free(s);
}
END_TEST

START_TEST(a_slow_client_holds_output_back_and_loses_nothing)
{
	struct streams_config config = { 0 };
	struct streams *s = make(&config);
	int client = attach(s, OUTPUTS);
	struct program p = connect_program(s, false);
	size_t n_put = 0, n_got = 0, n_wrong = 0;
	char block[4096], got[65536];
	ssize_t n;

	fd_set_nonblock(p.out, true);
	for (int quiet = 0; quiet < 3; quiet++) {
		for (;;) {
			for (size_t i = 0; i < sizeof block; i++)
				block[i] = (char)('a' + (n_put + i) % 26);
			n = write(p.out, block, sizeof block);
			if (n < 0)
				break;
			n_put += (size_t)n;
			quiet = 0;
		}
		pump(s);
	}
	ck_assert_uint_gt(n_put, CLIENT_QUEUE_BYTES);
	ck_assert_uint_lt(n_put, 4 * CLIENT_QUEUE_BYTES);
	close(p.out);
	fd_set_nonblock(client, true);
	while (n_got < n_put) {
		pump(s);
		n = read(client, got, sizeof got);
		ck_assert_int_gt(n, 0);
		for (ssize_t i = 0; i < n; i++)
			n_wrong += got[i] != 'a' + (int)((n_got + (size_t)i) % 26);
		ck_assert_uint_eq(n_wrong, 0);
		n_got += (size_t)n;
	}
	streams_free(s);
}
END_TEST

START_TEST(a_client_without_progress_is_dropped_after_the_time)
{
	struct streams_config config = { .stall_ns = 1000 };
	struct streams *s = make(&config);
	int client = attach(s, OUTPUTS);
	struct program p = connect_program(s, false);
	char block[65536] = { 0 };

	fd_set_nonblock(p.out, true);
	for (int i = 0; i < 200 && streams_n_clients(s) > 0; i++) {
		while (write(p.out, block, sizeof block) > 0)
			;
		pump(s);
	}
	ck_assert_uint_eq(streams_n_clients(s), 0);
	put(p.err, "still read");
	pump(s);
	close(client);
	streams_free(s);
}
END_TEST

START_TEST(input_is_held_back_when_the_program_does_not_read)
{
	struct streams_config config = { .has_stdin = true };
	struct streams *s = make(&config);
	int client = attach(s, ATTACH_STDIN);
	struct program p = connect_program(s, true);
	char block[65536] = { 0 };
	size_t n_put = 0, n_got = 0;
	ssize_t n;

	fd_set_nonblock(client, true);
	for (int i = 0; i < 50; i++) {
		while ((n = write(client, block, sizeof block)) > 0)
			n_put += (size_t)n;
		pump(s);
	}
	ck_assert_uint_lt(n_put, 2u << 20);
	close(client);
	fd_set_nonblock(p.in, true);
	for (int i = 0; i < 500 && n_got < n_put; i++) {
		pump(s);
		while ((n = read(p.in, block, sizeof block)) > 0)
			n_got += (size_t)n;
	}
	ck_assert_uint_eq(n_got, n_put);
	streams_free(s);
}
END_TEST

START_TEST(a_program_that_closes_its_stdin_does_no_harm)
{
	struct streams_config config = { .has_stdin = true };
	struct streams *s = make(&config);
	int client = attach(s, OUTPUTS | ATTACH_STDIN);
	struct program p = connect_program(s, true);

	close(p.in);
	put(client, "nobody reads");
	pump(s);
	put(client, "again");
	put(p.out, "alive");
	pump(s);
	EXPECT(client, "alive");
	streams_free(s);
}
END_TEST

START_TEST(the_capture_keeps_the_first_bytes)
{
	struct streams_config config = { .capture_bytes = 7 };
	struct streams *s = make(&config);
	struct program p = connect_program(s, false);

	put(p.out, "hello");
	pump(s);
	put(p.err, " world");
	pump(s);
	ck_assert_str_eq(strbuf_cstr(streams_captured(s)), "hello w");
	streams_free(s);
}
END_TEST

/* A terminal: returns its slave side in *ret_slave. */
static struct streams *make_tty(const char *keys, int *ret_slave)
{
	struct streams_config config = { .is_tty = true, .has_stdin = true, .closes_stdin = true,
					 .detach_keys = keys };
	struct streams *s = make(&config);
	struct termios mode;
	int master;

	ck_assert_int_eq(openpty(&master, ret_slave, NULL, NULL, NULL), 0);
	tcgetattr(*ret_slave, &mode);
	cfmakeraw(&mode);
	tcsetattr(*ret_slave, TCSANOW, &mode);
	streams_connect(s, -1, master, -1);
	return s;
}

START_TEST(a_terminal_is_raw_both_ways)
{
	int slave, client;
	struct streams *s = make_tty("", &slave);

	client = attach(s, OUTPUTS | ATTACH_STDIN | ATTACH_MUX);
	put(client, "ls\r");
	pump(s);
	EXPECT(slave, "ls\r");
	put(slave, "file\r\n");
	pump(s);
	EXPECT(client, "file\r\n");
	streams_free(s);
}
END_TEST

START_TEST(detach_keys_end_the_client_and_nothing_else)
{
	int slave, client;
	struct streams *s = make_tty("\x10\x11", &slave);

	client = attach(s, OUTPUTS | ATTACH_STDIN);
	put(client, "a\x10");
	ck_assert_uint_eq(pump(s), 0);
	put(client, "\x11");
	ck_assert_uint_eq(pump(s), 1);
	EXPECT(slave, "a");
	expect_end(client);
	ck_assert_uint_eq(streams_n_clients(s), 0);
	client = attach(s, OUTPUTS | ATTACH_STDIN);
	put(client, "b");
	pump(s);
	EXPECT(slave, "b");
	streams_free(s);
}
END_TEST

START_TEST(a_terminal_nobody_has_open_is_a_pause_until_the_program_ends)
{
	int slave;
	struct streams *s = make_tty("", &slave);

	put(slave, "bye");
	close(slave);
	pump(s);
	ck_assert(!streams_is_drained(s));
	streams_exited(s);
	pump(s);
	ck_assert(streams_is_drained(s));
	streams_free(s);
}
END_TEST

START_TEST(a_resize_reaches_the_terminal)
{
	struct winsize size;
	int slave;
	struct streams *s = make_tty("", &slave);

	streams_resize(s, 33, 101);
	ck_assert_int_eq(ioctl(slave, TIOCGWINSZ, &size), 0);
	ck_assert_int_eq(size.ws_row, 33);
	ck_assert_int_eq(size.ws_col, 101);
	streams_free(s);
}
END_TEST

START_TEST(unread_input_does_not_spoil_the_end_for_the_client)
{
	struct streams_config config = { 0 };
	struct streams *s = make(&config);
	int client = attach(s, OUTPUTS);
	struct program p = connect_program(s, false);

	put(client, "never read");
	put(p.out, "all output");
	pump(s);
	streams_close_clients(s);
	EXPECT(client, "all output");
	expect_end(client);
	streams_free(s);
}
END_TEST

START_TEST(the_number_of_clients_is_bounded)
{
	struct streams_config config = { 0 };
	struct streams *s = make(&config);
	struct err e = { 0 };
	int pair[2];

	for (int i = 0; i < STREAMS_CLIENTS_MAX; i++)
		attach(s, OUTPUTS);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(streams_attach(s, pair[0], OUTPUTS, "", "", 0, &e), -1);
	ck_assert_int_eq(e.kind, ERR_CONFLICT);
	expect_end(pair[1]);
	streams_free(s);
}
END_TEST

UNIT_MAIN("streams", a_client_that_attaches_before_start_misses_nothing,
	  output_is_framed_by_stream_for_those_who_want_it, output_without_a_client_goes_to_the_log,
	  the_end_of_input_is_a_half_close, the_first_end_of_input_closes_stdin_once,
	  input_that_ends_before_start_reaches_the_program,
	  a_client_that_closes_is_removed_and_its_last_input_counts,
	  a_client_without_input_that_closes_is_removed,
	  a_slow_client_holds_output_back_and_loses_nothing,
	  a_client_without_progress_is_dropped_after_the_time,
	  input_is_held_back_when_the_program_does_not_read, a_program_that_closes_its_stdin_does_no_harm,
	  the_capture_keeps_the_first_bytes, a_terminal_is_raw_both_ways,
	  detach_keys_end_the_client_and_nothing_else,
	  a_terminal_nobody_has_open_is_a_pause_until_the_program_ends, a_resize_reaches_the_terminal,
	  unread_input_does_not_spoil_the_end_for_the_client, the_number_of_clients_is_bounded)
