/* SPDX-License-Identifier: Apache-2.0 */
/* kiln health: is everything warm? Exit status 0 when it is, 1 when not. */
#include <stdio.h>

#include "base/own.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/reply.h"
#include "cli/style.h"
#include "cli/table.h"

struct options { const char *format; };
static const struct opt rows[] = {
	OPT_TEXT(struct options, format, 0, "format", "FORMAT", "'json', or a TEMPLATE over the daemon's answer", .choices = "json"),
	OPT_END,
};

struct part { bool ok; char *reason; };
static const struct jfield part_fields[] = {
	J_BOOLEAN(struct part, ok, "ok", J_REQUIRED),
	J_STRING(struct part, reason, "reason", 0),
};
static const struct jschema part_schema = J_SCHEMA(struct part, "kiln health", part_fields);

struct row { char *id, *name, *state, *health, *reason; bool should_be_warm, is_warm; int64_t restarts; };
static const struct jfield row_fields[] = {
	J_STRING(struct row, id, "id", J_REQUIRED),
	J_STRING(struct row, name, "name", J_REQUIRED),
	J_STRING(struct row, state, "state", J_REQUIRED),
	J_STRING(struct row, health, "health", J_REQUIRED),
	J_STRING(struct row, reason, "reason", 0),
	J_BOOLEAN(struct row, should_be_warm, "should_be_warm", J_REQUIRED),
	J_BOOLEAN(struct row, is_warm, "warm", J_REQUIRED),
	J_I64(struct row, restarts, "restart_count", 0),
};
static const struct jschema row_schema = J_SCHEMA(struct row, "kiln health", row_fields);

struct health {
	struct part *daemon, *launcher, *storage;
	struct row *rows; size_t n_rows;
	bool is_warm;
};
static const struct jfield health_fields[] = {
	J_OBJECT(struct health, daemon, "daemon", &part_schema, J_REQUIRED),
	J_OBJECT(struct health, launcher, "launcher", &part_schema, J_REQUIRED),
	J_OBJECT(struct health, storage, "storage", &part_schema, J_REQUIRED),
	J_ARRAY(struct health, rows, n_rows, "containers", &row_schema, J_REQUIRED),
	J_BOOLEAN(struct health, is_warm, "warm", J_REQUIRED),
};
static const struct jschema health_schema = J_SCHEMA(struct health, "kiln health", health_fields);

#define CELL(name) static void name(const struct table *t, const void *of, const char *key, struct strbuf *out)
#define ROW const struct row *r = of; (void)t; (void)key

CELL(cell_id) { ROW; strbuf_addf(out, "%.12s", r->id); }
CELL(cell_name) { ROW; strbuf_adds(out, r->name); }
CELL(cell_state) { ROW; strbuf_adds(out, r->state); }
CELL(cell_health) { ROW; strbuf_adds(out, r->health); }
CELL(cell_restarts) { ROW; strbuf_addf(out, "%lld", (long long)r->restarts); }

CELL(cell_warm)
{
	ROW;

	strbuf_adds(out, r->is_warm ? "yes" : r->should_be_warm ? "no" : "-");
	if (!str_is_empty(r->reason))
		strbuf_addf(out, ": %s", r->reason);
}

static const struct column columns[] = {
	{ "ID", "CONTAINER ID", cell_id, false },
	{ "Name", "NAME", cell_name, false },
	{ "State", "STATE", cell_state, false },
	{ "Health", "HEALTH", cell_health, false },
	{ "Restarts", "RESTARTS", cell_restarts, false },
	{ "Warm", "WARM", cell_warm, false },
	{ NULL, NULL, NULL, false },
};

static void print_part(const char *name, const struct part *p)
{
	cmd_say(stdout, "%-10s ", name);
	style_print(stdout, p->ok ? STYLE_GOOD : STYLE_BAD, p->ok ? "ok" : "failed");
	cmd_say(stdout, "%s%s\n", p->reason ? ": " : "", p->reason ? p->reason : "");
}

static int print_health(const struct health *h, struct arena *a, struct err *e)
{
	AUTO_TABLE struct table t = {0};

	if (table_init(&t, columns, NULL, "ID Name State Health Restarts Warm", a, e) < 0)
		return -1;
	print_part("daemon", h->daemon);
	print_part("launcher", h->launcher);
	print_part("storage", h->storage);
	printf("\n");
	for (size_t i = 0; i < h->n_rows; i++)
		table_row(&t, &h->rows[i]);
	if (h->n_rows && table_show(&t, e) < 0)
		return -1;
	fputs(h->n_rows ? "\n" : "", stdout);
	style_print(stdout, h->is_warm ? STYLE_GOOD : STYLE_BAD, h->is_warm ? "all that should be warm is warm" : "not all that should be warm is warm");
	printf("\n");
	return 0;
}

static int show(const struct options *o, const struct health *h, const struct strbuf *body, struct arena *a, struct err *e)
{
	AUTO_STRBUF struct strbuf out = {0};
	struct format f;

	if (!o->format)
		return print_health(h, a, e);
	if (format_parse(o->format, a, &f, e) < 0 || format_answer(&f, strbuf_cstr(body), body->len, &out, e) < 0)
		return -1;
	fputs(strbuf_cstr(&out), stdout);
	return 0;
}

static int run(const struct call *c)
{
	AUTO_STRBUF struct strbuf body = {0};
	struct health *h = NULL;
	struct err e = {0};
	int status = 0;

	/* 503 is an answer: not everything is warm */
	if (api_request(c->host, "GET", "/kiln/v1/health", NULL, &status, &body, &e) < 0)
		return cmd_fail(&e);
	if (reply_decode(c, &body, &health_schema, (void **)&h, &e) < 0)
		return cmd_fail(&e);
	if (show(c->o, h, &body, c->a, &e) < 0)
		return cmd_fail(&e);
	return h->is_warm ? 0 : EXIT_FAILED;
}

const struct command cmd_health = {
	.name = "health", .usage = "[OPTIONS]", .help = "Show whether all that should be warm is warm",
	.more = "The exit status is 0 when everything is warm: the daemon, its launcher and storage work, and every container that should "
		"run does and is healthy. It is 1 when not, or when the daemon does not answer.",
	.opts = { { rows } }, .options_size = sizeof(struct options), .run = run,
};
