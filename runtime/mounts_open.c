/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sources of binds, before clone: each becomes a detached mount with its options set.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/mounts.h"
#include "runtime/stages.h"

static int take_fd(struct mount_op *op, const struct mount_sources *src, struct err *e)
{
	const char *number = op->source + strlen("fd:"), *inside = strchr(number, ':');
	AUTO_FREE char *text = xstrndup(number, inside != NULL ? (size_t)(inside - number) : strlen(number));
	uint64_t n;

	if (!str_to_u64(text, &n) || n >= src->n_bind_fds || (inside != NULL && inside[1] != '/'))
		return err_set(e, ERR_INVALID, "source '%s' names no descriptor", op->source);
	if (src->bind_fds[n] < 0)
		return err_set(e, ERR_INVALID, "source '%s' is used twice", op->source);
	op->inside = inside != NULL ? inside + 1 : NULL;
	op->fd = TAKE_FD(src->bind_fds[n]);
	return 0;
}

/* A path of ours: below the data root, and no component of it may be a link. */
static int open_below(const char *data_root, const char *path, int *ret_fd, struct err *e)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	size_t n = strlen(data_root);
	AUTO_CLOSE int root = -1;
	int fd;

	if (strncmp(path, data_root, n) != 0 || path[n] != '/')
		return err_set(e, ERR_INVALID, "source '%s' is not below the data root", path);
	root = open(data_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_sys(e, "open the data root '%s'", data_root);
	while (path[n] == '/')
		n++;
	fd = (int)syscall(SYS_openat2, root, path + n, &how, sizeof(how));
	if (fd < 0)
		return err_sys(e, "open source '%s'", path);
	*ret_fd = fd;
	return 0;
}

static int open_host(const char *bundle_dir, const char *path, int *ret_fd, struct err *e)
{
	AUTO_FREE char *full = NULL;
	int fd;

	if (path[0] != '/' && bundle_dir == NULL)
		return err_set(e, ERR_INVALID, "source '%s' is not absolute", path);
	full = path[0] == '/' ? xstrdup(path) : path_join(bundle_dir, path);
	fd = open(full, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open source '%s'", full);
	*ret_fd = fd;
	return 0;
}

static int open_path(struct mount_op *op, const struct mount_sources *src, struct err *e)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
			 (op->is_recursive ? AT_RECURSIVE : 0);
	AUTO_CLOSE int fd = -1;
	bool is_checked = src->data_root != NULL && !op->is_group;
	int done = is_checked ? open_below(src->data_root, op->source, &fd, e) :
				open_host(src->bundle_dir, op->source, &fd, e);

	if (done < 0)
		return -1;
	op->fd = open_tree(fd, "", flags);
	if (op->fd < 0)
		return err_sys(e, "clone the mount of '%s'", op->source);
	return 0;
}

static int set_attr(const struct mount_op *op, struct mount_attr attr, unsigned flags, struct err *e)
{
	/* the kernel wants all of the access time modes cleared when one of them is set */
	if ((attr.attr_set & MOUNT_ATTR__ATIME) != 0)
		attr.attr_clr |= MOUNT_ATTR__ATIME;
	if (mount_setattr(op->fd, "", AT_EMPTY_PATH | flags, &attr, sizeof(attr)) < 0)
		return err_sys(e, "set the options of '%s'", op->source);
	return 0;
}

static int set_options(const struct mount_op *op, struct err *e)
{
	struct mount_attr all = { .attr_set = op->below_set,
				  .attr_clr = op->below_clr,
				  .propagation = op->propagation != 0 ? op->propagation : MS_PRIVATE };
	struct mount_attr top = { .attr_set = op->attr_set, .attr_clr = op->attr_clr };

	if (set_attr(op, all, op->is_recursive ? AT_RECURSIVE : 0, e) < 0)
		return -1;
	return (top.attr_set | top.attr_clr) != 0 ? set_attr(op, top, 0, e) : 0;
}

static int open_bind(struct mount_op *op, const struct mount_sources *src, struct err *e)
{
	struct stat st;
	int done = str_starts(op->source, "fd:") ? take_fd(op, src, e) : open_path(op, src, e);

	if (done < 0)
		return -1;
	/* a process, whose mount namespace only the child enters: a directory there, or it is refused */
	if (op->inside != NULL) {
		op->is_dir = true;
		return 0;
	}
	if (fstat(op->fd, &st) < 0)
		return err_sys(e, "look at source '%s'", op->source);
	op->is_dir = S_ISDIR(st.st_mode);
	if (op->is_device && ((st.st_mode & S_IFMT) != (op->mode & S_IFMT) || st.st_rdev != op->rdev))
		return err_set(e, ERR_CONFLICT, "the host's '%s' is another device, and a user namespace has the host's", op->source);
	if (op->map.n_uids != 0 && idmap_mount(&op->map, op->fd, op->maps_below ? AT_RECURSIVE : 0, e) < 0)
		return -1;
	return set_options(op, e);
}

int mounts_open(struct mount_op *ops, size_t n, const struct mount_sources *sources, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (ops[i].kind == MOUNT_BIND && open_bind(&ops[i], sources, e) < 0)
			return err_wrap(e, "mount '%s'", ops[i].target);
	return 0;
}

void mounts_close(struct mount_op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close_fd(&ops[i].fd);
}
