/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/complete.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "base/opt_place.h"
#include "base/own.h"
#include "base/signame.h"
#include "cli/cmd.h"
#include "cli/reply.h"
#include "oci/options_rules.h"

enum { DAEMON_SECONDS = 2, SIGNALS_MAX = 31 };

struct completing {
	struct call call;            /* for questions to the daemon */
	const char *before, *typed;
	const struct str_list *taken;   /* arguments that are there already */
	const char *what;            /* ":words" */
	struct strbuf *out;
};

static bool is_taken(const struct completing *c, const char *candidate)
{
	for (size_t i = 0; c->taken && i < c->taken->n; i++)
		if (str_eq(c->taken->v[i], candidate))
			return true;
	return false;
}

/* What a shell could take for more than a word is never offered, whoever answers at the socket */
static bool is_plain(const char *text)
{
	for (const char *p = text; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("-_.:/=@+,%", *p))
			return false;
	return true;
}

/* Offers it when it begins with what was typed */
static void offer(struct completing *c, const char *candidate, const char *description)
{
	if (str_starts(candidate, c->typed) && !is_taken(c, candidate) && is_plain(candidate))
		strbuf_addf(c->out, "%s%s\t%.*s\n", c->before, candidate, (int)strcspn(description, "\t\n\r\033"), description);
}

/* ---- what the daemon knows ---- */

struct container { struct str_list names; char *image, *status; };
static const struct jfield container_fields[] = {
	J_STRINGS(struct container, names, "Names", 0),
	J_STRING(struct container, image, "Image", 0),
	J_STRING(struct container, status, "Status", 0),
};
static const struct jschema container_schema = J_SCHEMA(struct container, "ContainerSummary", container_fields);

static void offer_containers(struct completing *c, bool all, const char *prefix)
{
	struct container *v = NULL;
	size_t n = 0;

	if (reply_list(&c->call, all ? "/containers/json?all=1" : "/containers/json", &container_schema, (void **)&v, &n, ERR_IGNORED) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		const char *name = v[i].names.n ? v[i].names.v[0] : "";

		offer(c, arena_printf(c->call.a, "%s%s", prefix, name + (name[0] == '/')),
		      arena_printf(c->call.a, "%s, %s", v[i].image ? v[i].image : "", v[i].status ? v[i].status : ""));
	}
}

struct image { struct str_list tags; char *id; };
static const struct jfield image_fields[] = {
	J_STRINGS(struct image, tags, "RepoTags", 0),
	J_STRING(struct image, id, "Id", 0),
};
static const struct jschema image_schema = J_SCHEMA(struct image, "ImageSummary", image_fields);

static void offer_images(struct completing *c)
{
	struct image *v = NULL;
	size_t n = 0;

	if (reply_list(&c->call, "/images/json", &image_schema, (void **)&v, &n, ERR_IGNORED) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < v[i].tags.n; k++)
			offer(c, v[i].tags.v[k], v[i].id ? v[i].id : "");
}

/* ---- what the tables know ---- */

/* "a|b|container:": what ends with "container:" goes on with a name */
static void offer_choices(struct completing *c, const char *choices)
{
	static const char container[] = "container:";

	for (const char *p = choices; *p;) {
		size_t n = strcspn(p, "|");
		const char *one = arena_strndup(c->call.a, p, n);

		if (str_eq(one, container) && str_starts(c->typed, container))
			offer_containers(c, true, container);
		else
			offer(c, one, "");
		p += n + (p[n] == '|');
	}
}

static void offer_signals(struct completing *c)
{
	char name[16];

	for (int i = 1; i <= SIGNALS_MAX; i++)
		offer(c, signame_text(i, name) + strlen("SIG"), "");
}

static void offer_capabilities(struct completing *c)
{
	char *every[] = { (char[]){ "ALL" } };
	struct opt_host_config h = { .cap_add = { every, 1 } };
	struct str_list names = {0};

	offer(c, "ALL", "");
	if (options_capabilities(&h, UINT64_MAX, c->call.a, &names, ERR_IGNORED) == 0)
		for (size_t i = 0; i < names.n; i++)
			offer(c, names.v[i] + strlen("CAP_"), "");
}

static void offer_values(struct completing *c, enum value_kind kind, const char *choices)
{
	if (choices)
		offer_choices(c, choices);
	switch (kind) {
	case VALUE_CONTAINER:
	case VALUE_RUNNING:
		offer_containers(c, kind == VALUE_CONTAINER, "");
		break;
	case VALUE_OBJECT:
		offer_containers(c, true, "");
		offer_images(c);
		break;
	case VALUE_IMAGE:
		offer_images(c);
		break;
	case VALUE_SIGNAL:
		offer_signals(c);
		break;
	case VALUE_CAPABILITY:
		offer_capabilities(c);
		break;
	case VALUE_FILE:
	case VALUE_DIR:
		c->what = kind == VALUE_FILE ? ":files" : ":directories";
		break;
	default:
		break;
	}
}

static void offer_options(struct completing *c, const struct opt_tables *t)
{
	bool wants_letters = c->typed[1] != '-';

	for (const struct opt *o = opt_next(t, NULL); o; o = opt_next(t, o)) {
		if (o->is_hidden)
			continue;
		if (o->letter && wants_letters)
			offer(c, arena_printf(c->call.a, "-%c", o->letter), o->help);
		offer(c, arena_printf(c->call.a, "--%s", o->name), o->help);
	}
	offer(c, "--help", "Show how it is used");
}

/* Sets up for what is being typed. Return: true when it is an argument */
static bool take_place(struct completing *c, const struct opt_tables *t, const struct opt_place *p)
{
	c->before = p->before;
	c->typed = p->typed;
	if (p->is_option)
		offer_options(c, t);
	else if (p->value_of)
		offer_values(c, p->value_of->kind, p->value_of->choices);
	return !p->is_option && !p->value_of;
}

/* ---- commands ---- */

static void offer_commands(struct completing *c, const char *group)
{
	for (size_t i = 0; commands[i]; i++) {
		const char *name = group ? commands[i]->member : commands[i]->name;

		if (name && (!group || str_eq(commands[i]->group, group)))
			offer(c, name, commands[i]->help);
	}
	for (size_t i = 0; !group && command_groups[i].name; i++)
		offer(c, command_groups[i].name, command_groups[i].help);
	if (!group)
		offer(c, "help", "Show how a command is used");
}

static void complete_command(struct completing *c, const struct command *cmd, const struct str_list *words)
{
	struct opt_place p;

	opt_place(&cmd->opts, !cmd->is_prefix, words, c->call.a, &p);
	if (!take_place(c, &cmd->opts, &p) || p.args.n >= cmd->n_args_max || (cmd->is_prefix && p.args.n))
		return;
	c->taken = &p.args;
	offer_values(c, cmd->args, cmd->choices);
	c->taken = NULL;
}

/* Words behind the name of a group or a command, "help" among them */
static void complete_behind(struct completing *c, const char *name, const struct str_list *words)
{
	struct str_list rest = { words->v + 1, words->n - 1 };
	const struct command *cmd = command_find(NULL, name);
	bool is_group = false;

	for (size_t i = 0; command_groups[i].name; i++)
		is_group = is_group || str_eq(command_groups[i].name, name);
	c->typed = words->v[words->n - 1];
	if (cmd)
		complete_command(c, cmd, words);
	else if (str_eq(name, "help") && words->n == 1)
		offer_commands(c, NULL);
	else if (str_eq(name, "help"))
		complete_behind(c, words->v[0], &rest);
	else if (is_group && words->n == 1)
		offer_commands(c, name);
	else if (is_group && (cmd = command_find(name, words->v[0])))
		complete_command(c, cmd, &rest);
}

/* The socket that the line names, else the usual one */
static const char *host_in(const struct str_list *words, struct arena *a)
{
	struct globals g = {0};
	struct str_list args;
	bool wants_help;

	opt_parse(&global_options, false, words, a, &g, &args, &wants_help, ERR_IGNORED);
	return g.host ? g.host : api_host();
}

void complete_words(const struct str_list *words, struct arena *a, struct strbuf *out)
{
	struct completing c = { .before = "", .typed = "", .what = ":words", .out = out };
	struct str_list rest;
	struct opt_place p;

	alarm(DAEMON_SECONDS);
	opt_place(&global_options, false, words, a, &p);
	c.call = (struct call){ .a = a, .host = host_in(&(struct str_list){ words->v, p.first_arg }, a) };
	rest = (struct str_list){ words->v + p.first_arg + 1, words->n - p.first_arg - (p.args.n > 0) };
	if (p.args.n)
		complete_behind(&c, p.args.v[0], &rest);
	else if (take_place(&c, &global_options, &p))
		offer_commands(&c, NULL);
	strbuf_addf(out, "%s\n", c.what);
}
