/* SPDX-License-Identifier: Apache-2.0 */
/* kiln system df: what images and containers take on the disk. */
#include "base/own.h"
#include "cli/commands.h"
#include "cli/human.h"
#include "cli/reply.h"
#include "cli/table.h"

struct options { const char *format; };
static const struct opt rows[] = {
	OPT_TEXT(struct options, format, 0, "format", "FORMAT", "'table', 'table TEMPLATE', 'json' or a TEMPLATE as '{{.Type}} {{.Size}}'",
		 .choices = "table|json"),
	OPT_REFUSED_FLAG('v', "verbose", "use 'kiln images' and 'kiln ps -a --size'"),
	OPT_END,
};

struct image { int64_t containers, size, shared; };
static const struct jfield image_fields[] = {
	J_I64(struct image, containers, "Containers", 0),
	J_I64(struct image, size, "Size", 0),
	J_I64(struct image, shared, "SharedSize", 0),
};
static const struct jschema image_schema = J_SCHEMA(struct image, "ImageSummary", image_fields);

struct container { char *state; int64_t size; };
static const struct jfield container_fields[] = {
	J_STRING(struct container, state, "State", 0),
	J_I64(struct container, size, "SizeRw", 0),
};
static const struct jschema container_schema = J_SCHEMA(struct container, "ContainerSummary", container_fields);

struct usage { int64_t layers; struct image *images; size_t n_images; struct container *containers; size_t n_containers; };
static const struct jfield usage_fields[] = {
	J_I64(struct usage, layers, "LayersSize", 0),
	J_ARRAY(struct usage, images, n_images, "Images", &image_schema, 0),
	J_ARRAY(struct usage, containers, n_containers, "Containers", &container_schema, 0),
};
static const struct jschema usage_schema = J_SCHEMA(struct usage, "SystemDataUsage", usage_fields);

struct row { const char *type; size_t total, active; double size, reclaimable; };

#define CELL(name) static void name(const struct table *t, const void *of, const char *key, struct strbuf *out)
#define ROW const struct row *r = of; (void)t; (void)key

CELL(cell_type) { ROW; strbuf_adds(out, r->type); }
CELL(cell_total) { ROW; strbuf_addf(out, "%zu", r->total); }
CELL(cell_active) { ROW; strbuf_addf(out, "%zu", r->active); }

CELL(cell_size)
{
	char text[HUMAN_MAX];
	ROW;

	strbuf_adds(out, human_size(r->size, 4, text));
}

CELL(cell_reclaimable)
{
	char text[HUMAN_MAX];
	ROW;

	strbuf_adds(out, human_size(r->reclaimable, 4, text));
	if (r->size > 0)
		strbuf_addf(out, " (%d%%)", (int)(r->reclaimable > r->size ? 100 : r->reclaimable < 0 ? 0 : r->reclaimable * 100 / r->size));
}

static const struct column columns[] = {
	{ "Type", "TYPE", cell_type, false },
	{ "TotalCount", "TOTAL", cell_total, false },
	{ "Active", "ACTIVE", cell_active, false },
	{ "Size", "SIZE", cell_size, false },
	{ "Reclaimable", "RECLAIMABLE", cell_reclaimable, false },
	{ NULL, NULL, NULL, false },
};

static struct row images_row(const struct usage *u)
{
	struct row r = { .type = "Images", .total = u->n_images, .size = (double)u->layers, .reclaimable = (double)u->layers };

	for (size_t i = 0; i < u->n_images; i++) {
		r.active += u->images[i].containers > 0;
		if (u->images[i].containers != 0 && u->images[i].size != -1 && u->images[i].shared != -1)
			r.reclaimable -= (double)u->images[i].size - (double)u->images[i].shared;
	}
	return r;
}

static bool is_active(const char *state)
{
	return str_eq(state, "running") || str_eq(state, "paused") || str_eq(state, "restarting");
}

static struct row containers_row(const struct usage *u)
{
	struct row r = { .type = "Containers", .total = u->n_containers };

	for (size_t i = 0; i < u->n_containers; i++) {
		r.active += is_active(u->containers[i].state);
		r.size += (double)u->containers[i].size;
		r.reclaimable += is_active(u->containers[i].state) ? 0 : (double)u->containers[i].size;
	}
	return r;
}

static int run(const struct call *c)
{
	const struct options *o = c->o;
	AUTO_TABLE struct table t = {0};
	struct usage *u = NULL;
	struct row images, containers;
	struct err e = {0};

	if (table_init(&t, columns, o->format, "Type TotalCount Active Size Reclaimable", c->a, &e) < 0 ||
	    reply_get(c, "/system/df", &usage_schema, (void **)&u, &e) < 0)
		return cmd_fail(&e);
	images = images_row(u);
	containers = containers_row(u);
	table_row(&t, &images);
	table_row(&t, &containers);
	return table_show(&t, &e) < 0 ? cmd_fail(&e) : 0;
}

const struct command cmd_system_df = {
	.group = "system", .member = "df", .usage = "[OPTIONS]", .help = "Show what images and containers take on the disk",
	.opts = { { rows } }, .options_size = sizeof(struct options), .run = run,
};
