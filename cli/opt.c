/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/opt.h"

#include <string.h>

#include "base/own.h"

static const struct opt *find_long(const struct opt *opts, const char *name, size_t n)
{
	for (const struct opt *o = opts; o->name; o++)
		if (strlen(o->name) == n && memcmp(o->name, name, n) == 0)
			return o;
	return NULL;
}

static const struct opt *find_letter(const struct opt *opts, char letter)
{
	for (const struct opt *o = opts; o->name; o++)
		if (o->letter == letter)
			return o;
	return NULL;
}

static void add_to_list(struct str_list *l, char *value, struct arena *a)
{
	char **v = arena_new_array(a, char *, l->n + 1);

	if (l->n)
		memcpy(v, l->v, l->n * sizeof(*v));
	v[l->n] = value;
	*l = (struct str_list){ v, l->n + 1 };
}

static int store(const struct opt *o, char *value, struct arena *a, void *into, struct err *e)
{
	void *at = (char *)into + o->offset;

	switch (o->type) {
	case OPT_BOOL:
		if (value && !str_eq(value, "true") && !str_eq(value, "false"))
			return err_set(e, ERR_INVALID, "option '--%s': expected true or false, got '%s'", o->name, value);
		*(bool *)at = !value || str_eq(value, "true");
		return 0;
	case OPT_STRING:
		*(const char **)at = value;
		return 0;
	case OPT_LIST:
		add_to_list(at, value, a);
		return 0;
	}
	return 0;
}

static int parse_long(const struct opt *opts, int argc, char **argv, int *i, struct arena *a, void *into, struct err *e)
{
	char *name = argv[*i] + 2, *value = strchr(name, '=');
	const struct opt *o = find_long(opts, name, value ? (size_t)(value - name) : strlen(name));

	if (!o)
		return err_set(e, ERR_INVALID, "unknown option '%s'", argv[*i]);
	if (value)
		value++;
	else if (o->type != OPT_BOOL) {
		if (*i + 1 >= argc)
			return err_set(e, ERR_INVALID, "option '--%s' needs a value (%s)", o->name, o->value);
		value = argv[++*i];
	}
	return store(o, value, a, into, e);
}

static int parse_letters(const struct opt *opts, int argc, char **argv, int *i, struct arena *a, void *into, struct err *e)
{
	char *p = argv[*i] + 1;

	while (*p) {
		const struct opt *o = find_letter(opts, *p++);
		char *value = NULL;

		if (!o)
			return err_set(e, ERR_INVALID, "unknown option '-%c'", p[-1]);
		if (o->type != OPT_BOOL) {
			if (!*p && *i + 1 >= argc)
				return err_set(e, ERR_INVALID, "option '-%c' needs a value (%s)", o->letter, o->value);
			value = *p ? p + (*p == '=') : argv[++*i];
			p = (char *)"";
		}
		if (store(o, value, a, into, e) < 0)
			return -1;
	}
	return 0;
}

int opt_parse(const struct opt *opts, int argc, char **argv, struct arena *a, void *into, int *ret_first,
	      bool *ret_wants_help, struct err *e)
{
	int i = 0;

	*ret_wants_help = false;
	for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
		if (str_eq(argv[i], "--")) {
			i++;
			break;
		}
		if (str_eq(argv[i], "--help")) {
			*ret_wants_help = true;
			continue;
		}
		if ((argv[i][1] == '-' ? parse_long : parse_letters)(opts, argc, argv, &i, a, into, e) < 0)
			return -1;
	}
	*ret_first = i;
	return 0;
}

void opt_help(const struct command *cmd, struct strbuf *out)
{
	strbuf_addf(out, "Usage:  kiln %s%s%s\n\n%s\n", cmd->name, cmd->usage[0] ? " " : "", cmd->usage, cmd->help);
	if (cmd->opts->name)
		strbuf_adds(out, "\nOptions:\n");
	for (const struct opt *o = cmd->opts; o->name; o++) {
		AUTO_STRBUF struct strbuf left = {0};

		if (o->letter)
			strbuf_addf(&left, "  -%c, --%s", o->letter, o->name);
		else
			strbuf_addf(&left, "      --%s", o->name);
		if (o->value)
			strbuf_addf(&left, " %s", o->value);
		strbuf_addf(out, "%-30s %s\n", left.data, o->help);
	}
}
