/* SPDX-License-Identifier: Apache-2.0 */
/* The same bytes in one piece and in small ones give the same messages; what is refused says why; targets decode or not. */
#include "daemon/http.h"

#include "base/own.h"
#include "base/str.h"
#include "tests/fuzz/fuzz.h"

struct seen {
	struct strbuf text;
	bool is_ended;
};

static bool on_head(void *ctx, const struct http_head *h)
{
	struct seen *s = ctx;
	size_t n_fields = 0;

	for (const struct http_field *f = h->fields; f; f = f->next) {
		FUZZ_CHECK(f->name && f->value);
		FUZZ_CHECK(http_field(h, f->name) != NULL);
		n_fields++;
	}
	FUZZ_CHECK(h->content_length >= -1);
	strbuf_addf(&s->text, "[%s %s %d %zu %d]", h->method ? h->method : "", h->target ? h->target : "", h->status, n_fields,
		    h->wants_upgrade);
	if (h->target) {
		AUTO_ARENA struct arena *a = arena_new();
		struct http_query *q = NULL;
		struct err e = { 0 };
		char *path = NULL;
		size_t n = 0;

		if (http_split_target(a, h->target, &path, &q, &n, &e) == 0) {
			FUZZ_CHECK(path[0] == '/');
			for (size_t i = 0; i < n; i++)
				FUZZ_CHECK(q[i].key && q[i].value);
		} else {
			FUZZ_CHECK(e.kind == ERR_INVALID && e.msg[0]);
		}
	}
	return false;
}

static void on_body(void *ctx, const char *data, size_t n)
{
	strbuf_add(&((struct seen *)ctx)->text, data, n);
}

static void on_end(void *ctx, bool keep_alive)
{
	struct seen *s = ctx;

	strbuf_adds(&s->text, keep_alive ? "<keep>" : "<end>");
	s->is_ended = true;
}

static const struct http_parser_cb cb = { .head = on_head, .body = on_body, .end = on_end };

/* Up to eight messages. Return: 0, or -1 when it was refused */
static int parse(enum http_role role, const char *data, size_t n, size_t step, struct seen *s)
{
	struct http *h = http_new(role, &cb, s);
	int rc = 0, n_messages = 0;
	size_t at = 0;

	while (at < n && n_messages < 8 && rc == 0) {
		size_t len = n - at < step ? n - at : step, used = 0;
		bool is_large = false;
		struct err e = { 0 };

		s->is_ended = false;
		rc = http_feed(h, data + at, len, &used, &is_large, &e);
		FUZZ_CHECK(rc == 0 || (e.kind == ERR_INVALID && e.msg[0]));
		FUZZ_CHECK(used <= len);
		FUZZ_CHECK(rc < 0 || used == len || s->is_ended);
		at += used;
		n_messages += s->is_ended;
	}
	http_free(h);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const size_t steps[] = { 1, 3, 17 };

	for (int role = HTTP_REQUESTS; role <= HTTP_RESPONSES; role++) {
		struct seen first = { 0 };
		int rc = parse(role, (const char *)data, n, n, &first);

		for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
			struct seen again = { 0 };

			FUZZ_CHECK(parse(role, (const char *)data, n, steps[i], &again) == rc);
			FUZZ_CHECK(strcmp(strbuf_cstr(&first.text), strbuf_cstr(&again.text)) == 0);
			strbuf_done(&again.text);
		}
		strbuf_done(&first.text);
	}
	return 0;
}
