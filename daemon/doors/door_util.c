/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/doors/door_util.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"

struct pending {
	struct request *r;   /* NULL when the client is gone */
};

static void pending_gone(void *ctx)
{
	struct pending *p = ctx;

	p->r = NULL;
}

struct pending *pending_new(struct request *r)
{
	struct pending *p = xcalloc(1, sizeof(*p));

	p->r = r;
	request_on_gone(r, pending_gone, p);
	return p;
}

struct request *pending_take(struct pending *p)
{
	struct request *r = p->r;

	if (r)
		request_on_gone(r, NULL, NULL);
	free(p);
	return r;
}

struct request *pending_request(const struct pending *p)
{
	return p->r;
}

void pending_reply_204(void *ctx, const struct err *err)
{
	struct request *r = pending_take(ctx);

	if (!r)
		return;
	if (err->kind != ERR_NONE)
		reply_error(r, err);
	else
		reply_empty(r, 204);
}

void pending_reply_changed(void *ctx, const struct err *err, bool changed)
{
	struct request *r = pending_take(ctx);

	if (!r)
		return;
	if (err->kind != ERR_NONE)
		reply_error(r, err);
	else
		reply_empty(r, changed ? 204 : 304);
}

/* One key of a detach sequence: a printable character, or ctrl-<letter or one of @ [ \ ] ^ _>. Returns -1 when it is none. */
static int detach_key(const char *key, size_t n)
{
	char c;

	if (n == 1 && isprint((unsigned char)key[0]))
		return (unsigned char)key[0];
	if (n != 6 || strncmp(key, "ctrl-", 5) != 0)
		return -1;
	c = (char)tolower((unsigned char)key[5]);
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 1;
	if (c == '@')
		return -1;   /* NUL: cannot be told apart from the end of the sequence */
	if (c >= '[' && c <= '_')
		return c - '[' + 27;
	return -1;
}

int detach_keys_parse(const char *text, char *out, size_t room, struct err *e)
{
	size_t n_out = 0;

	out[0] = '\0';
	for (const char *p = text; p && *p;) {
		size_t n = strcspn(p, ",");
		int key = detach_key(p, n);

		if (key < 0)
			return err_set(e, ERR_INVALID, "invalid detach keys '%.64s': unknown character '%.*s'",
				       text, (int)(n < 32 ? n : 32), p);
		if (n_out + 1 >= room)
			return err_set(e, ERR_INVALID, "invalid detach keys '%.64s': more than %zu keys", text, room - 1);
		out[n_out++] = (char)key;
		p += n;
		if (*p == ',' && p[1] == '\0')
			return err_set(e, ERR_INVALID, "invalid detach keys '%.64s': ends with a comma", text);
		p += *p == ',';
	}
	out[n_out] = '\0';
	return 0;
}

int query_i64(const struct request *r, const char *key, int64_t min, int64_t max, int64_t absent,
	      int64_t *ret, struct err *e)
{
	const char *text = request_query(r, key);
	int64_t v = absent;

	if (!str_is_empty(text)) {
		if (!str_to_i64(text, &v))
			return err_set(e, ERR_INVALID, "parameter '%s': expected a number, got '%.64s'", key, text);
		if (v < min || v > max)
			return err_set(e, ERR_INVALID, "parameter '%s': %lld is not between %lld and %lld", key,
				       (long long)v, (long long)min, (long long)max);
	}
	*ret = v;
	return 0;
}

struct container *door_container(struct request *r)
{
	struct container *c = NULL;
	struct err e = {0};

	if (container_find(request_ctx(r), request_param(r, "id"), &c, &e) < 0) {
		reply_error(r, &e);
		return NULL;
	}
	request_object(r, c->id);
	return c;
}

void jw_time(struct jw *w, const char *key, int64_t wall_ns)
{
	char text[CLOCK_TEXT_MAX];

	jw_str(w, key, clock_rfc3339(wall_ns, text));
}
