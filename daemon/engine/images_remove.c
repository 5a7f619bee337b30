/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rmi. The rules and the words are dockerd's (daemon/images/image_delete.go): a name that is one of several is only taken
 * off; the last name, or the ID, removes the image; containers stand in the way, running ones also of force.
 */
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "daemon/engine/container.h"
#include "daemon/engine/images_priv.h"
#include "oci/digest.h"
#include "oci/reference.h"

#define SHORT_ID 12

static struct image_obj *obj(const struct image *i)
{
	return (struct image_obj *)((char *)i - offsetof(struct image_obj, pub));
}

struct removal {
	struct engine *eng;
	struct image *image;
	struct state_batch *batch;
	image_removed_fn each;
	void *ctx;
	bool force;
};

static bool is_running(const struct container *c)
{
	return c->state == CT_STARTING || c->state == CT_RUNNING || c->state == CT_PAUSED || c->state == CT_STANDBY ||
	       c->state == CT_RESTARTING;
}

/* Return: a container that uses the image, a running one first if @running_only; NULL when there is none */
static const struct container *user_of(const struct removal *m, bool running_only)
{
	for (struct container *c = container_first(m->eng); c; c = container_next(m->eng, c)) {
		if (c->image == m->image && (!running_only || is_running(c)))
			return c;
	}
	return NULL;
}

static const char *short_id(const struct image *i)
{
	return digest_hex(i->id);
}

static int conflict(struct err *e, const struct image *i, bool is_hard, const char *why, const char *container_id)
{
	return err_set(e, ERR_CONFLICT, "conflict: unable to delete %.*s (%s) - %s%.*s", SHORT_ID, short_id(i),
		       is_hard ? "cannot be forced" : "must be forced", why, SHORT_ID, container_id);
}

/* What forbids deleting the image. Return: 0, or -1 with @e set */
static int check_conflicts(const struct removal *m, struct err *e)
{
	const struct container *c = user_of(m, true);

	if (c)
		return conflict(e, m->image, true, "image is being used by running container ", c->id);
	if (m->force)
		return 0;
	if (m->image->n_tags > 1)
		return conflict(e, m->image, false, "image is referenced in multiple repositories", "");
	c = user_of(m, false);
	if (c)
		return conflict(e, m->image, false, "image is being used by stopped container ", c->id);
	return 0;
}

static void untag(struct removal *m, const char *canonical)
{
	AUTO_ARENA struct arena *a = arena_new();
	const char *kept = arena_strdup(a, canonical);

	image_take_tag(m->image, kept);
	state_del_tag(m->batch, kept);
	image_event(m->image, "untag", m->image->id);
	m->each(m->ctx, false, image_familiar(kept, a));
}

void image_erase(struct image *i, struct state_batch *b)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct image_obj *o = obj(i);
	struct images *imgs = o->imgs;
	struct str_list digests = { 0 };
	struct str_list layers = { 0 };

	image_digests(i, a, &digests);
	layers.v = arena_new_array(a, char *, i->n_layers);
	for (size_t k = 0; k < i->n_layers; k++)
		layers.v[layers.n++] = arena_strdup(a, i->layers[k].diff_id);
	state_del_image(b, i->id);
	images_drop(o);
	for (size_t k = 0; k < layers.n; k++) {
		if (!images_need_layer(imgs, layers.v[k]))
			state_del_layer(b, layers.v[k]);
	}
	images_sweep(imgs, &digests);
}

/* Docker names a layer by its chain: the digest over it and all below. */
static const char *chain_id(const struct image *i, size_t top, struct arena *a)
{
	struct digest chain;

	snprintf(chain.text, sizeof(chain.text), "%s", i->layers[0].diff_id);
	for (size_t k = 1; k <= top; k++) {
		AUTO_FREE char *pair = xasprintf("%s %s", chain.text, i->layers[k].diff_id);

		digest_of(pair, strlen(pair), &chain);
	}
	return arena_strdup(a, chain.text);
}

/* Is the layer another image's as well? */
static bool is_shared(const struct image *i, const char *diff_id)
{
	for (struct image_obj *o = obj(i)->imgs->first; o; o = o->next) {
		for (size_t k = 0; k < o->pub.n_layers && &o->pub != i; k++) {
			if (str_eq(o->pub.layers[k].diff_id, diff_id))
				return true;
		}
	}
	return false;
}

static void delete_image(struct removal *m)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct image *i = TAKE_PTR(m->image);

	image_event(i, "delete", i->id);
	m->each(m->ctx, true, i->id);
	if (i->n_containers > 0) {
		/* Stopped containers can still be started: the image stays on disk for them, without a name. */
		obj(i)->is_hidden = true;
		image_record_put(i, m->batch);
		return;
	}
	for (size_t k = i->n_layers; k > 0 && !is_shared(i, i->layers[k - 1].diff_id); k--)
		m->each(m->ctx, true, chain_id(i, k - 1, a));
	image_erase(i, m->batch);
}

static void untag_all(struct removal *m)
{
	while (m->image->n_tags > 0)
		untag(m, m->image->tags[0]);
}

/* Was it called by a name, and not by its ID? */
static bool is_named(const struct removal *m, const char *name)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct reference ref = { 0 };

	if (digest_is_valid(name) || str_is_hex(name, DIGEST_HEX_LEN) ||
	    reference_parse_tagged(name, a, &ref, ERR_IGNORED) < 0)
		return false;
	return ref.digest || image_by_tag(m->eng, reference_canonical(&ref, a)) == m->image;
}

/* By name. Return: 1 when the image stays, 0 when it is to be deleted, -1 with @e set */
static int remove_name(struct removal *m, const char *name, struct err *e)
{
	AUTO_ARENA struct arena *a = arena_new();
	const struct container *c = user_of(m, false);
	struct reference ref = { 0 };

	if (!m->force && m->image->n_tags <= 1 && c)
		return err_set(e, ERR_CONFLICT,
			       "conflict: unable to remove repository reference \"%s\" (must force) - container %.*s is "
			       "using its referenced image %.*s",
			       name, SHORT_ID, c->id, SHORT_ID, short_id(m->image));
	if (reference_parse_tagged(name, a, &ref, e) < 0)
		return -1;
	/* By digest there is no name to take off but all of that repository's: with one left, that one. */
	if (ref.digest && m->image->n_tags == 1)
		untag(m, m->image->tags[0]);
	else if (!ref.digest)
		untag(m, reference_canonical(&ref, a));
	return m->image->n_tags > 0 ? 1 : 0;
}

static int remove_image(struct removal *m, const char *name, struct err *e)
{
	if (is_named(m, name)) {
		int r = remove_name(m, name, e);

		if (r != 0)
			return r < 0 ? -1 : 0;
		/* The name is off already: a container in the way only keeps the rest. */
		if (check_conflicts(m, e) < 0) {
			*e = (struct err){ 0 };
			return 0;
		}
	} else if (check_conflicts(m, e) < 0) {
		return -1;
	}
	untag_all(m);
	delete_image(m);
	return 0;
}

void image_remove(struct engine *eng, const char *name, bool force, bool noprune, image_removed_fn each,
		  engine_done_fn done, void *ctx)
{
	struct removal m = { .eng = eng, .each = each, .ctx = ctx, .force = force };
	struct err e = { 0 };

	(void)noprune;   /* there are no parent images that nobody named: nothing to prune */
	if (image_find(eng, name, &m.image, &e) < 0) {
		done(ctx, &e);
		return;
	}
	m.batch = state_batch_new(eng->state);
	if (remove_image(&m, name, &e) < 0) {
		/* Nothing was changed before a conflict was found: the batch is empty. */
		done(ctx, &e);
		state_commit(m.batch, 0, NULL, NULL);
		return;
	}
	state_commit(m.batch, STATE_DURABLE, done, ctx);
}
