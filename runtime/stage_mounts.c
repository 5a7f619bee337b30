/* SPDX-License-Identifier: Apache-2.0 */
/*
 * STAGE_MOUNTS: the list of mount operations of the plan, in its order.
 *
 * Must: find every target by descriptor inside the root, mount descriptor on descriptor, and be done before any
 * code of the container runs.
 * Must not: use a path into the root as a string twice, clone or stack on a mount that is not attached (Linux 6.1
 * cannot), or mount anything on procfs that the plan does not allow (CVE-2019-16884).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/defence.h"
#include "runtime/stages.h"

static int stage_target(const struct stage_ctx *c, const struct mount_op *op, bool wants_dir)
{
	struct statfs fs;
	int fd = stage_open_target(c->root_fd, op->target, wants_dir);

	if (fd < 0)
		stage_die(c, "mount '", op->target, "': find the target", NULL);
	if (op->allows_proc)
		return fd;
	if (fstatfs(fd, &fs) < 0)
		stage_die(c, "mount '", op->target, "': look at the target", NULL);
	if (DEFENCE(PROC_TARGETS, fs.f_type == PROC_SUPER_MAGIC, false))
		stage_refuse(c, ERR_INVALID, 125, 0, "mount '", op->target, "': it is inside /proc",
			     NULL);
	return fd;
}

static void stage_attach(const struct stage_ctx *c, const struct mount_op *op, int mount_fd,
			 int target_fd)
{
	DEFENCE_PAUSE(ATTACH);
	if (DEFENCE(ATTACH_BY_FD,
		    move_mount(mount_fd, "", target_fd, "",
			       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH),
		    move_mount(mount_fd, "", c->root_fd, op->target + 1,
			       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS)) < 0)
		stage_die(c, "mount '", op->target, "'", NULL);
	stage_close(target_fd);
}

/* What the kernel has to say about a failed configuration, if anything: "e tmpfs: Bad value for 'size'" */
static _Noreturn void stage_die_fs(const struct stage_ctx *c, const struct mount_op *op, int fs_fd)
{
	char text[256];
	int sys = errno;
	ssize_t n = read(fs_fd, text, sizeof(text) - 1);

	if (n > 2) {
		text[n] = '\0';
		if (text[n - 1] == '\n')
			text[n - 1] = '\0';
		stage_refuse(c, ERR_INVALID, 125, 0, "mount ", op->type, " on '", op->target,
			     "': ", text + 2, NULL);
	}
	errno = sys;
	stage_die(c, "mount ", op->type, " on '", op->target, "'", NULL);
}

int stage_new_fs(const struct stage_ctx *c, const struct mount_op *op)
{
	int fs = fsopen(op->type, FSOPEN_CLOEXEC);
	int mnt;

	if (fs < 0)
		stage_die(c, "mount ", op->type, " on '", op->target, "'", NULL);
	if (op->source != NULL && fsconfig(fs, FSCONFIG_SET_STRING, "source", op->source, 0) < 0)
		stage_die_fs(c, op, fs);
	for (size_t i = 0; i < op->n_params; i++) {
		const struct mount_param *p = &op->params[i];
		int done = p->value != NULL ? fsconfig(fs, FSCONFIG_SET_STRING, p->key, p->value, 0)
					    : fsconfig(fs, FSCONFIG_SET_FLAG, p->key, NULL, 0);

		if (done < 0)
			stage_die_fs(c, op, fs);
	}
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		stage_die_fs(c, op, fs);
	/* what is to be filled first is sealed afterwards */
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)op->attr_set & ~(op->copies_up ? (unsigned)MOUNT_ATTR_RDONLY : 0));
	if (mnt < 0)
		stage_die_fs(c, op, fs);
	stage_close(fs);
	return mnt;
}

static void stage_set_attr(const struct stage_ctx *c, int fd, const struct mount_op *op,
			   struct mount_attr *attr)
{
	unsigned flags = AT_EMPTY_PATH | (op->is_recursive ? AT_RECURSIVE : 0);

	if (mount_setattr(fd, "", flags, attr, sizeof(*attr)) < 0)
		stage_die(c, "mount '", op->target, "': set its options", NULL);
}

/*
 * CVE-2023-28642: what is read and written as /proc and /sys must be at that very place, not behind a link of the
 * image that the container could exchange.
 */
static int stage_plain_target(const struct stage_ctx *c, const struct mount_op *op)
{
	int fd;

	stage_close(stage_target(c, op, true)); /* makes it */
	fd = stage_open_plain(c->root_fd, op->target, O_PATH | O_DIRECTORY);
	if (fd < 0)
		stage_die(c, "mount ", op->type, " on '", op->target,
			  "': it must be an ordinary directory", NULL);
	return fd;
}

/* Where its own /proc or /sys is, all that is hidden and protected in it is looked up from there. Return: NULL, no */
static int *stage_kernel_fd(struct stage_ctx *c, const struct mount_op *op)
{
	if (strcmp(op->type, "proc") == 0 && strcmp(op->target, "/proc") == 0)
		return &c->proc_fd;
	if (strcmp(op->type, "sysfs") == 0 && strcmp(op->target, "/sys") == 0)
		return &c->sys_fd;
	return NULL;
}

/* A procfs of our own for system controls costs a wait for all processors when it goes. @fd: attached nowhere yet, so that nothing is on it */
static void stage_keep_sysctls(struct stage_ctx *c, const struct mount_op *op, int fd)
{
	if ((op->attr_set & MOUNT_ATTR_RDONLY) != 0)
		return;
	stage_close(c->sysctl_fd);
	c->sysctl_fd = openat(fd, "sys", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void stage_mount_fs(struct stage_ctx *c, const struct mount_op *op)
{
	bool is_plain = strcmp(op->type, "proc") == 0 || strcmp(op->type, "sysfs") == 0;
	struct mount_attr attr = { .attr_set = op->copies_up ? op->attr_set & MOUNT_ATTR_RDONLY : 0, .propagation = op->propagation };
	int target = DEFENCE(PROC_IS_PLAIN, is_plain, false) ? stage_plain_target(c, op)
							     : stage_target(c, op, true);
	int fd = op->fd >= 0 ? op->fd : stage_new_fs(c, op), *kept = stage_kernel_fd(c, op);

	if (op->copies_up)
		stage_copy_up(c, op, target, fd);
	if (kept == &c->proc_fd)
		stage_keep_sysctls(c, op, fd);
	stage_attach(c, op, fd, target);
	if (attr.propagation != 0 || attr.attr_set != 0)
		stage_set_attr(c, fd, op, &attr);
	if (kept != NULL) {
		stage_close(*kept);
		*kept = fd;
		return;
	}
	stage_close(fd);
}

/* The kernel calls it EINVAL; docker's words tell what to do. */
static void stage_refuse_mismatch(const struct stage_ctx *c, const struct mount_op *op,
				  int target_fd)
{
	/* kilnd passes a bind's source without its name. */
	bool has_name = op->source[0] == '/';
	struct stat st;

	if (fstat(target_fd, &st) == 0 && S_ISDIR(st.st_mode) != op->is_dir)
		stage_refuse(c, ERR_INVALID, 127, 0, "mount ", has_name ? "'" : "the source of a bind",
			     has_name ? op->source : "", has_name ? "' on '" : " on '", op->target,
			     "': not a directory: Are you trying to mount a directory onto a file (or vice-versa)? "
			     "Check if the specified host path exists and is the expected type",
			     NULL);
}

static void stage_mount_bind(const struct stage_ctx *c, const struct mount_op *op)
{
	int target = stage_target(c, op, op->is_dir);

	stage_refuse_mismatch(c, op, target);
	stage_attach(c, op, op->fd, target);
	stage_close(op->fd);
}

/* The directory for devices and links; several in a row share it. */
static int stage_dir(struct stage_ctx *c, const struct mount_op *op)
{
	if (c->dir_fd >= 0 && strcmp(c->dir, op->target) == 0)
		return c->dir_fd;
	stage_close(c->dir_fd);
	c->dir = op->target;
	c->dir_fd = stage_open_target(c->root_fd, op->target, true);
	if (c->dir_fd < 0)
		stage_die(c, "make '", op->target, "'", NULL);
	return c->dir_fd;
}

/* What is there already must be the same device: an image's own /dev is believed only then. */
static void stage_check_device(const struct stage_ctx *c, const struct mount_op *op, int dir)
{
	struct stat st;

	if (fstatat(dir, op->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		stage_die(c, "device '", op->target, "/", op->name, "'", NULL);
	if ((st.st_mode & S_IFMT) != (op->mode & S_IFMT) ||
	    (!S_ISFIFO(op->mode) && st.st_rdev != op->rdev))
		stage_refuse(c, ERR_CONFLICT, 125, 0, "device '", op->target, "/", op->name,
			     "': something else is there", NULL);
}

static void stage_device(struct stage_ctx *c, const struct mount_op *op)
{
	int dir = stage_dir(c, op);

	if (mknodat(dir, op->name, op->mode, op->rdev) < 0) {
		if (errno != EEXIST)
			stage_die(c, "make device '", op->target, "/", op->name, "'", NULL);
		stage_check_device(c, op, dir);
	}
	if (op->uid != 0 || op->gid != 0) {
		if (fchownat(dir, op->name, op->uid, op->gid, AT_SYMLINK_NOFOLLOW) < 0)
			stage_die(c, "give away device '", op->target, "/", op->name, "'", NULL);
	}
}

static void stage_link(struct stage_ctx *c, const struct mount_op *op)
{
	if (symlinkat(op->type, stage_dir(c, op), op->name) < 0 && errno != EEXIST)
		stage_die(c, "make link '", op->target, "/", op->name, "'", NULL);
}

/* "/proc/sys" becomes "/sys" in the container's procfs: whoever shares its root may have exchanged /proc meanwhile. */
static int stage_open_kernel(const struct stage_ctx *c, const char *path)
{
	DEFENCE_PAUSE(KERNEL);
	if (c->proc_fd >= 0 && strncmp(path, "/proc/", 6) == 0)
		return stage_open_in_root(DEFENCE(KERNEL_BY_FD, c->proc_fd, c->root_fd),
					  DEFENCE(KERNEL_BY_FD, path + 5, path), O_PATH);
	if (c->sys_fd >= 0 && strncmp(path, "/sys/", 5) == 0)
		return stage_open_in_root(c->sys_fd, path + 4, O_PATH);
	return stage_open_in_root(c->root_fd, path, O_PATH);
}

/* A path to hide or to protect; -1 when it is truly not there. */
static int stage_existing(const struct stage_ctx *c, const struct mount_op *op)
{
	int fd = stage_open_kernel(c, op->target);

	if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
		stage_die(c, "protect '", op->target, "'", NULL);
	return fd;
}

static void stage_readonly(const struct stage_ctx *c, const struct mount_op *op)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	int target = stage_existing(c, op);
	int fd;

	if (target < 0)
		return;
	fd = open_tree(target, "",
		       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
	if (fd < 0)
		stage_die(c, "protect '", op->target, "'", NULL);
	stage_set_attr(c, fd, op, &attr);
	stage_attach(c, op, fd, target);
	stage_close(fd);
}

static void stage_seal(const struct stage_ctx *c, const struct mount_op *op)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	int fd = stage_existing(c, op);

	if (fd < 0)
		stage_die(c, "protect '", op->target, "'", NULL);
	stage_set_attr(c, fd, op, &attr);
	stage_close(fd);
}

/* CVE-2025-31133: the source of a mask is a descriptor that has been looked at, never a path. */
static int stage_null(struct stage_ctx *c)
{
	struct stat st;

	if (c->null_fd >= 0)
		return c->null_fd;
	c->null_fd = stage_open_in_root(c->root_fd, "/dev/null",
					O_PATH | DEFENCE(NULL_LOOKED_AT, O_NOFOLLOW, 0));
	if (c->null_fd < 0 || fstat(c->null_fd, &st) < 0)
		stage_die(c, "open '/dev/null' in the container", NULL);
	if (DEFENCE(NULL_LOOKED_AT, !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3), false))
		stage_refuse(c, ERR_INVALID, 125, 0,
			     "'/dev/null' in the container is not the null device", NULL);
	return c->null_fd;
}

/* One empty read-only tmpfs serves all directories: the first one gets it, the others a clone of that mount. */
static int stage_empty_dir(struct stage_ctx *c, const struct mount_op *op)
{
	static const struct mount_op empty = {
		.kind = MOUNT_FS,
		.target = "mask",
		.type = "tmpfs",
		.source = "tmpfs",
		.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			    MOUNT_ATTR_NOEXEC,
	};

	if (c->mask_fd < 0) {
		c->mask_fd = stage_new_fs(c, &empty);
		return c->mask_fd;
	}
	int fd = open_tree(c->mask_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

	if (fd < 0)
		stage_die(c, "hide '", op->target, "'", NULL);
	return fd;
}

static void stage_mask(struct stage_ctx *c, const struct mount_op *op)
{
	int target = stage_existing(c, op);
	struct stat st;
	int fd;

	if (target < 0)
		return;
	if (fstat(target, &st) < 0)
		stage_die(c, "hide '", op->target, "'", NULL);
	if (S_ISDIR(st.st_mode))
		fd = stage_empty_dir(c, op);
	else
		fd = open_tree(stage_null(c), "",
			       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (fd < 0)
		stage_die(c, "hide '", op->target, "'", NULL);
	stage_attach(c, op, fd, target);
	if (fd != c->mask_fd)
		stage_close(fd);
}

void stage_mounts(struct stage_ctx *c, const struct mount_op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct mount_op *op = &ops[i];

		switch (op->kind) {
		case MOUNT_FS:
			stage_mount_fs(c, op);
			break;
		case MOUNT_BIND:
			stage_mount_bind(c, op);
			break;
		case MOUNT_DEVICE:
			stage_device(c, op);
			break;
		case MOUNT_LINK:
			stage_link(c, op);
			break;
		case MOUNT_READONLY:
			DEFENCE(READONLY_PATHS, stage_readonly(c, op), (void)0);
			break;
		case MOUNT_SEAL:
			stage_seal(c, op);
			break;
		case MOUNT_MASK:
			DEFENCE(MASKED_PATHS, stage_mask(c, op), (void)0);
			break;
		case MOUNT_KINDS_:
			break;
		}
	}
	stage_close(c->dir_fd);
	stage_close(c->null_fd);
	stage_close(c->mask_fd);
	stage_close(c->proc_fd);
	stage_close(c->sys_fd);
	c->dir_fd = c->null_fd = c->mask_fd = c->proc_fd = c->sys_fd = -1;
}
