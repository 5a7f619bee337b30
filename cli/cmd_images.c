/* SPDX-License-Identifier: Apache-2.0 */
/* kiln images, history, tag, rmi. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "cli/commands.h"
#include "cli/human.h"
#include "cli/many.h"
#include "cli/reply.h"
#include "cli/table.h"

#define FORMAT_HELP "'table', 'table TEMPLATE', 'json' or a TEMPLATE as '{{.ID}}'"
#define CELL(name) static void name(const struct table *t, const void *of, const char *key, struct strbuf *out)
#define ROW(type) const struct type *r = of; (void)t; (void)key

static void add_id(struct strbuf *out, const char *id, bool no_trunc)
{
	if (no_trunc || !str_starts(id, "sha256:"))
		strbuf_adds(out, id);
	else
		strbuf_addf(out, "%.12s", id + strlen("sha256:"));
}

/* ---- images ---- */

struct image { char *id; struct str_list tags, digests; int64_t created_s, size; struct opt_i64 shared, containers; };
static const struct jfield image_fields[] = {
	J_STRING(struct image, id, "Id", J_REQUIRED),
	J_STRINGS(struct image, tags, "RepoTags", 0),
	J_STRINGS(struct image, digests, "RepoDigests", 0),
	J_I64(struct image, created_s, "Created", J_REQUIRED),
	J_I64(struct image, size, "Size", J_REQUIRED),
	J_OPT_I64(struct image, shared, "SharedSize", 0),
	J_OPT_I64(struct image, containers, "Containers", 0),
};
static const struct jschema image_schema = J_SCHEMA(struct image, "ImageSummary", image_fields);

/* One line: an image under one of its names */
struct name { const struct image *image; const char *repository, *tag, *digest; };

CELL(image_id) { ROW(name); add_id(out, r->image->id, t->style.no_trunc); }
CELL(image_repository) { ROW(name); strbuf_adds(out, r->repository); }
CELL(image_tag) { ROW(name); strbuf_adds(out, r->tag); }
CELL(image_digest) { ROW(name); strbuf_adds(out, r->digest); }

/* -1: the daemon did not count */
static bool is_told(const struct opt_i64 *v)
{
	return v->set && v->v != -1;
}

CELL(image_containers)
{
	ROW(name);

	if (is_told(&r->image->containers))
		strbuf_addf(out, "%lld", (long long)r->image->containers.v);
	else
		strbuf_adds(out, "N/A");
}

CELL(image_shared)
{
	char text[HUMAN_MAX];
	ROW(name);

	strbuf_adds(out, is_told(&r->image->shared) ? human_size((double)r->image->shared.v, 3, text) : "N/A");
}

CELL(image_unique)
{
	char text[HUMAN_MAX];
	ROW(name);

	strbuf_adds(out, is_told(&r->image->shared) ? human_size((double)r->image->size - (double)r->image->shared.v, 3, text) : "N/A");
}

CELL(image_since)
{
	char text[HUMAN_MAX + 8];
	ROW(name);

	strbuf_adds(out, human_ago(r->image->created_s, t->style.now_s, text));
}

CELL(image_created)
{
	char text[64];
	ROW(name);

	strbuf_adds(out, human_date(r->image->created_s, text));
}

CELL(image_size)
{
	char text[HUMAN_MAX];
	ROW(name);

	strbuf_adds(out, human_size((double)r->image->size, 3, text));
}

CELL(image_virtual)
{
	char text[HUMAN_MAX];
	ROW(name);

	strbuf_adds(out, human_size((double)r->image->size, 4, text));
}

static const struct column image_columns[] = {
	{ "ID", "IMAGE ID", image_id, false },
	{ "Repository", "REPOSITORY", image_repository, false },
	{ "Tag", "TAG", image_tag, false },
	{ "Digest", "DIGEST", image_digest, false },
	{ "CreatedSince", "CREATED", image_since, false },
	{ "CreatedAt", "CREATED AT", image_created, false },
	{ "Size", "SIZE", image_size, false },
	{ "Containers", "CONTAINERS", image_containers, false },
	{ "VirtualSize", "SIZE", image_virtual, false },
	{ "SharedSize", "SHARED SIZE", image_shared, false },
	{ "UniqueSize", "UNIQUE SIZE", image_unique, false },
	{ NULL, NULL, NULL, false },
};

struct images_options { bool all, digests, no_trunc, quiet; const char *format; struct str_list filter; };
static const struct opt images_rows[] = {
	OPT_FLAG(struct images_options, all, 'a', "all", "Show all; Kiln has no others"),
	OPT_FLAG(struct images_options, digests, 0, "digests", "Show digests"),
	OPT_TEXTS(struct images_options, filter, 'f', "filter", "KEY=VALUE", "Show those for which it holds: before, dangling, label, reference, since, until",
		  .check = filter_check, .choices = "before=|dangling=true|dangling=false|label=|reference=|since=|until="),
	OPT_TEXT(struct images_options, format, 0, "format", "FORMAT", FORMAT_HELP, .choices = "table|json"),
	OPT_FLAG(struct images_options, no_trunc, 0, "no-trunc", "Do not shorten"),
	OPT_FLAG(struct images_options, quiet, 'q', "quiet", "Print IDs only"),
	OPT_REFUSED_FLAG(0, "tree", "an image is stored for this machine's platform only"),
	OPT_END,
};

static bool shows_digests(const struct images_options *o)
{
	return o->digests || (o->format && strstr(o->format, "{{.Digest}}"));
}

static bool is_same_repository(const char *digest, const char *repository)
{
	size_t n = strcspn(digest, "@");

	return digest[n] == '@' && strlen(repository) == n && memcmp(digest, repository, n) == 0;
}

/* A line for each name and, where digests are shown, for each digest of its repository */
static void add_image(struct table *t, const struct image *i, bool wants_digests, struct arena *a)
{
	struct name row = { i, "<none>", "<none>", "<none>" };

	for (size_t k = 0; k < i->tags.n; k++) {
		const char *colon = strrchr(i->tags.v[k], ':');
		bool has_digest = false;

		row.repository = arena_strndup(a, i->tags.v[k], colon ? (size_t)(colon - i->tags.v[k]) : strlen(i->tags.v[k]));
		row.tag = colon ? colon + 1 : "<none>";
		row.digest = "<none>";
		for (size_t d = 0; wants_digests && d < i->digests.n; d++)
			if (is_same_repository(i->digests.v[d], row.repository)) {
				row.digest = strchr(i->digests.v[d], '@') + 1;
				table_row(t, &row);
				has_digest = true;
			}
		if (!has_digest)
			table_row(t, &row);
	}
	if (i->tags.n == 0 && i->digests.n && strchr(i->digests.v[0], '@')) {
		row.repository = arena_strndup(a, i->digests.v[0], strcspn(i->digests.v[0], "@"));
		row.digest = strchr(i->digests.v[0], '@') + 1;
	}
	if (i->tags.n == 0)
		table_row(t, &row);
}

static int list_images(const struct call *c, const struct images_options *o, struct image **ret, size_t *ret_n, struct err *e)
{
	AUTO_STRBUF struct strbuf path = {0};
	struct str_list filters = { arena_new_array(c->a, char *, o->filter.n + 1), o->filter.n };

	if (filters.n)
		memcpy(filters.v, o->filter.v, filters.n * sizeof(*filters.v));
	if (c->args.n)
		filters.v[filters.n++] = arena_printf(c->a, "reference=%s", c->args.v[0]);
	strbuf_adds(&path, "/images/json");
	path_flag(&path, "all", o->all);
	path_filters(&path, &filters);
	return reply_list(c, path.data, &image_schema, (void **)ret, ret_n, e);
}

static int run_images(const struct call *c)
{
	const struct images_options *o = c->o;
	AUTO_TABLE struct table t = {0};
	struct image *found = NULL;
	struct err e = {0};
	size_t n = 0;
	const char *fields = o->quiet ? "-ID" : o->digests ? "Repository Tag Digest ID CreatedSince Size" :
			     "Repository Tag ID CreatedSince Size";

	if (table_init(&t, image_columns, o->format, fields, c->a, &e) < 0 || list_images(c, o, &found, &n, &e) < 0)
		return cmd_fail(&e);
	t.style = (struct table_style){ .no_trunc = o->no_trunc, .now_s = clock_wall_ns() / CLOCK_NS_PER_SEC };
	for (size_t i = 0; i < n; i++)
		add_image(&t, &found[i], shows_digests(o), c->a);
	return table_show(&t, &e) < 0 ? cmd_fail(&e) : 0;
}

const struct command cmd_images = {
	.name = "images", .group = "image", .member = "ls", .aliases = "list", .usage = "[OPTIONS] [REPOSITORY[:TAG]]", .help = "List images",
	.opts = { { images_rows } }, .options_size = sizeof(struct images_options), .args = VALUE_IMAGE, .n_args_max = 1, .run = run_images,
};

/* ---- history ---- */

struct step { char *id, *created_by, *comment; int64_t created_s, size; };
static const struct jfield step_fields[] = {
	J_STRING(struct step, id, "Id", J_REQUIRED),
	J_STRING(struct step, created_by, "CreatedBy", 0),
	J_STRING(struct step, comment, "Comment", 0),
	J_I64(struct step, created_s, "Created", J_REQUIRED),
	J_I64(struct step, size, "Size", J_REQUIRED),
};
static const struct jschema step_schema = J_SCHEMA(struct step, "ImageHistory", step_fields);

CELL(step_id) { ROW(step); add_id(out, r->id, t->style.no_trunc); }
CELL(step_comment) { ROW(step); strbuf_adds(out, r->comment ? r->comment : ""); }

CELL(step_created)
{
	char text[CLOCK_TEXT_MAX];
	ROW(step);

	strbuf_adds(out, r->created_s > 0 ? clock_rfc3339(clock_from_s(r->created_s), text) : "N/A");
}

CELL(step_since)
{
	char text[HUMAN_MAX + 8];
	ROW(step);

	if (t->style.is_raw)
		step_created(t, of, key, out);
	else
		strbuf_adds(out, r->created_s > 0 ? human_ago(r->created_s, t->style.now_s, text) : "N/A");
}

CELL(step_created_by)
{
	AUTO_STRBUF struct strbuf text = {0};
	ROW(step);

	for (const char *p = r->created_by ? r->created_by : ""; *p; p++)
		strbuf_addc(&text, *p == '\t' ? ' ' : *p);
	human_ellipsis(out, strbuf_cstr(&text), t->style.no_trunc ? SIZE_MAX : 45);
}

CELL(step_size)
{
	char text[HUMAN_MAX];
	ROW(step);

	if (t->style.is_raw)
		strbuf_addf(out, "%lld", (long long)r->size);
	else
		strbuf_adds(out, human_size((double)r->size, 3, text));
}

static const struct column step_columns[] = {
	{ "ID", "IMAGE", step_id, false },
	{ "CreatedSince", "CREATED", step_since, false },
	{ "CreatedAt", "CREATED AT", step_created, false },
	{ "CreatedBy", "CREATED BY", step_created_by, false },
	{ "Size", "SIZE", step_size, false },
	{ "Comment", "COMMENT", step_comment, false },
	{ NULL, NULL, NULL, false },
};

struct history_options { bool no_trunc, quiet; struct opt_bool human; const char *format; };
static const struct opt history_rows[] = {
	OPT_TEXT(struct history_options, format, 0, "format", "FORMAT", FORMAT_HELP, .choices = "table|json"),
	OPT_SWITCH(struct history_options, human, 'H', "human", "Sizes and dates for people (default true)"),
	OPT_FLAG(struct history_options, no_trunc, 0, "no-trunc", "Do not shorten"),
	OPT_FLAG(struct history_options, quiet, 'q', "quiet", "Print IDs only"),
	OPT_REFUSED_VALUE(0, "platform", "an image is stored for this machine's platform only"),
	OPT_END,
};

static int run_history(const struct call *c)
{
	const struct history_options *o = c->o;
	bool is_raw = o->human.set && !o->human.v;
	const char *fields = o->quiet ? "-ID" : is_raw ? "ID CreatedAt CreatedBy Size Comment" : "ID CreatedSince CreatedBy Size Comment";
	AUTO_TABLE struct table t = {0};
	struct step *found = NULL;
	struct err e = {0};
	size_t n = 0;

	if (table_init(&t, step_columns, o->format, fields, c->a, &e) < 0 ||
	    reply_list(c, path_of(c->a, "images", c->args.v[0], "history"), &step_schema, (void **)&found, &n, &e) < 0)
		return cmd_fail(&e);
	t.style = (struct table_style){ .no_trunc = o->no_trunc, .is_raw = is_raw, .now_s = clock_wall_ns() / CLOCK_NS_PER_SEC };
	for (size_t i = 0; i < n; i++)
		table_row(&t, &found[i]);
	return table_show(&t, &e) < 0 ? cmd_fail(&e) : 0;
}

const struct command cmd_history = {
	.name = "history", .group = "image", .member = "history", .usage = "[OPTIONS] IMAGE", .help = "Show how an image was made",
	.opts = { { history_rows } }, .options_size = sizeof(struct history_options),
	.args = VALUE_IMAGE, .n_args_min = 1, .n_args_max = 1, .run = run_history,
};

/* ---- tag, rmi ---- */

static int run_tag(const struct call *c)
{
	AUTO_STRBUF struct strbuf path = {0};
	struct err e = {0};

	strbuf_adds(&path, path_of(c->a, "images", c->args.v[0], "tag"));
	path_query(&path, "repo", c->args.v[1]);
	return reply_post(c, "POST", path.data, NULL, NULL, &e) < 0 ? cmd_fail(&e) : 0;
}

const struct command cmd_tag = {
	.name = "tag", .group = "image", .member = "tag", .usage = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]", .help = "Give an image one more name",
	.args = VALUE_IMAGE, .n_args_min = 2, .n_args_max = 2, .run = run_tag,
};

struct deleted { char *untagged, *deleted; };
static const struct jfield deleted_fields[] = {
	J_STRING(struct deleted, untagged, "Untagged", 0),
	J_STRING(struct deleted, deleted, "Deleted", 0),
};
static const struct jschema deleted_schema = J_SCHEMA(struct deleted, "ImageDelete", deleted_fields);

static int print_deleted(const struct call *c, const char *name, const struct strbuf *body, struct err *e)
{
	struct deleted *d = NULL;
	size_t n = 0;

	(void)name;
	if (reply_decode_list(c, body, &deleted_schema, (void **)&d, &n, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		cmd_say(stdout, "%s: %s\n", d[i].deleted ? "Deleted" : "Untagged", d[i].deleted ? d[i].deleted : d[i].untagged);
	return 0;
}

struct rmi_options { bool force, no_prune; };
static const struct opt rmi_rows[] = {
	OPT_FLAG(struct rmi_options, force, 'f', "force", "Also when it has other names, or a stopped container uses it"),
	OPT_FLAG(struct rmi_options, no_prune, 0, "no-prune", "Keep parents without a name; Kiln has none"),
	OPT_REFUSED_VALUE(0, "platform", "an image is stored for this machine's platform only"),
	OPT_END,
};

static int run_rmi(const struct call *c)
{
	const struct rmi_options *o = c->o;
	AUTO_STRBUF struct strbuf query = {0};

	path_flag(&query, "force", o->force);
	path_flag(&query, "noprune", o->no_prune);
	return many_run(c, &(struct many){ .method = "DELETE", .kind = "images", .verb = strbuf_cstr(&query), .doing = "Removing",
					   .is_in_turn = true, .is_missing_fine = o->force, .on_answer = print_deleted });
}

const struct command cmd_rmi = {
	.name = "rmi", .group = "image", .member = "rm", .aliases = "remove", .usage = "[OPTIONS] IMAGE [IMAGE...]", .help = "Remove images",
	.opts = { { rmi_rows } }, .options_size = sizeof(struct rmi_options),
	.args = VALUE_IMAGE, .n_args_min = 1, .n_args_max = ARGS_MANY, .run = run_rmi,
};
