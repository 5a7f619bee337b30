/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading an archive.
 *
 * Theory of operation. The archive is staged by an unpack process into a directory of its own below tmp/, a worker decides
 * which images there are, then, as a task of the store's queue: layers that are missing are unpacked (several at a time,
 * images_layers.c), all is synced at once, layers and blobs are moved into place, and one durable commit makes the images
 * exist. What fails before that leaves only rubbish in tmp/, and layers and blobs that nobody needs, which a sweep removes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "daemon/engine/images_load.h"
#include "daemon/engine/rubbish.h"
#include "oci/digest.h"
#include "oci/store.h"

#define PROGRESS_FIRST_MS 1000
#define PROGRESS_MS       250

/* ---- life ---- */

static void op_free(struct load_op *op)
{
	if (op->imgs) {
		for (struct load_op **at = &op->imgs->loads; *at; at = &(*at)->next) {
			if (*at == op) {
				*at = op->next;
				break;
			}
		}
	}
	loop_timer_free(op->progress);
	load_layers_free(op);
	load_import_free(op);
	close_fd(&op->archive_fd);
	close_fd(&op->staging_fd);
	arena_free(op->arena);
	free(op);
}

/* Every call back from a worker or child begins here. Return: true when kilnd ends: @op may be freed */
bool load_came_back(struct load_op *op)
{
	op->n_away--;
	if (op->imgs)
		return false;
	if (op->n_away == 0)
		op_free(op);
	return true;
}

static void begin_task(void *ctx);

void images_end_loads(struct images *imgs)
{
	struct err ending = { 0 };

	for (struct images_task *t = imgs->tasks; t; t = t->next) {
		if (t->fn == begin_task)
			((struct load_op *)t->ctx)->n_away--;   /* its turn never comes */
	}
	err_set(&ending, ERR_SYSTEM, "kilnd is ending");
	while (imgs->loads) {
		struct load_op *op = imgs->loads;

		imgs->loads = op->next;
		op->imgs = NULL;
		loop_timer_free(TAKE_PTR(op->progress));
		if (op->is_watched && unpack_child_kill(TAKE_PTR(op->child)))
			op->n_away--;
		load_layers_kill(op);
		op->watch.done(op->watch.ctx, &ending);
		if (op->n_away == 0)
			op_free(op);
	}
}

/* ---- the end: good or bad ---- */

void load_remove_tmp(struct load_op *op, char name[64])
{
	if (name[0] && store_tmp_remove(op->data_fd, name, &op->clean_err) == 0)
		name[0] = '\0';
}

static void clean_work(void *ctx)
{
	struct load_op *op = ctx;

	load_remove_tmp(op, op->tmp_name);
	load_remove_tmp(op, op->layer_tmp_name);
}

static void clean_done(void *ctx)
{
	struct load_op *op = ctx;
	struct images *imgs = op->imgs;

	if (load_came_back(op))
		return;
	if (op->clean_err.kind != ERR_NONE)
		log_warn("%s, trying again", op->clean_err.msg);
	rubbish_add(imgs->eng, op->tmp_name);
	rubbish_add(imgs->eng, op->layer_tmp_name);
	if (op->is_task) {
		for (size_t i = 0; i < op->plan.n_images; i++) {
			if (op->is_known[i])
				image_unref(image_by_id(imgs->eng, op->plan.images[i].id));
		}
		images_task_done(imgs);
	}
	op->watch.done(op->watch.ctx, &op->err);
	op_free(op);
}

/* What was put into place for images that are not to be */
static void sweep_failed(struct load_op *op)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct str_list digests = { 0 };
	size_t room = 0;

	for (size_t i = 0; i < op->plan.n_images; i++)
		room += 2 + 3 * op->plan.images[i].n_layers;
	digests.v = arena_new_array(a, char *, room);
	for (size_t i = 0; i < op->plan.n_images; i++) {
		const struct archive_image *img = &op->plan.images[i];

		digests.v[digests.n++] = img->id;
		if (img->manifest_digest)
			digests.v[digests.n++] = img->manifest_digest;
		for (size_t k = 0; k < img->n_layers; k++) {
			digests.v[digests.n++] = img->layers[k].diff_id;
			digests.v[digests.n++] = img->layers[k].chain_id;
			digests.v[digests.n++] = img->layers[k].file->digest;
		}
	}
	images_sweep(op->imgs, &digests);
}

void load_finish(struct load_op *op)
{
	loop_timer_free(TAKE_PTR(op->progress));
	if (op->err.kind != ERR_NONE && op->is_task)
		sweep_failed(op);
	op->n_away++;
	loop_work(op->imgs->eng->loop, LOOP_JOB_SHORT, clean_work, clean_done, op);
}

void load_fail(struct load_op *op, const struct err *err)
{
	if (op->err.kind == ERR_NONE)
		op->err = *err;
}

/* ---- last: the images exist ---- */

/* A tag that moves here. Told as dockerd does; kept to be undone */
static void move_tag(struct load_op *op, struct image *to, const char *canonical, struct state_batch *b)
{
	struct image *from = image_by_tag(to->eng, canonical);
	struct moved_tag *m = arena_new_obj(op->arena, struct moved_tag);

	if (from == to)
		return;
	m->canonical = canonical;
	m->to_id = to->id;
	m->next = op->moved;
	op->moved = m;
	if (from) {
		m->from_id = arena_strdup(op->arena, from->id);
		image_take_tag(from, canonical);
	}
	image_add_tag(to, canonical);
	to->tagged_wall_ns = clock_wall_ns();
	state_put_tag(b, &(struct state_tag){ .reference = canonical, .image_id = to->id });
}

static struct image *add_image(struct load_op *op, const struct archive_image *from)
{
	struct arena *a = arena_new();
	struct image_obj *o = image_obj_new(op->imgs, a, from->id);
	struct image *i = &o->pub;

	/* Parsed once more, into its own arena: the load's goes. It was parsed before, so it cannot fail. */
	i->config_text = arena_strndup(a, from->config_text, from->n_config_text);
	i->n_config_text = from->n_config_text;
	BUG(image_config_parse(i->config_text, i->n_config_text, a, &i->config, ERR_IGNORED) < 0, "image %s", i->id);
	i->manifest_digest = arena_strdup(a, from->manifest_digest);
	i->loaded_wall_ns = clock_wall_ns();
	i->n_layers = from->n_layers;
	i->layers = arena_new_array(a, struct image_layer, from->n_layers);
	for (size_t k = 0; k < from->n_layers; k++) {
		const struct archive_layer *y = &from->layers[k];
		const char *key = load_layer_key(op, y);
		char name[STORE_LAYER_NAME_LEN + 1];

		store_layer_name(key, name);
		i->layers[k] = (struct image_layer){
			.diff_id = arena_strdup(a, y->diff_id),
			.blob_digest = arena_strdup(a, y->file->digest),
			.media_type = arena_strdup(a, y->media_type),
			.blob_bytes = (int64_t)y->file->bytes,
			.bytes = load_layer_bytes(op, y),
			.dir = arena_strdup(a, name),
			.key = arena_strdup(a, key),
		};
		i->size_bytes += i->layers[k].bytes;
	}
	images_insert(op->imgs, o);
	return i;
}

static struct image_obj *obj(struct image *i)
{
	return (struct image_obj *)((char *)i - offsetof(struct image_obj, pub));
}

static void undo_tags(struct load_op *op)
{
	struct engine *eng = op->imgs->eng;

	for (const struct moved_tag *m = op->moved; m; m = m->next) {
		struct image *to = image_by_id(eng, m->to_id);
		struct image *from = m->from_id ? image_by_id(eng, m->from_id) : NULL;

		if (to && image_take_tag(to, m->canonical) && from)
			image_add_tag(from, m->canonical);
	}
}

/* The images are gone. One that a container took meanwhile stays for it, without a name. */
static void undo(struct load_op *op)
{
	undo_tags(op);
	for (size_t k = 0; k < op->plan.n_images; k++) {
		struct image *i = op->is_new[k] ? image_by_id(op->imgs->eng, op->plan.images[k].id) : NULL;

		if (i && i->n_containers > 0)
			obj(i)->is_hidden = true;
		else if (i)
			images_void(obj(i));
	}
}

static const char *moved_from(const struct load_op *op, const char *canonical)
{
	for (const struct moved_tag *m = op->moved; m; m = m->next) {
		if (m->from_id && str_eq(m->canonical, canonical))
			return m->from_id;
	}
	return NULL;
}

static void tell(struct load_op *op)
{
	for (size_t k = 0; k < op->plan.n_images; k++) {
		const struct archive_image *from = &op->plan.images[k];
		struct image *i = image_by_id(op->imgs->eng, from->id);

		if (i)
			image_event(i, op->import ? "import" : "load", i->id);
		if (op->import) {
			op->watch.line(op->watch.ctx, from->id);
			continue;
		}
		for (size_t t = 0; t < from->tags.n; t++) {
			const char *shown = image_familiar(from->tags.v[t], op->arena);
			const char *old = moved_from(op, from->tags.v[t]);

			if (old)
				op->watch.line(op->watch.ctx, arena_printf(op->arena,
					"The image %s already exists, renaming the old one with ID %s to empty string",
					shown, old));
			op->watch.line(op->watch.ctx, arena_printf(op->arena, "Loaded image: %s", shown));
		}
		if (from->tags.n == 0)
			op->watch.line(op->watch.ctx, arena_printf(op->arena, "Loaded image ID: %s", from->id));
	}
}

static void on_committed(void *ctx, const struct err *err)
{
	struct load_op *op = ctx;

	if (load_came_back(op))
		return;
	if (err->kind != ERR_NONE) {
		load_fail(op, err);
		undo(op);
	} else {
		tell(op);
	}
	load_finish(op);
}

static void commit(struct load_op *op)
{
	struct state_batch *b = state_batch_new(op->imgs->eng->state);

	for (size_t k = 0; k < op->plan.n_images; k++) {
		const struct archive_image *from = &op->plan.images[k];
		struct image *i = image_by_id(op->imgs->eng, from->id);

		op->is_new[k] = i == NULL;
		if (!i)
			i = add_image(op, from);
		obj(i)->is_hidden = false;
		for (size_t t = 0; t < from->tags.n; t++)
			move_tag(op, i, from->tags.v[t], b);
		image_record_put(i, b);
	}
	op->n_away++;
	state_commit(b, STATE_DURABLE, on_committed, op);
}

/* ---- blobs into place ---- */

int load_place_blob(const struct load_op *op, const struct unpack_file *f, struct err *e)
{
	if (!f || store_has_blob(op->data_fd, f->digest, NULL))
		return 0;
	return store_blob_commit(op->data_fd, op->staging_fd, f->file, f->digest, e);
}

static int place_blobs(const struct load_op *op, struct err *e)
{
	for (size_t i = 0; i < op->plan.n_images; i++) {
		const struct archive_image *img = &op->plan.images[i];

		if (op->is_known[i])
			continue;
		if (load_place_blob(op, img->config_file, e) < 0 || load_place_blob(op, img->manifest_file, e) < 0)
			return -1;
	}
	return load_layers_place_blobs(op, e) < 0 ? -1 : store_sync_names(op->data_fd, e);
}

static void blobs_work(void *ctx)
{
	struct load_op *op = ctx;
	struct err e = { 0 };

	if (place_blobs(op, &e) < 0)
		op->err = e;
}

static void blobs_done(void *ctx)
{
	struct load_op *op = ctx;

	if (load_came_back(op))
		return;
	if (op->err.kind != ERR_NONE)
		load_finish(op);
	else
		commit(op);
}

void load_layers_ready(struct load_op *op)
{
	if (op->err.kind != ERR_NONE) {
		load_finish(op);
		return;
	}
	op->n_away++;
	loop_work(op->imgs->eng->loop, LOOP_JOB_LONG, blobs_work, blobs_done, op);
}

/* ---- first: the archive is staged and understood ---- */

static void begin_task(void *ctx)
{
	struct load_op *op = ctx;
	size_t n = op->plan.n_images;

	op->n_away--;
	op->is_task = true;
	if (op->import) {
		load_import_begin(op);
		return;
	}
	op->is_known = arena_new_array(op->arena, bool, n);
	op->is_new = arena_new_array(op->arena, bool, n);
	for (size_t i = 0; i < n; i++) {
		struct image *known = image_by_id(op->imgs->eng, op->plan.images[i].id);

		/* Held like by a container: a removal now must not take its layers away. */
		op->is_known[i] = known != NULL;
		image_ref(known);
	}
	load_layers_begin(op);
}

/* On a worker */
static int on_result(void *ctx, struct unpack_result *r, struct err *e)
{
	struct load_op *op = ctx;

	if (!r->archive)
		return err_set(e, ERR_INTERNAL, "unpack told nothing of the archive");
	if (op->import)
		return load_import_staged(op, r->archive, e);
	return archive_plan(r->archive, op->staging_fd, op->arena, &op->plan, e);
}

static void on_progress(void *ctx)
{
	struct load_op *op = ctx;

	if (op->import)
		load_import_progress(op);
	else
		load_layers_progress(op);
}

static void after_staging(struct load_op *op)
{
	if (!op->is_staged || !op->is_sent)
		return;
	/* "Truncated" is what the role sees of a sender that failed; and a reader that has ended is the role itself. */
	if (op->sent_err.kind != ERR_NONE && op->sent_err.sys != EPIPE)
		op->err = op->sent_err;
	if (op->err.kind != ERR_NONE) {
		op->plan.n_images = 0;
		load_finish(op);
		return;
	}
	if (op->watch.progress) {
		op->progress = loop_timer_new(op->imgs->eng->loop, "progress of a load", on_progress, op);
		loop_timer_start(op->progress, PROGRESS_FIRST_MS, PROGRESS_MS);
	}
	op->n_away++;   /* begin_task() takes it back: waiting in the queue */
	images_task(op->imgs, begin_task, op);
}

void image_upload_ended(struct load_op *op, const struct err *err)
{
	op->is_sent = true;
	op->sent_err = *err;
	after_staging(op);
}

static void on_staged(void *ctx, const struct err *err)
{
	struct load_op *op = ctx;

	op->child = NULL;
	op->is_watched = false;
	if (load_came_back(op))
		return;
	if (err->kind != ERR_NONE)
		load_fail(op, err);
	op->is_staged = true;
	after_staging(op);
}

/* On a worker */
static int stage(struct load_op *op, struct err *e)
{
	struct unpack_request req = {
		.runtime_path = op->runtime_path, .what = op->import ? "blob" : "archive", .input_fd = op->archive_fd,
		.arena = op->arena, .after = on_result, .done = on_staged, .ctx = op,
	};

	if (store_tmp_new(op->data_fd, op->import ? "import" : "load", op->tmp_name, &op->staging_fd, e) < 0)
		return -1;
	req.dir_fd = op->staging_fd;
	return unpack_child_spawn(&req, &op->child, e);
}

static void stage_work(void *ctx)
{
	struct load_op *op = ctx;
	struct err e = { 0 };

	if (stage(op, &e) < 0)
		op->err = e;
	close_fd(&op->archive_fd);   /* the child has it: its end is to be the end of the pipe */
}

static void stage_done(void *ctx)
{
	struct load_op *op = ctx;

	if (!op->imgs)
		unpack_child_kill(TAKE_PTR(op->child));
	if (load_came_back(op))
		return;
	if (op->err.kind != ERR_NONE) {
		op->is_staged = true;
		after_staging(op);
		return;
	}
	unpack_child_watch(op->child, op->imgs->eng->loop);
	op->is_watched = true;
	op->n_away++;
}

/* ---- from the outside ---- */

void load_tell(struct load_op *op, const char *status, const char *diff_id, int fd, uint64_t n_all)
{
	/* The role reads through the same open file: where it stands is how far it is. */
	off_t at = lseek(fd, 0, SEEK_CUR);
	struct image_progress p = { status, NULL, at > 0 ? (uint64_t)at : 0, n_all };
	char id[13];

	if (diff_id) {
		snprintf(id, sizeof(id), "%s", digest_hex(diff_id));
		p.id = id;
	}
	op->watch.progress(op->watch.ctx, &p);
}

struct load_op *load_new(struct engine *eng, int fd, const struct image_watch *w)
{
	struct load_op *op = xcalloc(1, sizeof(*op));

	op->imgs = eng->images;
	op->arena = arena_new();
	op->data_fd = eng->cfg.data_root_fd;
	op->runtime_path = eng->cfg.runtime_path;
	op->archive_fd = fd;
	op->staging_fd = -1;
	op->watch = *w;
	op->next = op->imgs->loads;
	op->imgs->loads = op;
	return op;
}

void load_stage(struct load_op *op)
{
	op->n_away++;
	loop_work(op->imgs->eng->loop, LOOP_JOB_SHORT, stage_work, stage_done, op);
}

struct load_op *image_load(struct engine *eng, int fd, const struct image_watch *w)
{
	struct load_op *op = load_new(eng, fd, w);

	load_stage(op);
	return op;
}
