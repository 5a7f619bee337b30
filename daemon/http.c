/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/http.h"

#include <http_parser.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/own.h"
#include "base/str.h"

struct http {
	http_parser parser;
	enum http_role role;
	const struct http_parser_cb *cb;
	void *ctx;
	struct arena *arena;         /* of the current message */
	struct http_head head;
	struct strbuf target, name, value;   /* being collected: pieces may be split anywhere */
	bool has_value;              /* the collected field has got its value */
	struct http_field **last;
	bool is_within;
	bool is_ended;               /* the message is complete: the next byte begins another */
};

/* ---- collecting the head ---- */

static struct http *of(http_parser *p)
{
	return p->data;
}

static int on_begin(http_parser *p)
{
	struct http *h = of(p);

	arena_free(h->arena);
	h->arena = arena_new();
	h->head = (struct http_head){ .content_length = -1 };
	h->last = &h->head.fields;
	strbuf_reset(&h->target);
	strbuf_reset(&h->name);
	strbuf_reset(&h->value);
	h->has_value = false;
	h->is_within = true;
	return 0;
}

static int on_target(http_parser *p, const char *at, size_t n)
{
	strbuf_add(&of(p)->target, at, n);
	return 0;
}

static void keep_field(struct http *h)
{
	struct http_field *f;

	if (!h->has_value)
		return;
	f = arena_new_obj(h->arena, struct http_field);
	f->name = arena_strndup(h->arena, strbuf_cstr(&h->name), h->name.len);
	f->value = arena_strndup(h->arena, strbuf_cstr(&h->value), h->value.len);
	*h->last = f;
	h->last = &f->next;
	strbuf_reset(&h->name);
	strbuf_reset(&h->value);
	h->has_value = false;
}

static int on_field_name(http_parser *p, const char *at, size_t n)
{
	keep_field(of(p));
	strbuf_add(&of(p)->name, at, n);
	return 0;
}

static int on_field_value(http_parser *p, const char *at, size_t n)
{
	of(p)->has_value = true;
	strbuf_add(&of(p)->value, at, n);
	return 0;
}

static int on_head(http_parser *p)
{
	struct http *h = of(p);
	const char *expect;

	if (p->http_major != 1)
		return -1;
	keep_field(h);
	if (h->role == HTTP_REQUESTS) {
		h->head.method = http_method_str((enum http_method)p->method);
		h->head.target = arena_strndup(h->arena, strbuf_cstr(&h->target), h->target.len);
	}
	h->head.status = (int)p->status_code;
	h->head.minor = p->http_minor;
	h->head.wants_upgrade = p->upgrade;
	h->head.is_chunked = (p->flags & F_CHUNKED) != 0;
	if ((p->flags & F_CONTENTLENGTH) && p->content_length <= INT64_MAX)
		h->head.content_length = (int64_t)p->content_length;
	expect = http_field(&h->head, "Expect");
	h->head.expects_continue = expect && strcasecmp(expect, "100-continue") == 0;
	return h->cb->head(h->ctx, &h->head) ? 1 : 0;
}

static int on_body(http_parser *p, const char *at, size_t n)
{
	of(p)->cb->body(of(p)->ctx, at, n);
	return 0;
}

/* Pausing makes the parser return here, with the bytes behind the message untouched. */
static int on_end(http_parser *p)
{
	struct http *h = of(p);

	h->is_within = false;
	h->is_ended = true;
	http_parser_pause(p, 1);
	h->cb->end(h->ctx, http_should_keep_alive(p));
	return 0;
}

static const http_parser_settings settings = {
	.on_message_begin = on_begin,
	.on_url = on_target,
	.on_header_field = on_field_name,
	.on_header_value = on_field_value,
	.on_headers_complete = on_head,
	.on_body = on_body,
	.on_message_complete = on_end,
};

/* ---- the object ---- */

static void begin_message(struct http *h)
{
	http_parser_init(&h->parser, h->role == HTTP_REQUESTS ? HTTP_REQUEST : HTTP_RESPONSE);
	h->parser.data = h;
	h->is_ended = false;
}

struct http *http_new(enum http_role role, const struct http_parser_cb *cb, void *ctx)
{
	struct http *h = xcalloc(1, sizeof(*h));

	http_parser_set_max_header_size(HTTP_HEAD_MAX);
	h->role = role;
	h->cb = cb;
	h->ctx = ctx;
	h->arena = arena_new();
	begin_message(h);
	return h;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	arena_free(h->arena);
	strbuf_done(&h->target);
	strbuf_done(&h->name);
	strbuf_done(&h->value);
	free(h);
}

int http_feed(struct http *h, const char *data, size_t n, size_t *ret_used, bool *ret_is_too_large,
	      struct err *e)
{
	enum http_errno why;
	size_t used;

	if (h->is_ended)
		begin_message(h);
	else if (HTTP_PARSER_ERRNO(&h->parser) == HPE_PAUSED)
		http_parser_pause(&h->parser, 0);

	used = http_parser_execute(&h->parser, &settings, data, n);
	why = HTTP_PARSER_ERRNO(&h->parser);
	if (why == HPE_OK || why == HPE_PAUSED) {
		*ret_used = used;
		return 0;
	}
	*ret_is_too_large = why == HPE_HEADER_OVERFLOW;
	if (why == HPE_CB_headers_complete)
		return err_set(e, ERR_INVALID, "malformed HTTP: not version 1.0 or 1.1");
	return err_set(e, ERR_INVALID, "malformed HTTP: %s", http_errno_description(why));
}

void http_pause(struct http *h)
{
	http_parser_pause(&h->parser, 1);
}

bool http_is_within(const struct http *h)
{
	return h->is_within;
}

/* The parser counts down what is missing of a body with a length; until then it is all ones. */
uint64_t http_body_left(const struct http *h)
{
	if (!h->is_within || h->head.is_chunked || h->head.content_length < 0 || h->parser.content_length > INT64_MAX)
		return 0;
	return h->parser.content_length;
}

void http_skip_body(struct http *h, uint64_t n)
{
	BUG(n >= http_body_left(h), "the end of a body goes through the parser");
	h->parser.content_length -= n;
}

const char *http_field(const struct http_head *h, const char *name)
{
	for (const struct http_field *f = h->fields; f; f = f->next) {
		if (strcasecmp(f->name, name) == 0)
			return f->value;
	}
	return NULL;
}

const char *http_reason(int status)
{
	if (status == 101)
		return "UPGRADED";   /* dockerd's word; some clients compare the whole line */
	return http_status_str((enum http_status)status);
}

/* ---- targets ---- */

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static int unescape(struct arena *a, const char *s, size_t n, bool plus_is_space, char **ret, struct err *e)
{
	char *out = arena_alloc(a, n + 1);
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		int hi, lo;

		if (s[i] == '+' && plus_is_space) {
			out[len++] = ' ';
			continue;
		}
		if (s[i] != '%') {
			out[len++] = s[i];
			continue;
		}
		hi = i + 2 < n ? hex_value(s[i + 1]) : -1;
		lo = i + 2 < n ? hex_value(s[i + 2]) : -1;
		if (hi < 0 || lo < 0 || (hi == 0 && lo == 0))
			return err_set(e, ERR_INVALID, "malformed request target: bad escape");
		out[len++] = (char)(hi << 4 | lo);
		i += 2;
	}
	out[len] = 0;
	*ret = out;
	return 0;
}

static int split_query(struct arena *a, const char *text, struct http_query **ret, size_t *ret_n, struct err *e)
{
	size_t max = 1, n = 0;
	struct http_query *q;

	for (const char *p = text; *p; p++)
		max += *p == '&';
	q = arena_new_array(a, struct http_query, max);
	while (*text) {
		size_t len = strcspn(text, "&");
		const char *eq = memchr(text, '=', len);
		size_t key_len = eq ? (size_t)(eq - text) : len;
		char *key = NULL, *value = NULL;

		if (len > 0) {
			size_t at = eq ? key_len + 1 : len;

			if (unescape(a, text, key_len, true, &key, e) < 0 ||
			    unescape(a, text + at, len - at, true, &value, e) < 0)
				return -1;
			q[n++] = (struct http_query){ .key = key, .value = value };
		}
		text += len;
		text += *text == '&';
	}
	*ret = q;
	*ret_n = n;
	return 0;
}

int http_split_target(struct arena *a, const char *target, char **ret_path, struct http_query **ret_query,
		      size_t *ret_n_query, struct err *e)
{
	struct http_query *query = NULL;
	char *path = NULL;
	size_t n_query = 0, len;

	if (str_starts(target, "http://")) {
		target += strlen("http://");
		target += strcspn(target, "/");
	}
	if (target[0] != '/')
		return err_set(e, ERR_INVALID, "malformed request target '%.100s'", target);
	len = strcspn(target, "?#");
	if (unescape(a, target, len, false, &path, e) < 0)
		return -1;
	if (target[len] == '?') {
		const char *q = target + len + 1;
		char *only = arena_strndup(a, q, strcspn(q, "#"));

		if (split_query(a, only, &query, &n_query, e) < 0)
			return -1;
	}
	*ret_path = path;
	*ret_query = query;
	*ret_n_query = n_query;
	return 0;
}
