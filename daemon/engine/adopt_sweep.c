/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What no container owns: directories of creates that were cut off, monitors and control groups of
 * containers whose rows are gone, execs and probes of the kilnd before. Everything here may be
 * repeated.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "daemon/engine/adopt.h"
#include "daemon/engine/exec_run.h"
#include "daemon/engine/launcher.h"
#include "oci/launch.h"

#define ID_LEN       64
#define GROUPS_DEPTH 32

static struct container *by_id(struct engine *eng, const char *id)
{
	for (struct container *c = eng->first; c; c = c->priv->next) {
		if (strcmp(c->id, id) == 0)
			return c;
	}
	return NULL;
}

typedef void (*name_fn)(struct engine *eng, const char *id, void *ctx);

/* Visit the entries "<64 hex digits><ending>" of a directory, below another. */
static void each_id(struct engine *eng, int at_fd, const char *path, const char *ending, name_fn fn,
		    void *ctx)
{
	AUTO_DIR DIR *dir = NULL;
	struct dirent *de;
	int fd = openat(at_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return;
	}
	while ((de = readdir(dir))) {
		char id[ID_LEN + 1] = "";

		if (strlen(de->d_name) != ID_LEN + strlen(ending) || !str_ends(de->d_name, ending))
			continue;
		memcpy(id, de->d_name, ID_LEN);
		if (str_is_hex(id, ID_LEN))
			fn(eng, id, ctx);
	}
}

/* ---- directories ---- */

struct rubbish {
	int data_root_fd; /* borrowed */
	char id[ID_LEN + 1];
};

static void rubbish_work(void *ctx)
{
	struct rubbish *r = ctx;
	char rel[CONTAINER_REL_MAX];
	struct err e = { 0 };

	container_rel_dir(r->id, rel);
	if (path_remove_tree(r->data_root_fd, rel, &e) < 0)
		log_warn("%s, trying again at the next start", e.msg);
}

static void sweep_dir(struct engine *eng, const char *id, void *ctx)
{
	struct rubbish *r;

	(void)ctx;
	if (by_id(eng, id))
		return;
	log_info("removing the directory of container %.12s, which was never finished", id);
	r = xcalloc(1, sizeof *r);
	r->data_root_fd = eng->cfg.data_root_fd;
	memcpy(r->id, id, sizeof r->id);
	loop_work(eng->loop, LOOP_JOB_LONG, rubbish_work, free, r);
}

/* ---- monitors of containers that are no more ---- */

struct stray {
	struct monitor *monitor;
	struct engine *eng;
	char id[ID_LEN + 1];
};

static void stray_started(void *ctx, const struct exit_record *rec, int pidfd)
{
	struct stray *s = ctx;

	log_warn("container %.12s (pid %d) runs, but is not known: killing it", s->id, rec->pid);
	pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	close_fd(&pidfd);
}

static void stray_failed(void *ctx, const struct msg_failed *m)
{
	struct stray *s = ctx;

	(void)m;
	monitor_release(s->monitor);
}

static void stray_exited(void *ctx, const struct msg_exited *m)
{
	struct stray *s = ctx;

	(void)m;
	monitor_release(s->monitor);
}

static void stray_gone(void *ctx)
{
	struct stray *s = ctx;
	char rel[CONTAINER_REL_MAX];

	container_rel_socket(s->id, rel);
	unlinkat(s->eng->cfg.exec_root_fd, rel, 0);
	monitor_free(s->monitor);
	free(s);
}

static const struct monitor_handlers stray_handlers = {
	.started = stray_started,
	.failed = stray_failed,
	.exited = stray_exited,
	.gone = stray_gone,
};

static void sweep_monitor(struct engine *eng, const char *id, void *ctx)
{
	char rel[CONTAINER_REL_MAX];
	struct stray *s;
	int fd = -1;

	(void)ctx;
	if (by_id(eng, id))
		return;
	container_rel_socket(id, rel);
	if (fd_connect_unix(eng->cfg.exec_root_fd, rel, SOCK_SEQPACKET, &fd, ERR_IGNORED) < 0) {
		unlinkat(eng->cfg.exec_root_fd, rel, 0);
		return;
	}
	if (eng->cfg.only_stops) { /* by their own signals, which only their store tells */
		eng->n_unknown++;
		close_fd(&fd);
		return;
	}
	s = xcalloc(1, sizeof *s);
	s->eng = eng;
	memcpy(s->id, id, sizeof s->id);
	s->monitor = monitor_new(eng->loop, fd, &stray_handlers, s);
	monitor_ask_status(s->monitor);
}

/* ---- execs and probes ---- */

static void sweep_exec_file(struct engine *eng, const char *id, void *ctx)
{
	(void)ctx;
	for (struct exec_run *x = eng->first_run; x; x = exec_run_next(x)) {
		if (strcmp(exec_run_id(x), id) == 0)
			return;
	}
	exec_run_sweep(eng, id);
}

static void adopt_exec(struct engine *eng, const char *id, void *ctx)
{
	char rel[CONTAINER_REL_MAX];
	int fd = -1;

	(void)ctx;
	snprintf(rel, sizeof rel, "x/%s.sock", id);
	if (fd_connect_unix(eng->cfg.exec_root_fd, rel, SOCK_SEQPACKET, &fd, ERR_IGNORED) < 0)
		exec_run_sweep(eng, id);
	else if (!exec_adopt(eng, id, fd))
		exec_run_adopt(eng, id, fd, NULL, NULL);
}

/* ---- control groups ---- */

static void cleaned(void *ctx, const struct err *err)
{
	(void)ctx;
	if (err->kind != ERR_NONE)
		log_warn("%s, trying again at the next start", err->msg);
}

/*
 * Others have groups here, too: another kilnd with the same parent, kiln-runtime for another manager, whoever likes names
 * of 64 digits. Ours bear our mark; those of a Kiln before the marks, and one whose making was cut off, are known by ID.
 */
static bool is_ours(struct engine *eng, const char *id, const char *dir)
{
	char owner[CGROUP_OWNER_MAX + 1] = "";
	ssize_t n = getxattr(dir, CGROUP_OWNER_XATTR, owner, sizeof owner - 1);

	if (n < 0)
		return (errno == ENODATA || errno == ENOTSUP) && by_id(eng, id);
	return str_eq(owner, eng->group_owner);
}

static void sweep_group(struct engine *eng, const char *id, const char *path)
{
	struct container *c = by_id(eng, id);

	if (c && (ct_is_live(c->state) || c->priv->monitor))
		return;
	if (launcher_is_cleaning(eng->launcher, id)) /* seen in another hierarchy */
		return;
	launcher_clean(eng->launcher, id, path, cleaned, NULL);
}

static void sweep_marked_group(struct engine *eng, const char *mount, const char *id, const char *path)
{
	AUTO_FREE char *dir = xasprintf("%s%s", mount, path);

	if (is_ours(eng, id, dir))
		sweep_group(eng, id, path);
}

/* Kiln's own group and those that --cgroup-parent has made in it; what is inside a container's is the container's. */
static void walk_groups(struct engine *eng, const char *mount, const char *path, unsigned depth)
{
	AUTO_FREE char *dir_path = xasprintf("%s%s", mount, path);
	AUTO_DIR DIR *dir = opendir(dir_path);
	struct dirent *de;

	while (dir && (de = readdir(dir))) {
		AUTO_FREE char *below = xasprintf("%s/%s", path, de->d_name);

		if (de->d_type != DT_DIR || str_eq(de->d_name, ".") || str_eq(de->d_name, ".."))
			continue;
		if (strlen(de->d_name) == ID_LEN && str_is_hex(de->d_name, ID_LEN))
			sweep_marked_group(eng, mount, de->d_name, below);
		else if (depth < GROUPS_DEPTH)
			walk_groups(eng, mount, below, depth + 1);
	}
}

/* An absolute --cgroup-parent is outside of that, and known only by its container. */
static void sweep_named_groups(struct engine *eng)
{
	for (struct container *c = eng->first; c; c = c->priv->next) {
		AUTO_ARENA struct arena *a = arena_new();
		const char *parent = c->opt->host->cgroup_parent;

		if (parent && parent[0] == '/')
			sweep_group(eng, c->id, bundle_cgroup_path(c->opt->host, container_cgroup_base(c), c->id, a));
	}
}

void adopt_sweep_groups(struct engine *eng)
{
	AUTO_FILE FILE *mounts = NULL;
	char line[4096], dir[1024], type[64];

	if (eng->has_unreadable_rows)
		return;
	mounts = fopen("/proc/self/mounts", "re");

	while (mounts && fgets(line, sizeof line, mounts)) {
		if (sscanf(line, "%*s %1023s %63s", dir, type) == 2 && str_starts(type, "cgroup"))
			walk_groups(eng, dir, eng->cfg.cgroup_parent, 0);
	}
	sweep_named_groups(eng);
}

void adopt_sweep(struct engine *eng)
{
	file_replace_sweep(eng->cfg.exec_root_fd, "x");
	file_replace_sweep(eng->cfg.data_root_fd, "seccomp");
	each_id(eng, eng->cfg.exec_root_fd, "x", ".sock", adopt_exec, NULL);
	each_id(eng, eng->cfg.exec_root_fd, "x", ".exit", sweep_exec_file, NULL);
	each_id(eng, eng->cfg.exec_root_fd, "x", ".json", sweep_exec_file, NULL);
	if (eng->has_unreadable_rows)
		return;
	each_id(eng, eng->cfg.data_root_fd, "containers", "", sweep_dir, NULL);
	each_id(eng, eng->cfg.exec_root_fd, "c", ".sock", sweep_monitor, NULL);
	adopt_sweep_groups(eng);
}
