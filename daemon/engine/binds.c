/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/binds.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "base/path.h"
#include "base/str.h"

/* From <sys/mount.h>, which does not go together with <linux/mount.h>. */
#define PROPAGATE_PRIVATE (1u << 18)
#define PROPAGATE_SLAVE   (1u << 19)
#define PROPAGATE_SHARED  (1u << 20)

static uint64_t propagation_of(const struct bundle_bind *b)
{
	const char *p = b->propagation ? b->propagation : "rprivate";

	if (*p == 'r')
		p++;
	if (str_eq(p, "shared"))
		return PROPAGATE_SHARED;
	if (str_eq(p, "slave"))
		return PROPAGATE_SLAVE;
	return PROPAGATE_PRIVATE;
}

static int make_missing(const struct bundle_bind *b, struct err *e)
{
	struct stat st;

	if (stat(b->source, &st) == 0)
		return 0;
	if (errno == ENOENT && b->must_exist)
		return err_set(e, ERR_INVALID,
			       "invalid mount config for type \"bind\": bind source path does not exist: %.300s", b->source);
	if (errno != ENOENT)
		return err_sys(e, "bind source path '%s'", b->source);
	if (path_mkdirs(AT_FDCWD, b->source, 0755, e) < 0)
		return err_wrap(e, "make bind source path '%s'", b->source);
	return 0;
}

static int bind_open(const struct bundle_bind *b, int *ret_fd, struct err *e)
{
	unsigned recursive = b->is_recursive ? AT_RECURSIVE : 0;
	struct mount_attr attr = {
		.attr_set = b->readonly ? MOUNT_ATTR_RDONLY : 0,
		.propagation = propagation_of(b),
	};
	AUTO_CLOSE int fd = -1;

	if (make_missing(b, e) < 0)
		return -1;
	fd = (int)syscall(SYS_open_tree, AT_FDCWD, b->source,
			  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive);
	if (fd < 0)
		return err_sys(e, "bind source path '%s'", b->source);
	if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | recursive, &attr, sizeof attr) < 0)
		return err_sys(e, "bind source path '%s': set its mount's attributes", b->source);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int binds_check(const struct bundle_bind *binds, size_t n, struct err *e)
{
	struct stat st;

	for (size_t i = 0; i < n; i++)
		if (binds[i].must_exist && stat(binds[i].source, &st) < 0 && errno == ENOENT)
			return make_missing(&binds[i], e);
	return 0;
}

int binds_open(const struct bundle_bind *binds, size_t n, int *ret_fds, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		ret_fds[i] = -1;
	for (size_t i = 0; i < n; i++) {
		if (bind_open(&binds[i], &ret_fds[i], e) == 0)
			continue;
		while (i-- > 0)
			close_fd(&ret_fds[i]);
		return -1;
	}
	return 0;
}
