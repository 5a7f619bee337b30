/* SPDX-License-Identifier: Apache-2.0 */
/* What the monitor writes by rotation (runtime/jsonlog_rotate.c) and kilnd reads as one log (daemon/logfile.c). */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"
#include "daemon/logfile.h"
#include "runtime/jsonlog.h"
#include "tests/unit/unit.h"

#define T0 1714557600123456789LL

static char dir[160], path[200];
static struct jsonlog writer;
static unsigned next_line;         /* to be written */

static void open_writer(uint64_t max_bytes, unsigned max_files)
{
	struct jsonlog_rotation r = { .dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), .name = "log",
				      .max_bytes = max_bytes, .max_files = max_files };

	jsonlog_init(&writer, open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
	jsonlog_set_rotation(&writer, &r);
}

static void begin(uint64_t max_bytes, unsigned max_files)
{
	snprintf(dir, sizeof dir, "%s", unit_dir());
	snprintf(path, sizeof path, "%s/log", dir);
	next_line = 0;
	open_writer(max_bytes, max_files);
}

static void write_lines(unsigned n)
{
	char text[64];

	while (n-- > 0)
		jsonlog_feed(&writer, JSONLOG_STDOUT, text, (size_t)snprintf(text, sizeof text, "line %u\n", next_line++), T0);
}

static char *name(const char *ending)
{
	static char out[220];

	snprintf(out, sizeof out, "%s%s", path, ending);
	return out;
}

static off_t size_of(const char *ending)
{
	struct stat st;

	return stat(name(ending), &st) == 0 ? st.st_size : -1;
}

struct seen {
	unsigned first, next, n;
};

static bool in_order(void *ctx, const struct log_entry *entry)
{
	struct seen *s = ctx;
	char text[64];
	unsigned number;

	snprintf(text, sizeof text, "%.*s", (int)entry->n_text, entry->text);
	ck_assert_int_eq(sscanf(text, "line %u\n", &number), 1);
	if (s->n++ == 0)
		s->first = number;
	else
		ck_assert_uint_eq(number, s->next);
	s->next = number + 1;
	return true;
}

static void read_on(struct logfile *l, struct seen *s)
{
	bool more = true;
	struct err e = { 0 };

	while (more)
		ck_assert_int_eq(logfile_read(l, in_order, s, &more, &e), 0);
}

static struct logfile *open_reader(unsigned n_files)
{
	struct logfile *l = NULL;
	struct err e = { 0 };

	ck_assert_msg(logfile_open(path, n_files, &l, &e) == 0, "%s", e.msg);
	return l;
}

static struct seen read_whole(unsigned n_files)
{
	struct logfile *l = open_reader(n_files);
	struct seen s = { 0 };

	read_on(l, &s);
	logfile_free(l);
	return s;
}

/* --- writing ------------------------------------------------------------------------------------------ */

START_TEST(so_many_files_of_so_many_bytes_are_kept)
{
	struct seen s;

	begin(1000, 3);
	write_lines(500);
	ck_assert(size_of("") > 0 && size_of("") <= 1000);
	ck_assert(size_of(".1") > 900 && size_of(".1") <= 1000);
	ck_assert(size_of(".2") > 900 && size_of(".2") <= 1000);
	ck_assert_int_eq(size_of(".3"), -1);
	ck_assert_int_eq(size_of(".new"), -1);
	s = read_whole(3);
	ck_assert_uint_eq(s.next, 500);
	ck_assert_uint_gt(s.n, 24);
	jsonlog_done(&writer);
}
END_TEST

START_TEST(one_file_alone_begins_anew)
{
	begin(1000, 1);
	write_lines(100);
	ck_assert(size_of("") > 0 && size_of("") <= 1000);
	ck_assert_int_eq(size_of(".1"), -1);
	ck_assert_uint_eq(read_whole(1).next, 100);
	jsonlog_done(&writer);
}
END_TEST

START_TEST(the_size_counts_on_in_the_next_run)
{
	begin(1000, 2);
	write_lines(12);
	jsonlog_done(&writer);
	ck_assert_int_eq(size_of(".1"), -1);
	open_writer(1000, 2);
	write_lines(2);
	ck_assert(size_of(".1") > 900);
	ck_assert_uint_eq(read_whole(2).n, 14);
	jsonlog_done(&writer);
}
END_TEST

/* Nobody can make log.new: it is a directory */
START_TEST(where_no_new_file_can_be_made_the_old_one_goes_on)
{
	struct seen s;

	begin(1000, 3);
	ck_assert_int_eq(mkdir(name(".new"), 0700), 0);
	write_lines(100);
	ck_assert_int_gt(size_of(""), 5000);
	ck_assert_int_eq(size_of(".1"), -1);
	ck_assert_int_eq(rmdir(name(".new")), 0);
	write_lines(10);
	ck_assert_int_gt(size_of(".1"), 5000);
	s = read_whole(3);
	ck_assert(s.first == 0 && s.n == 110);
	jsonlog_done(&writer);
}
END_TEST

/* --- a rotation that was cut off ---------------------------------------------------------------------- */

/* The steps of a rotation with three files: after each of them the monitor may have been killed */
static void do_steps(unsigned n)
{
	char from[220];

	if (n > 0)
		close(open(name(".new"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	if (n > 1) {
		snprintf(from, sizeof from, "%s", name(".1"));
		ck_assert_int_eq(rename(from, name(".2")), 0);
	}
	if (n > 2) {
		snprintf(from, sizeof from, "%s", path);
		ck_assert_int_eq(rename(from, name(".1")), 0);
	}
	if (n > 3) {
		snprintf(from, sizeof from, "%s", name(".new"));
		ck_assert_int_eq(rename(from, path), 0);
	}
}

START_TEST(a_rotation_may_be_cut_off_at_each_step)
{
	for (unsigned n = 0; n <= 4; n++) {
		struct seen s;

		begin(1000, 3);
		write_lines(60);
		jsonlog_done(&writer);
		do_steps(n);
		s = read_whole(3);
		ck_assert_uint_eq(s.next, 60);
		open_writer(1000, 3);
		ck_assert_int_eq(size_of(".new"), -1);
		write_lines(60);
		s = read_whole(3);
		ck_assert_uint_eq(s.next, 120);
		ck_assert_uint_gt(s.n, 24);
		jsonlog_done(&writer);
	}
}
END_TEST

/* --- reading ------------------------------------------------------------------------------------------ */

START_TEST(the_tail_goes_through_all_files)
{
	struct seen all;

	begin(1000, 4);
	write_lines(70);
	all = read_whole(4);
	for (unsigned n = 0; n <= all.n + 2; n++) {
		struct logfile *l = open_reader(4);
		struct seen s = { 0 };
		struct err e = { 0 };

		ck_assert_int_eq(logfile_seek_tail(l, n, &e), 0);
		read_on(l, &s);
		ck_assert_uint_eq(s.n, n < all.n ? n : all.n);
		ck_assert(n == 0 || s.next == 70);
		logfile_free(l);
	}
	jsonlog_done(&writer);
}
END_TEST

START_TEST(the_tail_sees_through_a_file_that_is_still_empty)
{
	struct logfile *l;
	struct seen s = { 0 };
	struct err e = { 0 };

	begin(1000, 3);
	write_lines(20);
	jsonlog_done(&writer);
	do_steps(4);
	ck_assert_int_eq(size_of(""), 0);
	l = open_reader(3);
	ck_assert_int_eq(logfile_seek_tail(l, 3, &e), 0);
	read_on(l, &s);
	ck_assert(s.first == 17 && s.n == 3);
	logfile_free(l);
}
END_TEST

/* Whatever the rhythm: it reads after each few lines, less than a file takes, with one file as with three */
START_TEST(a_follower_loses_and_repeats_nothing)
{
	for (unsigned files = 1; files <= 3; files++) {
		for (unsigned step = 1; step <= 11; step++) {
			struct seen s = { 0 };
			struct logfile *l;

			begin(1000, files);
			write_lines(1);
			l = open_reader(files);
			for (unsigned i = 0; i < 40; i++) {
				write_lines(step);
				read_on(l, &s);
			}
			ck_assert_uint_eq(s.first, 0);
			ck_assert_uint_eq(s.next, next_line);
			logfile_free(l);
			jsonlog_done(&writer);
		}
	}
}
END_TEST

/* It cannot read for a while, but is told that there is something new */
START_TEST(a_slow_follower_keeps_what_it_knows_of)
{
	struct seen s = { 0 };
	struct logfile *l;

	begin(1000, 2);
	write_lines(1);
	l = open_reader(2);
	for (unsigned i = 0; i < 3; i++) {
		write_lines(13);
		logfile_keep_up(l);
	}
	read_on(l, &s);
	ck_assert(s.first == 0 && s.next == next_line);
	/* It may have only so many open, and then begins again with what there is */
	for (unsigned i = 0; i < 20; i++) {
		write_lines(13);
		logfile_keep_up(l);
	}
	s = (struct seen){ 0 };
	while (s.next != next_line) {
		struct seen part = { 0 };
		bool more;
		struct err e = { 0 };

		ck_assert_int_eq(logfile_read(l, in_order, &part, &more, &e), 0);
		ck_assert(part.n == 0 || part.first >= s.next);
		s.next = part.n ? part.next : s.next;
	}
	logfile_free(l);
	jsonlog_done(&writer);
}
END_TEST

START_TEST(attributes_are_in_each_line)
{
	AUTO_FREE char *text = NULL;
	struct err e = { 0 };

	begin(1000, 2);
	jsonlog_set_attrs(&writer, "{\"a\":\"}\\\"b\"}");
	write_lines(1);
	ck_assert_int_eq(file_read(AT_FDCWD, path, 4096, &text, NULL, &e), 0);
	ck_assert_str_eq(text, "{\"log\":\"line 0\\n\",\"stream\":\"stdout\",\"attrs\":{\"a\":\"}\\\"b\"},"
			       "\"time\":\"2024-05-01T10:00:00.123456789Z\"}\n");
	ck_assert_uint_eq(read_whole(2).n, 1);
	jsonlog_done(&writer);
}
END_TEST

UNIT_MAIN("log_rotation", so_many_files_of_so_many_bytes_are_kept, one_file_alone_begins_anew,
	  the_size_counts_on_in_the_next_run, where_no_new_file_can_be_made_the_old_one_goes_on,
	  a_rotation_may_be_cut_off_at_each_step, the_tail_goes_through_all_files,
	  the_tail_sees_through_a_file_that_is_still_empty, a_follower_loses_and_repeats_nothing,
	  a_slow_follower_keeps_what_it_knows_of, attributes_are_in_each_line)
