/* SPDX-License-Identifier: Apache-2.0 */
/* kiln ps: docker's columns. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "cli/commands.h"
#include "cli/human.h"
#include "cli/ports.h"
#include "cli/reply.h"
#include "cli/table.h"

struct options { bool all, quiet, no_trunc, latest, size; struct opt_i64 last; const char *format; struct str_list filter; };
static const struct opt rows[] = {
	OPT_FLAG(struct options, all, 'a', "all", "Show those that do not run, too"),
	OPT_TEXTS(struct options, filter, 'f', "filter", "KEY=VALUE", "Show those for which it holds: ancestor, before, exited, health, "
		  "id, label, name, network, since, status", .check = filter_check, .choices = "ancestor=|before=|exited=|health=|id=|label=|name=|network=|since=|status="),
	OPT_TEXT(struct options, format, 0, "format", "FORMAT", "'table', 'table TEMPLATE', 'json' or a TEMPLATE as '{{.ID}} {{.Names}}'",
		 .choices = "table|json"),
	OPT_NUMBER(struct options, last, 'n', "last", "N", "Show the N created last, whatever their state"),
	OPT_FLAG(struct options, latest, 'l', "latest", "Show the one created last, whatever its state"),
	OPT_FLAG(struct options, no_trunc, 0, "no-trunc", "Do not shorten"),
	OPT_FLAG(struct options, quiet, 'q', "quiet", "Print IDs only"),
	OPT_FLAG(struct options, size, 's', "size", "Show how much each has written"),
	OPT_END,
};

struct mount { char *driver, *name, *source; };
static const struct jfield mount_fields[] = {
	J_STRING(struct mount, driver, "Driver", 0),
	J_STRING(struct mount, name, "Name", 0),
	J_STRING(struct mount, source, "Source", 0),
};
static const struct jschema mount_schema = J_SCHEMA(struct mount, "MountPoint", mount_fields);

static const struct jfield port_fields[] = {
	J_STRING(struct port, ip, "IP", 0),
	J_STRING(struct port, type, "Type", 0),
	J_I64(struct port, inside, "PrivatePort", 0),
	J_I64(struct port, outside, "PublicPort", 0),
};
static const struct jschema port_schema = J_SCHEMA(struct port, "Port", port_fields);

struct network { char *key; };
static const struct jschema network_schema = { .spec = "EndpointSettings", .size = sizeof(struct network) };
struct networks { struct network *v; size_t n; };
static const struct jfield networks_fields[] = { J_OBJECT_MAP(struct networks, v, n, "Networks", &network_schema, 0) };
static const struct jschema networks_schema = J_SCHEMA(struct networks, "NetworkSettings", networks_fields);

struct row {
	char *id, *image, *command, *status, *state;
	struct str_list names;
	struct str_map labels;
	int64_t created_s, size_rw, size_root;
	struct mount *mounts; size_t n_mounts;
	struct port *ports; size_t n_ports;
	struct networks *networks;
};
static const struct jfield row_fields[] = {
	J_STRING(struct row, id, "Id", J_REQUIRED),
	J_STRING(struct row, image, "Image", J_REQUIRED),
	J_STRING(struct row, command, "Command", J_REQUIRED),
	J_STRING(struct row, status, "Status", J_REQUIRED),
	J_STRING(struct row, state, "State", J_REQUIRED),
	J_STRINGS(struct row, names, "Names", J_REQUIRED),
	J_MAP(struct row, labels, "Labels", 0),
	J_I64(struct row, created_s, "Created", J_REQUIRED),
	J_I64(struct row, size_rw, "SizeRw", 0),
	J_I64(struct row, size_root, "SizeRootFs", 0),
	J_ARRAY(struct row, mounts, n_mounts, "Mounts", &mount_schema, 0),
	J_ARRAY(struct row, ports, n_ports, "Ports", &port_schema, 0),
	J_OBJECT(struct row, networks, "NetworkSettings", &networks_schema, 0),
};
static const struct jschema row_schema = J_SCHEMA(struct row, "ContainerSummary", row_fields);

#define CELL(name) static void name(const struct table *t, const void *of, const char *key, struct strbuf *out)
#define ROW const struct row *r = of; (void)t; (void)key

CELL(cell_id)
{
	ROW;

	strbuf_addf(out, "%.*s", t->style.no_trunc ? 64 : 12, r->id);
}

CELL(cell_image)
{
	ROW;

	if (str_is_empty(r->image))
		strbuf_adds(out, "<no image>");
	else if (!t->style.no_trunc && str_starts(r->image, "sha256:"))
		strbuf_addf(out, "%.12s", r->image + strlen("sha256:"));
	else
		strbuf_adds(out, r->image);
}

CELL(cell_command)
{
	AUTO_STRBUF struct strbuf text = {0};
	ROW;

	human_ellipsis(&text, r->command, t->style.no_trunc ? SIZE_MAX : 20);
	human_quote(out, strbuf_cstr(&text));
}

CELL(cell_created)
{
	char text[64];
	ROW;

	strbuf_adds(out, human_date(r->created_s, text));
}

CELL(cell_running_for)
{
	char text[HUMAN_MAX + 8];
	ROW;

	strbuf_adds(out, human_ago(r->created_s, t->style.now_s, text));
}

CELL(cell_status) { ROW; strbuf_adds(out, r->status); }
CELL(cell_state) { ROW; strbuf_adds(out, r->state); }

CELL(cell_names)
{
	ROW;

	for (size_t i = 0; i < r->names.n; i++)
		strbuf_addf(out, "%s%s", i ? "," : "", r->names.v[i] + (r->names.v[i][0] == '/'));
}

CELL(cell_ports)
{
	ROW;

	ports_print(out, r->ports, r->n_ports);
}

CELL(cell_size)
{
	char text[HUMAN_MAX];
	ROW;

	strbuf_adds(out, human_size((double)r->size_rw, 3, text));
	if (r->size_root > 0)
		strbuf_addf(out, " (virtual %s)", human_size((double)r->size_root, 3, text));
}

CELL(cell_labels)
{
	ROW;

	for (size_t i = 0; i < r->labels.n; i++)
		strbuf_addf(out, "%s%s=%s", i ? "," : "", r->labels.v[i].key, r->labels.v[i].value);
}

CELL(cell_label)
{
	const char *value;
	ROW;

	value = key ? str_map_get(&r->labels, key) : NULL;
	strbuf_adds(out, value ? value : "");
}

CELL(cell_mounts)
{
	ROW;

	for (size_t i = 0; i < r->n_mounts; i++) {
		const char *name = str_is_empty(r->mounts[i].name) ? r->mounts[i].source : r->mounts[i].name;

		strbuf_adds(out, i ? "," : "");
		human_ellipsis(out, name ? name : "", t->style.no_trunc ? SIZE_MAX : 15);
	}
}

CELL(cell_local_volumes)
{
	size_t n = 0;
	ROW;

	for (size_t i = 0; i < r->n_mounts; i++)
		n += str_eq(r->mounts[i].driver, "local");
	strbuf_addf(out, "%zu", n);
}

CELL(cell_networks)
{
	ROW;

	for (size_t i = 0; r->networks && i < r->networks->n; i++)
		strbuf_addf(out, "%s%s", i ? "," : "", r->networks->v[i].key);
}

static const struct column columns[] = {
	{ "ID", "CONTAINER ID", cell_id, false },
	{ "Image", "IMAGE", cell_image, false },
	{ "Command", "COMMAND", cell_command, false },
	{ "CreatedAt", "CREATED AT", cell_created, false },
	{ "RunningFor", "CREATED", cell_running_for, false },
	{ "Ports", "PORTS", cell_ports, false },
	{ "State", "STATE", cell_state, false },
	{ "Status", "STATUS", cell_status, false },
	{ "Size", "SIZE", cell_size, false },
	{ "Names", "NAMES", cell_names, false },
	{ "Labels", "LABELS", cell_labels, false },
	{ "Label", "LABEL", cell_label, true },
	{ "Mounts", "MOUNTS", cell_mounts, false },
	{ "LocalVolumes", "LOCAL VOLUMES", cell_local_volumes, false },
	{ "Networks", "NETWORKS", cell_networks, false },
	{ NULL, NULL, NULL, false },
};

static int list(const struct call *c, const struct options *o, struct row **ret, size_t *ret_n, struct err *e)
{
	AUTO_STRBUF struct strbuf path = {0};
	struct opt_i64 limit = o->latest ? (struct opt_i64){ true, 1 } : o->last;

	strbuf_adds(&path, "/containers/json");
	path_flag(&path, "all", o->all);
	path_flag(&path, "size", o->size || (o->format && strstr(o->format, "{{.Size}}")));
	path_number(&path, "limit", &limit);
	path_filters(&path, &o->filter);
	return reply_list(c, path.data, &row_schema, (void **)ret, ret_n, e);
}

static int run(const struct call *c)
{
	const struct options *o = c->o;
	AUTO_TABLE struct table t = {0};
	struct row *found = NULL;
	const char *format = o->quiet ? NULL : o->format;
	struct err e = {0};
	size_t n = 0;
	const char *fields = o->quiet ? "-ID" : o->size ? "ID Image Command RunningFor Status Ports Names Size" :
			     "ID Image Command RunningFor Status Ports Names";

	if (o->quiet && !str_is_empty(o->format))
		fprintf(stderr, "WARNING: Ignoring custom format, because both --format and --quiet are set.\n");
	if (table_init(&t, columns, format, fields, c->a, &e) < 0 || list(c, o, &found, &n, &e) < 0)
		return cmd_fail(&e);
	t.style = (struct table_style){ .no_trunc = o->no_trunc, .now_s = clock_wall_ns() / CLOCK_NS_PER_SEC };
	for (size_t i = 0; i < n; i++)
		table_row(&t, &found[i]);
	return table_show(&t, &e) < 0 ? cmd_fail(&e) : 0;
}

const struct command cmd_ps = {
	.name = "ps", .group = "container", .member = "ls", .aliases = "list|ps", .usage = "[OPTIONS]", .help = "List containers",
	.opts = { { rows } }, .options_size = sizeof(struct options), .run = run,
};
