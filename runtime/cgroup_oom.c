/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Being told when the kernel has run out of memory for a group: on v1 by an eventfd that is registered with the group, on v2 by
 * inotify on memory.events, whose counter of killed processes then has grown.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/cgfile.h"
#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"
#include "runtime/cgroup_limits.h"
#include "runtime/cgroup_parts.h"

int cgroup_open_dir(const char *path, const char *controller)
{
	const struct cgroup_value probe = { .controller = controller, .file = "" };
	char dir[512];

	if (cgroup_check_path(path, ERR_IGNORED) < 0)
		return -1;
	if (controller == NULL)
		snprintf(dir, sizeof(dir), "%s%s", cgroup_host()->v2.mount, path);
	else if (!cgroup_value_file(path, &probe, dir))
		return -1;
	return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static uint64_t count_kills(int dir_fd)
{
	struct cgfile_key kills = { .key = "oom_kill" };

	cgfile_keys(dir_fd, "memory.events", &kills, 1, ERR_IGNORED);
	return kills.v;
}

static int watch_v1(struct cgroup_oom_watch *w, struct err *e)
{
	AUTO_CLOSE int control = openat(w->dir_fd, "memory.oom_control", O_RDONLY | O_CLOEXEC);
	AUTO_CLOSE int registry = openat(w->dir_fd, "cgroup.event_control", O_WRONLY | O_CLOEXEC);
	char text[32];

	w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (control < 0 || registry < 0 || w->fd < 0)
		return err_sys(e, "watch the group's memory");
	snprintf(text, sizeof(text), "%d %d", w->fd, control);
	return fd_write_all(registry, text, strlen(text), e);
}

static int watch_v2(struct cgroup_oom_watch *w, const char *path, struct err *e)
{
	char file[600];

	snprintf(file, sizeof(file), "%s%s/memory.events", cgroup_host()->v2.mount, path);
	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->fd < 0 || inotify_add_watch(w->fd, file, IN_MODIFY) < 0)
		return err_sys(e, "watch '%s'", file);
	w->n_kills = count_kills(w->dir_fd);
	return 0;
}

int cgroup_oom_watch_init(struct cgroup_oom_watch *w, const char *path, struct err *e)
{
	bool is_v2 = cgroup_host()->layout.is_v2;

	w->dir_fd = cgroup_open_dir(path, is_v2 ? NULL : "memory");
	if (w->dir_fd < 0)
		return 0;
	return is_v2 ? watch_v2(w, path, e) : watch_v1(w, e);
}

bool cgroup_oom_happened(struct cgroup_oom_watch *w)
{
	uint64_t before = w->n_kills;
	char events[4096];

	if (read(w->fd, events, sizeof(events)) <= 0)
		return false;
	/* v1 also tells of the group's end */
	if (!cgroup_host()->layout.is_v2)
		return faccessat(w->dir_fd, "memory.oom_control", F_OK, 0) == 0;
	w->n_kills = count_kills(w->dir_fd);
	return w->n_kills > before;
}

void cgroup_oom_watch_done(struct cgroup_oom_watch *w)
{
	close_fd(&w->fd);
	close_fd(&w->dir_fd);
}
