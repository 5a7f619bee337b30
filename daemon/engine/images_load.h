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
	int archive_fd, staging_fd;  /* archive_fd: an archive, or the tar of an import, as it is sent */
	char tmp_name[64];           /* "": not made yet */
	char layer_tmp_name[64];     /* of an import: its layer while it is unpacked; "": none */
	struct load_import *import;  /* in the arena; NULL: an archive */
	struct loop_timer *progress; /* NULL: not wanted */
	bool is_staged, is_sent;     /* both: the next step may begin */
	struct err sent_err;         /* how sending ended */
	struct unpack_child *child;  /* while the archive is staged */
	bool is_watched;             /* it is; before that it is its worker's */
	unsigned n_away;             /* jobs, children, commits and the queue that will call back */
	struct archive_plan plan;
	bool *is_known;              /* of each image of the plan: was there when the task began */
	bool *is_new;                /* of each image of the plan: this load made it */
	struct layer_task *layers;   /* each layer once */
	size_t n_layers, n_started, n_running, n_parallel;
	uint64_t n_layer_bytes;
	struct moved_tag *moved;
	bool is_flushing, wants_flush;   /* early writing to the disk: under way, and once more */
	bool is_task;                /* it is the store's current task */
	struct err err;              /* the first failure */
	struct err clean_err;
	struct image_watch watch;
};

/* ---- images_load.c ---- */
bool load_came_back(struct load_op *op);                     /* Return: true when it must not be touched any more */
void load_fail(struct load_op *op, const struct err *err);   /* keeps the first error */
int load_place_blob(const struct load_op *op, const struct unpack_file *f, struct err *e);   /* On a worker: verified and synced. Return: 0, or -1 with @e set */
void load_layers_ready(struct load_op *op);                  /* all are there, or err is set */

void load_tell(struct load_op *op, const char *status, const char *diff_id, int fd, uint64_t n_all);   /* how far @fd was read; diff_id may be NULL */
struct load_op *load_new(struct engine *eng, int fd, const struct image_watch *w);   /* Return: in the list of loads; takes @fd */
void load_stage(struct load_op *op);                         /* begin */
void load_finish(struct load_op *op);                        /* good or bad: clean up, then tell */
void load_remove_tmp(struct load_op *op, char name[64]);     /* on a worker; @name is empty when it is gone */

/* ---- images_import.c ---- */
int load_import_staged(struct load_op *op, const struct unpack_listing *l, struct err *e);   /* On a worker. Return: 0, or -1 with @e set */
void load_import_begin(struct load_op *op);                  /* its turn */
void load_import_progress(struct load_op *op);
void load_import_free(struct load_op *op);

/* ---- images_layers.c ---- */
void load_layers_begin(struct load_op *op);
void load_layers_given(struct load_op *op, const struct archive_layer *y, int64_t n_bytes);   /* the only one, in place already */
void load_layers_progress(struct load_op *op);
int load_layers_place_blobs(const struct load_op *op, struct err *e);   /* On a worker: of each layer the file that was verified. Return: 0, or -1 with @e set */
void load_layers_kill(struct load_op *op);
void load_layers_free(struct load_op *op);
int64_t load_layer_bytes(const struct load_op *op, const struct archive_layer *y);    /* Return: its unpacked size */
const char *load_layer_key(const struct load_op *op, const struct archive_layer *y);  /* Return: what its directory is called after */
