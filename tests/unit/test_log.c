/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"
#include "tests/unit/unit.h"

static int log_pipe[2];

static void log_to_pipe(enum log_level level, bool is_json)
{
	ck_assert_int_eq(fd_pipe(log_pipe, 0), 0);
	log_init("kilnd", log_pipe[1], level, is_json);
}

/* What was logged, in one read: a line is one write. */
static const char *logged(void)
{
	static char text[16384];
	ssize_t n;

	ck_assert_int_eq(fd_set_nonblock(log_pipe[0], true), 0);
	n = read(log_pipe[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* Behind the time: "2023-11-14T22:13:20.000000000Z " has 31 characters. */
#define AFTER_TIME 31

START_TEST(a_line_has_time_program_level_and_message)
{
	log_to_pipe(LOG_LVL_INFO, false);
	errno = EXDEV;
	log_info("started '%s'", "web");
	ck_assert_int_eq(errno, EXDEV);
	ck_assert_str_eq(logged() + AFTER_TIME, "kilnd info: started 'web'\n");
}
END_TEST

START_TEST(levels_are_filtered)
{
	log_to_pipe(LOG_LVL_WARN, false);
	log_info("not this");
	log_debug("nor this");
	ck_assert_str_eq(logged(), "");
	log_warn("this");
	ck_assert_str_eq(logged() + AFTER_TIME, "kilnd warn: this\n");
	log_set_level(LOG_LVL_DEBUG);
	log_debug("now this");
	ck_assert_str_eq(logged() + AFTER_TIME, "kilnd debug: now this\n");
}
END_TEST

START_TEST(levels_are_parsed)
{
	enum log_level level = LOG_LVL_ERR;

	ck_assert(log_level_parse("debug", &level));
	ck_assert_int_eq(level, LOG_LVL_DEBUG);
	ck_assert(log_level_parse("error", &level));
	ck_assert_int_eq(level, LOG_LVL_ERR);
	ck_assert(!log_level_parse("loud", &level));
	ck_assert(!log_level_parse(NULL, &level));
}
END_TEST

START_TEST(fields_follow_until_cleared)
{
	log_to_pipe(LOG_LVL_INFO, false);
	log_field("id", "abc");
	log_field("op", "start");
	log_field("id", "def");
	log_info("x");
	ck_assert_str_eq(logged() + AFTER_TIME, "kilnd info: x id=def op=start\n");
	log_field("id", NULL);
	log_field("never-set", NULL);
	log_info("x");
	ck_assert_str_eq(logged() + AFTER_TIME, "kilnd info: x op=start\n");
}
END_TEST

START_TEST(lines_cannot_be_forged)
{
	log_to_pipe(LOG_LVL_INFO, false);
	log_field("name", "a\nb");
	log_info("evil\nkilnd info: forged\x1b[2J");
	ck_assert_str_eq(logged() + AFTER_TIME,
			 "kilnd info: evil\\x0akilnd info: forged\\x1b[2J name=a\\x0ab\n");
}
END_TEST

START_TEST(json_lines_are_objects)
{
	const char *line;

	log_to_pipe(LOG_LVL_INFO, true);
	log_field("id", "abc");
	log_err("say \"%s\"\n", "hi");
	line = logged();
	ck_assert(str_starts(line, "{\"time\":\"20"));
	ck_assert_ptr_nonnull(strstr(line, "Z\",\"level\":\"error\",\"program\":\"kilnd\","
					   "\"msg\":\"say \\\"hi\\\"\\n\",\"id\":\"abc\"}\n"));
}
END_TEST

START_TEST(long_messages_and_values_are_cut)
{
	AUTO_FREE char *text = xmalloc(20001);
	const char *line;

	memset(text, 'x', 20000);
	text[20000] = '\0';
	log_to_pipe(LOG_LVL_INFO, false);
	log_field("a-key-that-is-much-too-long", text);
	log_info("%s", text);
	line = logged();
	ck_assert_uint_lt(strlen(line), 8192);
	ck_assert(str_ends(line, "x\n"));
	log_field("a-key-that-is-much-too-long", NULL);
	log_info("x");
	ck_assert_str_eq(logged() + AFTER_TIME, "kilnd info: x\n");
}
END_TEST

static void *log_in_thread(void *arg)
{
	log_field("thread", arg);
	log_info("y");
	return NULL;
}

START_TEST(fields_belong_to_their_thread)
{
	pthread_t t;

	log_to_pipe(LOG_LVL_INFO, false);
	log_field("id", "main");
	ck_assert_int_eq(pthread_create(&t, NULL, log_in_thread, (void *)"two"), 0);
	pthread_join(t, NULL);
	ck_assert_str_eq(logged() + AFTER_TIME, "kilnd info: y thread=two\n");
}
END_TEST

START_TEST(the_journal_gets_priorities_and_no_time)
{
	char stream[48];
	struct stat st;

	ck_assert_int_eq(fd_pipe(log_pipe, 0), 0);
	ck_assert_int_eq(fstat(log_pipe[1], &st), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_init("kilnd", log_pipe[1], LOG_LVL_DEBUG, false);
	log_err("a");
	log_warn("b\n<0>c");
	log_debug("d");
	ck_assert_str_eq(logged(), "<3>a\n<4>b\\x0a<0>c\n<7>d\n");
	log_set_json(true);
	log_info("e");
	ck_assert(str_starts(logged(), "<6>{\"time\":\""));
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_init("kilnd", log_pipe[1], LOG_LVL_DEBUG, false);
	log_info("f");
	ck_assert_str_eq(logged() + AFTER_TIME, "kilnd info: f\n");
}
END_TEST

START_TEST(pairs_are_quoted_and_written_at_any_level)
{
	const struct log_pair pairs[] = { { .key = "uid", .number = -1 }, { .key = "path", .text = "/a \" uid=0" } };
	const char *line;

	log_to_pipe(LOG_LVL_ERR, false);
	log_pairs(LOG_LVL_INFO, "audit", pairs, 2);
	ck_assert_str_eq(logged() + AFTER_TIME, "kilnd info: audit uid=-1 path=\"/a \\\" uid=0\"\n");
	log_set_json(true);
	log_pairs(LOG_LVL_INFO, "audit", pairs, 2);
	line = logged();
	ck_assert_ptr_nonnull(strstr(line, "\"msg\":\"audit\",\"uid\":-1,\"path\":\"/a \\\" uid=0\"}\n"));
}
END_TEST

START_TEST(logfmt_is_as_logrus_writes_it)
{
	const struct log_pair pairs[] = { { .key = "uid", .number = -1 }, { .key = "path", .text = "/a" } };
	const char *line;

	log_to_pipe(LOG_LVL_DEBUG, false);
	log_set_logfmt();
	log_err("exec: \"nosuch\"\n\tlevel=info \\ \x1b");
	line = logged();
	ck_assert_int_eq(line[strlen("time=\"2026-11-29T08:15:49")], 'Z');
	ck_assert_str_eq(line + strlen("time=\"2026-11-29T08:15:49Z\" "),
			 "level=error msg=\"exec: \\\"nosuch\\\"\\n\\tlevel=info \\\\ \\x1b\"\n");
	log_pairs(LOG_LVL_WARN, "audit", pairs, 2);
	ck_assert_ptr_nonnull(strstr(logged(), "Z\" level=warning msg=\"audit\" uid=-1 path=\"/a\"\n"));
}
END_TEST

START_TEST(only_printable_ascii_is_printable)
{
	AUTO_STRBUF struct strbuf out = { 0 };

	log_printable(&out, "a b\n\x1b[2J\x7f\xc2\x9b\xff\\~", 100);
	ck_assert_str_eq(out.data, "a b\\x0a\\x1b[2J\\x7f\\xc2\\x9b\\xff\\\\~");
	strbuf_reset(&out);
	log_printable(&out, "abcdef", 3);
	ck_assert_str_eq(out.data, "abc...");
	strbuf_reset(&out);
	log_printable(&out, "abc", 3);
	ck_assert_str_eq(out.data, "abc");
	log_to_pipe(LOG_LVL_INFO, false);
	log_info("x\xc2\x9b\xc3\xa4");
	ck_assert_str_eq(logged() + AFTER_TIME, "kilnd info: x\\xc2\\x9b\xc3\xa4\n");
}
END_TEST

START_TEST(a_closed_log_disturbs_nobody)
{
	log_init("kilnd", 999, LOG_LVL_INFO, false);
	errno = EXDEV;
	log_info("nobody hears this");
	ck_assert_int_eq(errno, EXDEV);
}
END_TEST

UNIT_MAIN("log", a_line_has_time_program_level_and_message, levels_are_filtered, levels_are_parsed,
	  fields_follow_until_cleared, lines_cannot_be_forged, json_lines_are_objects,
	  long_messages_and_values_are_cut, fields_belong_to_their_thread, the_journal_gets_priorities_and_no_time,
	  pairs_are_quoted_and_written_at_any_level, logfmt_is_as_logrus_writes_it, only_printable_ascii_is_printable,
	  a_closed_log_disturbs_nobody)
