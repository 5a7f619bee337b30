/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/watchers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"

#define PROC_FILE_MAX_BYTES 65536
#define PATH_BYTES          64

/* The number behind @key in a file of /proc; a key begins with a newline. Return: false with @e set when there is none */
static bool read_number(const char *path, const char *key, int base, uint64_t *ret, struct err *e)
{
	AUTO_FREE char *text = NULL;
	const char *at;
	char *end;

	if (file_read(AT_FDCWD, path, PROC_FILE_MAX_BYTES, &text, NULL, e) < 0)
		return false;
	at = strstr(text, key);
	errno = 0;
	*ret = at != NULL ? strtoull(at + strlen(key), &end, base) : 0;
	if (at != NULL && errno == 0 && *end == '\n')
		return true;
	err_set(e, ERR_INTERNAL, "'%s' has no %.*s", path, (int)strcspn(key + 1, ":"), key + 1);
	return false;
}

static int find_namespace(int fd, struct stat *ret, struct err *e)
{
	char path[PATH_BYTES];
	uint64_t pid;
	int type = ioctl(fd, NS_GET_NSTYPE);

	/* A pidfd has no such call */
	if (type < 0 && errno != ENOTTY && errno != EINVAL && errno != ESRCH)
		return err_sys(e, "ask for the type of the namespace");
	if (type == CLONE_NEWPID)
		return fstat(fd, ret) < 0 ? err_sys(e, "look at the pid namespace") : 0;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	if (!read_number(path, "\nPid:\t", 10, &pid, ERR_IGNORED))
		return err_set(e, ERR_CONFLICT, "its process has ended");
	snprintf(path, sizeof(path), "/proc/%llu/ns/pid", (unsigned long long)pid);
	return stat(path, ret) < 0 ? err_sys(e, "look at '%s'", path) : 0;
}

/* Return: 1, 0, or -1 with @e set: it is there, and does not say */
static int may_trace(const char *pid, const struct stat *ns, struct err *e)
{
	char path[PATH_BYTES];
	uint64_t bounding;
	struct stat own;

	snprintf(path, sizeof(path), "/proc/%.20s/ns/pid", pid);
	if (stat(path, &own) < 0 || own.st_ino != ns->st_ino || own.st_dev != ns->st_dev)
		return 0;
	snprintf(path, sizeof(path), "/proc/%.20s/status", pid);
	if (!read_number(path, "\nCapBnd:\t", 16, &bounding, e))
		return access(path, F_OK) == 0 ? -1 : 0;
	return (bounding >> CAP_SYS_PTRACE & 1) != 0 && (bounding >> CAP_SYS_ADMIN & 1) == 0;
}

int watchers_look(int fd, bool *ret, struct err *e)
{
	AUTO_DIR DIR *proc = opendir("/proc");
	struct dirent *d;
	struct stat ns;
	int found = 0;

	if (proc == NULL)
		return err_sys(e, "open '/proc'");
	if (find_namespace(fd, &ns, e) < 0)
		return -1;
	while (found == 0 && (d = readdir(proc)) != NULL)
		found = d->d_name[0] >= '1' && d->d_name[0] <= '9' ? may_trace(d->d_name, &ns, e) : 0;
	*ret = found == 1;
	return found < 0 ? -1 : 0;
}
