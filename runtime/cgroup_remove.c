/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a group. libcgroup's cgroup_delete_cgroup_ext() would move what still runs into the parent's group,
 * where no limit holds it; here it dies first. So directories are removed directly, the deepest first.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"
#include "runtime/cgroup_parts.h"

#define REMOVE_TIMEOUT_NS (5 * CLOCK_NS_PER_SEC)
#define EMPTY_TIMEOUT_NS  CLOCK_NS_PER_SEC
#define PROCS_MAX_BYTES   (1u << 20)
#define DEPTH_MAX         32

static int write_text(int dir, const char *file, const char *text)
{
	AUTO_CLOSE int fd = openat(dir, file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd >= 0 && write(fd, text, strlen(text)) >= 0 ? 0 : -1;
}

/* v1 has no cgroup.kill: while they are frozen no process can fork past us. */
static void kill_listed(int dir)
{
	AUTO_FREE char *text = NULL;
	uint64_t pid;

	if (file_read(dir, "cgroup.procs", PROCS_MAX_BYTES, &text, NULL, ERR_IGNORED) < 0)
		return;
	for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;)
		if (str_to_u64(line, &pid) && pid > 1 && pid <= INT32_MAX)
			kill((pid_t)pid, SIGKILL);
}

static void kill_all(int dir)
{
	bool is_frozen;

	if (write_text(dir, "cgroup.kill", "1") == 0)
		return;
	is_frozen = write_text(dir, "freezer.state", "FROZEN") == 0;
	kill_listed(dir);
	if (is_frozen)
		write_text(dir, "freezer.state", "THAWED");
}

static int remove_tree(int above, const char *name, unsigned depth, bool kills);

static void remove_below(int dir, unsigned depth, bool kills)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_DIR DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *entry;

	while (d != NULL && (entry = readdir(d)) != NULL)
		if (entry->d_type == DT_DIR && !str_eq(entry->d_name, ".") &&
		    !str_eq(entry->d_name, ".."))
			remove_tree(dir, entry->d_name, depth + 1, kills);
}

/* One try. Return: 0 when it is gone, or -1 with errno */
static int remove_tree(int above, const char *name, unsigned depth, bool kills)
{
	AUTO_CLOSE int dir = -1;

	if (unlinkat(above, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != EBUSY || depth == DEPTH_MAX)
		return -1;
	dir = openat(above, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return errno == ENOENT ? 0 : -1;
	if (kills)
		kill_all(dir);
	remove_below(dir, depth, kills);
	return unlinkat(above, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -1;
}

static int remove_all(const char *path, bool kills)
{
	char dir[512];
	int failed = 0;

	for (size_t i = 0; cgroup_dir(i, path, dir); i++)
		if (remove_tree(AT_FDCWD, dir, 0, kills) < 0)
			failed = errno;
	errno = failed;
	return failed == 0 ? 0 : -1;
}

int cgroup_remove_once(const char *path, struct err *e)
{
	if (cgroup_check_path(path, e) < 0)
		return -1;
	if (remove_all(path, true) == 0)
		return 0;
	if (errno == EBUSY)
		return err_set(e, ERR_TIMEOUT, "remove control group '%s': its processes do not end", path);
	return err_sys(e, "remove control group '%s'", path);
}

/* Nothing but the directories themselves. Return: 0, or -1 with errno */
static int remove_dirs(const char *path)
{
	char dir[512];
	int failed = 0;

	for (size_t i = 0; cgroup_dir(i, path, dir); i++)
		if (rmdir(dir) < 0 && errno != ENOENT)
			failed = errno;
	errno = failed;
	return failed == 0 ? 0 : -1;
}

static int remove_empty_once(const char *path, struct err *e)
{
	if (remove_dirs(path) == 0)
		return 0;
	if (errno == EBUSY)
		return err_set(e, ERR_TIMEOUT, "control group '%s' has processes in it", path);
	return err_sys(e, "remove control group '%s'", path);
}

/* As long as it says that it is a matter of time, and there is some. */
static int repeat(int (*once)(const char *, struct err *), const char *path, int64_t timeout_ns, struct err *e)
{
	int64_t end = clock_mono_ns() + timeout_ns;
	struct timespec nap = { .tv_nsec = 200000 };
	struct err why = { 0 };

	while (once(path, &why) < 0) {
		if (why.kind != ERR_TIMEOUT || clock_mono_ns() > end) {
			*e = why;
			return -1;
		}
		nanosleep(&nap, NULL);
		if (nap.tv_nsec < 50000000)
			nap.tv_nsec *= 2;
	}
	return 0;
}

int cgroup_remove(const char *path, struct err *e)
{
	return repeat(cgroup_remove_once, path, REMOVE_TIMEOUT_NS, e);
}

int cgroup_remove_empty(const char *path, struct err *e)
{
	if (cgroup_check_path(path, e) < 0)
		return -1;
	/* What is empty below it goes once: if the group is somebody else's, more may be made there */
	if (remove_all(path, false) == 0)
		return 0;
	return repeat(remove_empty_once, path, EMPTY_TIMEOUT_NS, e);
}
