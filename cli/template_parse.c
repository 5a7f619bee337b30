/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation: text up to "{{" is a node; between the braces tokens are read one ahead (next_token()) by a recursive
 * descent: list -> action -> pipe -> command -> term. Depth is counted, so that no template exhausts the stack.
 */
#include <ctype.h>
#include <string.h>

#include "base/own.h"
#include "cli/template_priv.h"

enum token_type {
	T_CLOSE, T_DOT, T_FIELD, T_VARIABLE, T_WORD, T_STRING, T_NUMBER, T_BAR, T_OPEN_PAREN, T_CLOSE_PAREN,
	T_DECLARE, T_ASSIGN, T_COMMA,
};

struct token {
	enum token_type type;
	const char *text;            /* a name, a string unescaped, a number */
	const char *at;              /* where it begins, for errors */
	bool is_apart;               /* there is space before it */
};

struct parser {
	const char *p;               /* behind the token ahead */
	struct token t;              /* the token ahead, within an action */
	struct arena *a;
	unsigned depth;
	unsigned n_ranges;           /* around us */
	bool trims_next;             /* the action was closed by " -}}" */
	const char *open;            /* where the action begins */
};

static int fail(const struct parser *s, const char *why, struct err *e)
{
	size_t n = strcspn(s->t.at, "\n");

	return err_set(e, ERR_INVALID, "template parsing error: %s at '%.*s'", why, (int)(n < 32 ? n : 32), s->t.at);
}

/* ---- tokens ---- */

static const char *word_end(const char *p)
{
	while (isalnum((unsigned char)*p) || *p == '_')
		p++;
	return p;
}

/* "…" with Go's usual escapes, or `…` as it is */
static int read_string(struct parser *s, struct err *e)
{
	static const char plain[] = "abfnrtv\\\"'", codes[] = "\a\b\f\n\r\t\v\\\"'";
	AUTO_STRBUF struct strbuf out = {0};
	char quote = *s->p++;

	while (*s->p && *s->p != quote) {
		const char *known = quote == '"' && *s->p == '\\' && s->p[1] ? strchr(plain, s->p[1]) : NULL;

		if (quote == '"' && (*s->p == '\n' || (*s->p == '\\' && !known)))
			return fail(s, "an escape that is not known", e);
		strbuf_addc(&out, known ? codes[known - plain] : *s->p);
		s->p += known ? 2 : 1;
	}
	if (!*s->p)
		return fail(s, "a string that does not end", e);
	s->p++;
	s->t.type = T_STRING;
	s->t.text = arena_strdup(s->a, strbuf_cstr(&out));
	return 0;
}

/* "-12", "0.5": as JSON has them. Return: its length, 0 when it is none */
static size_t number_length(const char *p)
{
	size_t n = p[0] == '-' || p[0] == '+', digits = n;

	while (isdigit((unsigned char)p[n]))
		n++;
	if (n > digits && p[n] == '.')
		for (n++; isdigit((unsigned char)p[n]);)
			n++;
	return n > digits ? n : 0;
}

static void take(struct parser *s, enum token_type type, const char *text, size_t n)
{
	s->t.type = type;
	s->t.text = text ? arena_strndup(s->a, text, n) : NULL;
	s->p = text ? text + n : s->p + n;
}

static int next_token(struct parser *s, struct err *e)
{
	static const struct { const char *text; enum token_type type; } marks[] = {
		{ "}}", T_CLOSE }, { ":=", T_DECLARE }, { "=", T_ASSIGN }, { "|", T_BAR }, { "(", T_OPEN_PAREN },
		{ ")", T_CLOSE_PAREN }, { ",", T_COMMA },
	};
	const char *p = s->p;
	size_t n;

	while (isspace((unsigned char)*p))
		p++;
	s->t = (struct token){ .at = p, .is_apart = p != s->p };
	if (s->t.is_apart && str_starts(p, "-}}")) {
		s->trims_next = true;
		p++;
	}
	s->p = p;
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (str_starts(p, marks[i].text)) {
			take(s, marks[i].type, NULL, strlen(marks[i].text));
			return 0;
		}
	if (!*p) {
		s->t.at = s->open;
		return fail(s, "unclosed action", e);
	}
	n = number_length(p);
	if (*p == '"' || *p == '`')
		return read_string(s, e);
	if (n)
		take(s, T_NUMBER, p, n);
	else if (*p == '.')
		take(s, word_end(p + 1) > p + 1 ? T_FIELD : T_DOT, p + 1, (size_t)(word_end(p + 1) - p - 1));
	else if (*p == '$')
		take(s, T_VARIABLE, p + 1, (size_t)(word_end(p + 1) - p - 1));
	else if (word_end(p) > p)
		take(s, T_WORD, p, (size_t)(word_end(p) - p));
	else
		return fail(s, "unexpected character", e);
	return 0;
}

static bool is_word(const struct parser *s, const char *word)
{
	return s->t.type == T_WORD && str_eq(s->t.text, word);
}

/* ---- pipelines ---- */

static int parse_pipe(struct parser *s, enum token_type end, struct pipe **ret, struct err *e);

static void add_field(struct parser *s, struct str_list *l, const char *name)
{
	char **v = arena_new_array(s->a, char *, l->n + 1);

	if (l->n)
		memcpy(v, l->v, l->n * sizeof(*v));
	v[l->n] = arena_strdup(s->a, name);
	*l = (struct str_list){ v, l->n + 1 };
}

/* ".B.C" right behind a term */
static int parse_fields(struct parser *s, struct term *t, struct err *e)
{
	while (s->t.type == T_FIELD && !s->t.is_apart) {
		add_field(s, &t->fields, s->t.text);
		if (next_token(s, e) < 0)
			return -1;
	}
	return s->t.type == T_DOT && !s->t.is_apart ? fail(s, "a dot without a field", e) : 0;
}

static int parse_word(struct parser *s, struct term *t, struct err *e)
{
	const char *name = s->t.text;

	if (str_eq(name, "true") || str_eq(name, "false")) {
		t->type = TERM_LITERAL;
		t->literal = (struct tvalue){ .type = TV_BOOL, .is_true = name[0] == 't' };
		return 0;
	}
	t->type = str_eq(name, "nil") ? TERM_LITERAL : TERM_FUNCTION;
	t->literal = (struct tvalue){ .type = TV_NIL };
	if (t->type == TERM_LITERAL)
		return 0;
	t->function = template_find_function(name, strlen(name));
	if (!t->function)
		return err_set(e, ERR_INVALID, "template parsing error: function \"%.64s\" not defined", name);
	if (!t->function->run)
		return err_set(e, ERR_UNSUPPORTED, "template function '%s' is refused: Kiln does not have it", name);
	return 0;
}

/* Reads a term and the token behind it */
static int parse_term(struct parser *s, struct term *t, struct err *e)
{
	switch (s->t.type) {
	case T_DOT:
		t->type = TERM_DOT;
		break;
	case T_FIELD:
		t->type = TERM_DOT;
		add_field(s, &t->fields, s->t.text);
		break;
	case T_VARIABLE:
		t->type = TERM_VARIABLE;
		t->name = s->t.text;
		break;
	case T_STRING:
	case T_NUMBER:
		t->type = TERM_LITERAL;
		t->literal = (struct tvalue){ .type = s->t.type == T_STRING ? TV_STRING : TV_NUMBER, .text = s->t.text };
		break;
	case T_WORD:
		if (parse_word(s, t, e) < 0)
			return -1;
		break;
	case T_OPEN_PAREN:
		t->type = TERM_PIPE;
		if (next_token(s, e) < 0 || parse_pipe(s, T_CLOSE_PAREN, &t->pipe, e) < 0)
			return -1;
		break;
	default:
		return fail(s, "a value was expected", e);
	}
	return next_token(s, e) < 0 ? -1 : parse_fields(s, t, e);
}

static int parse_command(struct parser *s, enum token_type end, struct template_command **ret, struct err *e)
{
	struct template_command *c = arena_new_obj(s->a, struct template_command);

	c->terms = arena_new_array(s->a, struct term, TEMPLATE_ARGS_MAX);
	while (s->t.type != end && s->t.type != T_BAR) {
		if (c->n == TEMPLATE_ARGS_MAX)
			return fail(s, "too many arguments", e);
		if (parse_term(s, &c->terms[c->n++], e) < 0)
			return -1;
	}
	if (c->n == 0)
		return fail(s, "missing value for command", e);
	*ret = c;
	return 0;
}

/* "$v :=", "$i, $v :=", "$v =": looked for ahead, else taken back */
static int parse_variables(struct parser *s, struct pipe *p, struct err *e)
{
	struct parser before = *s;

	while (s->t.type == T_VARIABLE && p->n_variables < ARRAY_SIZE(p->variables)) {
		p->variables[p->n_variables++] = s->t.text;
		if (next_token(s, e) < 0)
			return -1;
		if (s->t.type == T_COMMA && next_token(s, e) < 0)
			return -1;
	}
	p->is_assignment = s->t.type == T_ASSIGN;
	if (p->n_variables && (s->t.type == T_DECLARE || s->t.type == T_ASSIGN))
		return next_token(s, e);
	*s = before;
	p->n_variables = 0;
	return 0;
}

/* Reads up to @end, and leaves it ahead */
static int parse_pipe(struct parser *s, enum token_type end, struct pipe **ret, struct err *e)
{
	struct pipe *p = arena_new_obj(s->a, struct pipe);
	struct template_command **last = &p->first;

	if (++s->depth > TEMPLATE_DEPTH_MAX)
		return fail(s, "nested too deeply", e);
	if (parse_variables(s, p, e) < 0)
		return -1;
	for (;;) {
		if (parse_command(s, end, last, e) < 0)
			return -1;
		if (p->first != *last && (*last)->terms[0].type == TERM_LITERAL)
			return fail(s, "a value in a pipeline takes no argument, before", e);
		last = &(*last)->next;
		if (s->t.type == end)
			break;
		if (next_token(s, e) < 0)
			return -1;
	}
	s->depth--;
	*ret = p;
	return 0;
}

/* ---- nodes ---- */

enum ended_by { BY_TEXT, BY_END, BY_ELSE };

static int parse_list(struct parser *s, struct node **ret, enum ended_by *ret_by, struct err *e);

static int expect_close(struct parser *s, struct err *e)
{
	return s->t.type == T_CLOSE ? 0 : fail(s, "unexpected", e);
}

static int parse_block(struct parser *s, struct node *n, struct err *e);

/* Behind "else": "if" or "with" begin a block that ends with ours, else a list follows */
static int parse_else(struct parser *s, struct node *n, struct err *e)
{
	enum ended_by by;

	if ((n->type == NODE_IF && is_word(s, "if")) || (n->type == NODE_WITH && is_word(s, "with"))) {
		n->otherwise = arena_new_obj(s->a, struct node);
		n->otherwise->type = n->type;
		return next_token(s, e) < 0 ? -1 : parse_block(s, n->otherwise, e);
	}
	if (expect_close(s, e) < 0 || parse_list(s, &n->otherwise, &by, e) < 0)
		return -1;
	return by == BY_END ? 0 : fail(s, by == BY_ELSE ? "a second else" : "a block without its end", e);
}

/* Behind "if", "with" or "range" */
static int parse_block(struct parser *s, struct node *n, struct err *e)
{
	enum ended_by by;

	if (++s->depth > TEMPLATE_DEPTH_MAX)
		return fail(s, "nested too deeply", e);
	s->n_ranges += n->type == NODE_RANGE;
	if (parse_pipe(s, T_CLOSE, &n->pipe, e) < 0 || parse_list(s, &n->body, &by, e) < 0)
		return -1;
	s->n_ranges -= n->type == NODE_RANGE;
	if (n->pipe->n_variables == 2 && n->type != NODE_RANGE)
		return fail(s, "two variables without range, before", e);
	if (by == BY_TEXT)
		return fail(s, "a block without its end", e);
	if (by == BY_ELSE && parse_else(s, n, e) < 0)
		return -1;
	s->depth--;
	return 0;
}

/* The token ahead is the first of an action. @ret_by: BY_TEXT: there is a node */
static int parse_action(struct parser *s, struct node *n, enum ended_by *ret_by, struct err *e)
{
	static const struct { const char *word; enum node_type type; } blocks[] = {
		{ "if", NODE_IF }, { "with", NODE_WITH }, { "range", NODE_RANGE }, { "break", NODE_BREAK }, { "continue", NODE_CONTINUE },
	};

	*ret_by = is_word(s, "end") ? BY_END : is_word(s, "else") ? BY_ELSE : BY_TEXT;
	if (*ret_by != BY_TEXT)
		return next_token(s, e) < 0 || (*ret_by == BY_END && expect_close(s, e) < 0) ? -1 : 0;
	if (is_word(s, "define") || is_word(s, "template") || is_word(s, "block"))
		return err_set(e, ERR_UNSUPPORTED, "template action '%s' is refused: Kiln does not have it", s->t.text);
	n->type = NODE_ACTION;
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		if (is_word(s, blocks[i].word)) {
			n->type = blocks[i].type;
			if (next_token(s, e) < 0)
				return -1;
		}
	if (n->type == NODE_IF || n->type == NODE_WITH || n->type == NODE_RANGE)
		return parse_block(s, n, e);
	if (n->type == NODE_ACTION)
		return parse_pipe(s, T_CLOSE, &n->pipe, e);
	return s->n_ranges ? expect_close(s, e) : fail(s, "no range around it, before", e);
}

/* Text up to "{{" or the end, trimmed where the braces say so */
static void parse_text(struct parser *s, struct node ***last)
{
	const char *from = s->p, *open = strstr(from, "{{"), *end = open ? open : from + strlen(from);
	bool trims = open && open[2] == '-' && isspace((unsigned char)open[3]);

	s->p = open ? open + (trims ? 3 : 2) : end;
	while (s->trims_next && from < end && isspace((unsigned char)*from))
		from++;
	while (trims && end > from && isspace((unsigned char)end[-1]))
		end--;
	s->trims_next = false;
	if (end > from) {
		struct node *n = arena_new_obj(s->a, struct node);

		*n = (struct node){ .type = NODE_TEXT, .text = arena_strndup(s->a, from, (size_t)(end - from)) };
		**last = n;
		*last = &n->next;
	}
}

/* "{{/" up to its end. Return: 1 when there was one, 0, or -1 with @e set */
static int skip_comment(struct parser *s, struct err *e)
{
	const char *p = s->p + strspn(s->p, " \t\r\n"), *end;

	if (!str_starts(p, "/*"))
		return 0;
	s->t.at = p;
	end = strstr(p + 2, "*/");
	if (!end)
		return fail(s, "unclosed comment", e);
	end += 2;
	s->trims_next = isspace((unsigned char)*end) && str_starts(end + strspn(end, " \t\r\n"), "-}}");
	end += s->trims_next ? strspn(end, " \t\r\n") + 1 : 0;
	if (!str_starts(end, "}}"))
		return fail(s, "comment ends before closing delimiter", e);
	s->p = end + 2;
	return 1;
}

/* Up to the end of the text, {{end}} or {{else}}; behind the latter the token ahead is what follows that word */
static int parse_list(struct parser *s, struct node **ret, enum ended_by *ret_by, struct err *e)
{
	struct node **last = ret;
	int comment;

	for (*ret_by = BY_TEXT;;) {
		const char *open = strstr(s->p, "{{");
		struct node *n;

		parse_text(s, &last);
		if (!open)
			return 0;
		comment = skip_comment(s, e);
		if (comment < 0)
			return -1;
		if (comment)
			continue;
		n = arena_new_obj(s->a, struct node);
		s->open = open;
		if (next_token(s, e) < 0 || parse_action(s, n, ret_by, e) < 0)
			return -1;
		if (*ret_by != BY_TEXT)
			return 0;
		*last = n;
		last = &n->next;
	}
}

int template_parse(const char *text, struct arena *a, struct template **ret, struct err *e)
{
	struct template *t = arena_new_obj(a, struct template);
	struct parser s = { .p = text, .a = a, .t = { .at = text } };
	enum ended_by by;

	if (strlen(text) > TEMPLATE_BYTES_MAX)
		return err_set(e, ERR_INVALID, "template parsing error: longer than %d bytes", TEMPLATE_BYTES_MAX);
	if (parse_list(&s, &t->first, &by, e) < 0)
		return -1;
	if (by != BY_TEXT)
		return fail(&s, by == BY_END ? "an end without a block, before" : "an else without a block, before", e);
	*ret = t;
	return 0;
}
