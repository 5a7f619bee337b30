/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes of a group and of those below it: listed, signalled, frozen. v1 freezes by the freezer's hierarchy, v2 by
 * cgroup.freeze; in a hybrid layout the freezer comes first, because a process in the cgroup2 part may be in its other
 * half only by its own doing.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/cgroup_limits.h"
#include "runtime/cgroup_parts.h"

#define FREEZE_TIMEOUT_NS (10 * CLOCK_NS_PER_SEC)
#define PROCS_MAX_BYTES   (1u << 20) /* of one group */
#define PIDS_MAX          (1u << 20)
#define DEPTH_MAX         32

/* --- listing ---------------------------------------------------------------------------------------------------- */

static int add_pid(struct cgroup_pids *p, pid_t pid, struct err *e)
{
	if (p->n == PIDS_MAX)
		return err_set(e, ERR_INVALID, "a control group with more than %u processes", PIDS_MAX);
	if ((p->n & (p->n - 1)) == 0)
		p->v = xrealloc(p->v, (p->n != 0 ? 2 * p->n : 1) * sizeof(*p->v));
	p->v[p->n++] = pid;
	return 0;
}

/* A group that has just gone has no processes. */
static int add_listed(int dir, struct cgroup_pids *ret, struct err *e)
{
	AUTO_FREE char *text = NULL;
	uint64_t pid;

	if (file_read(dir, "cgroup.procs", PROCS_MAX_BYTES, &text, NULL, e) < 0)
		return e->sys == ENOENT || e->sys == ENODEV ? 0 : -1;
	/* 0: of another pid namespace */
	for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;)
		if (str_to_u64(line, &pid) && pid > 0 && pid <= INT32_MAX && add_pid(ret, (pid_t)pid, e) < 0)
			return -1;
	return 0;
}

static int add_tree(int dir, unsigned depth, struct cgroup_pids *ret, struct err *e)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_DIR DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *entry;

	if (add_listed(dir, ret, e) < 0)
		return -1;
	while (depth < DEPTH_MAX && d != NULL && (entry = readdir(d)) != NULL) {
		AUTO_CLOSE int below = -1;

		if (entry->d_type != DT_DIR || str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		below = openat(dir, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (below >= 0 && add_tree(below, depth + 1, ret, e) < 0)
			return -1;
	}
	return 0;
}

int cgroup_list(const char *path, struct cgroup_pids *ret, struct err *e)
{
	AUTO_CLOSE int fd = -1;
	char dir[512];

	*ret = (struct cgroup_pids){ 0 };
	if (cgroup_check_path(path, e) < 0)
		return -1;
	if (!cgroup_dir(0, path, dir))
		return err_set(e, ERR_UNSUPPORTED, "no control group hierarchy is mounted");
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "open control group '%s'", dir);
	if (add_tree(fd, 0, ret, e) == 0)
		return 0;
	cgroup_pids_done(ret);
	return -1;
}

void cgroup_pids_done(struct cgroup_pids *p)
{
	free(p->v);
	*p = (struct cgroup_pids){ 0 };
}

/* --- joining ------------------------------------------------------------------------------------------------------ */

static bool gives_controllers(const char *path)
{
	AUTO_FREE char *text = NULL;
	char file[600];

	snprintf(file, sizeof(file), "%s%s/cgroup.subtree_control", cgroup_host()->v2.mount, path);
	return file_read(AT_FDCWD, file, 4096, &text, NULL, ERR_IGNORED) == 0 && text[strspn(text, " \n")] != '\0';
}

const char *cgroup_leaf(const char *path, pid_t init, struct arena *a)
{
	AUTO_FREE char *text = NULL;
	char file[48];

	if (!cgroup_layout()->is_v2 || cgroup_check_path(path, ERR_IGNORED) < 0 || !gives_controllers(path))
		return path;
	snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)init);
	if (file_read(AT_FDCWD, file, 8192, &text, NULL, ERR_IGNORED) < 0)
		return path;
	for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;)
		if (str_starts(line, "0::/") && str_starts(line + strlen("0::"), path))
			return arena_strdup(a, line + strlen("0::"));
	return path;
}

/* --- freezing ---------------------------------------------------------------------------------------------------- */

struct freezer {
	char file[560];         /* is written to */
	char state[560];        /* is read */
	const char *freeze, *thaw;
	const char *is_frozen, *is_thawed; /* lines of state */
};

static bool find_freezer(const char *path, struct freezer *ret)
{
	static const struct cgroup_value v1 = { .controller = "freezer", .file = "freezer.state" };
	const struct cgroup_host *h = cgroup_host();

	if (!h->layout.is_v2 && cgroup_value_file(path, &v1, ret->file)) {
		snprintf(ret->state, sizeof(ret->state), "%s", ret->file);
		ret->freeze = ret->is_frozen = "FROZEN";
		ret->thaw = ret->is_thawed = "THAWED";
		return true;
	}
	if (h->v2.mount[0] == '\0')
		return false;
	snprintf(ret->file, sizeof(ret->file), "%s%s/cgroup.freeze", h->v2.mount, path);
	snprintf(ret->state, sizeof(ret->state), "%s%s/cgroup.events", h->v2.mount, path);
	ret->freeze = "1";
	ret->thaw = "0";
	ret->is_frozen = "frozen 1";
	ret->is_thawed = "frozen 0";
	return true;
}

/* Return: 1 when the state has the line, 0 when not, or -1 with @e set */
static int has_line(const char *file, const char *line, struct err *e)
{
	AUTO_FREE char *text = NULL;

	if (file_read(AT_FDCWD, file, 4096, &text, NULL, e) < 0)
		return -1;
	for (char *rest = text, *one; (one = strsep(&rest, "\n")) != NULL;)
		if (str_eq(one, line))
			return 1;
	return 0;
}

bool cgroup_is_frozen(const char *path)
{
	struct freezer f;

	return cgroup_check_path(path, ERR_IGNORED) == 0 && find_freezer(path, &f) &&
	       has_line(f.state, f.is_frozen, ERR_IGNORED) == 1;
}

static int wait_for_line(const struct freezer *f, bool frozen, struct err *e)
{
	int64_t end = clock_mono_ns() + FREEZE_TIMEOUT_NS;
	struct timespec nap = { .tv_nsec = 50000 };

	for (;;) {
		int there = has_line(f->state, frozen ? f->is_frozen : f->is_thawed, e);

		if (there != 0)
			return there < 0 ? -1 : 0;
		if (clock_mono_ns() > end)
			return err_set(e, ERR_TIMEOUT, "the processes do not %s", frozen ? "freeze" : "thaw");
		nanosleep(&nap, NULL);
		if (nap.tv_nsec < 10000000)
			nap.tv_nsec *= 2;
		/* v1: a process that was on its way into the group may be missed, until it is said again */
		if (cgroup_write_lines(f->file, frozen ? f->freeze : f->thaw, e) < 0)
			return -1;
	}
}

int cgroup_freeze(const char *path, bool frozen, struct err *e)
{
	struct freezer f;
	struct err why = { 0 };

	if (cgroup_check_path(path, e) < 0)
		return -1;
	if (!find_freezer(path, &f))
		return err_set(e, ERR_UNSUPPORTED, "this host has no way to freeze processes");
	if (cgroup_write_lines(f.file, frozen ? f.freeze : f.thaw, &why) == 0 && wait_for_line(&f, frozen, &why) == 0)
		return 0;
	if (frozen)
		cgroup_write_lines(f.file, f.thaw, ERR_IGNORED);
	*e = why;
	return err_wrap(e, "control group '%s'", path);
}

/* --- signals ------------------------------------------------------------------------------------------------------ */

/* v1 has no cgroup.kill: while they are frozen none of them can fork past us. */
int cgroup_signal(const char *path, int signo, struct err *e)
{
	struct cgroup_pids pids;
	struct freezer f;
	bool is_frozen = cgroup_is_frozen(path), freezes = !is_frozen && find_freezer(path, &f);

	if (freezes && cgroup_freeze(path, true, ERR_IGNORED) < 0)
		freezes = false;
	if (cgroup_list(path, &pids, e) < 0) {
		if (freezes)
			cgroup_freeze(path, false, ERR_IGNORED);
		return -1;
	}
	for (size_t i = 0; i < pids.n; i++)
		kill(pids.v[i], signo);
	cgroup_pids_done(&pids);
	/* What is frozen does not die before it is thawed */
	if (freezes || (is_frozen && signo == SIGKILL))
		return cgroup_freeze(path, false, e);
	return 0;
}
