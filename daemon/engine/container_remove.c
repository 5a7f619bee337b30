/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removal: commit REMOVING → the directory is renamed into tmp/ and deleted by a worker → what may
 * be left of its cgroup is cleaned → the row goes → the event and the waiters. Every step may be
 * repeated: a kilnd that finds a container in state REMOVING begins again, and what is in tmp/ goes
 * at its start.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "daemon/engine/container_impl.h"
#include "daemon/engine/image.h"
#include "daemon/engine/later.h"

static const struct err no_error;

struct deleting {
	struct container *c;
	int data_root_fd; /* borrowed */
	char id[65];
	struct err err;
};

static void delete_work(void *ctx)
{
	struct deleting *d = ctx;
	char from[CONTAINER_REL_MAX], to[CONTAINER_REL_MAX];

	container_rel_dir(d->id, from);
	snprintf(to, sizeof to, "tmp/removed-%s", d->id);
	if (renameat(d->data_root_fd, from, d->data_root_fd, to) < 0 && errno != ENOENT) {
		err_sys(&d->err, "move '%s' away", from);
		return;
	}
	path_remove_tree(d->data_root_fd, to, &d->err);
}

static void removal_failed(struct container *c, const struct err *why)
{
	struct err e = *why;

	err_wrap(&e, "remove container '%s'", c->name);
	log_err("%s", e.msg);
	snprintf(c->error, sizeof c->error, "%s", e.msg);
	container_apply(c, EV_REMOVE_FAILED, NULL, ERR_IGNORED);
	call_answer(&c->priv->removes, &e, false);
}

static void row_deleted(void *ctx, const struct err *err)
{
	struct container *c = ctx;
	struct image *image = c->image;
	struct call *removes;

	if (err->kind != ERR_NONE) {
		removal_failed(c, err);
		return;
	}
	container_event(c, "destroy", NULL, NULL);
	container_wake(c, true);
	removes = TAKE_PTR(c->priv->removes);
	exec_forget(c, true);
	container_unlink(c);
	container_free(c);
	image_unref(image);
	call_answer(&removes, &no_error, true);
}

/* Its monitor is no more: neither is what it listened on. */
static void delete_row(struct container *c)
{
	struct state_batch *b = state_batch_new(c->eng->state);
	char rel[CONTAINER_REL_MAX];

	container_rel_socket(c->id, rel);
	unlinkat(c->eng->cfg.exec_root_fd, rel, 0);
	container_apply(c, EV_REMOVED, NULL, ERR_IGNORED);
	state_del_container(b, c->id);
	later_commit(c->eng, b, row_deleted, NULL, c);
}

static void cleaned(void *ctx, const struct err *err)
{
	(void)err; /* logged */
	delete_row(ctx);
}

static void delete_done(void *ctx)
{
	struct deleting *d = ctx;
	struct container *c = d->c;
	struct err e = d->err;

	free(d);
	if (e.kind != ERR_NONE) {
		removal_failed(c, &e);
		return;
	}
	/* With a --cgroup-parent there may be groups above that go with it */
	if (!c->priv->needs_clean && str_is_empty(c->opt->host->cgroup_parent)) {
		delete_row(c);
		return;
	}
	container_clean(c, cleaned);
}

static void removal_committed(void *ctx, const struct err *err)
{
	struct container *c = ctx;
	struct deleting *d;

	if (err->kind != ERR_NONE) {
		removal_failed(c, err);
		return;
	}
	d = xcalloc(1, sizeof *d);
	*d = (struct deleting){ .c = c, .data_root_fd = c->eng->cfg.data_root_fd };
	snprintf(d->id, sizeof d->id, "%s", c->id);
	later_work(c->eng, LOOP_JOB_LONG, delete_work, delete_done, free, d);
}

void container_begin_removal(struct container *c)
{
	struct container_priv *p = c->priv;
	struct err e = { 0 };

	p->wants_removal = false;
	p->wants_start = false;
	c->wants_running = false;
	container_refuse_starts(c);
	loop_timer_free(TAKE_PTR(p->restart_timer));
	container_attach_drop(c);
	if (c->state == CT_REMOVING) { /* found so at start */
		removal_committed(c, &no_error);
		return;
	}
	if (container_apply(c, EV_REMOVE, removal_committed, &e) < 0)
		call_answer(&p->removes, &e, false);
}

/* ---- the request ---- */

static bool is_running_as_docker_sees_it(const struct container *c)
{
	return ct_is_live(c->state) || c->state == CT_RESTARTING || c->priv->wants_start;
}

static int can_remove(const struct container *c, bool force, struct err *e)
{
	if (c->is_removing || (c->priv->wants_removal && !c->priv->is_stop_vain))
		return err_set(e, ERR_CONFLICT, "removal of container %s is already in progress",
			       c->name);
	if (force || !is_running_as_docker_sees_it(c))
		return 0;
	if (c->is_paused)
		return err_set(e, ERR_CONFLICT,
			       "cannot remove container \"/%s\": container is paused and must be unpaused first",
			       c->name);
	return err_set(e, ERR_CONFLICT,
		       "cannot remove container \"/%s\": container is %s: stop the container before removing or "
		       "force remove",
		       c->name, c->is_restarting ? "restarting" : "running");
}

void container_remove(struct container *c, bool force, engine_done_fn done, void *ctx)
{
	struct container_priv *p = c->priv;
	struct err e = { 0 };

	if (can_remove(c, force, &e) < 0) {
		done(ctx, &e);
		return;
	}
	call_add_done(&p->removes, done, ctx);
	c->wants_running = false;
	if (c->state == CT_RESTARTING && !p->is_settling)
		container_cancel_backoff(c);
	if (ct_is_live(c->state)) {
		p->wants_removal = true;
		p->wants_start = false;
		c->was_stopped_by_hand = true;
		container_stop_live(c, SIGKILL, INT64_MIN);
	} else if (p->is_settling) {
		p->wants_removal = true;
	} else {
		container_begin_removal(c);
	}
}
