/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layers of a load: each that is missing is unpacked by a process of its own, the largest first and one more at a
 * time than there are processors, so that none of them waits for the last. When all are unpacked and verified, one sync
 * of the file system covers them and the blobs, and they are renamed into place.
 *
 * A layer stands by itself and is stored under its DiffID, unless it implies directories that it does not describe
 * or has hard links to files that it has not (oci/inherit.h): those depend on what is below, so it is stored under its
 * ChainID, and completed when all below are unpacked.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/defence.h"
#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "daemon/engine/images_load.h"
#include "daemon/engine/rubbish.h"
#include "oci/inherit.h"
#include "oci/store.h"

#define PARALLEL_MAX 16
#define FLUSH_FROM   (UINT64_C(32) << 20)   /* bytes of all layers, as they came */
#define LOADING      "Loading layer"

struct layer_task {
	struct load_op *op;
	const struct archive_layer *layer;
	struct arena *arena;         /* of the result */
	struct unpack_child *child;
	bool is_watched;             /* before that the child is its worker's */
	int64_t bytes;
	const char *key;             /* under which it is stored */
	bool is_bottom;              /* nothing is below */
	const struct unpack_layer *waits;   /* in its arena: it is completed by the layers below; NULL: it is whole */
	int blob_fd, dir_fd;
	char tmp_name[64];           /* where it is until it is placed; "": nowhere */
	bool is_known;               /* an image that is there has it */
	bool may_skip;               /* and it was made from the same bytes */
	bool is_there;               /* and it is on disk: nothing to do */
	bool is_told;                /* its progress was */
	struct err err;
};

static void start_more(struct load_op *op);
static void flush(struct load_op *op);

/* ---- which ---- */

static struct layer_task *find_task(const struct load_op *op, const struct archive_layer *y)
{
	for (size_t k = 0; k < op->n_layers; k++) {
		const struct archive_layer *of = op->layers[k].layer;

		if (str_eq(of->chain_id, y->chain_id) && str_eq(of->file->digest, y->file->digest))
			return &op->layers[k];
	}
	return NULL;
}

int64_t load_layer_bytes(const struct load_op *op, const struct archive_layer *y)
{
	const struct layer_task *t = find_task(op, y);

	return t ? t->bytes : 0;
}

const char *load_layer_key(const struct load_op *op, const struct archive_layer *y)
{
	const struct layer_task *t = find_task(op, y);

	return t ? t->key : y->diff_id;
}

/* Would the directory of another image's layer do? The lowest layer of an image says nothing of what it implies. */
static bool is_same(const struct layer_task *t, const struct image *other, size_t k)
{
	const struct image_layer *y = &other->layers[k];

	if (!str_eq(y->diff_id, t->layer->diff_id))
		return false;
	return str_eq(y->key, t->layer->chain_id) || (k > 0 && str_eq(y->key, y->diff_id));
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

			if (!is_same(t, &o->pub, k))
				continue;
			t->bytes = y->bytes;
			t->key = arena_strdup(t->arena, y->key);
			t->may_skip |= str_eq(want->file->digest, want->diff_id) ||
				       str_eq(want->file->digest, y->blob_digest);
		}
	}
}

/* @is_known: an image that is there has it; only what was lost from the disk is made again */
static void add_task(struct load_op *op, const struct archive_layer *y, bool is_bottom, bool is_known)
{
	struct layer_task *t = find_task(op, y);

	if (!t) {
		t = &op->layers[op->n_layers++];
		*t = (struct layer_task){ .op = op, .layer = y, .arena = arena_new(), .blob_fd = -1, .dir_fd = -1,
					  .key = y->diff_id, .is_bottom = is_bottom };
		look_for(t);
	}
	t->is_known |= is_known;
	t->may_skip |= is_known;
}

/* ---- to the disk, meanwhile ---- */

/* Its errors are not lost: the sync that counts is told of them through another descriptor. */
static void flush_work(void *ctx)
{
	const struct load_op *op = ctx;
	AUTO_CLOSE int fd = -1;

	if (path_open_dir(op->data_fd, "tmp", O_RDONLY, &fd, ERR_IGNORED) == 0)
		(void)store_sync_content(fd, ERR_IGNORED);
}

static void flush_done(void *ctx)
{
	struct load_op *op = ctx;

	if (load_came_back(op))
		return;
	op->is_flushing = false;
	if (op->wants_flush && op->n_running > 0)
		flush(op);
}

/* What a large load has written goes to the disk while the rest is unpacked, so that little is left for the sync that counts */
static void flush(struct load_op *op)
{
	op->wants_flush = op->is_flushing;
	if (op->is_flushing || op->n_layer_bytes < FLUSH_FROM)
		return;
	op->is_flushing = true;
	op->n_away++;
	loop_work(op->imgs->eng->loop, LOOP_JOB_LONG, flush_work, flush_done, op);
}

/* ---- one layer ---- */

static void task_end(struct layer_task *t, const struct err *err)
{
	struct load_op *op = t->op;

	if (t->is_told && err->kind == ERR_NONE)
		load_tell(op, LOADING, t->layer->diff_id, t->blob_fd, t->layer->file->bytes);
	close_fd(&t->blob_fd);
	close_fd(&t->dir_fd);
	if (err->kind != ERR_NONE)
		load_fail(op, err);
	op->n_running--;
	if (op->n_running > 0)
		flush(op);
	start_more(op);
}

/* On a worker: nothing of the layer is trusted before this */
static int check(void *ctx, struct unpack_result *r, struct err *e)
{
	struct layer_task *t = ctx;
	const struct archive_layer *want = t->layer;

	if (!r->layer)
		return err_set(e, ERR_INTERNAL, "unpack told nothing of layer %s", want->diff_id);
	if (DEFENCE(BLOB_NAME, !str_eq(r->layer->blob_digest, want->file->digest), false))
		return want->file->is_claimed ?
			err_set(e, ERR_INVALID, "'%.200s' has the digest %s", want->file->name, r->layer->blob_digest) :
			err_set(e, ERR_INTERNAL, "layer '%s' changed while it was unpacked", want->file->name);
	/* skopeo's zstd:chunked cuts off the zeros behind a tar: it is still the layer that the configuration means. */
	if (DEFENCE(DIFF_ID, !str_eq(r->layer->diff_id, want->diff_id) && !str_eq(r->layer->record_diff_id, want->diff_id),
		    false))
		return err_set(e, ERR_INVALID, "layer '%s' is %s, but the image's configuration says %s",
			       want->file->name, r->layer->diff_id, want->diff_id);
	t->bytes = (int64_t)r->layer->file_bytes;
	if (store_layer_mark_opaque(t->dir_fd, &r->layer->opaque, e) < 0)
		return err_wrap(e, "layer %s", want->diff_id);
	if (!t->is_bottom && (r->layer->implied.n > 0 || r->layer->links.n > 0))
		t->waits = r->layer;
	/* A known image has it under its name, whatever that is. */
	if (!t->is_known)
		t->key = t->waits ? want->chain_id : want->diff_id;
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

/* What is not unpacked is not hashed either: its blob must not be needed then */
static bool is_blob_proven(const struct layer_task *t)
{
	return !t->layer->file->is_claimed || store_has_blob(t->op->data_fd, t->layer->file->digest, NULL);
}

/* On a worker */
static int prepare(struct layer_task *t, struct err *e)
{
	struct unpack_request req = {
		.runtime_path = t->op->runtime_path, .what = t->is_bottom ? "layer" : "upper", .arena = t->arena, .after = check,
		.done = on_unpacked, .ctx = t,
	};

	t->is_there = t->may_skip && store_has_layer(t->op->data_fd, t->key) && is_blob_proven(t);
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

/* In place already, or not yet */
static int open_layer(const struct load_op *op, const struct archive_layer *y, int *ret_fd, struct err *e)
{
	const struct layer_task *t = find_task(op, y);
	char name[STORE_LAYER_NAME_LEN + 1];
	AUTO_FREE char *path = NULL;

	if (t && t->tmp_name[0])
		return path_open_dir(op->data_fd, t->tmp_name, O_RDONLY, ret_fd, e);
	store_layer_name(load_layer_key(op, y), name);
	path = xasprintf("layers/%s", name);
	return path_open_dir(op->data_fd, path, O_RDONLY, ret_fd, e);
}

/* Layer @top of an image, whose lower ones are whole */
static int inherit(const struct load_op *op, const struct archive_image *i, size_t top, struct layer_task *t, struct err *e)
{
	AUTO_FREE int *lowers = xcalloc(top, sizeof(*lowers));
	AUTO_CLOSE int fd = -1;
	size_t n = 0;
	int r = path_open_dir(op->data_fd, t->tmp_name, O_RDONLY, &fd, e);

	while (r == 0 && n < top) {
		r = open_layer(op, &i->layers[top - 1 - n], &lowers[n], e);
		n += r == 0;
	}
	if (r == 0)
		r = inherit_layer(fd, lowers, n, t->waits, e);
	while (n > 0)
		close_fd(&lowers[--n]);
	t->waits = NULL;
	return r < 0 ? err_wrap(e, "layer %s", t->layer->diff_id) : 0;
}

static int inherit_all(struct load_op *op, struct err *e)
{
	for (size_t i = 0; i < op->plan.n_images; i++) {
		const struct archive_image *image = &op->plan.images[i];

		for (size_t k = 1; k < image->n_layers; k++) {
			struct layer_task *t = find_task(op, &image->layers[k]);

			if (t->waits && inherit(op, image, k, t, e) < 0)
				return -1;
		}
	}
	return 0;
}

static int place_all(struct load_op *op, struct err *e)
{
	if (inherit_all(op, e) < 0 || store_sync_content(op->staging_fd, e) < 0)
		return -1;
	for (size_t k = 0; k < op->n_layers; k++) {
		struct layer_task *t = &op->layers[k];

		if (!t->tmp_name[0])
			continue;
		if (store_layer_commit(op->data_fd, t->tmp_name, t->key, e) < 0)
			return err_wrap(e, "layer %s", t->layer->diff_id);
		t->tmp_name[0] = '\0';
	}
	return 0;
}

static void settle_work(void *ctx)
{
	struct load_op *op = ctx;
	struct err e = { 0 };

	if (op->err.kind == ERR_NONE && place_all(op, &e) < 0)
		op->err = e;
	/* Half-unpacked directories of a failed load go at once: they may be large. */
	for (size_t k = 0; k < op->n_layers; k++)
		load_remove_tmp(op, op->layers[k].tmp_name);
}

static void settle_done(void *ctx)
{
	struct load_op *op = ctx;

	if (load_came_back(op))
		return;
	for (size_t k = 0; k < op->n_layers; k++)
		rubbish_add(op->imgs->eng, op->layers[k].tmp_name);
	load_layers_ready(op);
}

static size_t at_a_time(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 2 : n < PARALLEL_MAX ? (size_t)n + 1 : PARALLEL_MAX;
}

static void start_more(struct load_op *op)
{
	while (op->err.kind == ERR_NONE && op->n_running < op->n_parallel && op->n_started < op->n_layers) {
		op->n_running++;
		op->n_away++;
		loop_work(op->imgs->eng->loop, LOOP_JOB_SHORT, prepare_work, prepare_done, &op->layers[op->n_started++]);
	}
	if (op->n_running > 0)
		return;
	op->n_away++;
	loop_work(op->imgs->eng->loop, LOOP_JOB_LONG, settle_work, settle_done, op);
}

static int largest_first(const void *a, const void *b)
{
	uint64_t x = ((const struct layer_task *)a)->layer->file->bytes, y = ((const struct layer_task *)b)->layer->file->bytes;

	return (x < y) - (x > y);
}

void load_layers_begin(struct load_op *op)
{
	size_t room = 0;

	op->n_parallel = at_a_time();
	for (size_t i = 0; i < op->plan.n_images; i++)
		room += op->plan.images[i].n_layers;
	op->layers = arena_new_array(op->arena, struct layer_task, room);
	for (size_t i = 0; i < op->plan.n_images; i++) {
		for (size_t k = 0; k < op->plan.images[i].n_layers; k++)
			add_task(op, &op->plan.images[i].layers[k], k == 0, op->is_known[i]);
	}
	for (size_t k = 0; k < op->n_layers; k++)
		op->n_layer_bytes += op->layers[k].layer->file->bytes;
	qsort(op->layers, op->n_layers, sizeof(*op->layers), largest_first);
	flush(op);
	start_more(op);
}

void load_layers_given(struct load_op *op, const struct archive_layer *y, int64_t n_bytes)
{
	op->layers = arena_new_array(op->arena, struct layer_task, 1);
	op->layers[0] = (struct layer_task){
		.op = op, .layer = y, .key = y->diff_id, .is_bottom = true, .arena = arena_new(), .bytes = n_bytes, .blob_fd = -1, .dir_fd = -1, .is_there = true };
	op->n_layers = op->n_started = 1;
}

void load_layers_progress(struct load_op *op)
{
	for (size_t k = 0; k < op->n_layers; k++) {
		struct layer_task *t = &op->layers[k];

		if (!t->is_watched)
			continue;
		load_tell(op, LOADING, t->layer->diff_id, t->blob_fd, t->layer->file->bytes);
		t->is_told = true;
	}
}

int load_layers_place_blobs(const struct load_op *op, struct err *e)
{
	for (size_t k = 0; k < op->n_layers; k++) {
		if (load_place_blob(op, op->layers[k].layer->file, e) < 0)
			return -1;
	}
	return 0;
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
