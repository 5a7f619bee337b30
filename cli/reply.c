/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/reply.h"

#include <string.h>

void path_segment(struct strbuf *path, const char *text)
{
	strbuf_addc(path, '/');
	api_escape(path, text);
}

void path_query(struct strbuf *path, const char *key, const char *value)
{
	if (!value)
		return;
	strbuf_addf(path, "%c%s=", strchr(strbuf_cstr(path), '?') ? '&' : '?', key);
	api_escape(path, value);
}

void path_flag(struct strbuf *path, const char *key, bool on)
{
	path_query(path, key, on ? "1" : NULL);
}

void path_number(struct strbuf *path, const char *key, const struct opt_i64 *value)
{
	AUTO_STRBUF struct strbuf text = {0};

	if (!value->set)
		return;
	strbuf_addf(&text, "%lld", (long long)value->v);
	path_query(path, key, text.data);
}

static bool is_first_of_key(const struct str_list *l, size_t i)
{
	size_t n = strcspn(l->v[i], "=") + 1;

	for (size_t k = 0; k < i; k++)
		if (strncmp(l->v[k], l->v[i], n) == 0)
			return false;
	return true;
}

/* {"status":["running","exited"],"label":["a=b"]} */
void path_filters(struct strbuf *path, const struct str_list *filters)
{
	AUTO_STRBUF struct strbuf json = {0};
	struct jw w;

	if (filters->n == 0)
		return;
	jw_init(&w, &json);
	jw_obj(&w, NULL);
	for (size_t i = 0; i < filters->n; i++) {
		size_t n = strcspn(filters->v[i], "=");
		AUTO_STRBUF struct strbuf key = {0};

		if (!is_first_of_key(filters, i))
			continue;
		strbuf_add(&key, filters->v[i], n);
		jw_arr(&w, key.data);
		for (size_t k = i; k < filters->n; k++)
			if (strncmp(filters->v[k], filters->v[i], n + 1) == 0)
				jw_str(&w, NULL, filters->v[k] + n + 1);
		jw_arr_end(&w);
	}
	jw_obj_end(&w);
	path_query(path, "filters", json.data);
}

int filter_check(const char *text, struct err *e)
{
	return strchr(text, '=') ? 0 : err_set(e, ERR_INVALID, "bad format of filter (expected name=value)");
}

char *path_of(struct arena *a, const char *kind, const char *name, const char *verb)
{
	AUTO_STRBUF struct strbuf path = {0};

	strbuf_addf(&path, "/%s", kind);
	path_segment(&path, name);
	strbuf_addf(&path, "%s%s", verb[0] && verb[0] != '?' ? "/" : "", verb);
	return arena_strdup(a, path.data);
}

int reply_decode(const struct call *c, const struct strbuf *body, const struct jschema *schema, void **ret, struct err *e)
{
	if (json_decode(strbuf_cstr(body), body->len, schema, c->a, NULL, NULL, ret, e) < 0)
		return err_wrap(e, "the daemon's answer");
	return 0;
}

int reply_get(const struct call *c, const char *path, const struct jschema *schema, void **ret, struct err *e)
{
	AUTO_STRBUF struct strbuf body = {0};
	int status;

	if (api_call(c->host, "GET", path, NULL, &status, &body, e) < 0)
		return -1;
	return reply_decode(c, &body, schema, ret, e);
}

/* An array has no schema of its own: it is decoded as the only member of an object. */
struct list { void *v; size_t n; };

int reply_decode_list(const struct call *c, const struct strbuf *body, const struct jschema *schema, void **ret, size_t *ret_n,
		      struct err *e)
{
	const struct jfield field = J_ARRAY(struct list, v, n, "rows", schema, J_REQUIRED);
	const struct jschema list_schema = { .spec = "list", .size = sizeof(struct list), .fields = &field, .n_fields = 1 };
	AUTO_STRBUF struct strbuf wrapped = {0};
	struct list *l = NULL;

	strbuf_addf(&wrapped, "{\"rows\":%s}", strbuf_cstr(body));
	if (json_decode(wrapped.data, wrapped.len, &list_schema, c->a, NULL, NULL, (void **)&l, e) < 0)
		return err_wrap(e, "the daemon's answer");
	*ret = l->v;
	*ret_n = l->n;
	return 0;
}

int reply_list(const struct call *c, const char *path, const struct jschema *schema, void **ret, size_t *ret_n, struct err *e)
{
	AUTO_STRBUF struct strbuf body = {0};
	int status;

	if (api_call(c->host, "GET", path, NULL, &status, &body, e) < 0)
		return -1;
	return reply_decode_list(c, &body, schema, ret, ret_n, e);
}

int reply_json(const struct call *c, const char *path, struct strbuf *ret_body, struct jsontext *ret, struct err *e)
{
	int status;

	if (api_call(c->host, "GET", path, NULL, &status, ret_body, e) < 0)
		return -1;
	return jsontext_check(strbuf_cstr(ret_body), ret_body->len, ret, e) < 0 ? err_wrap(e, "the daemon's answer") : 0;
}

int reply_post(const struct call *c, const char *method, const char *path, const char *json, struct strbuf *ret_body, struct err *e)
{
	AUTO_STRBUF struct strbuf body = {0};
	int status;

	return api_call(c->host, method, path, json, &status, ret_body ? ret_body : &body, e);
}
