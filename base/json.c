/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation: json_scan() checks what jansson cannot (depth, NUL, integers outside int64), jansson
 * makes a tree, and decode_struct() walks it by the schema, one function per member type. The path to
 * the value at hand is a list of frames on the stack, printed only when something is wrong. The recursion
 * is as deep as the text, which is JSON_MAX_DEPTH at most.
 */
#include "base/json.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/defence.h"
#include "base/json_scan.h"
#include "base/own.h"

#define PATH_PRINT_MAX 300 /* characters of a path in a message */
#define NUMBER_MAX     48  /* characters of a number in a message */

/* A frame of the path: a key, or where that is NULL an index. */
struct at {
	const struct at *parent;
	const char *key;
	size_t index;
};

struct decoder {
	const char *text; /* the original, with the digits of marked integers */
	size_t n;
	struct arena *arena;
	json_unknown_fn unknown;
	void *ctx;
	struct err *e;
};

static void json_tree_done(json_t **tree)
{
	json_decref(*tree);
	*tree = NULL;
}

/* --- saying what is wrong ------------------------------------------------------------------------ */

static void print_path(const struct at *at, struct strbuf *out)
{
	if (at == NULL)
		return;
	print_path(at->parent, out);
	if (at->key == NULL) {
		strbuf_addf(out, "[%zu]", at->index);
	} else {
		if (out->len > 0)
			strbuf_addc(out, '.');
		strbuf_adds(out, at->key);
	}
}

static int wrong(struct decoder *d, const struct at *at, const char *what)
{
	AUTO_STRBUF struct strbuf path = { 0 };

	print_path(at, &path);
	return err_set(d->e, ERR_INVALID, "%.*s%s%s", PATH_PRINT_MAX, strbuf_cstr(&path),
		       path.len > 0 ? ": " : "", what);
}

static bool is_marked(json_t *v)
{
	size_t offset;

	return json_is_string(v) &&
	       json_mark_offset(json_string_value(v), json_string_length(v), &offset);
}

static const char *type_name(json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return "object";
	case JSON_ARRAY:
		return "array";
	case JSON_STRING:
		return is_marked(v) ? "number" : "string";
	case JSON_INTEGER:
	case JSON_REAL:
		return "number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "boolean";
	default:
		return "null";
	}
}

static int expected(struct decoder *d, const struct at *at, const char *what, json_t *got)
{
	char text[64];

	snprintf(text, sizeof(text), "expected %s, got %s", what, type_name(got));
	return wrong(d, at, text);
}

/* --- compact text of a value --------------------------------------------------------------------- */

/* The digits of a marked integer in the original text, sign included. */
static const char *marked_text(struct decoder *d, json_t *v, size_t *ret_n)
{
	size_t offset = 0;
	size_t end;

	json_mark_offset(json_string_value(v), json_string_length(v), &offset);
	BUG(offset >= d->n, "mark at %zu in a text of %zu", offset, d->n);
	for (end = offset + 1; end < d->n && d->text[end] >= '0' && d->text[end] <= '9';)
		end++;
	*ret_n = end - offset;
	return d->text + offset;
}

static void dump_value(struct decoder *d, struct jw *w, const char *key, json_t *v)
{
	const char *name;
	json_t *item;
	size_t i;

	switch (json_typeof(v)) {
	case JSON_OBJECT:
		jw_obj(w, key);
		json_object_foreach(v, name, item)
			dump_value(d, w, name, item);
		jw_obj_end(w);
		break;
	case JSON_ARRAY:
		jw_arr(w, key);
		json_array_foreach(v, i, item)
			dump_value(d, w, NULL, item);
		jw_arr_end(w);
		break;
	case JSON_STRING:
		if (is_marked(v)) {
			const char *digits = marked_text(d, v, &i);
			AUTO_FREE char *copy = xstrndup(digits, i);

			jw_raw(w, key, copy);
		} else {
			jw_strn(w, key, json_string_value(v), json_string_length(v));
		}
		break;
	case JSON_INTEGER:
		jw_i64(w, key, json_integer_value(v));
		break;
	case JSON_REAL:
		jw_dbl(w, key, json_real_value(v));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		jw_bool(w, key, json_is_true(v));
		break;
	default:
		jw_null(w, key);
	}
}

static void dump(struct decoder *d, json_t *v, struct strbuf *out)
{
	struct jw w;

	jw_init(&w, out);
	dump_value(d, &w, NULL, v);
}

/* --- one function per member type ---------------------------------------------------------------- */

static int decode_struct(struct decoder *d, const struct at *at, json_t *v,
			 const struct jschema *schema, void *obj);

/* An integer by sign and magnitude; what is beyond 64 bits is_huge. */
struct integer {
	bool is_negative;
	bool is_huge;
	uint64_t magnitude;
};

static bool read_integer(struct decoder *d, json_t *v, struct integer *ret)
{
	AUTO_FREE char *digits = NULL;
	const char *text;
	size_t n;

	*ret = (struct integer){ 0 };
	if (json_is_integer(v)) {
		json_int_t i = json_integer_value(v);

		ret->is_negative = i < 0;
		ret->magnitude = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
		return true;
	}
	if (!is_marked(v))
		return false;
	text = marked_text(d, v, &n);
	ret->is_negative = text[0] == '-';
	digits = xstrndup(text + (ret->is_negative ? 1 : 0), n - (ret->is_negative ? 1 : 0));
	ret->is_huge = !str_to_u64(digits, &ret->magnitude);
	return true;
}

static int out_of_range(struct decoder *d, const struct at *at, json_t *v, const char *range)
{
	AUTO_STRBUF struct strbuf got = { 0 };
	char text[160];

	dump(d, v, &got);
	snprintf(text, sizeof(text), "expected integer from %s, got %.*s%s", range, NUMBER_MAX,
		 strbuf_cstr(&got), got.len > NUMBER_MAX ? "..." : "");
	return wrong(d, at, text);
}

static int read_u64(struct decoder *d, const struct at *at, json_t *v, uint64_t *ret)
{
	struct integer i;

	if (!read_integer(d, v, &i))
		return expected(d, at, "integer", v);
	if (i.is_huge || (i.is_negative && i.magnitude > 0))
		return out_of_range(d, at, v, "0 to 18446744073709551615");
	*ret = i.magnitude;
	return 0;
}

static int read_i64(struct decoder *d, const struct at *at, json_t *v, int64_t *ret)
{
	struct integer i;

	if (!read_integer(d, v, &i))
		return expected(d, at, "integer", v);
	/* jansson has read all that fit */
	if (!json_is_integer(v))
		return out_of_range(d, at, v, "-9223372036854775808 to 9223372036854775807");
	*ret = json_integer_value(v);
	return 0;
}

static int read_string(struct decoder *d, const struct at *at, json_t *v, char **ret)
{
	if (!json_is_string(v) || is_marked(v))
		return expected(d, at, "string", v);
	*ret = arena_strndup(d->arena, json_string_value(v), json_string_length(v));
	return 0;
}

/* The arguments of every decode_<type>(): where, the row, the value (never null), the struct. */
#define DECODE_ARGS \
	struct decoder *d, const struct at *at, const struct jfield *f, json_t *v, void *obj
#define MEMBER(ctype) ((ctype *)((char *)obj + f->offset))
#define COUNT         (*(size_t *)((char *)obj + f->count_offset))

static int decode_bool(DECODE_ARGS)
{
	if (!json_is_boolean(v))
		return expected(d, at, "boolean", v);
	*MEMBER(bool) = json_is_true(v);
	return 0;
}

static int decode_opt_bool(DECODE_ARGS)
{
	if (!json_is_boolean(v))
		return expected(d, at, "boolean", v);
	*MEMBER(struct opt_bool) = (struct opt_bool){ .set = true, .v = json_is_true(v) };
	return 0;
}

static int decode_i64(DECODE_ARGS)
{
	return read_i64(d, at, v, MEMBER(int64_t));
}

static int decode_u64(DECODE_ARGS)
{
	return read_u64(d, at, v, MEMBER(uint64_t));
}

static int decode_u32(DECODE_ARGS)
{
	struct integer i;

	if (!read_integer(d, v, &i))
		return expected(d, at, "integer", v);
	if (i.is_huge || (i.is_negative && i.magnitude > 0) || i.magnitude > UINT32_MAX)
		return out_of_range(d, at, v, "0 to 4294967295");
	*MEMBER(uint32_t) = (uint32_t)i.magnitude;
	return 0;
}

static int decode_opt_i64(DECODE_ARGS)
{
	struct opt_i64 *m = MEMBER(struct opt_i64);

	m->set = true;
	return read_i64(d, at, v, &m->v);
}

static int decode_opt_u64(DECODE_ARGS)
{
	struct opt_u64 *m = MEMBER(struct opt_u64);

	m->set = true;
	return read_u64(d, at, v, &m->v);
}

static int decode_double(DECODE_ARGS)
{
	if (json_is_number(v)) {
		*MEMBER(double) = json_number_value(v);
	} else if (is_marked(v)) {
		size_t n;
		const char *digits = marked_text(d, v, &n);
		AUTO_FREE char *copy = xstrndup(digits, n);

		*MEMBER(double) = strtod(copy, NULL);
		if (isinf(*MEMBER(double)))
			return wrong(d, at, "number is too large");
	} else {
		return expected(d, at, "number", v);
	}
	return 0;
}

static int decode_string(DECODE_ARGS)
{
	return read_string(d, at, v, MEMBER(char *));
}

static int read_strings(struct decoder *d, const struct at *at, json_t *v, struct str_list *list)
{
	size_t n = json_array_size(v);

	if (!json_is_array(v))
		return expected(d, at, "array of strings", v);
	list->v = arena_new_array(d->arena, char *, n + 1);
	for (size_t i = 0; i < n; i++) {
		struct at item = { .parent = at, .index = i };

		if (read_string(d, &item, json_array_get(v, i), &list->v[i]) < 0)
			return -1;
	}
	list->n = n;
	return 0;
}

static int decode_strings(DECODE_ARGS)
{
	struct str_list *list = MEMBER(struct str_list);

	if ((f->flags & J_OR_STRING) && json_is_string(v)) {
		list->v = arena_new_array(d->arena, char *, 2);
		list->n = 1;
		return read_string(d, at, v, &list->v[0]);
	}
	return read_strings(d, at, v, list);
}

static int decode_opt_strings(DECODE_ARGS)
{
	struct opt_strs *list = MEMBER(struct opt_strs);

	list->set = true;
	return read_strings(d, at, v, &list->v);
}

static int decode_map(DECODE_ARGS)
{
	struct str_map *map = MEMBER(struct str_map);
	const char *key;
	json_t *value;

	if (!json_is_object(v))
		return expected(d, at, "object of strings", v);
	map->v = arena_new_array(d->arena, struct str_pair, json_object_size(v));
	json_object_foreach(v, key, value) {
		struct at item = { .parent = at, .key = key };
		struct str_pair *pair = &map->v[map->n];

		if (read_string(d, &item, value, &pair->value) < 0)
			return -1;
		pair->key = arena_strdup(d->arena, key);
		map->n++;
	}
	return 0;
}

static int decode_object(DECODE_ARGS)
{
	void *inner = arena_alloc(d->arena, f->schema->size);

	if (decode_struct(d, at, v, f->schema, inner) < 0)
		return -1;
	*MEMBER(void *) = inner;
	return 0;
}

static int decode_array(DECODE_ARGS)
{
	size_t n = json_array_size(v);
	char *items;

	if (!json_is_array(v))
		return expected(d, at, "array", v);
	items = arena_alloc_n(d->arena, f->schema->size, n);
	for (size_t i = 0; i < n; i++) {
		struct at item = { .parent = at, .index = i };

		if (decode_struct(d, &item, json_array_get(v, i), f->schema,
				  items + i * f->schema->size) < 0)
			return -1;
	}
	*MEMBER(void *) = items;
	COUNT = n;
	return 0;
}

/* A null value is an empty struct: clients send {"EndpointsConfig": {"net": null}}. */
static int decode_object_map(DECODE_ARGS)
{
	const char *key;
	json_t *value;
	size_t n = 0;
	char *items;

	if (!json_is_object(v))
		return expected(d, at, "object", v);
	items = arena_alloc_n(d->arena, f->schema->size, json_object_size(v));
	json_object_foreach(v, key, value) {
		struct at item = { .parent = at, .key = key };
		char *one = items + n++ * f->schema->size;

		if (!json_is_null(value) && decode_struct(d, &item, value, f->schema, one) < 0)
			return -1;
		*(char **)one = arena_strdup(d->arena, key);
	}
	*MEMBER(void *) = items;
	COUNT = n;
	return 0;
}

static int decode_raw(DECODE_ARGS)
{
	AUTO_STRBUF struct strbuf out = { 0 };

	(void)at;
	dump(d, v, &out);
	*MEMBER(struct json_raw) = (struct json_raw){
		.text = arena_strndup(d->arena, out.data, out.len),
		.len = out.len,
	};
	return 0;
}

static int (*const decoders[])(DECODE_ARGS) = {
	[J_T_BOOL] = decode_bool,       [J_T_OPT_BOOL] = decode_opt_bool,
	[J_T_I64] = decode_i64,         [J_T_U64] = decode_u64,
	[J_T_U32] = decode_u32,         [J_T_OPT_I64] = decode_opt_i64,
	[J_T_OPT_U64] = decode_opt_u64, [J_T_DOUBLE] = decode_double,
	[J_T_STRING] = decode_string,   [J_T_STRINGS] = decode_strings,
	[J_T_OPT_STRINGS] = decode_opt_strings,
	[J_T_MAP] = decode_map,         [J_T_OBJECT] = decode_object,
	[J_T_ARRAY] = decode_array,     [J_T_OBJECT_MAP] = decode_object_map,
	[J_T_RAW] = decode_raw,
};

/* --- a struct ------------------------------------------------------------------------------------ */

static const struct jfield *find_row(const struct jschema *schema, const char *key)
{
	for (size_t i = 0; i < schema->n_fields; i++) {
		if (strcmp(schema->fields[i].name, key) == 0)
			return &schema->fields[i];
	}
	for (size_t i = 0; schema->fold_case && i < schema->n_fields; i++) {
		if (strcasecmp(schema->fields[i].name, key) == 0)
			return &schema->fields[i];
	}
	return NULL;
}

static int unknown_key(struct decoder *d, const struct at *at, json_t *v)
{
	AUTO_STRBUF struct strbuf path = { 0 };
	AUTO_STRBUF struct strbuf text = { 0 };

	if (d->unknown == NULL)
		return 0;
	print_path(at, &path);
	dump(d, v, &text);
	return d->unknown(d->ctx, strbuf_cstr(&path), strbuf_cstr(&text), d->e);
}

static int check_required(struct decoder *d, const struct at *at, const struct jschema *schema,
			  const bool *seen)
{
	for (size_t i = 0; i < schema->n_fields; i++) {
		struct at missing = { .parent = at, .key = schema->fields[i].name };

		if (DEFENCE(REQUIRED_FIELDS, (schema->fields[i].flags & J_REQUIRED) != 0 && !seen[i], false))
			return wrong(d, &missing, "required, but missing");
	}
	return 0;
}

static int decode_struct(struct decoder *d, const struct at *at, json_t *v,
			 const struct jschema *schema, void *obj)
{
	AUTO_FREE bool *seen = xcalloc(schema->n_fields, sizeof(*seen));
	AUTO_FREE bool *met = xcalloc(schema->n_fields, sizeof(*met));
	const char *key;
	json_t *value;

	if (!json_is_object(v))
		return expected(d, at, "object", v);
	json_object_foreach(v, key, value) {
		struct at here = { .parent = at, .key = key };
		const struct jfield *f = find_row(schema, key);

		if (f == NULL) {
			if (unknown_key(d, &here, value) < 0)
				return -1;
			continue;
		}
		/* "Name" and "name" are one key where case is folded: two readers may differ on who wins */
		if (met[f - schema->fields])
			return wrong(d, &here, "duplicate key");
		met[f - schema->fields] = true;
		if (json_is_null(value))
			continue;
		if (decoders[f->type](d, &here, f, value, obj) < 0)
			return -1;
		seen[f - schema->fields] = true;
	}
	return check_required(d, at, schema, seen);
}

/* --- the text ------------------------------------------------------------------------------------ */

/* jansson's message without its excerpt of the text, which may be long, or a mark of ours. */
static int parse_error(const char *text, size_t n, const json_error_t *error, struct err *e)
{
	AUTO_FREE char *what = xstrdup(error->text);
	char *near = strstr(what, " near ");

	if (near != NULL)
		*near = '\0';
	if (json_error_code(error) == json_error_premature_end_of_input)
		return json_err_at(text, n, n, "unexpected end", e);
	if (json_error_code(error) == json_error_duplicate_key)
		return json_err_at(text, n, (size_t)error->position, "duplicate key", e);
	return json_err_at(text, n, error->position > 0 ? (size_t)error->position : 0, what, e);
}

static int parse(const char *text, size_t n, json_t **ret_tree, struct err *e)
{
	AUTO_FREE char *marked = NULL;
	json_error_t error;
	json_t *tree;

	if (json_scan(text, n, &marked, e) < 0)
		return -1;
	tree = json_loadb(marked != NULL ? marked : text, n,
			  JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
	if (tree == NULL)
		return parse_error(text, n, &error, e);
	*ret_tree = tree;
	return 0;
}

/* Out of memory, jansson leaves out characters of a string and says nothing: the process ends instead, as elsewhere. */
__attribute__((constructor)) static void never_out_of_memory(void)
{
	json_set_alloc_funcs(xmalloc, free);
}

int json_decode(const char *text, size_t n, const struct jschema *schema, struct arena *arena,
		json_unknown_fn unknown, void *ctx, void **ret, struct err *e)
{
	AUTO(json_tree_done) json_t *tree = NULL;
	struct decoder d = {
		.text = text,
		.n = n,
		.arena = arena,
		.unknown = unknown,
		.ctx = ctx,
		.e = e,
	};
	void *obj;

	if (parse(text, n, &tree, e) < 0)
		return -1;
	obj = arena_alloc(arena, schema->size);
	if (decode_struct(&d, NULL, tree, schema, obj) < 0)
		return -1;
	*ret = obj;
	return 0;
}
