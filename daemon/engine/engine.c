/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "daemon/engine/adopt.h"
#include "daemon/engine/exec_root.h"
#include "daemon/engine/exec_run.h"
#include "daemon/engine/host_facts.h"
#include "daemon/engine/later.h"
#include "daemon/engine/launcher.h"
#include "daemon/engine/rubbish.h"
#include "oci/digest.h"

#define MACHINE_ID_MAX 256

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

/* Containers are made where they are without systemd: its root is ours to make a group in, there as here. */
static void on_unscoped(void *ctx)
{
	struct engine *eng = ctx;

	log_warn("the launcher is not in '%s' (its log says why): containers are started below '%s', which systemd "
		 "does not know, until another kilnd and launcher are started", eng->cfg.cgroup_parent, ENGINE_CGROUP_PARENT);
	eng->cfg.cgroup_parent = ENGINE_CGROUP_PARENT;
}

static const struct launcher_handlers launcher_handlers = {
	.unscoped = on_unscoped,
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

/* Like dockerd's: it survives an installation anew */
static void make_id(struct engine *eng)
{
	AUTO_FREE char *machine = NULL;
	AUTO_FREE char *seed = NULL;
	struct digest d;
	const char *h;

	if (file_read(AT_FDCWD, "/etc/machine-id", MACHINE_ID_MAX, &machine, NULL, ERR_IGNORED) < 0)
		machine = xstrdup("");
	seed = xasprintf("%s:%s", machine, eng->cfg.data_root);
	digest_of(seed, strlen(seed), &d);
	h = digest_hex(d.text);
	snprintf(eng->id, sizeof eng->id, "%.8s-%.4s-%.4s-%.4s-%.12s", h, h + 8, h + 12, h + 16, h + 20);
}

/*
 * Another kilnd has another data root, be it at the same path: in another mount namespace, say, on the same groups. The
 * groups do not outlive the machine's uptime, so the numbers hold.
 */
static int make_group_owner(struct engine *eng, struct err *e)
{
	struct stat st;

	if (fstat(eng->cfg.data_root_fd, &st) < 0)
		return err_sys(e, "look at '%s'", eng->cfg.data_root);
	snprintf(eng->group_owner, sizeof eng->group_owner, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	return 0;
}

/* Before the first container waits for it; what goes wrong is told again by each start that needs it. */
static void load_profile(void *ctx)
{
	apparmor_ensure(ctx);
}

static void profile_loaded(void *ctx)
{
	AUTO_FREE struct err *e = ctx;

	if (e->kind != ERR_NONE)
		log_err("%s", e->msg);
}

int engine_new(const struct engine_config *cfg, struct loop *l, struct state *s,
	       struct engine **ret, struct err *e)
{
	struct engine *eng = xcalloc(1, sizeof *eng);

	*eng = (struct engine){ .cfg = *cfg, .loop = l, .state = s, .is_stopping = cfg->only_stops };
	eng->set.shutdown_timeout_sec = -1;
	make_id(eng);
	host_facts_read(&eng->host);
	eng->events = events_new();
	if (make_group_owner(eng, e) < 0 || make_dirs(cfg, e) < 0 || exec_root_claim(eng, e) < 0 || images_new(eng, &eng->images, e) < 0) {
		engine_free(eng);
		return -1;
	}
	eng->launcher = launcher_new(&eng->cfg, l, &launcher_handlers, eng);
	if (adopt_all(eng, e) < 0) {
		engine_free(eng);
		return -1;
	}
	adopt_sweep(eng);
	if (eng->host.apparmor.has_default && !cfg->only_stops)
		later_work(eng, LOOP_JOB_LONG, load_profile, profile_loaded, free, xcalloc(1, sizeof(struct err)));
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
	rubbish_free(TAKE_PTR(eng->rubbish));
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

const char *engine_id(const struct engine *eng)
{
	return eng->id;
}

void engine_set(struct engine *eng, const struct engine_settings *s)
{
	eng->set = *s;
	launcher_set_log(eng->launcher, s->log_level, s->log_is_json);
}

const struct engine_settings *engine_settings(const struct engine *eng)
{
	return &eng->set;
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

void engine_advise(const struct engine *eng, const struct err *err, struct strbuf *ret)
{
	struct statvfs fs;

	if (err->sys != ENOSPC || fstatvfs(eng->cfg.data_root_fd, &fs) < 0)
		return;
	/* Not every ENOSPC comes from this disk: the figure tells. */
	if (fs.f_files > 0 && fs.f_favail == 0)
		strbuf_addf(ret, "'%s' has no inodes left", eng->cfg.data_root);
	else
		strbuf_addf(ret, "'%s' has %llu kB left", eng->cfg.data_root,
			    (unsigned long long)fs.f_bavail * fs.f_frsize / 1000);
	strbuf_adds(ret, ": remove containers (rm) or images (rmi), which works on a full disk");
}

/* ---- stopping all ---- */

struct stop_all {
	const struct engine *eng;
	void (*told)(void *ctx, size_t n_left, size_t n_all);
	engine_done_fn done;
	void *ctx;
	size_t n_left, n_all, n_failed;
};

static void all_stopped(struct stop_all *s)
{
	const struct engine *eng = s->eng;
	struct err e = { 0 };

	if (s->n_failed > 0)
		err_set(&e, ERR_SYSTEM, "%zu of %zu containers could not be stopped", s->n_failed, s->n_all);
	else if (eng->n_unknown > 0)
		err_set(&e, ERR_CONFLICT, "%zu container%s in '%s' run%s on, which the data root '%s' does not know: say --data-root, or "
			"write it into kilnd.json", eng->n_unknown, eng->n_unknown == 1 ? "" : "s", eng->cfg.exec_root,
			eng->n_unknown == 1 ? "s" : "", eng->cfg.data_root);
	s->done(s->ctx, &e);
	free(s);
}

static void one_stopped(void *ctx, const struct err *err, bool changed)
{
	struct stop_all *s = ctx;

	(void)changed;
	if (err->kind != ERR_NONE) {
		s->n_failed++;
		log_warn("stop all: %s, going on without it", err->msg);
	}
	s->n_left--;
	s->told(s->ctx, s->n_left, s->n_all);
	if (s->n_left == 0)
		all_stopped(s);
}

/* The container's own time-out; one without end would keep the machine from going down. */
static int64_t stop_timeout(const struct engine *eng, const struct container *c)
{
	const struct opt_i64 *own = &c->opt->config->stop_timeout_sec;

	return own->set && own->v < 0 ? eng->set.shutdown_timeout_sec : INT64_MIN;
}

/* What is desired stays: the next start of kilnd brings back what policies want. */
void engine_stop_all(struct engine *eng, void (*told)(void *ctx, size_t n_left, size_t n_all), engine_done_fn done, void *ctx)
{
	struct stop_all *s = xcalloc(1, sizeof *s);
	size_t n_all;

	*s = (struct stop_all){ .eng = eng, .told = told, .done = done, .ctx = ctx };
	eng->is_stopping = true;
	for (struct container *c = eng->first; c; c = c->priv->next)
		s->n_all += ct_is_live(c->state);
	s->n_left = n_all = s->n_all;
	told(ctx, n_all, n_all);
	for (struct container *c = eng->first; c; c = c->priv->next) {
		loop_timer_free(TAKE_PTR(c->priv->restart_timer));
		if (!ct_is_live(c->state))
			continue;
		call_add_changed(&c->priv->stops, one_stopped, s);
		container_stop_live(c, 0, stop_timeout(eng, c));
	}
	if (n_all == 0)
		all_stopped(s);
}
