/* SPDX-License-Identifier: Apache-2.0 */
/* The layers of a load: each that is missing is unpacked by a process of its own, two at a time. */
#include <fcntl.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/own.h"
#include "daemon/engine/images_load.h"
#include "oci/store.h"

#define PARALLEL 2

struct layer_task {
	struct load_op *op;
	const struct archive_layer *layer;
	struct arena *arena;         /* of the result */
	struct unpack_child *child;
	bool is_watched;             /* before that the child is its worker's */
	int64_t bytes;
	int blob_fd, dir_fd;
	char tmp_name[64];
	bool may_skip;               /* an image has it, made from the same bytes */
	bool is_there;               /* and it is on disk: nothing to do */
	struct err err;
};

static void start_more(struct load_op *op);

/* ---- which ---- */

static struct layer_task *find_task(const struct load_op *op, const char *diff_id, const char *blob)
{
	for (size_t k = 0; k < op->n_layers; k++) {
		const struct archive_layer *y = op->layers[k].layer;

		if (str_eq(y->diff_id, diff_id) && (!blob || str_eq(y->file->digest, blob)))
			return &op->layers[k];
	}
	return NULL;
}

int64_t load_layer_bytes(const struct load_op *op, const char *diff_id)
{
	const struct layer_task *t = find_task(op, diff_id, NULL);

	return t ? t->bytes : 0;
}

/*
 * A layer that is there need not be unpacked when it is proven that these bytes give it: they are its plain tar, or
 * an image was made from them before.
 */
static void look_for(struct layer_task *t)
{
	const struct archive_layer *want = t->layer;

	for (const struct image_obj *o = t->op->imgs->first; o; o = o->next) {
		for (size_t k = 0; k < o->pub.n_layers; k++) {
			const struct image_layer *y = &o->pub.layers[k];

			if (!str_eq(y->diff_id, want->diff_id))
				continue;
			t->bytes = y->bytes;
			t->may_skip |= str_eq(want->file->digest, want->diff_id) ||
				       str_eq(want->file->digest, y->blob_digest);
		}
	}
}

/* @is_known: an image that is there has it; only what was lost from the disk is made again */
static void add_task(struct load_op *op, const struct archive_layer *y, bool is_known)
{
	struct layer_task *t = find_task(op, y->diff_id, y->file->digest);

	if (!t) {
		t = &op->layers[op->n_layers++];
		*t = (struct layer_task){ .op = op, .layer = y, .arena = arena_new(), .blob_fd = -1, .dir_fd = -1 };
		look_for(t);
	}
	t->may_skip |= is_known;
}

/* ---- one layer ---- */

static void task_end(struct layer_task *t, const struct err *err)
{
	struct load_op *op = t->op;

	close_fd(&t->blob_fd);
	close_fd(&t->dir_fd);
	if (err->kind != ERR_NONE)
		load_fail(op, err);
	op->n_running--;
	start_more(op);
}

/* On a worker: nothing of the layer is trusted before this */
static int check_and_place(void *ctx, struct unpack_result *r, struct err *e)
{
	struct layer_task *t = ctx;
	const struct archive_layer *want = t->layer;

	if (!r->layer)
		return err_set(e, ERR_INTERNAL, "unpack told nothing of layer %s", want->diff_id);
	if (!str_eq(r->layer->diff_id, want->diff_id))
		return err_set(e, ERR_INVALID, "layer '%s' is %s, but the image's configuration says %s",
			       want->file->name, r->layer->diff_id, want->diff_id);
	if (!str_eq(r->layer->blob_digest, want->file->digest))
		return err_set(e, ERR_INTERNAL, "layer '%s' changed while it was unpacked", want->file->name);
	t->bytes = (int64_t)r->layer->file_bytes;
	if (store_layer_mark_opaque(t->dir_fd, &r->layer->opaque, e) < 0 ||
	    store_layer_commit(t->op->data_fd, t->tmp_name, want->diff_id, e) < 0)
		return err_wrap(e, "layer %s", want->diff_id);
	t->tmp_name[0] = 0;
	return 0;
}

static void on_unpacked(void *ctx, const struct err *err)
{
	struct layer_task *t = ctx;

	t->child = NULL;
	t->is_watched = false;
	if (load_came_back(t->op))
		return;
	task_end(t, err);
}

/* On a worker */
static int prepare(struct layer_task *t, struct err *e)
{
	struct unpack_request req = {
		.runtime_path = t->op->runtime_path, .what = "layer", .arena = t->arena, .after = check_and_place,
		.done = on_unpacked, .ctx = t,
	};

	t->is_there = t->may_skip && store_has_layer(t->op->data_fd, t->layer->diff_id);
	if (t->is_there)
		return 0;
	t->blob_fd = openat(t->op->staging_fd, t->layer->file->file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (t->blob_fd < 0)
		return err_sys(e, "open layer '%s'", t->layer->file->name);
	if (store_tmp_new(t->op->data_fd, "layer", t->tmp_name, &t->dir_fd, e) < 0)
		return -1;
	req.input_fd = t->blob_fd;
	req.dir_fd = t->dir_fd;
	return unpack_child_spawn(&req, &t->child, e);
}

static void prepare_work(void *ctx)
{
	struct layer_task *t = ctx;

	if (prepare(t, &t->err) == 0)
		t->err = (struct err){ 0 };
}

static void prepare_done(void *ctx)
{
	struct layer_task *t = ctx;

	if (!t->op->imgs)
		unpack_child_kill(TAKE_PTR(t->child));
	if (load_came_back(t->op))
		return;
	if (!t->child) {
		task_end(t, &t->err);
		return;
	}
	unpack_child_watch(t->child, t->op->imgs->eng->loop);
	t->is_watched = true;
	t->op->n_away++;
}

/* ---- all of them ---- */

static void drop_work(void *ctx)
{
	struct load_op *op = ctx;

	for (size_t k = 0; k < op->n_layers; k++) {
		if (op->layers[k].tmp_name[0])
			store_tmp_remove(op->data_fd, op->layers[k].tmp_name, &op->clean_err);
	}
}

static void drop_done(void *ctx)
{
	struct load_op *op = ctx;

	if (!load_came_back(op))
		load_layers_ready(op);
}

static void start_more(struct load_op *op)
{
	while (op->err.kind == ERR_NONE && op->n_running < PARALLEL && op->n_started < op->n_layers) {
		op->n_running++;
		op->n_away++;
		loop_work(op->imgs->eng->loop, LOOP_JOB_SHORT, prepare_work, prepare_done, &op->layers[op->n_started++]);
	}
	if (op->n_running > 0)
		return;
	/* Half-unpacked directories of a failed load go at once: they may be large. */
	op->n_away++;
	loop_work(op->imgs->eng->loop, LOOP_JOB_LONG, drop_work, drop_done, op);
}

void load_layers_begin(struct load_op *op)
{
	size_t room = 0;

	for (size_t i = 0; i < op->plan.n_images; i++)
		room += op->plan.images[i].n_layers;
	op->layers = arena_new_array(op->arena, struct layer_task, room);
	for (size_t i = 0; i < op->plan.n_images; i++) {
		for (size_t k = 0; k < op->plan.images[i].n_layers; k++)
			add_task(op, &op->plan.images[i].layers[k], op->is_known[i]);
	}
	start_more(op);
}

void load_layers_given(struct load_op *op, const struct archive_layer *y, int64_t n_bytes)
{
	op->layers = arena_new_array(op->arena, struct layer_task, 1);
	op->layers[0] = (struct layer_task){
		.op = op, .layer = y, .arena = arena_new(), .bytes = n_bytes, .blob_fd = -1, .dir_fd = -1, .is_there = true };
	op->n_layers = op->n_started = 1;
}

void load_layers_kill(struct load_op *op)
{
	for (size_t k = 0; k < op->n_layers; k++) {
		struct layer_task *t = &op->layers[k];

		if (t->is_watched && unpack_child_kill(TAKE_PTR(t->child)))
			op->n_away--;
	}
}

void load_layers_free(struct load_op *op)
{
	for (size_t k = 0; k < op->n_layers; k++) {
		close_fd(&op->layers[k].blob_fd);
		close_fd(&op->layers[k].dir_fd);
		arena_free(op->layers[k].arena);
	}
}
