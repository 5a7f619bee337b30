/* SPDX-License-Identifier: Apache-2.0 */
/* The writing half of base/json.h: struct jw, and json_emit() by the tables. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/* --- strings ------------------------------------------------------------------------------------- */

static void add_escaped(struct strbuf *out, unsigned char c)
{
	static const char shorts[32] = {
		['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
	};

	if (c == '"' || c == '\\')
		strbuf_addf(out, "\\%c", c);
	else if (shorts[c] != 0)
		strbuf_addf(out, "\\%c", shorts[c]);
	else
		strbuf_addf(out, "\\u%04x", c);
}

/* ASCII that is copied as it is */
static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static void add_string(struct strbuf *out, const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t plain = 0; /* start of what can be copied as it is */

	strbuf_reserve(out, n + 2);
	strbuf_addc(out, '"');
	for (size_t i = 0; i < n;) {
		size_t len = is_plain(p[i]) ? 1 : str_utf8_length(p + i, n - i);

		if (len > 1 || is_plain(p[i])) {
			i += len;
			continue;
		}
		strbuf_add(out, s + plain, i - plain);
		if (len == 0)
			strbuf_adds(out, "\xef\xbf\xbd"); /* U+FFFD, one for each wrong byte */
		else
			add_escaped(out, p[i]);
		plain = ++i;
	}
	strbuf_add(out, s + plain, n - plain);
	strbuf_addc(out, '"');
}

/* --- the writer ---------------------------------------------------------------------------------- */

void jw_init(struct jw *w, struct strbuf *out)
{
	*w = (struct jw){ .out = out };
}

/* The comma before an element, and its key. */
static void begin(struct jw *w, const char *key)
{
	if (w->depth > 0) {
		if (w->comma[w->depth])
			strbuf_addc(w->out, ',');
		w->comma[w->depth] = true;
	}
	if (key != NULL) {
		add_string(w->out, key, strlen(key));
		strbuf_addc(w->out, ':');
	}
}

static void open_level(struct jw *w, const char *key, char c)
{
	begin(w, key);
	BUG(w->depth >= JSON_MAX_DEPTH, "JSON written deeper than %d", JSON_MAX_DEPTH);
	w->comma[++w->depth] = false;
	strbuf_addc(w->out, c);
}

static void close_level(struct jw *w, char c)
{
	BUG(w->depth == 0, "JSON '%c' without its beginning", c);
	w->depth--;
	strbuf_addc(w->out, c);
}

void jw_obj(struct jw *w, const char *key)
{
	open_level(w, key, '{');
}

void jw_obj_end(struct jw *w)
{
	close_level(w, '}');
}

void jw_arr(struct jw *w, const char *key)
{
	open_level(w, key, '[');
}

void jw_arr_end(struct jw *w)
{
	close_level(w, ']');
}

void jw_strn(struct jw *w, const char *key, const char *v, size_t n)
{
	begin(w, key);
	add_string(w->out, v, n);
}

void jw_str(struct jw *w, const char *key, const char *v)
{
	jw_strn(w, key, v != NULL ? v : "", v != NULL ? strlen(v) : 0);
}

void jw_i64(struct jw *w, const char *key, int64_t v)
{
	begin(w, key);
	strbuf_addf(w->out, "%lld", (long long)v);
}

void jw_u64(struct jw *w, const char *key, uint64_t v)
{
	begin(w, key);
	strbuf_addf(w->out, "%llu", (unsigned long long)v);
}

/* The shortest text that reads back as the same number; JSON knows no infinities, those are null. */
void jw_dbl(struct jw *w, const char *key, double v)
{
	char text[40];

	if (!isfinite(v)) {
		jw_null(w, key);
		return;
	}
	for (int precision = 15; precision <= 17; precision++) {
		snprintf(text, sizeof(text), "%.*g", precision, v);
		if (strtod(text, NULL) == v)
			break;
	}
	begin(w, key);
	strbuf_adds(w->out, text);
}

void jw_bool(struct jw *w, const char *key, bool v)
{
	begin(w, key);
	strbuf_adds(w->out, v ? "true" : "false");
}

void jw_null(struct jw *w, const char *key)
{
	begin(w, key);
	strbuf_adds(w->out, "null");
}

void jw_raw(struct jw *w, const char *key, const char *json)
{
	begin(w, key);
	strbuf_adds(w->out, json != NULL ? json : "null");
}

void jw_strs(struct jw *w, const char *key, const struct str_list *l)
{
	jw_arr(w, key);
	for (size_t i = 0; i < l->n; i++)
		jw_str(w, NULL, l->v[i]);
	jw_arr_end(w);
}

void jw_map(struct jw *w, const char *key, const struct str_map *m)
{
	jw_obj(w, key);
	for (size_t i = 0; i < m->n; i++)
		jw_str(w, m->v[i].key, m->v[i].value);
	jw_obj_end(w);
}

const char *str_map_get(const struct str_map *m, const char *key)
{
	for (size_t i = 0; i < m->n; i++) {
		if (strcmp(m->v[i].key, key) == 0)
			return m->v[i].value;
	}
	return NULL;
}

/* --- structs by their tables --------------------------------------------------------------------- */

#define MEMBER(ctype) ((const ctype *)((const char *)obj + f->offset))
#define COUNT         (*(const size_t *)((const char *)obj + f->count_offset))

static bool is_empty(const struct jfield *f, const void *obj)
{
	switch (f->type) {
	case J_T_BOOL:
		return !*MEMBER(bool);
	case J_T_OPT_BOOL:
		return !MEMBER(struct opt_bool)->set;
	case J_T_I64:
		return *MEMBER(int64_t) == 0;
	case J_T_U64:
		return *MEMBER(uint64_t) == 0;
	case J_T_U32:
		return *MEMBER(uint32_t) == 0;
	case J_T_OPT_I64:
		return !MEMBER(struct opt_i64)->set;
	case J_T_OPT_U64:
		return !MEMBER(struct opt_u64)->set;
	case J_T_DOUBLE:
		return *MEMBER(double) == 0;
	case J_T_STRING:
		return str_is_empty(*MEMBER(char *));
	case J_T_STRINGS:
		return MEMBER(struct str_list)->n == 0;
	case J_T_OPT_STRINGS:
		return !MEMBER(struct opt_strs)->set;
	case J_T_MAP:
		return MEMBER(struct str_map)->n == 0;
	case J_T_OBJECT:
		return *MEMBER(void *) == NULL;
	case J_T_ARRAY:
	case J_T_OBJECT_MAP:
		return COUNT == 0;
	case J_T_RAW:
		return MEMBER(struct json_raw)->text == NULL;
	}
	return false;
}

/* Whether an empty value of this type has no other text than null. */
static bool is_null_when_empty(const struct jfield *f)
{
	switch (f->type) {
	case J_T_OPT_BOOL:
	case J_T_OPT_I64:
	case J_T_OPT_U64:
	case J_T_OPT_STRINGS:
	case J_T_OBJECT:
	case J_T_RAW:
		return true;
	case J_T_STRING:
	case J_T_STRINGS:
	case J_T_MAP:
	case J_T_ARRAY:
	case J_T_OBJECT_MAP:
		return (f->flags & J_NULLABLE) != 0;
	default:
		return false;
	}
}

static void emit_fields(struct jw *w, const struct jschema *schema, const void *obj,
			bool is_map_entry);

static void emit_items(struct jw *w, const struct jfield *f, const void *obj)
{
	const char *items = *MEMBER(char *);

	jw_arr(w, f->name);
	for (size_t i = 0; i < COUNT; i++)
		jw_struct(w, NULL, f->schema, items + i * f->schema->size);
	jw_arr_end(w);
}

static void emit_object_map(struct jw *w, const struct jfield *f, const void *obj)
{
	const char *items = *MEMBER(char *);

	jw_obj(w, f->name);
	for (size_t i = 0; i < COUNT; i++) {
		const char *one = items + i * f->schema->size;

		jw_obj(w, *(char *const *)one);
		emit_fields(w, f->schema, one, true);
		jw_obj_end(w);
	}
	jw_obj_end(w);
}

static void emit_value(struct jw *w, const struct jfield *f, const void *obj)
{
	switch (f->type) {
	case J_T_BOOL:
		jw_bool(w, f->name, *MEMBER(bool));
		break;
	case J_T_OPT_BOOL:
		jw_bool(w, f->name, MEMBER(struct opt_bool)->v);
		break;
	case J_T_I64:
		jw_i64(w, f->name, *MEMBER(int64_t));
		break;
	case J_T_U64:
		jw_u64(w, f->name, *MEMBER(uint64_t));
		break;
	case J_T_U32:
		jw_u64(w, f->name, *MEMBER(uint32_t));
		break;
	case J_T_OPT_I64:
		jw_i64(w, f->name, MEMBER(struct opt_i64)->v);
		break;
	case J_T_OPT_U64:
		jw_u64(w, f->name, MEMBER(struct opt_u64)->v);
		break;
	case J_T_DOUBLE:
		jw_dbl(w, f->name, *MEMBER(double));
		break;
	case J_T_STRING:
		jw_str(w, f->name, *MEMBER(char *));
		break;
	case J_T_STRINGS:
		jw_strs(w, f->name, MEMBER(struct str_list));
		break;
	case J_T_OPT_STRINGS:
		jw_strs(w, f->name, &MEMBER(struct opt_strs)->v);
		break;
	case J_T_MAP:
		jw_map(w, f->name, MEMBER(struct str_map));
		break;
	case J_T_OBJECT:
		jw_struct(w, f->name, f->schema, *MEMBER(void *));
		break;
	case J_T_ARRAY:
		emit_items(w, f, obj);
		break;
	case J_T_OBJECT_MAP:
		emit_object_map(w, f, obj);
		break;
	case J_T_RAW:
		jw_raw(w, f->name, MEMBER(struct json_raw)->text);
		break;
	}
}

/* The key of a map entry is its first member: a row for it would write it twice. */
static void emit_fields(struct jw *w, const struct jschema *schema, const void *obj,
			bool is_map_entry)
{
	for (size_t i = 0; i < schema->n_fields; i++) {
		const struct jfield *f = &schema->fields[i];

		if (is_map_entry && f->offset == 0)
			continue;
		if (!is_empty(f, obj))
			emit_value(w, f, obj);
		else if ((f->flags & J_OMIT_EMPTY) != 0)
			continue;
		else if (is_null_when_empty(f))
			jw_null(w, f->name);
		else
			emit_value(w, f, obj);
	}
}

void jw_struct(struct jw *w, const char *key, const struct jschema *schema, const void *obj)
{
	if (obj == NULL) {
		jw_null(w, key);
		return;
	}
	jw_obj(w, key);
	emit_fields(w, schema, obj, false);
	jw_obj_end(w);
}

void json_emit(const struct jschema *schema, const void *obj, struct strbuf *out)
{
	struct jw w;

	jw_init(&w, out);
	jw_struct(&w, NULL, schema, obj);
}
