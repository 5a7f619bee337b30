/* SPDX-License-Identifier: Apache-2.0 */
/* kiln health: is everything warm? Exit status 0 when it is, 1 when not. */
#include <stdio.h>

#include "base/own.h"
#include "cli/cmd.h"

struct options { const char *format; };
static const struct opt options[] = {
	{ 0, "format", OPT_STRING, offsetof(struct options, format), "json", "print the daemon's JSON as it is" },
	{ 0 },
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

static void print_part(const char *name, const struct part *p)
{
	printf("%-10s %s%s%s\n", name, p->ok ? "ok" : "failed", p->reason ? ": " : "", p->reason ? p->reason : "");
}

static void print_health(const struct health *h)
{
	print_part("daemon", h->daemon);
	print_part("launcher", h->launcher);
	print_part("storage", h->storage);
	if (h->n_rows)
		printf("\n%-14s %-24s %-12s %-10s %-9s %s\n", "CONTAINER ID", "NAME", "STATE", "HEALTH", "RESTARTS", "WARM");
	for (size_t i = 0; i < h->n_rows; i++) {
		const struct row *r = &h->rows[i];

		printf("%-14.12s %-24s %-12s %-10s %-9lld %s%s%s\n", r->id, r->name, r->state, r->health, (long long)r->restarts,
		       r->is_warm ? "yes" : r->should_be_warm ? "no" : "-", r->reason ? ": " : "", r->reason ? r->reason : "");
	}
	printf("\n%s\n", h->is_warm ? "all that should be warm is warm" : "not all that should be warm is warm");
}

static int run(int argc, char **argv, struct arena *a)
{
	AUTO_STRBUF struct strbuf body = {0};
	struct options o = {0};
	struct health *h = NULL;
	int first, status = 0;
	struct err e = {0};

	if (!cmd_options(&cmd_health, argc, argv, a, &o, &first, &status))
		return status;
	if (o.format && !str_eq(o.format, "json")) {
		err_set(&e, ERR_INVALID, "format '%s' is not known; there is 'json'", o.format);
		return cmd_fail(&cmd_health, &e);
	}
	/* 503 is an answer: not everything is warm */
	if (api_request(api_host(), "GET", "/kiln/v1/health", NULL, &status, &body, &e) < 0)
		return cmd_fail(&cmd_health, &e);
	if (json_decode(strbuf_cstr(&body), body.len, &health_schema, a, NULL, NULL, (void **)&h, &e) < 0) {
		err_wrap(&e, "the daemon's answer (status %d)", status);
		return cmd_fail(&cmd_health, &e);
	}
	if (o.format)
		printf("%s", body.data);
	else
		print_health(h);
	return h->is_warm ? 0 : 1;
}

const struct command cmd_health = { "health", "[OPTIONS]", "Show whether all that should be warm is warm", options, run };
