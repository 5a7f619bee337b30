/* SPDX-License-Identifier: Apache-2.0 */
/* Images in memory: loading them at start, finding, naming. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "daemon/engine/images_priv.h"
#include "oci/digest.h"
#include "oci/reference.h"
#include "oci/store.h"

static struct image_obj *obj(const struct image *i)
{
	return (struct image_obj *)((char *)i - offsetof(struct image_obj, pub));
}

/* ---- the list ---- */

void images_insert(struct images *imgs, struct image_obj *o)
{
	struct image_obj **at = &imgs->first;

	while (*at && (*at)->pub.loaded_wall_ns > o->pub.loaded_wall_ns)
		at = &(*at)->next;
	o->next = *at;
	*at = o;
}

static void obj_free(struct image_obj *o)
{
	for (size_t k = 0; k < o->pub.n_tags; k++)
		free(o->pub.tags[k]);
	free(o->pub.tags);
	arena_free(o->arena);   /* holds @o */
}

void images_drop(struct image_obj *o)
{
	for (struct image_obj **at = &o->imgs->first; *at; at = &(*at)->next) {
		if (*at == o) {
			*at = o->next;
			break;
		}
	}
	obj_free(o);
}

void images_void(struct image_obj *o)
{
	o->is_void = o->is_leaving = true;
	if (o->n_removals == 0)
		images_drop(o);
}

static struct image *shown(struct image_obj *o)
{
	while (o && (o->is_hidden || o->is_leaving))
		o = o->next;
	return o ? &o->pub : NULL;
}

struct image *image_first(struct engine *eng)
{
	return shown(eng->images->first);
}

struct image *image_next(struct engine *eng, struct image *i)
{
	(void)eng;
	return shown(obj(i)->next);
}

bool images_need_blob(const struct images *imgs, const char *digest)
{
	for (const struct image_obj *o = imgs->first; o; o = o->next) {
		if (str_eq(o->pub.id, digest) || str_eq(o->pub.manifest_digest, digest))
			return true;
		for (size_t k = 0; k < o->pub.n_layers; k++) {
			if (str_eq(o->pub.layers[k].blob_digest, digest))
				return true;
		}
	}
	return false;
}

bool images_need_layer(const struct images *imgs, const char *key)
{
	for (const struct image_obj *o = imgs->first; o; o = o->next) {
		for (size_t k = 0; k < o->pub.n_layers; k++) {
			if (str_eq(o->pub.layers[k].key, key))
				return true;
		}
	}
	return false;
}

/* ---- tags ---- */

void image_add_tag(struct image *i, const char *canonical)
{
	size_t at = 0;

	while (at < i->n_tags && strcmp(i->tags[at], canonical) < 0)
		at++;
	i->tags = xrealloc(i->tags, (i->n_tags + 1) * sizeof(*i->tags));
	memmove(&i->tags[at + 1], &i->tags[at], (i->n_tags - at) * sizeof(*i->tags));
	i->tags[at] = xstrdup(canonical);
	i->n_tags++;
}

bool image_take_tag(struct image *i, const char *canonical)
{
	for (size_t k = 0; k < i->n_tags; k++) {
		if (!str_eq(i->tags[k], canonical))
			continue;
		free(i->tags[k]);
		i->n_tags--;
		memmove(&i->tags[k], &i->tags[k + 1], (i->n_tags - k) * sizeof(*i->tags));
		return true;
	}
	return false;
}

struct image *image_by_tag(struct engine *eng, const char *canonical)
{
	for (struct image_obj *o = eng->images->first; o; o = o->next) {
		for (size_t k = 0; k < o->pub.n_tags; k++) {
			if (str_eq(o->pub.tags[k], canonical))
				return &o->pub;
		}
	}
	return NULL;
}

bool image_is_dangling(const struct image *i)
{
	return i->n_tags == 0;
}

const char *image_familiar(const char *canonical, struct arena *a)
{
	struct reference ref = { 0 };

	if (reference_parse(canonical, a, &ref, ERR_IGNORED) < 0)
		return canonical;
	return reference_familiar(&ref, a);
}

void image_event(struct image *i, const char *action, const char *name)
{
	const struct str_map *labels = &i->config->config->labels;
	struct event ev = { .type = "image", .action = action, .id = i->id };
	struct str_pair *pairs = xcalloc(labels->n + 1, sizeof(*pairs));

	if (labels->n > 0)
		memcpy(pairs, labels->v, labels->n * sizeof(*pairs));
	pairs[labels->n] = (struct str_pair){ (char *)"name", (char *)name };
	ev.attributes = (struct str_map){ pairs, labels->n + 1 };
	events_publish(engine_events(i->eng), &ev);
	free(pairs);
}

static int parse_new_tag(const char *reference, struct arena *a, struct reference *ref, struct err *e)
{
	if (reference_parse_tagged(reference, a, ref, e) < 0)
		return -1;
	if (ref->digest)
		return err_set(e, ERR_INVALID, "refusing to create a tag with a digest reference");
	return reference_check_new(ref, e);
}

struct tagging {
	struct engine *eng;
	char *canonical, *to_id, *from_id;   /* from_id NULL: it was nobody's */
	engine_done_fn done;
	void *ctx;
};

static void tag_committed(void *ctx, const struct err *err)
{
	struct tagging *t = ctx;
	struct image *to = image_by_id(t->eng, t->to_id);
	struct image *from = t->from_id ? image_by_id(t->eng, t->from_id) : NULL;
	AUTO_ARENA struct arena *a = arena_new();

	if (err->kind == ERR_NONE && to)
		image_event(to, "tag", image_familiar(t->canonical, a));
	else if (err->kind != ERR_NONE && to && image_take_tag(to, t->canonical) && from)
		image_add_tag(from, t->canonical);
	t->done(t->ctx, err);
	free(t->canonical);
	free(t->to_id);
	free(t->from_id);
	free(t);
}

void image_tag(struct engine *eng, struct image *i, const char *reference, engine_done_fn done, void *ctx)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct reference ref = { 0 };
	struct err e = { 0 };
	struct tagging *t;
	struct image *owner;
	struct state_batch *b;
	char *canonical;

	if (parse_new_tag(reference, a, &ref, &e) < 0) {
		done(ctx, &e);
		return;
	}
	canonical = reference_canonical(&ref, a);
	owner = image_by_tag(eng, canonical);
	t = xcalloc(1, sizeof(*t));
	*t = (struct tagging){ .eng = eng, .done = done, .ctx = ctx };
	t->canonical = xstrdup(canonical);
	t->to_id = xstrdup(i->id);
	t->from_id = owner ? xstrdup(owner->id) : NULL;
	if (owner)
		image_take_tag(owner, canonical);
	image_add_tag(i, canonical);
	i->tagged_wall_ns = clock_wall_ns();
	b = state_batch_new(eng->state);
	state_put_tag(b, &(struct state_tag){ .reference = canonical, .image_id = i->id });
	image_record_put(i, b);
	state_commit(b, STATE_DURABLE, tag_committed, t);
}

/* ---- finding ---- */

struct image *image_by_id(struct engine *eng, const char *id)
{
	for (struct image_obj *o = eng->images->first; o; o = o->next) {
		if (str_eq(o->pub.id, id) && !o->is_leaving)
			return &o->pub;
	}
	return NULL;
}

static bool is_hex_prefix(const char *s)
{
	size_t n = strspn(s, "0123456789abcdef");

	return n > 0 && n <= DIGEST_HEX_LEN && s[n] == 0;
}

/* Return: the only image whose hex digits begin with @prefix, or NULL */
static struct image *find_by_prefix(struct engine *eng, const char *prefix)
{
	struct image *found = NULL;

	for (struct image *i = image_first(eng); i; i = image_next(eng, i)) {
		if (!str_starts(digest_hex(i->id), prefix))
			continue;
		if (found)
			return NULL;
		found = i;
	}
	return found;
}

/* name@digest: the digest of the manifest it was loaded with, or its own ID, and a tag of that repository */
static struct image *find_by_digest(struct engine *eng, const struct reference *ref, struct arena *a)
{
	const char *name = arena_printf(a, "%s/%s:", ref->domain, ref->path);

	for (struct image *i = image_first(eng); i; i = image_next(eng, i)) {
		if (!str_eq(i->manifest_digest, ref->digest) && !str_eq(i->id, ref->digest))
			continue;
		for (size_t k = 0; k < i->n_tags; k++) {
			if (str_starts(i->tags[k], name))
				return i;
		}
	}
	return NULL;
}

static struct image *find_by_reference(struct engine *eng, const char *name, struct arena *a,
				       const char **ret_familiar)
{
	struct reference ref = { 0 };

	if (reference_parse_tagged(name, a, &ref, ERR_IGNORED) < 0)
		return NULL;
	*ret_familiar = reference_familiar(&ref, a);
	if (ref.digest)
		return find_by_digest(eng, &ref, a);
	return image_by_tag(eng, reference_canonical(&ref, a));
}

int image_find(struct engine *eng, const char *name, struct image **ret, struct err *e)
{
	AUTO_ARENA struct arena *a = arena_new();
	const char *familiar = name;
	const char *hex = str_starts(name, "sha256:") ? name + strlen("sha256:") : name;
	struct image *found = NULL;

	if (!digest_is_valid(name) && !str_is_hex(name, DIGEST_HEX_LEN))
		found = find_by_reference(eng, name, a, &familiar);
	if (!found && is_hex_prefix(hex))
		found = find_by_prefix(eng, hex);
	if (!found)
		return err_set(e, ERR_NOT_FOUND, "No such image: %s", familiar);
	*ret = found;
	return 0;
}

/* ---- containers that use it ---- */

void image_ref(struct image *i)
{
	if (i)
		i->n_containers++;
}

void image_unref(struct image *i)
{
	if (!i)
		return;
	BUG(i->n_containers == 0, "image %s is used by no container", i->id);
	i->n_containers--;
	if (i->n_containers == 0 && obj(i)->is_hidden)
		image_erase(i);
}

/* After start, when containers are known: hidden images whose last container went away unseen */
static void erase_hidden(void *ctx)
{
	struct images *imgs = ctx;

	for (struct image_obj *o = imgs->first; o; o = o->next) {
		if (o->is_hidden && !o->is_leaving && o->pub.n_containers == 0)
			image_erase(&o->pub);
	}
}

/* ---- start and end ---- */

static void load_image(void *ctx, const struct state_image *row)
{
	struct images *imgs = ctx;
	struct image_obj *o = NULL;
	struct err e = { 0 };

	if (image_record_read(imgs, row, &o, &e) < 0)
		log_err("image %s: %s, ignoring it", row->id, e.msg);
	if (o)
		images_insert(imgs, o);
}

static void load_tag(void *ctx, const struct state_tag *t)
{
	struct images *imgs = ctx;
	struct image *i = image_by_id(imgs->eng, t->image_id);

	if (i)
		image_add_tag(i, t->reference);
	else
		log_warn("tag '%s' names image %s, which is not there, ignoring it", t->reference, t->image_id);
}

int images_new(struct engine *eng, struct images **ret, struct err *e)
{
	struct images *imgs = xcalloc(1, sizeof(*imgs));

	imgs->eng = eng;
	imgs->last_task = &imgs->tasks;
	eng->images = imgs;   /* what is called below looks there */
	if (store_init(eng->cfg.data_root_fd, e) < 0 || state_each_image(eng->state, load_image, imgs, e) < 0 ||
	    state_each_tag(eng->state, load_tag, imgs, e) < 0 || images_remove_orphans(imgs, e) < 0) {
		eng->images = NULL;
		images_free(imgs);
		return err_wrap(e, "image store");
	}
	imgs->after_start = loop_timer_new(eng->loop, "images after start", erase_hidden, imgs);
	loop_timer_start(imgs->after_start, 0, 0);
	*ret = imgs;
	return 0;
}

void images_free(struct images *imgs)
{
	if (!imgs)
		return;
	images_end_loads(imgs);
	images_end_sweeps(imgs);
	loop_timer_free(imgs->after_start);
	while (imgs->first)
		images_drop(imgs->first);
	while (imgs->tasks) {
		struct images_task *next = imgs->tasks->next;

		free(imgs->tasks);
		imgs->tasks = next;
	}
	free(imgs);
}
