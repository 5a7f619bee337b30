/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of templates: Go's own and docker's. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "cli/human.h"
#include "cli/template_priv.h"

enum { WIDTH_MAX = 1000 };

static struct tvalue text_value(struct arena *a, const char *text)
{
	return (struct tvalue){ .type = TV_STRING, .text = arena_strdup(a, text) };
}

static struct tvalue bool_value(bool is_true)
{
	return (struct tvalue){ .type = TV_BOOL, .is_true = is_true };
}

static char *plain(const struct template_call *c, size_t i)
{
	AUTO_STRBUF struct strbuf out = {0};

	tvalue_print(c->d, &c->args[i], c->a, &out);
	return arena_strdup(c->a, strbuf_cstr(&out));
}

static int wrong_type(const char *name, const char *want, struct err *e)
{
	return err_set(e, ERR_INVALID, "template: %s wants %s", name, want);
}

/* ---- logic ---- */

static int run_last(const struct template_call *c, struct tvalue *ret, struct err *e)
{
	(void)e;
	*ret = c->args[c->n - 1];
	return 0;
}

static int run_not(const struct template_call *c, struct tvalue *ret, struct err *e)
{
	(void)e;
	*ret = bool_value(!tvalue_is_true(&c->args[0]));
	return 0;
}

static bool is_nothing(const struct tvalue *v)
{
	return v->type == TV_NIL || v->type == TV_ABSENT;
}

/* -1, 0, 1; numbers exactly where both are whole */
static int compare_numbers(const char *x, const char *y)
{
	double p, q;
	int64_t i, k;

	if (str_to_i64(x, &i) && str_to_i64(y, &k))
		return (i > k) - (i < k);
	p = strtod(x, NULL);
	q = strtod(y, NULL);
	return (p > q) - (p < q);
}

static int compare(const struct tvalue *x, const struct tvalue *y, int *ret, struct err *e)
{
	if (x->type != y->type && !(is_nothing(x) || is_nothing(y)))
		return err_set(e, ERR_INVALID, "template: incompatible types for comparison");
	if (is_nothing(x) || is_nothing(y))
		*ret = is_nothing(x) && is_nothing(y) ? 0 : 1;
	else if (x->type == TV_STRING)
		*ret = strcmp(x->text, y->text);
	else if (x->type == TV_NUMBER)
		*ret = compare_numbers(x->text, y->text);
	else if (x->type == TV_BOOL)
		*ret = x->is_true != y->is_true;
	else
		return err_set(e, ERR_INVALID, "template: lists and objects cannot be compared");
	return 0;
}

/* eq takes more than one to compare with */
static int run_eq(const struct template_call *c, struct tvalue *ret, struct err *e)
{
	bool is_one = false;
	int order;

	for (size_t i = 1; i < c->n; i++) {
		if (compare(&c->args[0], &c->args[i], &order, e) < 0)
			return -1;
		is_one = is_one || order == 0;
	}
	*ret = bool_value(is_one);
	return 0;
}

static int run_ne(const struct template_call *c, struct tvalue *ret, struct err *e)
{
	if (run_eq(c, ret, e) < 0)
		return -1;
	ret->is_true = !ret->is_true;
	return 0;
}

static int ordered(const struct template_call *c, int *ret, struct err *e)
{
	if (c->args[0].type != TV_STRING && c->args[0].type != TV_NUMBER)
		return wrong_type("a comparison", "numbers or strings", e);
	return compare(&c->args[0], &c->args[1], ret, e);
}

#define ORDERED(name, test) \
	static int run_##name(const struct template_call *c, struct tvalue *ret, struct err *e) \
	{ \
		int order; \
		if (ordered(c, &order, e) < 0) \
			return -1; \
		*ret = bool_value(order test 0); \
		return 0; \
	}
ORDERED(lt, <)
ORDERED(le, <=)
ORDERED(gt, >)
ORDERED(ge, >=)

/* ---- lists and objects ---- */

static int run_len(const struct template_call *c, struct tvalue *ret, struct err *e)
{
	const struct tvalue *v = &c->args[0];
	struct jsontext one;
	size_t n = 0, pos = 0;
	char *key;

	if (v->type == TV_STRING)
		n = strlen(v->text);
	else if (v->type == TV_JSON)
		while (jsontext_next(v->json, &pos, c->a, &key, &one))
			n++;
	else if (v->type != TV_NIL && v->type != TV_ABSENT)
		return wrong_type("len", "a string, a list or an object", e);
	*ret = (struct tvalue){ .type = TV_NUMBER, .text = arena_printf(c->a, "%zu", n) };
	return 0;
}

/* What an object of strings does not have is "", as of Go's maps */
static int run_index(const struct template_call *c, struct tvalue *ret, struct err *e)
{
	struct tvalue v = c->args[0];
	uint64_t i = 0;

	for (size_t k = 1; k < c->n; k++) {
		const struct tvalue *by = &c->args[k];
		struct jsontext found;

		if (v.type != TV_JSON && !is_nothing(&v))
			return wrong_type("index", "a list or an object", e);
		if (is_nothing(&v)) {
			*ret = text_value(c->a, "");
			return 0;
		}
		if (*v.json.at == '[' && (by->type != TV_NUMBER || !str_to_u64(by->text, &i)))
			return wrong_type("index of a list", "a number", e);
		if (*v.json.at == '{' && by->type != TV_STRING)
			return wrong_type("index of an object", "a string", e);
		found = *v.json.at == '[' ? jsontext_element(v.json, i) : jsontext_member(v.json, by->text);
		if (!found.n && *v.json.at == '[')
			return err_set(e, ERR_INVALID, "template: index out of range: %s", by->text);
		v = found.n ? tvalue_of_json(found, c->a) : text_value(c->a, "");
	}
	*ret = v;
	return 0;
}

static int run_join(const struct template_call *c, struct tvalue *ret, struct err *e)
{
	AUTO_STRBUF struct strbuf out = {0};
	struct jsontext one;
	size_t pos = 0, n = 0;
	char *key;

	if ((c->args[0].type != TV_JSON || *c->args[0].json.at != '[') && c->args[0].type != TV_NIL)
		return wrong_type("join", "a list", e);
	while (jsontext_next(c->args[0].json, &pos, c->a, &key, &one)) {
		strbuf_adds(&out, n++ ? plain(c, 1) : "");
		jsontext_print(&out, one, c->a);
	}
	*ret = text_value(c->a, strbuf_cstr(&out));
	return 0;
}

static int run_split(const struct template_call *c, struct tvalue *ret, struct err *e)
{
	const char *p = plain(c, 0), *apart = plain(c, 1), *at;
	AUTO_STRBUF struct strbuf out = {0};
	struct jw w;

	if (!apart[0])
		return wrong_type("split", "something to split at", e);
	jw_init(&w, &out);
	jw_arr(&w, NULL);
	for (; (at = strstr(p, apart)); p = at + strlen(apart))
		jw_strn(&w, NULL, p, (size_t)(at - p));
	jw_str(&w, NULL, p);
	jw_arr_end(&w);
	*ret = (struct tvalue){ .type = TV_JSON, .json = { arena_strdup(c->a, out.data), out.len } };
	return 0;
}

/* ---- texts ---- */

static int run_json(const struct template_call *c, struct tvalue *ret, struct err *e)
{
	const struct tvalue *v = &c->args[0];
	AUTO_STRBUF struct strbuf out = {0};
	struct jw w;

	(void)e;
	jw_init(&w, &out);
	if (v->type == TV_JSON)
		strbuf_add(&out, v->json.at, v->json.n);
	else if (v->type == TV_STRING)
		jw_str(&w, NULL, v->text);
	else if (is_nothing(v))
		jw_null(&w, NULL);
	else
		tvalue_print(c->d, v, c->a, &out);
	*ret = text_value(c->a, strbuf_cstr(&out));
	return 0;
}

static struct tvalue mapped(const struct template_call *c, int (*map)(int))
{
	char *text = plain(c, 0);

	for (char *p = text; *p; p++)
		*p = (char)map((unsigned char)*p);
	return (struct tvalue){ .type = TV_STRING, .text = text };
}

static int run_upper(const struct template_call *c, struct tvalue *ret, struct err *e)
{
	(void)e;
	*ret = mapped(c, toupper);
	return 0;
}

static int run_lower(const struct template_call *c, struct tvalue *ret, struct err *e)
{
	(void)e;
	*ret = mapped(c, tolower);
	return 0;
}

static int run_title(const struct template_call *c, struct tvalue *ret, struct err *e)
{
	char *text = plain(c, 0);

	(void)e;
	for (char *p = text; *p; p++)
		if (p == text || isspace((unsigned char)p[-1]))
			*p = (char)toupper((unsigned char)*p);
	*ret = (struct tvalue){ .type = TV_STRING, .text = text };
	return 0;
}

/* A whole number from 0 to WIDTH_MAX */
static int width_of(const struct template_call *c, size_t i, const char *name, size_t *ret, struct err *e)
{
	uint64_t n;

	if (c->args[i].type != TV_NUMBER || !str_to_u64(c->args[i].text, &n) || n > WIDTH_MAX)
		return wrong_type(name, "a number up to 1000", e);
	*ret = n;
	return 0;
}

/* pad TEXT BEFORE BEHIND */
static int run_pad(const struct template_call *c, struct tvalue *ret, struct err *e)
{
	size_t before, behind;
	char *text = plain(c, 0);

	if (width_of(c, 1, "pad", &before, e) < 0 || width_of(c, 2, "pad", &behind, e) < 0)
		return -1;
	if (text[0])
		text = arena_printf(c->a, "%*s%s%*s", (int)before, "", text, (int)behind, "");
	*ret = (struct tvalue){ .type = TV_STRING, .text = text };
	return 0;
}

/* truncate TEXT WIDTH: characters */
static int run_truncate(const struct template_call *c, struct tvalue *ret, struct err *e)
{
	char *text = plain(c, 0), *p = text;
	size_t width;

	if (width_of(c, 1, "truncate", &width, e) < 0)
		return -1;
	for (size_t n = 0; *p; p++) {
		n += ((unsigned char)*p & 0xc0) != 0x80;
		if (n > width)
			break;
	}
	*p = 0;
	*ret = (struct tvalue){ .type = TV_STRING, .text = text };
	return 0;
}

/* Go's Sprint: a space between two of which neither is a string */
static int run_print(const struct template_call *c, struct tvalue *ret, struct err *e)
{
	AUTO_STRBUF struct strbuf out = {0};

	(void)e;
	for (size_t i = 0; i < c->n; i++) {
		bool apart = i && c->args[i].type != TV_STRING && c->args[i - 1].type != TV_STRING;

		strbuf_addf(&out, "%s%s", apart ? " " : "", plain(c, i));
	}
	*ret = text_value(c->a, strbuf_cstr(&out));
	return 0;
}

static int run_println(const struct template_call *c, struct tvalue *ret, struct err *e)
{
	AUTO_STRBUF struct strbuf out = {0};

	(void)e;
	for (size_t i = 0; i < c->n; i++)
		strbuf_addf(&out, "%s%s", i ? " " : "", plain(c, i));
	strbuf_addc(&out, '\n');
	*ret = text_value(c->a, out.data);
	return 0;
}

/* ---- printf ---- */

struct verb { bool is_left, is_zero; int width, precision; char letter; };   /* precision -1: none */

static int read_digits(const char **p)
{
	int n = 0;

	for (; isdigit((unsigned char)**p); (*p)++)
		n = n < WIDTH_MAX ? n * 10 + (**p - '0') : n;
	return n < WIDTH_MAX ? n : WIDTH_MAX;
}

/* Behind the '%' */
static struct verb read_verb(const char **p)
{
	struct verb v = { .precision = -1 };

	for (; **p == '-' || **p == '0'; (*p)++) {
		v.is_left = v.is_left || **p == '-';
		v.is_zero = v.is_zero || **p == '0';
	}
	v.width = read_digits(p);
	if (**p == '.') {
		(*p)++;
		v.precision = read_digits(p);
	}
	v.letter = **p;
	*p += **p != 0;
	return v;
}

/* What a verb shows of a value, without its width */
static int show(const struct template_call *c, const struct verb *v, size_t i, struct strbuf *out, struct err *e)
{
	const char *text = plain(c, i);
	bool is_number = c->args[i].type == TV_NUMBER;
	size_t len = strlen(text);
	int64_t n = -1;

	if (v->letter == 'q')
		human_quote(out, text);
	else if (strchr("svt", v->letter))
		strbuf_add(out, text, v->precision >= 0 && len > (size_t)v->precision ? (size_t)v->precision : len);
	else if (v->letter == 'f' && is_number)
		strbuf_addf(out, "%.*f", v->precision < 0 ? 6 : v->precision, strtod(text, NULL));
	else if (v->letter == 'd' && is_number && str_to_i64(text, &n))
		strbuf_addf(out, "%lld", (long long)n);
	else if (is_number && str_to_i64(text, &n) && n >= 0)
		strbuf_addf(out, v->letter == 'x' ? "%llx" : v->letter == 'X' ? "%llX" : "%llo", (long long)n);
	else
		return err_set(e, ERR_INVALID, "template: printf: '%%%c' does not fit '%.64s'", v->letter, text);
	return 0;
}

static int format_one(const struct template_call *c, const struct verb *v, size_t i, struct strbuf *out, struct err *e)
{
	AUTO_STRBUF struct strbuf text = {0};
	size_t room;

	if (show(c, v, i, &text, e) < 0)
		return -1;
	room = human_width(strbuf_cstr(&text));
	room = room < (size_t)v->width ? (size_t)v->width - room : 0;
	for (size_t k = 0; k < room && !v->is_left; k++)
		strbuf_addc(out, v->is_zero ? '0' : ' ');
	strbuf_adds(out, strbuf_cstr(&text));
	for (size_t k = 0; k < room && v->is_left; k++)
		strbuf_addc(out, ' ');
	return 0;
}

static int run_printf(const struct template_call *c, struct tvalue *ret, struct err *e)
{
	AUTO_STRBUF struct strbuf out = {0};
	size_t i = 1;

	if (c->args[0].type != TV_STRING)
		return wrong_type("printf", "a format", e);
	for (const char *p = c->args[0].text; *p;) {
		struct verb v;

		if (*p != '%' || p[1] == '%') {
			strbuf_addc(&out, *p);
			p += *p == '%' ? 2 : 1;
			continue;
		}
		p++;
		v = read_verb(&p);
		if (!v.letter || !strchr("svqtdxXof", v.letter))
			return wrong_type("printf", "%s, %v, %q, %t, %d, %x, %o or %f", e);
		if (i >= c->n)
			return wrong_type("printf", "a value for each verb", e);
		if (format_one(c, &v, i++, &out, e) < 0)
			return -1;
	}
	*ret = text_value(c->a, strbuf_cstr(&out));
	return 0;
}

/* ---- the table ---- */

#define MANY TEMPLATE_ARGS_MAX
#define FUNCTION(n, min, max, fn, ...) { .name = (n), .n_min = (min), .n_max = (max), .run = (fn), ##__VA_ARGS__ }

const struct template_function *template_find_function(const char *name, size_t n)
{
	static const struct template_function all[] = {
		FUNCTION("and", 1, MANY, run_last, .stops_at_false = true),
		FUNCTION("or", 1, MANY, run_last, .stops_at_true = true),
		FUNCTION("not", 1, 1, run_not),
		FUNCTION("eq", 2, MANY, run_eq),
		FUNCTION("ne", 2, 2, run_ne),
		FUNCTION("lt", 2, 2, run_lt),
		FUNCTION("le", 2, 2, run_le),
		FUNCTION("gt", 2, 2, run_gt),
		FUNCTION("ge", 2, 2, run_ge),
		FUNCTION("len", 1, 1, run_len),
		FUNCTION("index", 1, MANY, run_index),
		FUNCTION("print", 0, MANY, run_print),
		FUNCTION("println", 0, MANY, run_println),
		FUNCTION("printf", 1, MANY, run_printf),
		FUNCTION("json", 1, 1, run_json, .keeps_head = true),
		FUNCTION("join", 2, 2, run_join),
		FUNCTION("split", 2, 2, run_split),
		FUNCTION("upper", 1, 1, run_upper, .keeps_head = true),
		FUNCTION("lower", 1, 1, run_lower, .keeps_head = true),
		FUNCTION("title", 1, 1, run_title, .keeps_head = true),
		FUNCTION("pad", 3, 3, run_pad, .keeps_head = true),
		FUNCTION("truncate", 2, 2, run_truncate, .keeps_head = true),
		{ .name = "call" }, { .name = "html" }, { .name = "js" }, { .name = "slice" }, { .name = "urlquery" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (strlen(all[i].name) == n && memcmp(all[i].name, name, n) == 0)
			return &all[i];
	return NULL;
}
