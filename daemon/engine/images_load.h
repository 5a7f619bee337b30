/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One load under way, for images_load.c and images_layers.c only.
 */
#pragma once

#include "daemon/engine/images_priv.h"
#include "daemon/engine/unpack_child.h"
#include "oci/archive.h"

struct layer_task;
struct load_import;

struct moved_tag {
	struct moved_tag *next;
	const char *canonical, *to_id, *from_id;   /* from_id NULL: it was nobody's */
};

struct load_op {
	struct load_op *next;
	struct images *imgs;         /* NULL: kilnd ends */
	struct arena *arena;
	int data_fd;                 /* borrowed */
	const char *runtime_path;    /* borrowed */
	int archive_fd, staging_fd;
	char tmp_name[64];           /* "": not made yet */
	char layer_tmp_name[64];     /* of an import: its layer while it is unpacked; "": none */
	struct load_import *import;  /* in the arena; NULL: an archive */
	struct unpack_child *child;  /* while the archive is staged */
	bool is_watched;             /* it is; before that it is its worker's */
	unsigned n_away;             /* jobs, children, commits and the queue that will call back */
	struct archive_plan plan;
	bool *is_known;              /* of each image of the plan: was there when the task began */
	bool *is_new;                /* of each image of the plan: this load made it */
	struct layer_task *layers;   /* each layer once */
	size_t n_layers, n_started, n_running;
	struct moved_tag *moved;
	bool is_task;                /* it is the store's current task */
	struct err err;              /* the first failure */
	struct err clean_err;
	image_progress_fn progress;
	engine_done_fn done;
	void *ctx;
};

/* ---- images_load.c ---- */
bool load_came_back(struct load_op *op);                     /* Return: true when it must not be touched any more */
void load_fail(struct load_op *op, const struct err *err);   /* keeps the first error */
void load_layers_ready(struct load_op *op);                  /* all are there, or err is set */

struct load_op *load_new(struct engine *eng, int fd, image_progress_fn progress, engine_done_fn done, void *ctx);   /* Return: in the list of loads; takes @fd */
void load_queue(struct load_op *op);                         /* wait for its turn to be the store's task */
void load_finish(struct load_op *op);                        /* good or bad: clean up, then tell */

/* ---- images_import.c ---- */
void load_import_begin(struct load_op *op);                  /* its turn */
void load_import_free(struct load_op *op);

/* ---- images_layers.c ---- */
void load_layers_begin(struct load_op *op);
void load_layers_given(struct load_op *op, const struct archive_layer *y, int64_t n_bytes);   /* the only one, in place already */
void load_layers_kill(struct load_op *op);
void load_layers_free(struct load_op *op);
int64_t load_layer_bytes(const struct load_op *op, const char *diff_id);   /* Return: its unpacked size */
