/* SPDX-License-Identifier: Apache-2.0 */
/* kiln ps: docker's columns. */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/own.h"
#include "cli/cmd.h"

struct options { bool all, quiet, no_trunc; const char *format; };
static const struct opt options[] = {
	{ 'a', "all", OPT_BOOL, offsetof(struct options, all), NULL, "show those that do not run, too" },
	{ 'q', "quiet", OPT_BOOL, offsetof(struct options, quiet), NULL, "print IDs only" },
	{ 0, "no-trunc", OPT_BOOL, offsetof(struct options, no_trunc), NULL, "do not shorten" },
	{ 0, "format", OPT_STRING, offsetof(struct options, format), "json", "print the daemon's JSON as it is" },
	{ 0 },
};

struct row { char *id, *image, *command, *status; struct str_list names; int64_t created_sec; };
static const struct jfield row_fields[] = {
	J_STRING(struct row, id, "Id", J_REQUIRED),
	J_STRING(struct row, image, "Image", J_REQUIRED),
	J_STRING(struct row, command, "Command", J_REQUIRED),
	J_STRING(struct row, status, "Status", J_REQUIRED),
	J_STRINGS(struct row, names, "Names", J_REQUIRED),
	J_I64(struct row, created_sec, "Created", J_REQUIRED),
};
static const struct jschema row_schema = J_SCHEMA(struct row, "ContainerSummary", row_fields);

struct list { struct row *rows; size_t n_rows; };
static const struct jfield list_fields[] = { J_ARRAY(struct list, rows, n_rows, "rows", &row_schema, J_REQUIRED) };
static const struct jschema list_schema = J_SCHEMA(struct list, "ContainerList", list_fields);

/* "5 minutes ago", in docker's words */
static const char *ago(int64_t seconds, char out[64])
{
	static const struct { int64_t below, unit; const char *name; } steps[] = {
		{ 60, 1, "second" }, { 3600, 60, "minute" }, { 48 * 3600, 3600, "hour" }, { 14 * 86400, 86400, "day" },
		{ 60 * 86400, 7 * 86400, "week" }, { 730LL * 86400, 30 * 86400, "month" }, { INT64_MAX, 365 * 86400, "year" },
	};
	size_t i = 0;
	int64_t n;

	if (seconds < 1) {
		snprintf(out, 64, "Less than a second ago");
		return out;
	}
	while (seconds >= steps[i].below)
		i++;
	n = seconds / steps[i].unit;
	snprintf(out, 64, "%lld %s%s ago", (long long)n, steps[i].name, n == 1 ? "" : "s");
	return out;
}

static void print_row(const struct row *r, const struct options *o)
{
	AUTO_FREE char *command = xasprintf("\"%s\"", r->command);
	const char *name = r->names.n ? r->names.v[0] : "";
	char created[64];

	if (!o->no_trunc && str_starts(r->image, "sha256:"))
		printf("%-15.12s%-22.12s", r->id, r->image + 7);
	else
		printf(o->no_trunc ? "%-67s%-22s" : "%-15.12s%-22s", r->id, r->image);
	printf(o->no_trunc ? "%-25s" : "%-25.22s", command);
	printf("%-18s%-26s%s\n", ago(clock_wall_ns() / CLOCK_NS_PER_SEC - r->created_sec, created), r->status,
	       name[0] == '/' ? name + 1 : name);
}

static int run(int argc, char **argv, struct arena *a)
{
	AUTO_STRBUF struct strbuf body = {0};
	struct options o = {0};
	struct list *l = NULL;
	int first, status = 0;
	struct err e = {0};
	char *wrapped;

	if (!cmd_options(&cmd_ps, argc, argv, a, &o, &first, &status))
		return status;
	if (o.format && !str_eq(o.format, "json")) {
		err_set(&e, ERR_INVALID, "format '%s' is not known; there is 'json'", o.format);
		return cmd_fail(&cmd_ps, &e);
	}
	if (api_call(api_host(), "GET", o.all ? "/containers/json?all=1" : "/containers/json", NULL, &status, &body, &e) < 0)
		return cmd_fail(&cmd_ps, &e);
	if (o.format) {
		fputs(strbuf_cstr(&body), stdout);
		return 0;
	}
	wrapped = arena_printf(a, "{\"rows\":%s}", strbuf_cstr(&body));
	if (json_decode(wrapped, body.len + 9, &list_schema, a, NULL, NULL, (void **)&l, &e) < 0)
		return cmd_fail(&cmd_ps, &e);
	if (!o.quiet)
		printf(o.no_trunc ? "%-67s%-22s%-25s%-18s%-26s%s\n" : "%-15s%-22s%-25s%-18s%-26s%s\n", "CONTAINER ID", "IMAGE", "COMMAND",
		       "CREATED", "STATUS", "NAMES");
	for (size_t i = 0; i < l->n_rows; i++)
		if (o.quiet)
			printf(o.no_trunc ? "%s\n" : "%.12s\n", l->rows[i].id);
		else
			print_row(&l->rows[i], &o);
	return 0;
}

const struct command cmd_ps = { "ps", "[OPTIONS]", "List containers", options, run };
