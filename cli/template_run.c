/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/own.h"
#include "cli/template_priv.h"

struct variable { const char *name; struct tvalue v; struct variable *before; };

enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };

struct running {
	const struct template_data *d;
	struct arena *a;
	struct strbuf *out;
	struct tvalue root, dot;
	struct variable *variables;  /* those in sight, the last first */
	enum flow flow;
};

static int run_list(struct running *r, const struct node *n, struct err *e);
static int eval_pipe(struct running *r, const struct pipe *p, struct tvalue *ret, struct err *e);

/* ---- fields and variables ---- */

/* A member by its name; where there is none, by its name in any case */
static struct jsontext member(struct jsontext v, const char *name)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct jsontext value = jsontext_member(v, name);
	size_t pos = 0;
	char *key;

	if (value.n)
		return value;
	while (jsontext_next(v, &pos, a, &key, &value))
		if (strcasecmp(key, name) == 0)
			return value;
	return (struct jsontext){0};
}

static int row_field(struct running *r, const char *name, const char *arg, struct tvalue *ret, struct err *e)
{
	AUTO_STRBUF struct strbuf text = {0};

	if (!r->d->field(r->d->ctx, name, arg, &text))
		return err_set(e, ERR_INVALID, "template: there is no field '.%.64s'", name);
	*ret = (struct tvalue){ .type = TV_STRING, .text = arena_strdup(r->a, strbuf_cstr(&text)) };
	return 0;
}

/* One step from a value. What a document does not have is an error at once, what a part of it does not have only when it is used. */
static int step(struct running *r, struct tvalue *v, const char *name, bool is_root, struct err *e)
{
	struct jsontext found;

	if (v->type == TV_ROW)
		return row_field(r, name, NULL, v, e);
	if (v->type != TV_JSON || *v->json.at != '{')
		return err_set(e, ERR_INVALID, "template: nothing to look for '.%.64s' in", name);
	found = member(v->json, name);
	if (!found.n && is_root)
		return err_set(e, ERR_INVALID, "template: there is no field '.%.64s'", name);
	*v = found.n ? tvalue_of_json(found, r->a) : (struct tvalue){ .type = TV_ABSENT, .text = name };
	return 0;
}

static bool is_root(const struct running *r, const struct tvalue *v)
{
	return v->type == TV_JSON && v->json.at == r->root.json.at;
}

static int walk(struct running *r, const struct str_list *fields, struct tvalue *v, struct err *e)
{
	for (size_t i = 0; i < fields->n; i++)
		if (step(r, v, fields->v[i], is_root(r, v), e) < 0)
			return -1;
	return 0;
}

static struct variable *find_variable(struct running *r, const char *name)
{
	for (struct variable *v = r->variables; v; v = v->before)
		if (str_eq(v->name, name))
			return v;
	return NULL;
}

static void set_variable(struct running *r, const char *name, struct tvalue value)
{
	struct variable *v = arena_new_obj(r->a, struct variable);

	*v = (struct variable){ name, value, r->variables };
	r->variables = v;
}

/* ---- pipelines ---- */

static int eval_start(struct running *r, const struct term *t, struct tvalue *ret, struct err *e)
{
	struct variable *v;

	switch (t->type) {
	case TERM_LITERAL:
		*ret = t->literal;
		return 0;
	case TERM_PIPE:
		return eval_pipe(r, t->pipe, ret, e);
	case TERM_VARIABLE:
		v = find_variable(r, t->name);
		if (!v)
			return err_set(e, ERR_INVALID, "template: undefined variable '$%.64s'", t->name);
		*ret = v->v;
		return 0;
	default:
		*ret = r->dot;
		return 0;
	}
}

static int call(struct running *r, const struct template_function *f, const struct tvalue *args, size_t n, struct tvalue *ret, struct err *e)
{
	struct template_call c = { .d = r->d, .a = r->a, .args = args, .n = n };

	if (n < f->n_min || n > f->n_max)
		return err_set(e, ERR_INVALID, "template: wrong number of args for %s: %zu", f->name, n);
	if (r->d->is_head && f->keeps_head) {
		*ret = args[0];
		return 0;
	}
	return f->run(&c, ret, e);
}

static int eval_term(struct running *r, const struct term *t, struct tvalue *ret, struct err *e)
{
	if (t->type == TERM_FUNCTION)
		return call(r, t->function, NULL, 0, ret, e) < 0 ? -1 : walk(r, &t->fields, ret, e);
	return eval_start(r, t, ret, e) < 0 ? -1 : walk(r, &t->fields, ret, e);
}

/* {{.Label "key"}}: the only thing of a row that takes an argument */
static int eval_method(struct running *r, const struct template_command *c, struct tvalue *ret, struct err *e)
{
	const struct term *t = &c->terms[0];
	struct tvalue arg = {0};

	if (eval_start(r, t, ret, e) < 0)
		return -1;
	if (ret->type != TV_ROW || t->fields.n != 1 || c->n != 2)
		return err_set(e, ERR_INVALID, "template: can't give argument to non-function '.%.64s'", t->fields.n ? t->fields.v[t->fields.n - 1] : "");
	if (eval_term(r, &c->terms[1], &arg, e) < 0)
		return -1;
	if (arg.type != TV_STRING)
		return err_set(e, ERR_INVALID, "template: '.%.64s' wants a string", t->fields.v[0]);
	return row_field(r, t->fields.v[0], arg.text, ret, e);
}

/* @piped: what came from the left, the last argument; NULL at the beginning */
static int eval_command(struct running *r, const struct template_command *c, const struct tvalue *piped, struct tvalue *ret, struct err *e)
{
	const struct template_function *f = c->terms[0].type == TERM_FUNCTION ? c->terms[0].function : NULL;
	struct tvalue args[TEMPLATE_ARGS_MAX + 1];
	size_t n = 0;

	if (!f && piped)
		return err_set(e, ERR_INVALID, "template: what a value is piped into is no function");
	if (!f)
		return c->n == 1 ? eval_term(r, &c->terms[0], ret, e) : eval_method(r, c, ret, e);
	for (size_t i = 1; i < c->n; i++) {
		if (eval_term(r, &c->terms[i], &args[n++], e) < 0)
			return -1;
		if ((f->stops_at_true && tvalue_is_true(&args[n - 1])) || (f->stops_at_false && !tvalue_is_true(&args[n - 1]))) {
			*ret = args[n - 1];
			return 0;
		}
	}
	if (piped)
		args[n++] = *piped;
	return call(r, f, args, n, ret, e) < 0 ? -1 : walk(r, &c->terms[0].fields, ret, e);
}

/* The value, without giving it to variables */
static int eval_commands(struct running *r, const struct pipe *p, struct tvalue *ret, struct err *e)
{
	struct tvalue v = {0}, piped;

	for (const struct template_command *c = p->first; c; c = c->next) {
		piped = v;
		if (eval_command(r, c, c == p->first ? NULL : &piped, &v, e) < 0)
			return -1;
	}
	*ret = v;
	return 0;
}

static int eval_pipe(struct running *r, const struct pipe *p, struct tvalue *ret, struct err *e)
{
	struct variable *known;

	if (eval_commands(r, p, ret, e) < 0)
		return -1;
	if (p->n_variables == 0)
		return 0;
	known = p->is_assignment ? find_variable(r, p->variables[0]) : NULL;
	if (p->is_assignment && !known)
		return err_set(e, ERR_INVALID, "template: undefined variable '$%.64s'", p->variables[0]);
	if (known)
		known->v = *ret;
	else
		set_variable(r, p->variables[0], *ret);
	return 0;
}

/* ---- nodes ---- */

static int run_action(struct running *r, const struct node *n, struct err *e)
{
	struct tvalue v = {0};

	if (eval_pipe(r, n->pipe, &v, e) < 0)
		return -1;
	if (n->pipe->n_variables)
		return 0;
	if (v.type == TV_ABSENT)
		return err_set(e, ERR_INVALID, "template: there is no '.%.64s'", v.text ? v.text : "");
	tvalue_print(r->d, &v, r->a, r->out);
	return 0;
}

static int run_if(struct running *r, const struct node *n, struct err *e)
{
	struct tvalue v = {0}, dot = r->dot;
	bool is_true;
	int status;

	if (eval_pipe(r, n->pipe, &v, e) < 0)
		return -1;
	is_true = tvalue_is_true(&v);
	if (is_true && n->type == NODE_WITH)
		r->dot = v;
	status = run_list(r, is_true ? n->body : n->otherwise, e);
	r->dot = dot;
	return status;
}

static int run_turn(struct running *r, const struct node *n, struct tvalue key, struct tvalue v, struct err *e)
{
	struct variable *before = r->variables;
	int status;

	if (n->pipe->n_variables == 2)
		set_variable(r, n->pipe->variables[0], key);
	if (n->pipe->n_variables)
		set_variable(r, n->pipe->variables[n->pipe->n_variables - 1], v);
	r->dot = v;
	status = run_list(r, n->body, e);
	r->variables = before;
	return status;
}

struct element { struct tvalue key, v; };

static int by_key(const void *x, const void *y)
{
	return strcmp(((const struct element *)x)->key.text, ((const struct element *)y)->key.text);
}

/* Elements in order, of an object by their keys. Return: how many */
static size_t elements_of(struct running *r, struct jsontext list, struct element **ret)
{
	struct jsontext value;
	size_t pos = 0, n = 0;
	char *key;

	while (jsontext_next(list, &pos, r->a, &key, &value))
		n++;
	*ret = arena_new_array(r->a, struct element, n + 1);
	for (pos = n = 0; jsontext_next(list, &pos, r->a, &key, &value); n++)
		(*ret)[n] = (struct element){
			{ .type = key ? TV_STRING : TV_NUMBER, .text = key ? key : arena_printf(r->a, "%zu", n) }, tvalue_of_json(value, r->a),
		};
	if (n && *list.at == '{')
		qsort(*ret, n, sizeof(**ret), by_key);
	return n;
}

static int run_range(struct running *r, const struct node *n, struct err *e)
{
	struct tvalue v = {0}, dot = r->dot;
	struct element *all = NULL;
	size_t count = 0;
	int status = 0;

	if (eval_commands(r, n->pipe, &v, e) < 0)
		return -1;
	if (v.type != TV_JSON && v.type != TV_NIL && v.type != TV_ABSENT)
		return err_set(e, ERR_INVALID, "template: range can't iterate over what is no list");
	if (v.type == TV_JSON)
		count = elements_of(r, v.json, &all);
	for (size_t i = 0; i < count && status == 0 && r->flow != FLOW_BREAK; i++) {
		r->flow = FLOW_ON;
		status = run_turn(r, n, all[i].key, all[i].v, e);
	}
	r->flow = FLOW_ON;
	r->dot = dot;
	return count || status ? status : run_list(r, n->otherwise, e);
}

static int run_list(struct running *r, const struct node *n, struct err *e)
{
	struct variable *before = r->variables;
	int status = 0;

	for (; n && status == 0 && r->flow == FLOW_ON; n = n->next) {
		if (n->type == NODE_TEXT)
			strbuf_adds(r->out, n->text);
		else if (n->type == NODE_ACTION)
			status = run_action(r, n, e);
		else if (n->type == NODE_RANGE)
			status = run_range(r, n, e);
		else if (n->type == NODE_BREAK || n->type == NODE_CONTINUE)
			r->flow = n->type == NODE_BREAK ? FLOW_BREAK : FLOW_CONTINUE;
		else
			status = run_if(r, n, e);
	}
	r->variables = before;
	return status;
}

int template_run(const struct template *t, const struct template_data *d, struct strbuf *out, struct err *e)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct running r = { .d = d, .a = a, .out = out };

	r.root = d->json.n ? tvalue_of_json(d->json, a) : (struct tvalue){ .type = TV_ROW };
	r.dot = r.root;
	set_variable(&r, "", r.root);
	return run_list(&r, t->first, e);
}
