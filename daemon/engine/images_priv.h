/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the image store share. Nobody else includes this.
 *
 * Memory is changed first and committed at once, in the same call: the order of commits is then the order of changes, and
 * a caller hears "done" after the commit. A change that cannot be committed is undone. Files are made before, removed after. What touches the final names of
 * files (the second half of a load, sweeping) runs one at a time, as a task of the queue below: so a sweep never removes
 * a layer that a load has just found to be there.
 */
#pragma once

#include "daemon/engine/engine_impl.h"
#include "daemon/engine/image.h"

struct image_obj {
	struct image pub;
	struct images *imgs;
	struct arena *arena;
	struct image_obj *next;
	bool is_hidden;              /* removed by force; kept for its containers */
	bool is_leaving;             /* removed, not yet committed: nobody finds it, its files stay */
	bool is_void;                /* and will not be restored: its load was not committed */
	unsigned n_removals;         /* that are not yet committed */
};

typedef void (*images_task_fn)(void *ctx);
struct images_task {
	struct images_task *next;
	images_task_fn fn;
	void *ctx;
};

struct load_op;
struct sweep;

struct images {
	struct engine *eng;
	struct image_obj *first;
	struct images_task *tasks, **last_task;
	bool has_task;               /* one runs; it calls images_task_done() */
	struct load_op *loads;       /* all that are under way */
	struct sweep *sweeps;
	struct loop_timer *after_start;
};

/* ---- images.c ---- */
void images_insert(struct images *imgs, struct image_obj *o);
void images_drop(struct image_obj *o);                       /* out of the list, and freed */
void images_void(struct image_obj *o);                       /* the same, once no removal of it is under way */
bool images_need_blob(const struct images *imgs, const char *digest);    /* Return: does any image need it? */
bool images_need_layer(const struct images *imgs, const char *key);      /* Return: does any image need it? */
void image_add_tag(struct image *i, const char *canonical);
bool image_take_tag(struct image *i, const char *canonical); /* Return: true when it had that tag */
struct image *image_by_tag(struct engine *eng, const char *canonical);   /* Return: the image, or NULL */
void image_event(struct image *i, const char *action, const char *name);

/* ---- images_record.c ---- */
struct image_obj *image_obj_new(struct images *imgs, struct arena *arena, const char *id);   /* Return: owned; takes @arena */
void image_record_put(const struct image *i, struct state_batch *b);     /* its row and its layers' rows */
int image_record_read(struct images *imgs, const struct state_image *row, struct image_obj **ret, struct err *e);  /* Return: 0, or -1 with @e set */

/* ---- images_sweep.c ---- */
void images_task(struct images *imgs, images_task_fn fn, void *ctx);     /* runs when all earlier ones are done */
void images_task_done(struct images *imgs);
void images_sweep(struct images *imgs, const struct str_list *digests);  /* blobs and layers: those that no image needs go. Copies */
void images_end_sweeps(struct images *imgs);                 /* kilnd ends */
int images_remove_orphans(struct images *imgs, struct err *e);           /* at start. Return: 0, or -1 with @e set */
void image_digests(const struct image *i, struct arena *a, struct str_list *ret);   /* of all its blobs and layers */

/* ---- images_remove.c ---- */
void image_erase(struct image *i);                           /* a hidden image that no container needs any more */

/* ---- images_load.c ---- */
void images_end_loads(struct images *imgs);                  /* kilnd ends: kill the children */
