/* SPDX-License-Identifier: Apache-2.0 */
/* kiln container prune, image prune, system prune: remove what nothing uses. */
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "cli/commands.h"
#include "cli/human.h"
#include "cli/reply.h"

struct options { bool all, force; struct str_list filter; };
#define FORCE_ROW  OPT_FLAG(struct options, force, 'f', "force", "Do not ask")
#define FILTER_ROW OPT_TEXTS(struct options, filter, 0, "filter", "KEY=VALUE", "Only those for which it holds: until, label", .check = filter_check, .choices = "until=|label=")
static const struct opt container_rows[] = { FILTER_ROW, FORCE_ROW, OPT_END };
static const struct opt image_rows[] = {
	OPT_FLAG(struct options, all, 'a', "all", "All that no container uses, not just those without a name"),
	FILTER_ROW, FORCE_ROW, OPT_END,
};
static const struct opt system_rows[] = {
	OPT_FLAG(struct options, all, 'a', "all", "All images that no container uses, not just those without a name"),
	FILTER_ROW, FORCE_ROW,
	OPT_REFUSED_FLAG(0, "volumes", "there are no volumes yet"),
	OPT_END,
};

struct gone { char *untagged, *deleted; };
static const struct jfield gone_fields[] = {
	J_STRING(struct gone, untagged, "Untagged", 0),
	J_STRING(struct gone, deleted, "Deleted", 0),
};
static const struct jschema gone_schema = J_SCHEMA(struct gone, "ImageDelete", gone_fields);

struct pruned { struct str_list containers; struct gone *images; size_t n_images; int64_t bytes; };
static const struct jfield pruned_fields[] = {
	J_STRINGS(struct pruned, containers, "ContainersDeleted", 0),
	J_ARRAY(struct pruned, images, n_images, "ImagesDeleted", &gone_schema, 0),
	J_I64(struct pruned, bytes, "SpaceReclaimed", 0),
};
static const struct jschema pruned_schema = J_SCHEMA(struct pruned, "Prune", pruned_fields);

static bool is_agreed(const struct options *o, const char *what)
{
	char answer[16] = "";

	if (o->force)
		return true;
	printf("WARNING! This will remove%s\nAre you sure you want to continue? [y/N] ", what);
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y') && strchr("\n", answer[1]);
}

static int prune(const struct call *c, const char *kind, const struct str_list *filters, double *sum, struct err *e)
{
	AUTO_STRBUF struct strbuf path = {0};
	AUTO_STRBUF struct strbuf body = {0};
	struct pruned *p = NULL;

	strbuf_addf(&path, "/%s/prune", kind);
	path_filters(&path, filters);
	if (reply_post(c, "POST", path.data, NULL, &body, e) < 0 ||
	    reply_decode(c, &body, &pruned_schema, (void **)&p, e) < 0)
		return -1;
	for (size_t i = 0; i < p->containers.n; i++)
		cmd_say(stdout, "%s%s\n", i ? "" : "Deleted Containers:\n", p->containers.v[i]);
	for (size_t i = 0; i < p->n_images; i++)
		cmd_say(stdout, "%s%s: %s\n", i ? "" : "Deleted Images:\n", p->images[i].deleted ? "deleted" : "untagged",
		       p->images[i].deleted ? p->images[i].deleted : p->images[i].untagged);
	if (p->containers.n || p->n_images)
		printf("\n");
	*sum += (double)p->bytes;
	return 0;
}

static struct str_list image_filters(const struct call *c)
{
	const struct options *o = c->o;
	struct str_list l = { arena_new_array(c->a, char *, o->filter.n + 1), o->filter.n };

	if (l.n)
		memcpy(l.v, o->filter.v, l.n * sizeof(*l.v));
	l.v[l.n++] = arena_strdup(c->a, o->all ? "dangling=false" : "dangling=true");
	return l;
}

static int run_prune(const struct call *c, bool containers, bool images, const char *what)
{
	const struct options *o = c->o;
	struct str_list with_dangling = image_filters(c);
	struct err e = {0};
	double sum = 0;
	char text[HUMAN_MAX];

	if (!is_agreed(o, what))
		return 0;
	if (containers && prune(c, "containers", &o->filter, &sum, &e) < 0)
		return cmd_fail(&e);
	if (images && prune(c, "images", &with_dangling, &sum, &e) < 0)
		return cmd_fail(&e);
	printf("Total reclaimed space: %s\n", human_size(sum, 4, text));
	return 0;
}

static const char *which_images(const struct call *c)
{
	return ((const struct options *)c->o)->all ? "all images without at least one container associated to them" : "all dangling images";
}

static int run_containers(const struct call *c) { return run_prune(c, true, false, " all stopped containers."); }
static int run_images(const struct call *c) { return run_prune(c, false, true, arena_printf(c->a, " %s.", which_images(c))); }

static int run_system(const struct call *c)
{
	return run_prune(c, true, true, arena_printf(c->a, ":\n  - all stopped containers\n  - %s\n", which_images(c)));
}

const struct command cmd_container_prune = {
	.group = "container", .member = "prune", .usage = "[OPTIONS]", .help = "Remove all containers that do not run",
	.opts = { { container_rows } }, .options_size = sizeof(struct options), .run = run_containers,
};
const struct command cmd_image_prune = {
	.group = "image", .member = "prune", .usage = "[OPTIONS]", .help = "Remove images that nothing uses",
	.opts = { { image_rows } }, .options_size = sizeof(struct options), .run = run_images,
};
const struct command cmd_system_prune = {
	.group = "system", .member = "prune", .usage = "[OPTIONS]", .help = "Remove containers that do not run and images that nothing uses",
	.opts = { { system_rows } }, .options_size = sizeof(struct options), .run = run_system,
};
