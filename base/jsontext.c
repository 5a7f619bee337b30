/* SPDX-License-Identifier: Apache-2.0 */
#include "base/jsontext.h"

#include <stdlib.h>
#include <string.h>

struct holder { struct json_raw value; };
static const struct jfield holder_fields[] = { J_RAW(struct holder, value, "value", 0) };
static const struct jschema holder_schema = J_SCHEMA(struct holder, "value", holder_fields);

struct text { char *value; };
static const struct jfield text_fields[] = { J_STRING(struct text, value, "value", J_REQUIRED) };
static const struct jschema text_schema = J_SCHEMA(struct text, "value", text_fields);

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && is_space(*p))
		p++;
	return p;
}

static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		p += *p == '\\' && p + 1 < end;
	return p < end ? p + 1 : end;
}

static const char *skip_value(const char *p, const char *end)
{
	size_t depth = 0;

	while (p < end) {
		if (*p == '"') {
			p = skip_string(p, end);
		} else if (*p == '{' || *p == '[') {
			depth++;
			p++;
			continue;
		} else if (*p == '}' || *p == ']') {
			if (depth == 0)
				return p;
			depth--;
			p++;
		} else if (*p == ',' || *p == ':' || is_space(*p)) {
			if (depth == 0)
				return p;
			p++;
			continue;
		} else {
			for (p++; p < end && !strchr(",:{}[]\" \n\r\t", *p);)
				p++;
		}
		if (depth == 0)
			return p;
	}
	return end;
}

int jsontext_check(const char *text, size_t n, struct jsontext *ret, struct err *e)
{
	AUTO_ARENA struct arena *a = arena_new();
	const char *end = text + n, *at;
	AUTO_STRBUF struct strbuf wrapped = {0};
	struct holder *h = NULL;

	strbuf_adds(&wrapped, "{\"value\":");
	strbuf_add(&wrapped, text, n);
	strbuf_addc(&wrapped, '}');
	if (json_decode(wrapped.data, wrapped.len, &holder_schema, a, NULL, NULL, (void **)&h, e) < 0)
		return -1;
	at = skip_space(text, end);
	*ret = (struct jsontext){ at, (size_t)(skip_value(at, end) - at) };
	/* `1,"b":2` would be fine within the braces */
	if (skip_space(at + ret->n, end) < end)
		return err_set(e, ERR_INVALID, "more than one JSON value");
	return 0;
}

static void new_line(struct strbuf *out, const char *prefix, const char *unit, size_t depth)
{
	strbuf_addc(out, '\n');
	strbuf_adds(out, prefix);
	while (depth--)
		strbuf_adds(out, unit);
}

void jsontext_indent(struct strbuf *out, struct jsontext v, const char *prefix, const char *unit)
{
	const char *end = v.at + v.n;
	size_t depth = 0;

	for (const char *p = v.at; p < end;) {
		const char *next = skip_space(p + 1, end);

		if (is_space(*p)) {
			p++;
			continue;
		}
		if (*p == '"') {
			next = skip_string(p, end);
			strbuf_add(out, p, (size_t)(next - p));
		} else if ((*p == '{' || *p == '[') && next < end && (*next == '}' || *next == ']')) {
			strbuf_addc(out, *p);
			strbuf_addc(out, *next++);
		} else if (*p == '{' || *p == '[') {
			strbuf_addc(out, *p);
			new_line(out, prefix, unit, ++depth);
		} else if (*p == '}' || *p == ']') {
			new_line(out, prefix, unit, --depth);
			strbuf_addc(out, *p);
		} else if (*p == ',') {
			strbuf_addc(out, ',');
			new_line(out, prefix, unit, depth);
		} else if (*p == ':') {
			strbuf_adds(out, ": ");
		} else {
			strbuf_addc(out, *p);
		}
		p = next;
	}
}

void jsontext_compact(struct strbuf *out, struct jsontext v)
{
	const char *end = v.at + v.n;

	for (const char *p = v.at; p < end;) {
		const char *next = *p == '"' ? skip_string(p, end) : p + 1;

		if (!is_space(*p))
			strbuf_add(out, p, (size_t)(next - p));
		p = next;
	}
}

char *jsontext_string(struct jsontext v, struct arena *a)
{
	AUTO_STRBUF struct strbuf wrapped = {0};
	struct text *t = NULL;

	if (v.n < 2 || v.at[0] != '"')
		return arena_strdup(a, "");
	if (!memchr(v.at, '\\', v.n))
		return arena_strndup(a, v.at + 1, v.n - 2);
	strbuf_adds(&wrapped, "{\"value\":");
	strbuf_add(&wrapped, v.at, v.n);
	strbuf_addc(&wrapped, '}');
	if (json_decode(wrapped.data, wrapped.len, &text_schema, a, NULL, NULL, (void **)&t, ERR_IGNORED) < 0)
		return arena_strdup(a, "");
	return t->value;
}

bool jsontext_next(struct jsontext v, size_t *pos, struct arena *a, char **ret_key, struct jsontext *ret)
{
	const char *end, *p, *from;

	if (v.n < 2)
		return false;   /* what is not there has no place either */
	end = v.at + v.n;
	p = v.at + *pos;
	if (*pos == 0) {
		if (*v.at != '{' && *v.at != '[')
			return false;
		p++;
	}
	p = skip_space(p, end);
	if (p < end && *p == ',')
		p = skip_space(p + 1, end);
	if (p >= end || *p == '}' || *p == ']')
		return false;
	*ret_key = NULL;
	if (*v.at == '{') {
		from = p;
		p = skip_string(p, end);
		*ret_key = jsontext_string((struct jsontext){ from, (size_t)(p - from) }, a);
		p = skip_space(p, end);
		p = skip_space(p + 1, end);
	}
	from = p;
	p = skip_value(p, end);
	*ret = (struct jsontext){ from, (size_t)(p - from) };
	*pos = (size_t)(p - v.at);
	return true;
}

struct jsontext jsontext_member(struct jsontext v, const char *key)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct jsontext value;
	size_t pos = 0;
	char *k;

	if (v.n && *v.at == '{')
		while (jsontext_next(v, &pos, a, &k, &value))
			if (str_eq(k, key))
				return value;
	return (struct jsontext){0};
}

struct jsontext jsontext_element(struct jsontext v, size_t i)
{
	struct jsontext value;
	size_t pos = 0;
	char *k;

	if (v.n && *v.at == '[')
		while (jsontext_next(v, &pos, NULL, &k, &value))
			if (i-- == 0)
				return value;
	return (struct jsontext){0};
}

struct pair { char *key; struct jsontext value; };

static int by_key(const void *x, const void *y)
{
	return strcmp(((const struct pair *)x)->key, ((const struct pair *)y)->key);
}

static void print_map(struct strbuf *out, struct jsontext v, struct arena *a)
{
	struct jsontext value;
	struct pair *pairs;
	size_t n = 0, pos = 0;
	char *key;

	while (jsontext_next(v, &pos, a, &key, &value))
		n++;
	pairs = arena_new_array(a, struct pair, n + 1);
	for (pos = n = 0; jsontext_next(v, &pos, a, &key, &value); n++)
		pairs[n] = (struct pair){ key, value };
	qsort(pairs, n, sizeof(*pairs), by_key);
	strbuf_adds(out, "map[");
	for (size_t i = 0; i < n; i++) {
		strbuf_addf(out, "%s%s:", i ? " " : "", pairs[i].key);
		jsontext_print(out, pairs[i].value, a);
	}
	strbuf_addc(out, ']');
}

void jsontext_print(struct strbuf *out, struct jsontext v, struct arena *a)
{
	struct jsontext value;
	size_t pos = 0, n = 0;
	char *key;

	if (v.n == 0) {
		strbuf_adds(out, "<no value>");
	} else if (*v.at == '"') {
		strbuf_adds(out, jsontext_string(v, a));
	} else if (*v.at == '{') {
		print_map(out, v, a);
	} else if (*v.at == '[') {
		strbuf_addc(out, '[');
		while (jsontext_next(v, &pos, a, &key, &value)) {
			strbuf_adds(out, n++ ? " " : "");
			jsontext_print(out, value, a);
		}
		strbuf_addc(out, ']');
	} else if (v.n == 4 && memcmp(v.at, "null", 4) == 0) {
		strbuf_adds(out, "<nil>");
	} else {
		strbuf_add(out, v.at, v.n);
	}
}
