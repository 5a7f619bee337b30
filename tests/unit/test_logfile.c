/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include <fcntl.h>

#include "base/str.h"
#include "daemon/logfile.h"

static char path[256];
static struct strbuf seen;
static size_t n_entries;

static void file_with(const char *text, size_t n)
{
	int fd;

	snprintf(path, sizeof(path), "%s/log", unit_dir());
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, n), (ssize_t)n);
	close(fd);
	strbuf_reset(&seen);
	n_entries = 0;
}

static bool collect(void *ctx, const struct log_entry *entry)
{
	(void)ctx;
	strbuf_addf(&seen, "%c:", entry->is_stderr ? 'e' : 'o');
	strbuf_add(&seen, entry->text, entry->n_text);
	n_entries++;
	return true;
}

static void read_all(struct logfile *l)
{
	bool more = true;
	struct err e;

	while (more)
		ck_assert_int_eq(logfile_read(l, collect, NULL, &more, &e), 0);
}

#define LINE(text, stream) "{\"log\":\"" text "\",\"stream\":\"" stream "\",\"time\":\"2026-01-02T03:04:05.000000006Z\"}\n"
#define FILE_WITH(text) file_with(text, sizeof(text) - 1)

START_TEST(entries_come_back_as_written)
{
	struct logfile *l = NULL;
	struct err e;

	FILE_WITH(LINE("one\\n", "stdout") LINE("t\\u0000wo \\\"q\\\" \\u00e9 \\ud83d\\ude00\\n", "stderr"));
	ck_assert_int_eq(logfile_open(path, 1, &l, &e), 0);
	read_all(l);
	ck_assert_uint_eq(n_entries, 2);
	ck_assert_int_eq(memcmp(seen.data, "o:one\ne:t\0wo \"q\" \xc3\xa9 \xf0\x9f\x98\x80\n", seen.len), 0);
	ck_assert_uint_eq(seen.len, sizeof("o:one\ne:t\0wo \"q\" \xc3\xa9 \xf0\x9f\x98\x80\n") - 1);
	logfile_free(l);
}
END_TEST

START_TEST(an_unfinished_line_waits_for_its_end)
{
	static const char whole[] = LINE("a\\n", "stdout") LINE("b\\n", "stdout");
	struct logfile *l = NULL;
	struct err e;
	int fd;

	file_with(whole, sizeof(whole) - 10);
	ck_assert_int_eq(logfile_open(path, 1, &l, &e), 0);
	read_all(l);
	ck_assert_uint_eq(n_entries, 1);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	ck_assert_int_eq(write(fd, whole + sizeof(whole) - 10, 9), 9);
	close(fd);
	read_all(l);
	ck_assert_uint_eq(n_entries, 2);
	logfile_free(l);
}
END_TEST

START_TEST(the_tail_is_the_last_entries)
{
	struct logfile *l = NULL;
	struct err e;

	FILE_WITH(LINE("1\\n", "stdout") LINE("2\\n", "stdout") LINE("3\\n", "stdout"));
	ck_assert_int_eq(logfile_open(path, 1, &l, &e), 0);
	ck_assert_int_eq(logfile_seek_tail(l, 2, &e), 0);
	read_all(l);
	ck_assert_str_eq(seen.data, "o:2\no:3\n");
	ck_assert_int_eq(logfile_seek_tail(l, 10, &e), 0);
	read_all(l);
	ck_assert_uint_eq(n_entries, 5);
	ck_assert_int_eq(logfile_seek_tail(l, 0, &e), 0);
	read_all(l);
	ck_assert_uint_eq(n_entries, 5);
	logfile_free(l);
}
END_TEST

START_TEST(a_line_of_another_shape_is_skipped)
{
	struct logfile *l = NULL;
	struct err e;

	FILE_WITH("garbage\n{\"log\":\"x\\u12\"}\n{\"log\":\"\\q\",\n\n" LINE("ok\\n", "stdout"));
	ck_assert_int_eq(logfile_open(path, 1, &l, &e), 0);
	read_all(l);
	ck_assert_str_eq(seen.data, "o:ok\n");
	logfile_free(l);
}
END_TEST

START_TEST(an_endless_line_is_skipped_and_bounded)
{
	AUTO_STRBUF struct strbuf big = {0};
	struct logfile *l = NULL;
	struct err e;

	for (int i = 0; i < 300000; i++)
		strbuf_addc(&big, 'x');
	strbuf_adds(&big, "\n" LINE("after\\n", "stdout"));
	file_with(big.data, big.len);
	ck_assert_int_eq(logfile_open(path, 1, &l, &e), 0);
	read_all(l);
	ck_assert_str_eq(seen.data, "o:after\n");
	logfile_free(l);
}
END_TEST

UNIT_MAIN("logfile", entries_come_back_as_written, an_unfinished_line_waits_for_its_end, the_tail_is_the_last_entries,
	  a_line_of_another_shape_is_skipped, an_endless_line_is_skipped_and_bounded)
