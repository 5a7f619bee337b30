/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/selfcopy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/defence.h"
#include "base/own.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

#define SELF     "/proc/self/exe"
#define SEALS    (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define NAME     "kiln-runtime"

static bool is_copy(int self)
{
	int seals = fcntl(self, F_GET_SEALS);
	struct statvfs fs;

	if (seals >= 0)
		return (seals & SEALS) == SEALS;
	return fstatvfs(self, &fs) == 0 && (fs.f_flag & ST_RDONLY) != 0;
}

static int execute(int fd, char *const *argv)
{
	AUTO_FREE char **args = NULL;
	size_t n = 0;

	while (argv[n] != NULL)
		n++;
	args = xcalloc(n + 2, sizeof(*args));
	args[0] = (char *)NAME;
	memcpy(args + 1, argv, n * sizeof(*args));
	return fexecve(fd, args, environ);
}

static int fill(int from, int to)
{
	struct stat st;

	if (fstat(from, &st) < 0)
		return -1;
	for (off_t at = 0; at < st.st_size;) {
		ssize_t n = sendfile(to, from, &at, (size_t)(st.st_size - at));

		if (n <= 0)
			return -1;
	}
	return fcntl(to, F_ADD_SEALS, SEALS);
}

/* Returns only when the host does not let it be. */
static void execute_memfd(int self, char *const *argv)
{
	AUTO_CLOSE int fd = memfd_create(NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	/* before Linux 6.3 the flag is not known, and all memory files are executable */
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd >= 0 && fill(self, fd) == 0)
		execute(fd, argv);
}

static void execute_bind(char *const *argv)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	AUTO_CLOSE int tree = open_tree(AT_FDCWD, SELF, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (tree >= 0 && mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) == 0)
		execute(tree, argv);
}

static int open_self(int *ret_fd, struct err *e)
{
	*ret_fd = open(SELF, O_RDONLY | O_CLOEXEC);
	return *ret_fd >= 0 ? 0 : err_sys(e, "open '%s'", SELF);
}

int selfcopy_ensure(char *const *argv, enum selfcopy first, struct err *e)
{
	AUTO_CLOSE int self = -1;

	if (open_self(&self, e) < 0)
		return -1;
	if (DEFENCE(SEALED, is_copy(self), true)) {
		/* executed by descriptor, the process would be called "3" */
		prctl(PR_SET_NAME, NAME);
		return 0;
	}
	return selfcopy_renew(argv, first, e);
}

int selfcopy_renew(char *const *argv, enum selfcopy first, struct err *e)
{
	AUTO_CLOSE int self = -1;

	if (open_self(&self, e) < 0)
		return -1;
	if (first == SELFCOPY_BIND)
		execute_bind(argv);
	execute_memfd(self, argv);
	execute_bind(argv);
	return err_sys(e, "run from a copy of '%s' that nobody can write to", SELF);
}
