/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/jsonlog.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/own.h"
#include "tests/unit/unit.h"

#define T0      1714557600123456789LL
#define T0_TEXT "2024-05-01T10:00:00.123456789Z"

static char log_path[160];

static struct jsonlog open_log(void)
{
	struct jsonlog log;

	snprintf(log_path, sizeof log_path, "%s/log", unit_dir());
	jsonlog_init(&log, open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
	ck_assert_int_ge(log.fd, 0);
	return log;
}

static char *log_text(void)
{
	struct err e = { 0 };
	char *text = NULL;

	ck_assert_int_eq(file_read(AT_FDCWD, log_path, 16 << 20, &text, NULL, &e), 0);
	return text;
}

static void feed(struct jsonlog *log, enum jsonlog_stream stream, const char *text)
{
	jsonlog_feed(log, stream, text, strlen(text), T0);
}

struct line { char *log, *stream, *time; };
static const struct jfield line_fields[] = {
	J_STRING(struct line, log, "log", 0),
	J_STRING(struct line, stream, "stream", J_REQUIRED),
	J_STRING(struct line, time, "time", J_REQUIRED),
};
static const struct jschema line_schema = J_SCHEMA(struct line, "json-file", line_fields);

/* The i-th object of the log, decoded by the parser that readers use. */
static struct line *log_line(struct arena *a, size_t i)
{
	AUTO_FREE char *text = log_text();
	struct err e = { 0 };
	void *line = NULL;
	char *at = text;

	while (i-- > 0)
		at = strchr(at, '\n') + 1;
	ck_assert_msg(json_decode(at, strcspn(at, "\n"), &line_schema, a, NULL, NULL, &line, &e) == 0,
		      "%s", e.msg);
	return line;
}

START_TEST(a_line_is_one_object_as_docker_writes_it)
{
	struct jsonlog log = open_log();
	AUTO_FREE char *text = NULL;

	feed(&log, JSONLOG_STDOUT, "hello\nwo");
	feed(&log, JSONLOG_STDERR, "oops\n");
	feed(&log, JSONLOG_STDOUT, "rld\n\n");
	text = log_text();
	ck_assert_str_eq(text,
		"{\"log\":\"hello\\n\",\"stream\":\"stdout\",\"time\":\"" T0_TEXT "\"}\n"
		"{\"log\":\"oops\\n\",\"stream\":\"stderr\",\"time\":\"" T0_TEXT "\"}\n"
		"{\"log\":\"world\\n\",\"stream\":\"stdout\",\"time\":\"" T0_TEXT "\"}\n"
		"{\"log\":\"\\n\",\"stream\":\"stdout\",\"time\":\"" T0_TEXT "\"}\n");
	jsonlog_done(&log);
}
END_TEST

START_TEST(special_bytes_are_escaped_as_go_does)
{
	AUTO_STRBUF struct strbuf out = { 0 };
	static const char in[] = "\"\\<>&\t\r\x01\x7f\xc3\xa9\xe2\x80\xa8\xe2\x80\xa9\xf0\x9f\x90\xb3\0z";

	jsonlog_encode(&out, in, sizeof in - 1, JSONLOG_STDERR, NULL, "T");
	ck_assert_str_eq(out.data,
		"{\"log\":\"\\\"\\\\\\u003c\\u003e\\u0026\\u0009\\r\\u0001\x7f\xc3\xa9\\u2028\\u2029"
		"\xf0\x9f\x90\xb3\\u0000z\",\"stream\":\"stderr\",\"time\":\"T\"}\n");
}
END_TEST

START_TEST(bytes_that_are_not_utf8_are_replaced_one_by_one)
{
	static const char *const bad[] = {
		"\xff", "\xc3", "\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x80", "\xf5\x80",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO_STRBUF struct strbuf out = { 0 }, want = { 0 };

		jsonlog_encode(&out, bad[i], strlen(bad[i]), JSONLOG_STDOUT, NULL, "T");
		strbuf_adds(&want, "{\"log\":\"");
		for (size_t k = 0; k < strlen(bad[i]); k++)
			strbuf_adds(&want, "\\ufffd");
		strbuf_adds(&want, "\",\"stream\":\"stdout\",\"time\":\"T\"}\n");
		ck_assert_str_eq(out.data, want.data);
	}
}
END_TEST

START_TEST(a_long_line_is_split_in_parts_of_16_kib)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct jsonlog log = open_log();
	char big[40001];

	memset(big, 'x', 40000);
	big[40000] = '\n';
	jsonlog_feed(&log, JSONLOG_STDOUT, big, sizeof big, T0);
	ck_assert_uint_eq(strlen(log_line(a, 0)->log), 16384);
	ck_assert_uint_eq(strlen(log_line(a, 1)->log), 16384);
	ck_assert_uint_eq(strlen(log_line(a, 2)->log), 40000 - 2 * 16384 + 1);
	ck_assert_int_eq(log_line(a, 2)->log[40000 - 2 * 16384], '\n');
	jsonlog_done(&log);
}
END_TEST

START_TEST(a_line_of_exactly_one_part_is_followed_by_its_newline)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct jsonlog log = open_log();
	char big[16385];

	memset(big, 'x', 16384);
	big[16384] = '\n';
	jsonlog_feed(&log, JSONLOG_STDOUT, big, sizeof big, T0);
	ck_assert_uint_eq(strlen(log_line(a, 0)->log), 16384);
	ck_assert_str_eq(log_line(a, 1)->log, "\n");
	jsonlog_done(&log);
}
END_TEST

START_TEST(a_cut_never_goes_through_a_character)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct jsonlog log = open_log();
	char big[3 * 6000 + 2];
	size_t n;

	big[0] = 'a';   /* 1 + 3k: the 16384th byte is inside a character */
	for (n = 1; n + 3 < sizeof big; n += 3)
		memcpy(big + n, "\xe2\x82\xac", 3);
	big[n++] = '\n';
	jsonlog_feed(&log, JSONLOG_STDOUT, big, n, T0);
	ck_assert_uint_eq(strlen(log_line(a, 0)->log), 16384);
	ck_assert_mem_eq(log_line(a, 1)->log, "\xe2\x82\xac", 3);
	big[0] = 'b';
	memmove(big + 1, big, n - 1);
	jsonlog_feed(&log, JSONLOG_STDOUT, big, n - 1, T0);
	jsonlog_feed(&log, JSONLOG_STDOUT, "\n", 1, T0);
	ck_assert_ptr_null(strstr(log_line(a, 2)->log, "\xef\xbf\xbd"));
	ck_assert_uint_eq(strlen(log_line(a, 2)->log), 16382);
	jsonlog_done(&log);
}
END_TEST

START_TEST(the_log_is_the_same_however_the_bytes_arrive)
{
	struct jsonlog whole = open_log();
	AUTO_FREE char *want = NULL;
	char text[50000];
	unsigned seed = 7;

	for (size_t i = 0; i < sizeof text; i++) {
		seed = seed * 1103515245u + 12345u;
		text[i] = (seed >> 16) % 97 == 0 && i < 20000 ? '\n' : (char)(seed >> 20);
	}
	jsonlog_feed(&whole, JSONLOG_STDOUT, text, sizeof text, T0);
	jsonlog_end(&whole, JSONLOG_STDOUT, T0);
	want = log_text();
	jsonlog_done(&whole);
	for (size_t step = 1; step < 40000; step = step * 3 + 1) {
		struct jsonlog log = open_log();
		AUTO_FREE char *got = NULL;

		for (size_t i = 0; i < sizeof text; i += step)
			jsonlog_feed(&log, JSONLOG_STDOUT, text + i,
				     step < sizeof text - i ? step : sizeof text - i, T0);
		jsonlog_end(&log, JSONLOG_STDOUT, T0);
		got = log_text();
		ck_assert_msg(strcmp(want, got) == 0, "differs in steps of %zu", step);
		jsonlog_done(&log);
	}
}
END_TEST

START_TEST(the_last_line_without_newline_is_kept_at_the_end)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct jsonlog log = open_log();

	feed(&log, JSONLOG_STDOUT, "no newline");
	jsonlog_end(&log, JSONLOG_STDOUT, T0);
	jsonlog_end(&log, JSONLOG_STDERR, T0);
	ck_assert_str_eq(log_line(a, 0)->log, "no newline");
	jsonlog_done(&log);
}
END_TEST

START_TEST(a_full_disk_drops_whole_lines)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct rlimit limit = { .rlim_cur = 100, .rlim_max = RLIM_INFINITY };
	struct jsonlog log = open_log();
	AUTO_FREE char *text = NULL;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	feed(&log, JSONLOG_STDOUT, "first\nsecond\nthird\n");
	limit.rlim_cur = RLIM_INFINITY;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_uint_gt(log.n_dropped_bytes, 0);
	feed(&log, JSONLOG_STDOUT, "fourth\n");
	ck_assert_str_eq(log_line(a, 0)->log, "first\n");
	ck_assert_str_eq(log_line(a, 1)->log, "fourth\n");
	jsonlog_done(&log);
}
END_TEST

START_TEST(without_a_file_nothing_is_kept)
{
	struct jsonlog log;

	jsonlog_init(&log, -1);
	feed(&log, JSONLOG_STDOUT, "lost");
	ck_assert_uint_eq(log.pending[0].len, 0);
	jsonlog_end(&log, JSONLOG_STDOUT, T0);
	jsonlog_done(&log);
}
END_TEST

UNIT_MAIN("jsonlog", a_line_is_one_object_as_docker_writes_it, special_bytes_are_escaped_as_go_does,
	  bytes_that_are_not_utf8_are_replaced_one_by_one, a_long_line_is_split_in_parts_of_16_kib,
	  a_line_of_exactly_one_part_is_followed_by_its_newline, a_cut_never_goes_through_a_character,
	  the_log_is_the_same_however_the_bytes_arrive, the_last_line_without_newline_is_kept_at_the_end,
	  a_full_disk_drops_whole_lines, without_a_file_nothing_is_kept)
