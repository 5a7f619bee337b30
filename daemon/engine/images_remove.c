/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rmi. The rules and the words are dockerd's (daemon/images/image_delete.go): a name that is one of several is only taken
 * off; the last name, or the ID, removes the image; containers stand in the way, running ones also of force.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
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

struct name_off {
	struct name_off *next;
	const char *canonical;
};

/*
 * One removal. Names and image are out of sight at once; they are really gone, and told as events, when that is
 * committed. When it cannot be committed they are back.
 */
struct removal {
	struct engine *eng;
	struct image *image;
	struct arena *arena;
	struct state_batch *batch;
	struct name_off *names;      /* taken off, the last first */
	size_t n_names;
	bool is_deleted, is_hidden;
	bool force;
	image_removed_fn each;       /* NULL: nobody asks */
	engine_done_fn done;         /* NULL: nobody waits */
	void *ctx;
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

static void tell(const struct removal *m, bool is_deleted, const char *what)
{
	if (m->each)
		m->each(m->ctx, is_deleted, what);
}

static void untag(struct removal *m, const char *canonical)
{
	struct name_off *n = arena_new_obj(m->arena, struct name_off);

	n->canonical = arena_strdup(m->arena, canonical);
	n->next = m->names;
	m->names = n;
	m->n_names++;
	image_take_tag(m->image, n->canonical);
	state_del_tag(m->batch, n->canonical);
	tell(m, false, image_familiar(n->canonical, m->arena));
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
		for (size_t k = 0; k < o->pub.n_layers && &o->pub != i && !o->is_leaving; k++) {
			if (str_eq(o->pub.layers[k].diff_id, diff_id))
				return true;
		}
	}
	return false;
}

static void delete_image(struct removal *m)
{
	struct image *i = m->image;

	tell(m, true, i->id);
	m->is_deleted = true;
	if (i->n_containers > 0) {
		/* Stopped containers can still be started: the image stays on disk for them, without a name. */
		m->is_hidden = obj(i)->is_hidden = true;
		image_record_put(i, m->batch);
		return;
	}
	for (size_t k = i->n_layers; k > 0 && !is_shared(i, i->layers[k - 1].diff_id); k--)
		tell(m, true, chain_id(i, k - 1, m->arena));
	for (size_t k = 0; k < i->n_layers; k++) {
		if (!is_shared(i, i->layers[k].diff_id))
			state_del_layer(m->batch, i->layers[k].diff_id);
	}
	state_del_image(m->batch, i->id);
	obj(i)->is_leaving = true;
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

/* ---- committed, or not ---- */

static void restore(struct removal *m)
{
	struct image_obj *o = obj(m->image);

	if (m->is_hidden)
		o->is_hidden = false;
	if (o->is_leaving && image_by_id(m->eng, o->pub.id)) {
		images_drop(o);   /* it was loaded again meanwhile */
		return;
	}
	o->is_leaving = false;
	for (const struct name_off *n = m->names; n; n = n->next) {
		if (!image_by_tag(m->eng, n->canonical))
			image_add_tag(m->image, n->canonical);
	}
}

static void complete(struct removal *m)
{
	struct image *i = m->image;
	struct images *imgs = obj(i)->imgs;
	struct str_list digests = { 0 };

	for (size_t k = 0; k < m->n_names; k++)
		image_event(i, "untag", i->id);
	if (!m->is_deleted)
		return;
	if (m->each)   /* one that was hidden told it then */
		image_event(i, "delete", i->id);
	if (m->is_hidden)
		return;
	image_digests(i, m->arena, &digests);
	images_drop(obj(i));
	images_sweep(imgs, &digests);
}

static void on_committed(void *ctx, const struct err *err)
{
	struct removal *m = ctx;

	obj(m->image)->n_removals--;
	if (obj(m->image)->is_void)
		images_void(obj(m->image));
	else if (err->kind != ERR_NONE)
		restore(m);
	else
		complete(m);
	if (m->done)
		m->done(m->ctx, err);
	else if (err->kind != ERR_NONE)
		log_err("remove an image: %s", err->msg);
	arena_free(m->arena);
	free(m);
}

static struct removal *removal_new(struct engine *eng, struct image *i)
{
	struct removal *m = xcalloc(1, sizeof(*m));

	m->eng = eng;
	m->image = i;
	m->arena = arena_new();
	m->batch = state_batch_new(eng->state);
	return m;
}

void image_erase(struct image *i)
{
	struct removal *m = removal_new(i->eng, i);

	delete_image(m);
	obj(i)->n_removals++;
	state_commit(m->batch, STATE_DURABLE, on_committed, m);
}

static void refuse(void *ctx, const struct err *err)
{
	struct removal *m = ctx;

	(void)err;
	arena_free(m->arena);
	free(m);
}

void image_remove(struct engine *eng, const char *name, bool force, bool noprune, image_removed_fn each,
		  engine_done_fn done, void *ctx)
{
	struct image *i = NULL;
	struct err e = { 0 };
	struct removal *m;

	(void)noprune;   /* there are no parent images that nobody named: nothing to prune */
	if (image_find(eng, name, &i, &e) < 0) {
		done(ctx, &e);
		return;
	}
	m = removal_new(eng, i);
	m->force = force;
	m->each = each;
	m->done = done;
	m->ctx = ctx;
	if (remove_image(m, name, &e) < 0) {
		/* Nothing was changed before a conflict was found: the batch is empty. */
		done(ctx, &e);
		state_commit(m->batch, 0, refuse, m);
		return;
	}
	obj(i)->n_removals++;
	state_commit(m->batch, STATE_DURABLE, on_committed, m);
}
