/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt.h"

#include <string.h>

#include "base/own.h"
#include "base/value.h"

/* One command line being read. */
struct parsing {
	const struct opt_tables *t;
	const struct str_list *argv;
	size_t i;                    /* in argv */
	struct arena *a;
	void *into;
};

const struct opt *opt_next(const struct opt_tables *t, const struct opt *prev)
{
	size_t k = 0;

	if (prev) {
		const struct opt *next = prev + 1;

		if (next->name)
			return next;
		/* whose end is it? */
		for (;; k++) {
			const struct opt *o = t->v[k];

			while (o->name && o != prev)
				o++;
			if (o == prev)
				break;
		}
		k++;
	}
	for (; k < OPT_TABLES_MAX && t->v[k]; k++)
		if (t->v[k]->name)
			return t->v[k];
	return NULL;
}

const struct opt *opt_find(const struct opt_tables *t, const char *name, size_t n)
{
	for (const struct opt *o = opt_next(t, NULL); o; o = opt_next(t, o))
		if (strlen(o->name) == n && memcmp(o->name, name, n) == 0)
			return o;
	return NULL;
}

const struct opt *opt_find_letter(const struct opt_tables *t, char letter)
{
	for (const struct opt *o = opt_next(t, NULL); o; o = opt_next(t, o))
		if (o->letter && o->letter == letter)
			return o;
	return NULL;
}

bool opt_takes_value(const struct opt *o)
{
	return o->type != OPT_BOOL && o->type != OPT_MAYBE;
}

static void add_to_list(struct str_list *l, char *value, struct arena *a)
{
	char **v = arena_new_array(a, char *, l->n + 1);

	if (l->n)
		memcpy(v, l->v, l->n * sizeof(*v));
	v[l->n] = value;
	*l = (struct str_list){ v, l->n + 1 };
}

static int read_bool(const char *value, bool *ret, struct err *e)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		if (!value || str_eq(value, yes[i]) || str_eq(value, no[i])) {
			*ret = !value || str_eq(value, yes[i]);
			return 0;
		}
	return err_set(e, ERR_INVALID, "expected true or false");
}

static int read_number(enum opt_type type, const char *value, int64_t *ret, struct err *e)
{
	switch (type) {
	case OPT_BYTES:
		return value_bytes(value, ret, e);
	case OPT_DURATION:
		return value_duration(value, ret, e);
	case OPT_DECIMAL:
		return value_decimal(value, ret, e);
	default:
		if (!str_to_i64(value[0] == '+' ? value + 1 : value, ret))
			return err_set(e, ERR_INVALID, "expected a whole number");
		return 0;
	}
}

static int store_value(const struct opt *o, char *value, const struct parsing *p, struct err *e)
{
	void *at = (char *)p->into + o->offset;
	struct opt_i64 number = { .set = true };
	struct opt_bool maybe = { .set = true };

	if (o->check && o->check(value, e) < 0)
		return -1;
	switch (o->type) {
	case OPT_BOOL:
		return read_bool(value, at, e);
	case OPT_MAYBE:
		if (read_bool(value, &maybe.v, e) < 0)
			return -1;
		*(struct opt_bool *)at = maybe;
		return 0;
	case OPT_STRING:
		*(const char **)at = value;
		return 0;
	case OPT_LIST:
		add_to_list(at, value, p->a);
		return 0;
	default:
		if (read_number(o->type, value, &number.v, e) < 0)
			return -1;
		*(struct opt_i64 *)at = number;
		return 0;
	}
}

/* "-m, --memory" */
static const char *spelling(const struct opt *o, char out[64])
{
	snprintf(out, 64, o->letter ? "-%c, --%s" : "%.0d--%s", o->letter, o->name);
	return out;
}

static int store(const struct opt *o, char *value, const struct parsing *p, struct err *e)
{
	char out[64];

	if (o->refused)
		return err_set(e, ERR_UNSUPPORTED, "option '--%s' is refused: %s", o->name, o->refused);
	if (store_value(o, value, p, e) == 0)
		return 0;
	return err_wrap(e, "invalid argument \"%.128s\" for \"%s\" flag", value, spelling(o, out));
}

static int parse_long(struct parsing *p, struct err *e)
{
	char *name = p->argv->v[p->i] + 2, *value = strchr(name, '=');
	size_t n = value ? (size_t)(value - name) : strlen(name);
	const struct opt *o = opt_find(p->t, name, n);

	if (!o)
		return err_set(e, ERR_INVALID, "unknown flag: --%.*s", (int)n, name);
	if (value)
		value++;
	else if (opt_takes_value(o)) {
		if (p->i + 1 >= p->argv->n)
			return err_set(e, ERR_INVALID, "flag needs an argument: --%s", o->name);
		value = p->argv->v[++p->i];
	}
	return store(o, value, p, e);
}

static int parse_letters(struct parsing *p, struct err *e)
{
	char *all = p->argv->v[p->i] + 1, *at = all;

	while (*at) {
		const struct opt *o = opt_find_letter(p->t, *at++);
		char *value = NULL;

		if (!o)
			return err_set(e, ERR_INVALID, "unknown shorthand flag: '%c' in -%s", at[-1], all);
		if (*at == '=' || (opt_takes_value(o) && *at)) {
			value = at + (*at == '=');
			at += strlen(at);
		} else if (opt_takes_value(o)) {
			if (p->i + 1 >= p->argv->n)
				return err_set(e, ERR_INVALID, "flag needs an argument: '%c' in -%s", o->letter, all);
			value = p->argv->v[++p->i];
		}
		if (store(o, value, p, e) < 0)
			return -1;
	}
	return 0;
}

/* "-h" is help unless the command has a -h of its own */
static bool is_help(const struct opt_tables *t, const char *arg)
{
	return str_eq(arg, "--help") || (str_eq(arg, "-h") && !opt_find_letter(t, 'h'));
}

int opt_parse(const struct opt_tables *t, bool is_mixed, const struct str_list *argv, struct arena *a, void *into,
	      struct str_list *ret_args, bool *ret_wants_help, struct err *e)
{
	struct parsing p = { .t = t, .argv = argv, .a = a, .into = into };
	struct str_list args = { arena_new_array(a, char *, argv->n + 1), 0 };
	bool is_over = false;

	*ret_wants_help = false;
	for (; p.i < argv->n; p.i++) {
		char *arg = argv->v[p.i];

		if (is_over || arg[0] != '-' || !arg[1]) {
			args.v[args.n++] = arg;
			is_over = is_over || !is_mixed;
		} else if (str_eq(arg, "--")) {
			is_over = true;
		} else if (is_help(t, arg)) {
			*ret_wants_help = true;
			return 0;
		} else if ((arg[1] == '-' ? parse_long : parse_letters)(&p, e) < 0) {
			return -1;
		}
	}
	*ret_args = args;
	return 0;
}

bool opt_is_given(const struct opt *o, const void *from)
{
	const void *at = (const char *)from + o->offset;

	switch (o->type) {
	case OPT_BOOL:
		return *(const bool *)at;
	case OPT_MAYBE:
		return ((const struct opt_bool *)at)->set;
	case OPT_STRING:
		return *(const char *const *)at != NULL;
	case OPT_LIST:
		return ((const struct str_list *)at)->n > 0;
	default:
		return ((const struct opt_i64 *)at)->set;
	}
}

static int emit_one(const struct opt *o, const char *key, const void *at, struct jw *w, struct err *e)
{
	if (o->emit)
		return o->emit(w, key, at, e);
	if (o->type == OPT_BOOL)
		jw_bool(w, key, true);
	else if (o->type == OPT_MAYBE)
		jw_bool(w, key, ((const struct opt_bool *)at)->v);
	else if (o->type == OPT_STRING)
		jw_str(w, key, *(const char *const *)at);
	else if (o->type == OPT_LIST)
		jw_strs(w, key, at);
	else
		jw_i64(w, key, ((const struct opt_i64 *)at)->v);
	return 0;
}

/* The key when @json is directly within @object, else NULL */
static const char *key_within(const char *json, const char *object)
{
	size_t n = object ? strlen(object) : 0;

	if (!json || (n && (strncmp(json, object, n) != 0 || json[n] != '.')))
		return NULL;
	json += n ? n + 1 : 0;
	return strchr(json, '.') ? NULL : json;
}

int opt_emit(const struct opt_tables *t, const void *from, const char *object, struct jw *w, struct err *e)
{
	for (const struct opt *o = opt_next(t, NULL); o; o = opt_next(t, o)) {
		const char *key = o->refused ? NULL : key_within(o->json, object);
		char out[64];

		if (key && opt_is_given(o, from) && emit_one(o, key, (const char *)from + o->offset, w, e) < 0)
			return err_wrap(e, "invalid argument for \"%s\" flag", spelling(o, out));
	}
	return 0;
}
