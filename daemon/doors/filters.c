/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/doors/filters.h"

#include <regex.h>
#include <string.h>

#include "base/own.h"

enum { FILTERS_MAX_KEYS = 32, FILTERS_MAX_VALUES = 1024, PATTERN_MAX_BYTES = 256, PATTERN_MAX_PLUSES = 4, PATTERN_MAX_COPIED_GROUPS = 1 };

struct parse_ctx {
	struct arena *a;
	struct filters *f;
	const char *const *allowed;
	struct filter *current;
	bool is_unknown;              /* a key is: docker's words are enough then */
};

static const struct jschema any_object = { .spec = "filters" };

struct list_doc { struct str_list values; };
static const struct jfield list_fields[] = { J_STRINGS(struct list_doc, values, "values", 0) };
static const struct jschema list_schema = J_SCHEMA(struct list_doc, "filters", list_fields);

static int add_value(struct parse_ctx *p, const char *value, struct err *e)
{
	struct str_list *l = &p->current->values;

	if (l->n >= FILTERS_MAX_VALUES)
		return err_set(e, ERR_INVALID, "filter '%s': more than %d values", p->current->key, FILTERS_MAX_VALUES);
	if ((l->n & (l->n - 1)) == 0) {   /* grow at powers of two */
		char **v = arena_new_array(p->a, char *, l->n ? l->n * 2 : 1);

		if (l->n)
			memcpy(v, l->v, l->n * sizeof(*v));
		l->v = v;
	}
	l->v[l->n++] = arena_strdup(p->a, value);
	return 0;
}

static int on_map_value(void *ctx, const char *path, const char *value, struct err *e)
{
	return str_eq(value, "true") ? add_value(ctx, path, e) : 0;
}

static bool is_allowed(const char *const *allowed, const char *key)
{
	for (size_t i = 0; allowed[i]; i++)
		if (str_eq(allowed[i], key))
			return true;
	return false;
}

static int on_key(void *ctx, const char *path, const char *value, struct err *e)
{
	struct parse_ctx *p = ctx;
	void *doc = NULL;

	p->is_unknown = !is_allowed(p->allowed, path);
	if (p->is_unknown)
		return err_set(e, ERR_INVALID, "invalid filter '%.64s'", path);
	if (p->f->n >= FILTERS_MAX_KEYS)
		return err_set(e, ERR_INVALID, "more than %d filters", FILTERS_MAX_KEYS);
	p->current = &p->f->v[p->f->n++];
	p->current->key = arena_strdup(p->a, path);
	if (value[0] == '[') {
		char *text = arena_printf(p->a, "{\"values\":%s}", value);

		if (json_decode(text, strlen(text), &list_schema, p->a, NULL, NULL, &doc, e) < 0)
			return err_wrap(e, "filter '%.64s'", path);
		p->current->values = ((struct list_doc *)doc)->values;
		return 0;
	}
	if (value[0] != '{')
		return err_set(e, ERR_INVALID, "filter '%.64s': expected an object or a list", path);
	if (json_decode(value, strlen(value), &any_object, p->a, on_map_value, p, &doc, e) < 0)
		return err_wrap(e, "filter '%.64s'", path);
	return 0;
}

int filters_parse(const char *text, const char *const *allowed, struct arena *a, struct filters *ret, struct err *e)
{
	struct filters f = { .v = arena_new_array(a, struct filter, FILTERS_MAX_KEYS) };
	struct parse_ctx p = { .a = a, .f = &f, .allowed = allowed };
	void *doc = NULL;

	if (!str_is_empty(text) && json_decode(text, strlen(text), &any_object, a, on_key, &p, &doc, e) < 0)
		return p.is_unknown ? -1 : err_wrap(e, "filters");
	*ret = f;
	return 0;
}

const struct str_list *filters_get(const struct filters *f, const char *key)
{
	for (size_t i = 0; i < f->n; i++)
		if (str_eq(f->v[i].key, key))
			return &f->v[i].values;
	return NULL;
}

bool filters_match_exact(const struct filters *f, const char *key, const char *value)
{
	const struct str_list *l = filters_get(f, key);

	for (size_t i = 0; l && i < l->n; i++)
		if (str_eq(l->v[i], value))
			return true;
	return l == NULL || l->n == 0;
}

static bool has_label(const struct str_map *labels, const char *want)
{
	const char *eq = strchr(want, '=');
	size_t n_key = eq ? (size_t)(eq - want) : strlen(want);

	for (size_t i = 0; i < labels->n; i++) {
		const struct str_pair *l = &labels->v[i];

		if (strlen(l->key) == n_key && memcmp(l->key, want, n_key) == 0)
			return eq == NULL || str_eq(l->value, eq + 1);
	}
	return false;
}

bool filters_match_labels(const struct filters *f, const char *key, const struct str_map *labels)
{
	const struct str_list *l = filters_get(f, key);

	for (size_t i = 0; l && i < l->n; i++)
		if (!has_label(labels, l->v[i]))
			return false;
	return true;
}

/*
 * The C library unrolls "{1,255}", copies what stands before each "+", and takes exponential time for "\1". Copies of copies
 * multiply ("a????+++", "((a+)+)+"): so one group may have a plus, and a repetition is not repeated, which Go does not know, either.
 * Names have no braces, so patterns with these are for nobody but an attacker.
 */
static bool is_bounded(const char *pattern)
{
	size_t n_pluses = 0, n_copied_groups = 0;

	for (const char *at = pattern; *at != '\0'; at++) {
		bool repeats = strchr("*+?", *at) != NULL;

		if (*at == '{' || (repeats && at[1] != '\0' && strchr("*+?", at[1]) != NULL))
			return false;
		n_pluses += *at == '+';
		n_copied_groups += *at == ')' && at[1] == '+';
		if (*at == '\\' && (*++at == '\0' || (*at >= '0' && *at <= '9')))
			return false;
	}
	return strlen(pattern) <= PATTERN_MAX_BYTES && n_pluses <= PATTERN_MAX_PLUSES && n_copied_groups <= PATTERN_MAX_COPIED_GROUPS;
}

static bool name_matches(const char *pattern, const char *name)
{
	regex_t re;
	bool does;

	if (!is_bounded(pattern) || regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return strstr(name, pattern) != NULL;
	does = regexec(&re, name, 0, NULL, 0) == 0;
	regfree(&re);
	return does;
}

bool filters_match_name(const struct filters *f, const char *key, const char *name)
{
	const struct str_list *l = filters_get(f, key);

	for (size_t i = 0; l && i < l->n; i++)
		if (name_matches(l->v[i], name))
			return true;
	return l == NULL || l->n == 0;
}
