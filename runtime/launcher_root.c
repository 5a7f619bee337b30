/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/launcher_root.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/own.h"
#include "base/path.h"

/* Found in the host's tree before the tmpfs hides anything, attached in the new root. */
struct tree {
	const char *path;
	unsigned flags;      /* AT_RECURSIVE: with what is mounted below */
	int fd;              /* detached mount; -1: not opened */
};

static const struct { const char *name; unsigned major, minor; } devices[] = {
	{ "null", 1, 3 }, { "zero", 1, 5 }, { "full", 1, 7 }, { "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 },
};

static int open_tree_fd(struct tree *t, struct err *e)
{
	t->fd = open_tree(AT_FDCWD, t->path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | t->flags);
	return t->fd < 0 ? err_sys(e, "launcher: open the tree '%s'", t->path) : 0;
}

/* The working directory is the new root. */
static int attach_tree(struct tree *t, struct err *e)
{
	const char *relative = t->path + strspn(t->path, "/");

	if (path_mkdirs(AT_FDCWD, relative, 0755, e) < 0)
		return -1;
	if (move_mount(t->fd, "", AT_FDCWD, relative, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, "launcher: attach '%s'", t->path);
	close_fd(&t->fd);
	return 0;
}

static int make_devices(struct err *e)
{
	AUTO_CLOSE int dev = -1;

	if (path_mkdirs(AT_FDCWD, "dev", 0755, e) < 0 || path_open_dir(AT_FDCWD, "dev", 0, &dev, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		if (mknodat(dev, devices[i].name, S_IFCHR | 0666, makedev(devices[i].major, devices[i].minor)) < 0)
			return err_sys(e, "launcher: make /dev/%s", devices[i].name);
	}
	return 0;
}

/* The tmpfs is attached over a directory that we own and whose content is already held by a descriptor:
 * Linux 6.1 cannot attach anything below a mount that is itself detached. */
static int build(struct tree *trees, size_t n, const char *over, struct err *e)
{
	if (mount("kiln", over, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=0755,size=1m") < 0)
		return err_sys(e, "launcher: mount a tmpfs");
	if (chdir(over) < 0)
		return err_sys(e, "launcher: enter the tmpfs");
	for (size_t i = 0; i < n; i++) {
		if (attach_tree(&trees[i], e) < 0)
			return -1;
	}
	return make_devices(e);
}

static int pivot(struct err *e)
{
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return err_sys(e, "launcher: pivot_root");
	if (umount2(".", MNT_DETACH) < 0)
		return err_sys(e, "launcher: detach the host's tree");
	if (chdir("/") < 0)
		return err_sys(e, "launcher: enter /");
	return 0;
}

int launcher_root_enter(const char *data_root, const char *exec_root, struct err *e)
{
	/* The shorter path first: the other one may lie in it. */
	bool is_data_first = strlen(data_root) <= strlen(exec_root);
	struct tree trees[] = {
		{ .path = is_data_first ? data_root : exec_root, .flags = AT_RECURSIVE, .fd = -1 },
		{ .path = is_data_first ? exec_root : data_root, .flags = AT_RECURSIVE, .fd = -1 },
		{ .path = "/proc", .flags = 0, .fd = -1 },
		{ .path = "/sys/fs/cgroup", .flags = AT_RECURSIVE, .fd = -1 },
	};
	int rc = 0;

	if (unshare(CLONE_NEWNS) < 0)
		return err_sys(e, "launcher: make a mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(e, "launcher: make the mounts private");
	for (size_t i = 0; i < ARRAY_SIZE(trees) && rc == 0; i++)
		rc = open_tree_fd(&trees[i], e);
	if (rc == 0)
		rc = build(trees, ARRAY_SIZE(trees), exec_root, e);
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++)
		close_fd(&trees[i].fd);
	return rc < 0 ? -1 : pivot(e);
}
