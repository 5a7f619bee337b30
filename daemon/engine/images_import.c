/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Importing a root file system: one layer, and a configuration that is made.
 *
 * Theory of operation. A load whose archive is a plan of one image. What is sent is written into the staging directory by an
 * unpack process; as the store's task it is unpacked, which tells its DiffID; with that the configuration is written,
 * the layer is placed, and the rest is what every load does: blobs into place and one durable commit.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/own.h"
#include "base/path.h"
#include "daemon/engine/images_load.h"
#include "oci/changes.h"
#include "oci/digest.h"
#include "oci/store.h"

#define TYPE_LAYER "application/vnd.oci.image.layer.v1.tar"

struct load_import {
	struct oci_image_exec *exec;
	char *message;
	char *tag;                   /* canonical; NULL: none */
	struct unpack_file *blob;    /* in the staging directory */
	int blob_fd, dir_fd;
	int64_t bytes;               /* what the files hold */
	bool is_told;                /* progress was */
};

void load_import_free(struct load_op *op)
{
	if (!op->import)
		return;
	close_fd(&op->import->blob_fd);
	close_fd(&op->import->dir_fd);
}

/* ---- on a worker: from what was unpacked to an image ---- */

static int write_config(struct load_op *op, const char *diff_id, struct archive_image *i, struct unpack_file *ret,
			struct err *e)
{
	struct load_import *m = op->import;
	char created[CLOCK_TEXT_MAX];
	AUTO_STRBUF struct strbuf text = { 0 };
	struct oci_rootfs rootfs = { (char *)"layers", { (char **)&diff_id, 1 } };
	struct oci_history history = { .comment = m->message };
	struct oci_image_config config = {
		.architecture = (char *)image_host_arch(), .os = (char *)"linux", .comment = m->message, .config = m->exec,
		.rootfs = &rootfs, .history = &history, .n_history = 1,
	};
	struct digest digest;

	clock_rfc3339(clock_wall_ns(), created);
	config.created = history.created = created;
	json_emit(&oci_image_config_schema, &config, &text);
	digest_of(text.data, text.len, &digest);
	*ret = (struct unpack_file){ .name = (char *)"config", .file = (char *)"config", .bytes = text.len };
	i->id = ret->digest = arena_strdup(op->arena, digest.text);
	i->config_text = arena_strndup(op->arena, text.data, text.len);
	i->n_config_text = text.len;
	if (text.len > IMAGE_DOC_MAX_BYTES)
		return err_set(e, ERR_INVALID, "the image's configuration is larger than %u bytes", IMAGE_DOC_MAX_BYTES);
	return file_replace(op->staging_fd, "config", text.data, text.len, 0600, e);
}

static int plan_image(struct load_op *op, const struct unpack_layer *r, struct err *e)
{
	struct archive_image *i = arena_new_obj(op->arena, struct archive_image);
	struct unpack_file *config = arena_new_obj(op->arena, struct unpack_file);

	if (write_config(op, r->diff_id, i, config, e) < 0)
		return -1;
	i->config_file = config;
	i->layers = arena_new_obj(op->arena, struct archive_layer);
	i->layers[0] = (struct archive_layer){ op->import->blob, r->diff_id, r->diff_id, (char *)TYPE_LAYER };
	i->n_layers = 1;
	if (op->import->tag)
		i->tags = (struct str_list){ &op->import->tag, 1 };
	if (image_config_parse(i->config_text, i->n_config_text, op->arena, &i->config, e) < 0)
		return err_wrap(e, "configuration");
	op->plan = (struct archive_plan){ i, 1 };
	return 0;
}

static int place_layer(void *ctx, struct unpack_result *r, struct err *e)
{
	struct load_op *op = ctx;

	if (!r->layer || !digest_is_valid(r->layer->diff_id) || !digest_is_valid(r->layer->blob_digest))
		return err_set(e, ERR_INTERNAL, "unpack told nothing of the layer");
	op->import->blob->digest = arena_strdup(op->arena, r->layer->blob_digest);
	op->import->bytes = (int64_t)r->layer->file_bytes;
	/* The plan first: what is placed and then fails is swept by it. */
	if (plan_image(op, r->layer, e) < 0)
		return -1;
	if (store_layer_mark_opaque(op->import->dir_fd, &r->layer->opaque, e) < 0 || store_sync_content(op->staging_fd, e) < 0 ||
	    store_layer_commit(op->data_fd, op->layer_tmp_name, r->layer->diff_id, e) < 0)
		return err_wrap(e, "layer %s", r->layer->diff_id);
	op->layer_tmp_name[0] = 0;
	return 0;
}

/* ---- its turn ---- */

static void tell_progress(struct load_op *op)
{
	load_tell(op, "Importing", NULL, op->import->blob_fd, op->import->blob->bytes);
	op->import->is_told = true;
}

static void on_unpacked(void *ctx, const struct err *err)
{
	struct load_op *op = ctx;
	struct image *known;

	op->child = NULL;
	op->is_watched = false;
	if (load_came_back(op))
		return;
	if (err->kind != ERR_NONE) {
		load_fail(op, err);
		load_finish(op);
		return;
	}
	if (op->import->is_told)
		tell_progress(op);
	known = image_by_id(op->imgs->eng, op->plan.images[0].id);
	op->is_known[0] = known != NULL;
	image_ref(known);
	load_layers_given(op, &op->plan.images[0].layers[0], op->import->bytes);
	load_layers_ready(op);
}

/* On a worker */
static int start(struct load_op *op, struct err *e)
{
	struct load_import *m = op->import;
	struct unpack_request req = {
		.runtime_path = op->runtime_path, .what = "layer", .arena = op->arena, .after = place_layer,
		.done = on_unpacked, .ctx = op,
	};

	m->blob_fd = openat(op->staging_fd, m->blob->file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (m->blob_fd < 0)
		return err_sys(e, "open the imported file");
	if (store_tmp_new(op->data_fd, "layer", op->layer_tmp_name, &m->dir_fd, e) < 0)
		return -1;
	req.input_fd = m->blob_fd;
	req.dir_fd = m->dir_fd;
	return unpack_child_spawn(&req, &op->child, e);
}

static void start_work(void *ctx)
{
	struct load_op *op = ctx;
	struct err e = { 0 };

	if (start(op, &e) < 0)
		op->err = e;
}

static void start_done(void *ctx)
{
	struct load_op *op = ctx;

	if (!op->imgs)
		unpack_child_kill(TAKE_PTR(op->child));
	if (load_came_back(op))
		return;
	if (op->err.kind != ERR_NONE) {
		load_finish(op);
		return;
	}
	unpack_child_watch(op->child, op->imgs->eng->loop);
	op->is_watched = true;
	op->n_away++;
}

void load_import_begin(struct load_op *op)
{
	op->is_known = arena_new_array(op->arena, bool, 1);
	op->is_new = arena_new_array(op->arena, bool, 1);
	op->n_away++;
	loop_work(op->imgs->eng->loop, LOOP_JOB_SHORT, start_work, start_done, op);
}

void load_import_progress(struct load_op *op)
{
	if (op->is_watched)
		tell_progress(op);
}

/* ---- from the outside ---- */

int load_import_staged(struct load_op *op, const struct unpack_listing *l, struct err *e)
{
	if (l->n_files != 1 || !path_is_name(l->files[0].file))
		return err_set(e, ERR_INTERNAL, "unpack told nothing of the imported file");
	op->import->blob = &l->files[0];
	return 0;
}

struct load_op *image_import(struct engine *eng, int fd, const struct image_import *what, const struct image_watch *w)
{
	struct load_op *op = load_new(eng, fd, w);
	struct load_import *m = arena_new_obj(op->arena, struct load_import);
	struct err e = { 0 };

	*m = (struct load_import){ .blob_fd = -1, .dir_fd = -1 };
	m->message = arena_strdup(op->arena, what->message);
	m->tag = arena_strdup(op->arena, what->tag);
	m->exec = arena_new_obj(op->arena, struct oci_image_exec);
	op->import = m;
	/* Read again, into an arena that lives as long as the import */
	BUG(changes_apply(&what->changes, op->arena, m->exec, &e) < 0, "import: %s", e.msg);
	load_stage(op);
	return op;
}
