/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of tasks that touch final names, and removing files that no image needs. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "daemon/engine/images_priv.h"
#include "daemon/engine/rubbish.h"
#include "oci/digest.h"
#include "oci/store.h"

#define SWEEP_FIRST_MS 500
#define SWEEP_MAX_MS   60000

/* ---- tasks, one at a time ---- */

static void run_next(struct images *imgs)
{
	struct images_task *t = imgs->tasks;

	if (imgs->has_task || !t)
		return;
	imgs->tasks = t->next;
	if (!imgs->tasks)
		imgs->last_task = &imgs->tasks;
	imgs->has_task = true;
	t->fn(t->ctx);
	free(t);
}

void images_task(struct images *imgs, images_task_fn fn, void *ctx)
{
	struct images_task *t = xcalloc(1, sizeof(*t));

	t->fn = fn;
	t->ctx = ctx;
	*imgs->last_task = t;
	imgs->last_task = &t->next;
	run_next(imgs);
}

void images_task_done(struct images *imgs)
{
	imgs->has_task = false;
	run_next(imgs);
}

/* ---- sweeps ---- */

struct sweep {
	struct sweep *next;
	struct images *imgs;         /* NULL: kilnd ends */
	struct arena *arena;
	int data_fd;
	struct str_list candidates;
	struct str_list blobs, layers;   /* that nobody needs */
	struct str_list rubbish;     /* in tmp/: layers that were moved there, and are there still */
	struct err err;              /* the first failure */
	struct loop_timer *timer;    /* it is tried once more; NULL: it waits for its turn, or runs */
	uint64_t wait_ms;
};

static void sweep_free(struct sweep *w)
{
	for (struct sweep **at = w->imgs ? &w->imgs->sweeps : NULL; at && *at; at = &(*at)->next) {
		if (*at == w) {
			*at = w->next;
			break;
		}
	}
	loop_timer_free(TAKE_PTR(w->timer));
	arena_free(w->arena);
	free(w);
}

/* On a worker */
static void sweep_work(void *ctx)
{
	struct sweep *w = ctx;
	struct err e;

	for (size_t i = 0; i < w->layers.n; i++) {
		char tmp[64];

		if (store_layer_remove(w->data_fd, w->layers.v[i], tmp, &e) == 0)
			continue;
		w->err = e;
		if (tmp[0])
			w->rubbish.v[w->rubbish.n++] = arena_strdup(w->arena, tmp);
	}
	for (size_t i = 0; i < w->blobs.n; i++) {
		if (store_blob_remove(w->data_fd, w->blobs.v[i], &e) < 0)
			w->err = e;
	}
}

static void sweep_begin(void *ctx);

static void on_sweep_timer(void *ctx)
{
	struct sweep *w = ctx;

	loop_timer_free(TAKE_PTR(w->timer));
	images_task(w->imgs, sweep_begin, w);
}

/* What is needed may be another by then: it is asked anew. */
static void sweep_later(struct sweep *w)
{
	w->err = (struct err){ 0 };
	w->wait_ms = w->wait_ms == 0 ? SWEEP_FIRST_MS : w->wait_ms * 2 > SWEEP_MAX_MS ? SWEEP_MAX_MS : w->wait_ms * 2;
	w->timer = loop_timer_new(w->imgs->eng->loop, "sweep of images", on_sweep_timer, w);
	loop_timer_start(w->timer, w->wait_ms, 0);
}

static void sweep_done(void *ctx)
{
	struct sweep *w = ctx;
	struct images *imgs = w->imgs;

	if (!imgs) {
		sweep_free(w);
		return;
	}
	for (size_t i = 0; i < w->rubbish.n; i++)
		rubbish_add(imgs->eng, w->rubbish.v[i]);
	if (w->err.kind == ERR_NONE) {
		sweep_free(w);
	} else {
		log_warn("%s, trying again", w->err.msg);
		sweep_later(w);
	}
	images_task_done(imgs);
}

static void sweep_begin(void *ctx)
{
	struct sweep *w = ctx;

	w->blobs = (struct str_list){ arena_new_array(w->arena, char *, w->candidates.n), 0 };
	w->layers = (struct str_list){ arena_new_array(w->arena, char *, w->candidates.n), 0 };
	w->rubbish = (struct str_list){ arena_new_array(w->arena, char *, w->candidates.n), 0 };
	for (size_t i = 0; i < w->candidates.n; i++) {
		char *digest = w->candidates.v[i];

		if (!images_need_blob(w->imgs, digest))
			w->blobs.v[w->blobs.n++] = digest;
		if (!images_need_layer(w->imgs, digest))
			w->layers.v[w->layers.n++] = digest;
	}
	loop_work(w->imgs->eng->loop, LOOP_JOB_LONG, sweep_work, sweep_done, w);
}

void images_sweep(struct images *imgs, const struct str_list *digests)
{
	struct sweep *w = xcalloc(1, sizeof(*w));

	w->imgs = imgs;
	w->arena = arena_new();
	w->data_fd = imgs->eng->cfg.data_root_fd;
	w->candidates.n = digests->n;
	w->candidates.v = arena_new_array(w->arena, char *, digests->n);
	for (size_t i = 0; i < digests->n; i++)
		w->candidates.v[i] = arena_strdup(w->arena, digests->v[i]);
	w->next = imgs->sweeps;
	imgs->sweeps = w;
	images_task(imgs, sweep_begin, w);
}

void images_end_sweeps(struct images *imgs)
{
	/* The one whose work runs is freed by sweep_done(); the others never begin. */
	while (imgs->sweeps) {
		struct sweep *w = imgs->sweeps;
		bool is_waiting = w->timer != NULL;

		for (struct images_task *t = imgs->tasks; t; t = t->next)
			is_waiting |= t->ctx == w;
		imgs->sweeps = w->next;
		w->imgs = NULL;
		if (is_waiting)
			sweep_free(w);
	}
}

void image_digests(const struct image *i, struct arena *a, struct str_list *ret)
{
	ret->v = arena_new_array(a, char *, 2 * i->n_layers + 2);
	ret->n = 0;
	/* The top first, as docker tells them. */
	for (size_t k = i->n_layers; k > 0; k--) {
		ret->v[ret->n++] = arena_strdup(a, i->layers[k - 1].key);
		ret->v[ret->n++] = arena_strdup(a, i->layers[k - 1].blob_digest);
	}
	if (i->manifest_digest)
		ret->v[ret->n++] = arena_strdup(a, i->manifest_digest);
	ret->v[ret->n++] = arena_strdup(a, i->id);
}

/* ---- at start: what a crash or a failed sweep left ---- */

struct known {
	struct images *imgs;
	bool has_unreadable;
};

static void know_row(void *ctx, const struct state_image *row)
{
	struct known *k = ctx;

	k->has_unreadable |= image_by_id(k->imgs->eng, row->id) == NULL;
}

static bool needs_blob(const struct images *imgs, const char *name)
{
	char digest[DIGEST_TEXT_LEN + 1];

	if (!str_is_hex(name, DIGEST_HEX_LEN))
		return false;
	memcpy(digest, "sha256:", 7);
	memcpy(digest + 7, name, DIGEST_HEX_LEN + 1);
	return images_need_blob(imgs, digest);
}

static bool needs_layer(const struct images *imgs, const char *name)
{
	if (str_eq(name, STORE_MOUNT_POINTS))
		return true;
	for (const struct image_obj *o = imgs->first; o; o = o->next) {
		for (size_t k = 0; k < o->pub.n_layers; k++) {
			if (str_eq(o->pub.layers[k].dir, name))
				return true;
		}
	}
	return false;
}

static int each_name(int data_fd, const char *dir_name, struct arena *a, struct str_list *ret, struct err *e)
{
	AUTO_CLOSE int fd = -1;
	AUTO_DIR DIR *d = NULL;
	struct dirent *entry;
	size_t room = 0;

	if (path_open_dir(data_fd, dir_name, 0, &fd, e) < 0)
		return -1;
	d = fdopendir(fd);
	if (!d)
		return err_sys(e, "read '%s' in the data root", dir_name);
	TAKE_FD(fd);
	while ((entry = readdir(d)) != NULL) {
		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		if (ret->n == room) {
			char **more = arena_new_array(a, char *, room = room * 2 + 16);

			if (ret->n > 0)
				memcpy(more, ret->v, ret->n * sizeof(*more));
			ret->v = more;
		}
		ret->v[ret->n++] = arena_strdup(a, entry->d_name);
	}
	return 0;
}

static int remove_unneeded(struct images *imgs, const char *dir_name,
			   bool (*is_needed)(const struct images *imgs, const char *name), struct err *e)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct str_list names = { 0 };
	int data_fd = imgs->eng->cfg.data_root_fd;
	struct err why;

	if (each_name(data_fd, dir_name, a, &names, e) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		char *path = arena_printf(a, "%s/%s", dir_name, names.v[i]);

		if (is_needed(imgs, names.v[i]))
			continue;
		log_info("removing '%s', which no image needs", path);
		if (path_remove_tree(data_fd, path, &why) < 0)
			log_warn("%s, trying again at the next start", why.msg);
	}
	return 0;
}

int images_remove_orphans(struct images *imgs, struct err *e)
{
	struct known k = { .imgs = imgs };
	int data_fd = imgs->eng->cfg.data_root_fd;

	if (store_clean(data_fd, e) < 0)
		log_warn("%s, ignoring", e->msg);
	/* What an unreadable image needs is not known: then nothing goes. */
	if (state_each_image(imgs->eng->state, know_row, &k, e) < 0)
		return -1;
	if (k.has_unreadable)
		return 0;
	if (remove_unneeded(imgs, "layers", needs_layer, e) < 0 ||
	    remove_unneeded(imgs, "blobs/sha256", needs_blob, e) < 0)
		return -1;
	*e = (struct err){ 0 };
	return 0;
}
