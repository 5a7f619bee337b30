/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "daemon/engine/adopt.h"
#include "daemon/engine/exec_run.h"
#include "daemon/engine/host_facts.h"
#include "daemon/engine/later.h"
#include "daemon/engine/launcher.h"

/* ---- what the launcher tells of orphans ---- */

static struct container *by_id(struct engine *eng, const char *id)
{
	for (struct container *c = eng->first; c; c = c->priv->next) {
		if (strcmp(c->id, id) == 0)
			return c;
	}
	return NULL;
}

/* Most often the end of its monitor's connection has told it before. */
static void on_orphan(void *ctx, const char *id)
{
	struct container *c = by_id(ctx, id);

	if (c && !c->priv->monitor && c->state == CT_STARTING)
		container_read_record(c);
}

static void on_orphan_exited(void *ctx, const char *id)
{
	struct container *c = by_id(ctx, id);

	if (exec_run_orphan_exited(ctx, id))
		return;
	if (c && !c->priv->monitor)
		container_read_record(c);
}

static void on_renewed(void *ctx)
{
	adopt_sweep_groups(ctx);
}

static const struct launcher_handlers launcher_handlers = {
	.orphan = on_orphan,
	.orphan_exited = on_orphan_exited,
	.renewed = on_renewed,
};

/* ---- the engine ---- */

static int make_dirs(const struct engine_config *cfg, struct err *e)
{
	if (path_mkdirs(cfg->data_root_fd, "containers", 0700, e) < 0 ||
	    path_mkdirs(cfg->exec_root_fd, "l", 0700, e) < 0 ||
	    path_mkdirs(cfg->exec_root_fd, "c", 0700, e) < 0 ||
	    path_mkdirs(cfg->exec_root_fd, "x", 0700, e) < 0)
		return -1;
	return 0;
}

int engine_new(const struct engine_config *cfg, struct loop *l, struct state *s,
	       struct engine **ret, struct err *e)
{
	struct engine *eng = xcalloc(1, sizeof *eng);

	*eng = (struct engine){ .cfg = *cfg, .loop = l, .state = s };
	host_facts_read(&eng->host);
	eng->events = events_new();
	if (make_dirs(cfg, e) < 0 || images_new(eng, &eng->images, e) < 0) {
		engine_free(eng);
		return -1;
	}
	eng->launcher = launcher_new(&eng->cfg, l, &launcher_handlers, eng);
	if (adopt_all(eng, e) < 0) {
		engine_free(eng);
		return -1;
	}
	adopt_sweep(eng);
	*ret = eng;
	return 0;
}

void engine_free(struct engine *eng)
{
	if (!eng)
		return;
	later_forget(eng);
	exec_free_all(eng);
	while (eng->first) {
		struct container *c = eng->first;

		container_unlink(c);
		container_free(c);
	}
	exec_run_free_all(eng);
	launcher_free(TAKE_PTR(eng->launcher));
	images_free(TAKE_PTR(eng->images));
	events_free(TAKE_PTR(eng->events));
	free(eng);
}

const struct engine_config *engine_cfg(const struct engine *eng)
{
	return &eng->cfg;
}

struct loop *engine_loop(const struct engine *eng)
{
	return eng->loop;
}

struct events *engine_events(struct engine *eng)
{
	return eng->events;
}

bool engine_launcher_is_up(const struct engine *eng)
{
	return launcher_is_up(eng->launcher);
}

bool engine_storage_is_ok(const struct engine *eng, struct err *ret_why)
{
	struct statvfs fs;

	if (eng->has_commit_failed) {
		err_set(ret_why, ERR_SYSTEM, "the last commit to the state store failed");
		return false;
	}
	if (fstatvfs(eng->cfg.data_root_fd, &fs) < 0) {
		err_sys(ret_why, "data root '%s'", eng->cfg.data_root);
		return false;
	}
	if (fs.f_flag & ST_RDONLY) {
		err_set(ret_why, ERR_SYSTEM, "data root '%s' is read-only", eng->cfg.data_root);
		return false;
	}
	if (fs.f_bavail == 0 || (fs.f_files > 0 && fs.f_ffree == 0)) {
		err_set(ret_why, ERR_SYSTEM, "data root '%s' is full", eng->cfg.data_root);
		return false;
	}
	return true;
}

/* ---- stopping all ---- */

struct stop_all {
	engine_done_fn done;
	void *ctx;
	size_t n_left;
};

static void one_stopped(void *ctx, const struct err *err, bool changed)
{
	struct stop_all *s = ctx;
	struct err none = { 0 };

	(void)changed;
	if (err->kind != ERR_NONE)
		log_warn("stop all: %s, ignoring", err->msg);
	if (--s->n_left > 0)
		return;
	s->done(s->ctx, &none);
	free(s);
}

/* What is desired stays: the next start of kilnd brings back what policies want. */
void engine_stop_all(struct engine *eng, engine_done_fn done, void *ctx)
{
	struct stop_all *s = xcalloc(1, sizeof *s);
	struct err none = { 0 };

	*s = (struct stop_all){ .done = done, .ctx = ctx, .n_left = 1 };
	eng->is_stopping = true;
	for (struct container *c = eng->first; c; c = c->priv->next) {
		loop_timer_free(TAKE_PTR(c->priv->restart_timer));
		if (!ct_is_live(c->state))
			continue;
		s->n_left++;
		call_add_changed(&c->priv->stops, one_stopped, s);
		container_stop_live(c, 0, INT64_MIN);
	}
	one_stopped(s, &none, false);
}
