/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/http.h"

#include <dirent.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"
#include "tests/unit/unit.h"

struct seen {
	struct strbuf text;          /* "GET /x|body|." in order of arrival */
	bool pause_at_head, is_bodiless;
	struct http *h;
	bool keep_alive;
	bool wants_upgrade, expects_continue, is_chunked;
	int64_t content_length;
	unsigned minor;
	char host[64];
};

static bool on_head(void *ctx, const struct http_head *h)
{
	struct seen *s = ctx;
	const char *host = http_field(h, "hOsT");

	if (h->method)
		strbuf_addf(&s->text, "%s %s|", h->method, h->target);
	else
		strbuf_addf(&s->text, "%d|", h->status);
	s->wants_upgrade = h->wants_upgrade;
	s->expects_continue = h->expects_continue;
	s->is_chunked = h->is_chunked;
	s->content_length = h->content_length;
	s->minor = h->minor;
	snprintf(s->host, sizeof(s->host), "%s", host ? host : "");
	if (s->pause_at_head)
		http_pause(s->h);
	return s->is_bodiless;
}

static void on_body(void *ctx, const char *data, size_t n)
{
	struct seen *s = ctx;

	strbuf_add(&s->text, data, n);
}

static void on_end(void *ctx, bool keep_alive)
{
	struct seen *s = ctx;

	s->keep_alive = keep_alive;
	strbuf_addc(&s->text, '.');
}

static const struct http_parser_cb cb = { .head = on_head, .body = on_body, .end = on_end };

/* Feed all of @text in pieces of @step bytes; returns 0 or -1, and how much was used in all */
static int feed(struct seen *s, enum http_role role, const char *text, size_t step, size_t *ret_used, bool *ret_large,
		struct err *e)
{
	size_t n = strlen(text), at = 0;

	*ret_large = false;
	if (!s->h)
		s->h = http_new(role, &cb, s);
	while (at < n) {
		size_t len = n - at < step ? n - at : step, used = 0;

		if (http_feed(s->h, text + at, len, &used, ret_large, e) < 0)
			return -1;
		at += used;
		if (used < len && s->text.len > 0 && s->text.data[s->text.len - 1] == '.')
			break;   /* the message ended: the rest is the caller's */
	}
	*ret_used = at;
	return 0;
}

static void seen_done(struct seen *s)
{
	http_free(s->h);
	strbuf_done(&s->text);
}

#define SEEN AUTO(seen_done) struct seen s = { 0 }

START_TEST(pieces_of_any_size_give_the_same)
{
	const char *text = "POST /v1.41/x?a=b HTTP/1.1\r\nHost: docker\r\nContent-Length: 5\r\n\r\nhello";

	for (size_t step = 1; step <= strlen(text); step++) {
		SEEN;
		struct err e = { 0 };
		bool is_large;
		size_t used = 0;

		ck_assert_int_eq(feed(&s, HTTP_REQUESTS, text, step, &used, &is_large, &e), 0);
		ck_assert_str_eq(strbuf_cstr(&s.text), "POST /v1.41/x?a=b|hello.");
		ck_assert_str_eq(s.host, "docker");
		ck_assert_uint_eq(used, strlen(text));
		ck_assert(s.keep_alive);
		ck_assert_int_eq(s.content_length, 5);
	}
}
END_TEST

START_TEST(chunked_bodies_arrive_without_their_chunks)
{
	SEEN;
	struct err e = { 0 };
	bool is_large;
	size_t used = 0;

	ck_assert_int_eq(feed(&s, HTTP_REQUESTS,
			      "PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;x=y\r\nd\r\n0\r\n\r\n", 7, &used,
			      &is_large, &e), 0);
	ck_assert_str_eq(strbuf_cstr(&s.text), "PUT /a|abcd.");
	ck_assert(s.is_chunked);
	ck_assert_int_eq(s.content_length, -1);
}
END_TEST

START_TEST(a_body_may_be_taken_past_the_parser_but_for_its_end)
{
	static const char head[] = "POST /x HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n";
	SEEN;
	AUTO(seen_done) struct seen chunked = { 0 };
	struct err e = { 0 };
	bool is_large;
	size_t used;

	s.pause_at_head = true;
	ck_assert_int_eq(feed(&s, HTTP_REQUESTS, "POST /x", 7, &used, &is_large, &e), 0);
	ck_assert_uint_eq(http_body_left(s.h), 0);
	ck_assert_int_eq(feed(&s, HTTP_REQUESTS, head + 7, sizeof(head), &used, &is_large, &e), 0);
	ck_assert_uint_eq(http_body_left(s.h), 1000000);
	http_skip_body(s.h, 999990);
	ck_assert_int_eq(feed(&s, HTTP_REQUESTS, "012345", 6, &used, &is_large, &e), 0);
	ck_assert_uint_eq(http_body_left(s.h), 4);
	http_skip_body(s.h, 3);
	ck_assert_int_eq(feed(&s, HTTP_REQUESTS, "9GET /next", 10, &used, &is_large, &e), 0);
	ck_assert_uint_eq(used, 1);
	ck_assert_str_eq(strbuf_cstr(&s.text), "POST /x|0123459.");
	ck_assert_uint_eq(http_body_left(s.h), 0);
	ck_assert_int_eq(feed(&chunked, HTTP_REQUESTS, "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
			      100, &used, &is_large, &e), 0);
	ck_assert_uint_eq(http_body_left(chunked.h), 0);
}
END_TEST

START_TEST(what_follows_a_message_is_left)
{
	SEEN;
	struct err e = { 0 };
	const char *text = "GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n";
	bool is_large;
	size_t used = 0, more = 0;

	ck_assert_int_eq(feed(&s, HTTP_REQUESTS, text, 1000, &used, &is_large, &e), 0);
	ck_assert_str_eq(strbuf_cstr(&s.text), "GET /a|.");
	ck_assert_uint_eq(used, strlen(text) / 2);
	ck_assert_int_eq(feed(&s, HTTP_REQUESTS, text + used, 1000, &more, &is_large, &e), 0);
	ck_assert_str_eq(strbuf_cstr(&s.text), "GET /a|.GET /b|.");
}
END_TEST

START_TEST(an_upgrade_leaves_the_other_protocol)
{
	SEEN;
	struct err e = { 0 };
	const char *head = "POST /x HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 2\r\n\r\n{}";
	AUTO_FREE char *text = xasprintf("%sraw bytes", head);
	bool is_large;
	size_t used = 0;

	ck_assert_int_eq(feed(&s, HTTP_REQUESTS, text, 1000, &used, &is_large, &e), 0);
	ck_assert_str_eq(strbuf_cstr(&s.text), "POST /x|{}.");
	ck_assert(s.wants_upgrade);
	ck_assert_uint_eq(used, strlen(head));
}
END_TEST

START_TEST(a_pause_at_the_head_keeps_the_body)
{
	SEEN;
	struct err e = { 0 };
	const char *text = "POST /x HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok";
	bool is_large = false;
	size_t used = 0, more = 0;

	s.h = http_new(HTTP_REQUESTS, &cb, &s);
	s.pause_at_head = true;
	ck_assert_int_eq(http_feed(s.h, text, strlen(text), &used, &is_large, &e), 0);
	ck_assert_str_eq(strbuf_cstr(&s.text), "POST /x|");
	ck_assert(s.expects_continue);
	ck_assert(http_is_within(s.h));
	ck_assert_int_eq(http_feed(s.h, text + used, strlen(text) - used, &more, &is_large, &e), 0);
	ck_assert_str_eq(strbuf_cstr(&s.text), "POST /x|ok.");
	ck_assert_uint_eq(used + more, strlen(text));
}
END_TEST

START_TEST(an_oversized_head_is_told_apart)
{
	SEEN;
	AUTO_STRBUF struct strbuf text = { 0 };
	struct err e = { 0 };
	bool is_large = false;
	size_t used = 0;

	strbuf_adds(&text, "GET / HTTP/1.1\r\nX: ");
	for (size_t i = 0; i < HTTP_HEAD_MAX; i++)
		strbuf_addc(&text, 'x');
	strbuf_adds(&text, "\r\n\r\n");
	ck_assert_int_eq(feed(&s, HTTP_REQUESTS, text.data, 4096, &used, &is_large, &e), -1);
	ck_assert(is_large);
	ck_assert_int_eq(e.kind, ERR_INVALID);
}
END_TEST

START_TEST(garbage_is_refused)
{
	static const char *const bad[] = {
		"\x16\x03\x01 hello", "GET\r\n\r\n", "GET / HTTP/2.0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n",
		"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
		"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
		"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		SEEN;
		struct err e = { 0 };
		bool is_large = false;
		size_t used = 0;

		ck_assert_msg(feed(&s, HTTP_REQUESTS, bad[i], 1000, &used, &is_large, &e) == -1, "%s", bad[i]);
		ck_assert(!is_large);
		ck_assert_str_ne(e.msg, "");
	}
}
END_TEST

START_TEST(keep_alive_follows_version_and_field)
{
	static const struct {
		const char *text;
		bool keep;
	} cases[] = {
		{ "GET / HTTP/1.1\r\n\r\n", true },
		{ "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", false },
		{ "GET / HTTP/1.0\r\n\r\n", false },
		{ "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		SEEN;
		struct err e = { 0 };
		bool is_large;
		size_t used = 0;

		ck_assert_int_eq(feed(&s, HTTP_REQUESTS, cases[i].text, 1000, &used, &is_large, &e), 0);
		ck_assert_msg(s.keep_alive == cases[i].keep, "%s", cases[i].text);
	}
}
END_TEST

START_TEST(a_response_without_length_ends_with_the_stream)
{
	SEEN;
	struct err e = { 0 };
	bool is_large;
	size_t used = 0;

	ck_assert_int_eq(feed(&s, HTTP_RESPONSES, "HTTP/1.1 200 OK\r\n\r\nall of it", 5, &used, &is_large, &e), 0);
	ck_assert_str_eq(strbuf_cstr(&s.text), "200|all of it");
	ck_assert_int_eq(http_feed(s.h, NULL, 0, &used, &is_large, &e), 0);
	ck_assert_str_eq(strbuf_cstr(&s.text), "200|all of it.");
}
END_TEST

START_TEST(a_cut_off_response_is_an_error)
{
	SEEN;
	struct err e = { 0 };
	bool is_large;
	size_t used = 0;

	ck_assert_int_eq(feed(&s, HTTP_RESPONSES, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", 5, &used, &is_large, &e),
			 0);
	ck_assert_int_eq(http_feed(s.h, NULL, 0, &used, &is_large, &e), -1);
}
END_TEST

START_TEST(a_response_may_be_told_bodiless)
{
	SEEN;
	struct err e = { 0 };
	bool is_large;
	size_t used = 0;

	s.is_bodiless = true;
	ck_assert_int_eq(feed(&s, HTTP_RESPONSES, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nraw", 1000, &used, &is_large,
			      &e), 0);
	ck_assert_str_eq(strbuf_cstr(&s.text), "200|.");
}
END_TEST

static int split(struct arena *a, const char *target, char **path, struct http_query **q, size_t *n)
{
	struct err e = { 0 };

	return http_split_target(a, target, path, q, n, &e);
}

START_TEST(targets_are_decoded)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct http_query *q = NULL;
	char *path = NULL;
	size_t n = 0;

	ck_assert_int_eq(split(a, "/images/a%2Fb%3Ac+d?x=1&y&z=a+b%26&&t=%e4#frag", &path, &q, &n), 0);
	ck_assert_str_eq(path, "/images/a/b:c+d");
	ck_assert_uint_eq(n, 4);
	ck_assert_str_eq(q[0].key, "x");
	ck_assert_str_eq(q[0].value, "1");
	ck_assert_str_eq(q[1].key, "y");
	ck_assert_str_eq(q[1].value, "");
	ck_assert_str_eq(q[2].value, "a b&");
	ck_assert_str_eq(q[3].value, "\xe4");
	ck_assert_int_eq(split(a, "http://docker/info?", &path, &q, &n), 0);
	ck_assert_str_eq(path, "/info");
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(bad_targets_are_refused)
{
	static const char *const bad[] = { "", "*", "info", "/%", "/%2", "/%zz", "/%00", "/a?x=%0", "http://docker", "?x" };
	AUTO_ARENA struct arena *a = arena_new();

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct http_query *q = NULL;
		char *path = NULL;
		size_t n = 0;

		ck_assert_msg(split(a, bad[i], &path, &q, &n) == -1, "'%s'", bad[i]);
	}
}
END_TEST

/* tests/fuzz/record.py kept what the docker clients send */
START_TEST(recorded_traffic_is_understood)
{
	AUTO_DIR DIR *dir = opendir("tests/fuzz/corpus/http");
	struct dirent *d;
	size_t n_files = 0;

	ck_assert_ptr_nonnull(dir);
	while ((d = readdir(dir)) != NULL) {
		struct seen s = { 0 };
		AUTO_FREE char *data = NULL;
		size_t n = 0, used = 0;
		bool is_large = false;
		struct err e = { 0 };

		if (strncmp(d->d_name, "1.", 2) != 0)
			continue;
		ck_assert_int_eq(file_read(dirfd(dir), d->d_name, 1 << 20, &data, &n, &e), 0);
		s.h = http_new(HTTP_REQUESTS, &cb, &s);
		for (size_t at = 0, before = 1; at < n && at != before; at += used) {
			before = at;
			ck_assert_msg(http_feed(s.h, data + at, n - at, &used, &is_large, &e) == 0, "%s: %s",
				      d->d_name, e.msg);
			if (used == 0 || s.wants_upgrade)
				break;
		}
		ck_assert_msg(strchr("GPHD", strbuf_cstr(&s.text)[0]) != NULL, "%s: %s", d->d_name, strbuf_cstr(&s.text));
		http_free(s.h);
		strbuf_done(&s.text);
		n_files++;
	}
	ck_assert_uint_ge(n_files, 50);
}
END_TEST

UNIT_MAIN("http", recorded_traffic_is_understood, pieces_of_any_size_give_the_same, chunked_bodies_arrive_without_their_chunks,
	  a_body_may_be_taken_past_the_parser_but_for_its_end, what_follows_a_message_is_left, an_upgrade_leaves_the_other_protocol, a_pause_at_the_head_keeps_the_body,
	  an_oversized_head_is_told_apart, garbage_is_refused, keep_alive_follows_version_and_field,
	  a_response_without_length_ends_with_the_stream, a_cut_off_response_is_an_error, a_response_may_be_told_bodiless,
	  targets_are_decoded, bad_targets_are_refused)
