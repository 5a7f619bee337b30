/* SPDX-License-Identifier: Apache-2.0 */
/*
 * images/…: list, inspect, history, tag, delete, load; save is in docker_image_save.c, import in
 * docker_image_import.c.
 *
 * Spec: Docker Engine API 1.51, ImageList, ImageInspect, ImageHistory, ImageTag, ImageDelete, ImageLoad
 */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "daemon/doors/docker_image_files.h"
#include "daemon/doors/docker_image_print.h"
#include "daemon/doors/docker_image_upload.h"
#include "daemon/doors/doors.h"
#include "daemon/doors/door_util.h"
#include "daemon/doors/filters.h"
#include "oci/reference.h"

/* What asks for something that Kiln does not do; other parameters that are unknown are ignored, as dockerd does. */
static int refuse_parameters(const struct request *r, struct err *e)
{
	static const struct {
		const char *key, *reason;
	} refused[] = {
		{ "platform", "an image is stored for this machine's platform only" },
		{ "platforms", "an image is stored for this machine's platform only" },
		{ "manifests", "an image is stored for this machine's platform only" },
		{ "shared-size", "it is not computed" },
		{ "identity", "it is not known" },
	};

	for (size_t k = 0; k < ARRAY_SIZE(refused); k++) {
		if (request_query_bool(r, refused[k].key))
			return err_set(e, ERR_UNSUPPORTED, "parameter '%s': %s", refused[k].key, refused[k].reason);
	}
	return 0;
}

static struct image *find(struct request *r)
{
	struct image *i = NULL;
	struct err e = { 0 };

	if (refuse_parameters(r, &e) == 0 && image_find(request_ctx(r), request_param(r, "name"), &i, &e) == 0)
		return i;
	reply_error(r, &e);
	return NULL;
}

/* ---- list ---- */

static const char *const list_filters[] = { "dangling", "label", "label!", "before", "since", "reference", "until", NULL };

struct listing {
	struct request *r;
	struct filters filters;
	int64_t before_ns, since_ns, until_ns;   /* 0: not asked */
	int dangling;                /* -1: not asked */
};

static int created_of(struct listing *l, const char *key, int64_t *ret, struct err *e)
{
	const struct str_list *v = filters_get(&l->filters, key);
	struct image *i = NULL;

	if (!v || v->n == 0)
		return 0;
	if (image_find(request_ctx(l->r), v->v[0], &i, e) < 0)
		return -1;
	*ret = image_created_ns(i);
	return 0;
}

static int read_filters(struct listing *l, struct err *e)
{
	const struct str_list *v;

	if (filters_parse(request_query(l->r, "filters"), list_filters, request_arena(l->r), &l->filters, e) < 0 ||
	    created_of(l, "before", &l->before_ns, e) < 0 || created_of(l, "since", &l->since_ns, e) < 0)
		return -1;
	v = filters_get(&l->filters, "until");
	if (v && v->n > 0 && !clock_parse(v->v[0], &l->until_ns))
		return err_set(e, ERR_INVALID, "invalid filter 'until=%s'", v->v[0]);
	l->dangling = -1;
	v = filters_get(&l->filters, "dangling");
	if (v && v->n > 0) {
		if (str_eq(v->v[0], "true") || str_eq(v->v[0], "1"))
			l->dangling = 1;
		else if (str_eq(v->v[0], "false") || str_eq(v->v[0], "0"))
			l->dangling = 0;
		else
			return err_set(e, ERR_INVALID, "invalid filter 'dangling=[%s]'", v->v[0]);
	}
	return 0;
}

/* As docker matches: a shell pattern over the familiar form, with or without its tag or digest */
static bool matches_reference(const struct str_list *patterns, const char *familiar, struct arena *a)
{
	struct reference ref = { 0 };

	if (reference_parse(familiar, a, &ref, ERR_IGNORED) < 0)
		return false;
	for (size_t k = 0; k < patterns->n; k++) {
		if (fnmatch(patterns->v[k], familiar, FNM_PATHNAME) == 0 ||
		    fnmatch(patterns->v[k], reference_familiar_name(&ref, a), FNM_PATHNAME) == 0)
			return true;
	}
	return false;
}

static void keep_matching(const struct str_list *patterns, struct str_list *names, struct arena *a)
{
	size_t n = 0;

	for (size_t k = 0; k < names->n; k++) {
		if (matches_reference(patterns, names->v[k], a))
			names->v[n++] = names->v[k];
	}
	names->n = n;
}

/* Return: the names to show, or false when the image is not to be shown */
static bool select_names(struct listing *l, const struct image *i, struct image_names *ret)
{
	const struct str_list *patterns = filters_get(&l->filters, "reference");
	struct arena *a = request_arena(l->r);

	image_names(i, a, ret);
	if (!patterns || patterns->n == 0)
		return true;
	keep_matching(patterns, &ret->tags, a);
	keep_matching(patterns, &ret->digests, a);
	return ret->tags.n > 0 || ret->digests.n > 0;
}

static bool is_listed(const struct listing *l, const struct image *i)
{
	const struct str_map *labels = &i->config->config->labels;
	int64_t created_ns = image_created_ns(i);
	const struct str_list *without = filters_get(&l->filters, "label!");

	if (l->dangling >= 0 && image_is_dangling(i) != (l->dangling == 1))
		return false;
	if ((l->before_ns && created_ns >= l->before_ns) || (l->since_ns && created_ns <= l->since_ns) ||
	    (l->until_ns && created_ns > l->until_ns))
		return false;
	if (without && without->n > 0 && filters_match_labels(&l->filters, "label!", labels))
		return false;
	return filters_match_labels(&l->filters, "label", labels);
}

static int newer_first(const void *a, const void *b)
{
	const struct image *x = *(struct image *const *)a, *y = *(struct image *const *)b;
	int64_t x_ns = image_created_ns(x), y_ns = image_created_ns(y);

	return x_ns != y_ns ? (x_ns < y_ns) - (x_ns > y_ns) : strcmp(x->id, y->id);
}

static struct image **sorted(struct engine *eng, struct arena *a, size_t *ret_n)
{
	struct image **v;
	size_t n = 0;

	for (struct image *i = image_first(eng); i; i = image_next(eng, i))
		n++;
	v = arena_new_array(a, struct image *, n);
	n = 0;
	for (struct image *i = image_first(eng); i; i = image_next(eng, i))
		v[n++] = i;
	qsort(v, n, sizeof(*v), newer_first);
	*ret_n = n;
	return v;
}

static void images_list(struct request *r)
{
	AUTO_STRBUF struct strbuf out = { 0 };
	struct listing l = { .r = r };
	struct image **images;
	struct err e = { 0 };
	struct jw w;
	size_t n = 0;

	if (refuse_parameters(r, &e) < 0 || read_filters(&l, &e) < 0) {
		reply_error(r, &e);
		return;
	}
	images = sorted(request_ctx(r), request_arena(r), &n);
	jw_init(&w, &out);
	jw_arr(&w, NULL);
	for (size_t k = 0; k < n; k++) {
		struct image_names names;

		if (is_listed(&l, images[k]) && select_names(&l, images[k], &names))
			image_print_row(&w, images[k], &names, request_api(r));
	}
	jw_arr_end(&w);
	reply_json(r, 200, &out);
}

/* ---- one image ---- */

static void images_inspect(struct request *r)
{
	AUTO_STRBUF struct strbuf out = { 0 };
	struct image *i = find(r);
	struct jw w;

	if (!i)
		return;
	jw_init(&w, &out);
	image_print_inspect(&w, i, request_api(r));
	reply_json(r, 200, &out);
}

static void images_history(struct request *r)
{
	AUTO_STRBUF struct strbuf out = { 0 };
	struct image *i = find(r);
	struct jw w;

	if (!i)
		return;
	jw_init(&w, &out);
	image_print_history(&w, i);
	reply_json(r, 200, &out);
}

static void tagged(void *ctx, const struct err *err)
{
	struct request *r = pending_take(ctx);

	if (!r)
		return;
	if (err->kind != ERR_NONE)
		reply_error(r, err);
	else
		reply_empty(r, 201);
}

static void images_tag(struct request *r)
{
	const char *repo = request_query(r, "repo");
	const char *tag = request_query(r, "tag");
	struct image *i = find(r);

	if (!i)
		return;
	if (str_is_empty(repo)) {
		reply_error_status(r, 400, "invalid reference format");
		return;
	}
	if (!str_is_empty(tag))
		repo = arena_printf(request_arena(r), "%s:%s", repo, tag);
	image_tag(request_ctx(r), i, repo, tagged, pending_new(r));
}

/* ---- delete ---- */

struct deletion {
	struct pending *p;
	struct strbuf out;
	struct jw w;
};

static void deleted_one(void *ctx, bool is_deleted, const char *what)
{
	struct deletion *d = ctx;

	jw_obj(&d->w, NULL);
	jw_str(&d->w, is_deleted ? "Deleted" : "Untagged", what);
	jw_obj_end(&d->w);
}

static void deleted(void *ctx, const struct err *err)
{
	struct deletion *d = ctx;
	struct request *r = pending_take(d->p);

	jw_arr_end(&d->w);
	if (r && err->kind != ERR_NONE)
		reply_error(r, err);
	else if (r)
		reply_json(r, 200, &d->out);
	strbuf_done(&d->out);
	free(d);
}

static void images_delete(struct request *r)
{
	struct deletion *d;
	struct err e = { 0 };

	if (refuse_parameters(r, &e) < 0) {
		reply_error(r, &e);
		return;
	}
	d = xcalloc(1, sizeof(*d));
	d->p = pending_new(r);
	jw_init(&d->w, &d->out);
	jw_arr(&d->w, NULL);
	image_remove(request_ctx(r), request_param(r, "name"), request_query_bool(r, "force"),
		     request_query_bool(r, "noprune"), deleted_one, deleted, d);
}

/* ---- load ---- */

static struct load_op *begin_load(struct engine *eng, int fd, const struct image_watch *w, void *ctx)
{
	(void)ctx;
	return image_load(eng, fd, w);
}

static void images_load(struct request *r)
{
	static const struct upload_kind load = { "stream", "\n", begin_load };
	struct err e = { 0 };

	if (refuse_parameters(r, &e) < 0)
		reply_error(r, &e);
	else
		upload_run(r, &load, !request_query_bool(r, "quiet"), NULL);
}

static const struct route routes[] = {
	{ "GET", "/images/json", 0, images_list },
	{ "POST", "/images/load", ROUTE_BODY_STREAM, images_load },
	{ "POST", "/images/create", ROUTE_BODY_STREAM, docker_image_create },
	{ "GET", "/images/get", 0, docker_images_save },
	{ "GET", "/images/{name...}/get", 0, docker_image_save },
	{ "GET", "/images/{name...}/json", 0, images_inspect },
	{ "GET", "/images/{name...}/history", 0, images_history },
	{ "POST", "/images/{name...}/tag", 0, images_tag },
	{ "DELETE", "/images/{name...}", 0, images_delete },
};

void docker_images_door(struct server *s, struct engine *eng)
{
	server_add_door(s, &(struct door){
		.name = "docker images", .routes = routes, .n_routes = ARRAY_SIZE(routes), .ctx = eng });
}
