/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's root: how it appears (first part of STAGE_MOUNTS), gets its terminal and becomes "/" (STAGE_PIVOT).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/defence.h"
#include "runtime/stages.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

static void stage_overlay(const struct stage_ctx *c, const struct root_plan *root)
{
	/*
	 * Names of layers are relative to here, so that 127 of them fit into one page of options. By path: a
	 * descriptor that was opened in the parent's mount namespace makes overlay say EINVAL.
	 */
	if (chdir(root->layers_dir) < 0)
		stage_die(c, "enter '", root->layers_dir, "'", NULL);
	if (mount("overlay", root->path, "overlay", 0, root->overlay_options) < 0)
		stage_die(c, "mount the overlay on '", root->path, "'", NULL);
}

/*
 * Must: cut this mount namespace from the one it was copied from before anything is mounted, and leave the root
 * in c->root_fd.
 * Must not: change a mount of the host or of the launcher.
 */
void stage_root(struct stage_ctx *c, const struct root_plan *root)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		stage_die(c, "make the mount namespace private", NULL);
	umask(0);
	if (root->overlay_options != NULL)
		stage_overlay(c, root);
	else if (move_mount(root->tree_fd, "", AT_FDCWD, root->path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		stage_die(c, "mount the root '", root->path, "'", NULL);

	c->root_fd = open(root->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (c->root_fd < 0)
		stage_die(c, "open the root '", root->path, "'", NULL);
}

/* CVE-2025-52565: the other side of the terminal comes from the kernel (TIOCGPTPEER), never from a path. */
static int stage_open_pty(const struct stage_ctx *c)
{
	int unlock = 0;
	struct statfs fs;
	struct stat st;
	int fd = stage_open_in_root(c->root_fd, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW);

	if (fd < 0)
		stage_die(c, "open '/dev/pts/ptmx' in the container", NULL);
	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		stage_die(c, "look at '/dev/pts/ptmx' in the container", NULL);
	if (DEFENCE(PTMX_LOOKED_AT,
		    !S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2) ||
			    fs.f_type != DEVPTS_SUPER_MAGIC,
		    false))
		stage_refuse(c, ERR_INVALID, 125, 0,
			     "'/dev/pts/ptmx' in the container makes no terminals", NULL);
	if (ioctl(fd, TIOCSPTLCK, &unlock) < 0)
		stage_die(c, "unlock the terminal", NULL);
	return fd;
}

static void stage_console(const struct stage_ctx *c)
{
	int target = stage_open_target(c->root_fd, "/dev/console", false);
	int fd;

	if (target < 0)
		stage_die(c, "make '/dev/console'", NULL);
	fd = open_tree(c->tty_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (fd < 0 ||
	    move_mount(fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		stage_die(c, "mount the terminal on '/dev/console'", NULL);
	stage_close(fd);
	stage_close(target);
}

/*
 * Must: hand the master to the parent before the program runs.
 * Must not: believe in what lies at /dev/pts of a container that has been running (join): it is checked.
 */
void stage_terminal(struct stage_ctx *c, const struct process_plan *p, bool wants_console)
{
	struct winsize size = { .ws_row = p->height, .ws_col = p->width };
	int master;

	if (!p->tty)
		return;
	master = stage_open_pty(c);
	c->tty_fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (c->tty_fd < 0)
		stage_die(c, "open the terminal", NULL);
	if (size.ws_row != 0 && size.ws_col != 0 && ioctl(master, TIOCSWINSZ, &size) < 0)
		stage_die(c, "set the terminal's size", NULL);
	if (wants_console)
		stage_console(c);
	stage_send_pty(c, master);
	stage_close(master);
}

void stage_seal_root(struct stage_ctx *c, const struct root_plan *root)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	if (root->is_readonly && mount_setattr(c->root_fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		stage_die(c, "set the options of the root", NULL);
}

/* Behind the pivot, for which it must not be shared. It is private until then. */
void stage_share_root(struct stage_ctx *c, const struct root_plan *root)
{
	struct mount_attr attr = { .propagation = root->propagation };

	if (root->propagation == 0 || root->propagation == MS_PRIVATE)
		return;
	if (mount_setattr(c->root_fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		stage_die(c, "set the propagation of the root", NULL);
}

/* An initramfs is the root of all mounts: nothing can be pivoted off it. */
static void stage_move_root(const struct stage_ctx *c)
{
	if (mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0)
		stage_die(c, "move the root over '/'", NULL);
}

/*
 * Must: leave no way back: the old root is gone from the namespace.
 * Must not: need a directory for the old root inside the new one (it may be read-only).
 */
void stage_pivot(struct stage_ctx *c, const struct root_plan *root)
{
	if (fchdir(c->root_fd) < 0)
		stage_die(c, "enter the root", NULL);
	if (root->no_pivot) {
		stage_move_root(c);
		return;
	}
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		stage_die(c, "pivot into the root", NULL);
	/* "." is now the old root, stacked on the new one */
	if (umount2(".", MNT_DETACH) < 0)
		stage_die(c, "let go of the old root", NULL);
	if (fchdir(c->root_fd) < 0)
		stage_die(c, "enter the root", NULL);
}
