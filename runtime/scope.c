/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"

#define CGROUP2_MOUNT    "/sys/fs/cgroup"   /* where systemd has it when there is nothing else */
#define GROUPS_MAX_BYTES 65536

bool scope_holds(const char *parent, pid_t pid)
{
	AUTO_FREE char *path = xasprintf("/proc/%d/cgroup", pid);
	AUTO_FREE char *text = NULL;

	return file_read(AT_FDCWD, path, GROUPS_MAX_BYTES, &text, NULL, ERR_IGNORED) == 0 &&
	       scopename_has_process(text, parent);
}

static bool is_v2(void)
{
	struct statfs fs;

	return statfs(CGROUP2_MOUNT, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* In the child: what happens here leaves no page behind in the launcher. */
static void move_parent(const char *parent, int report_fd)
{
	struct err e = { 0 };

	if (scope_bus_move(parent, is_v2() ? "/" SCOPENAME_LEAF : "", getppid(), &e) < 0)
		(void)!write(report_fd, &e, sizeof(e));
	_exit(0);
}

static int have_child_move_us(const char *parent, struct err *e)
{
	AUTO_CLOSE int reader = -1;
	AUTO_CLOSE int writer = -1;
	int ends[2];
	pid_t pid;
	ssize_t n;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, "make a pipe");
	reader = ends[0];
	writer = ends[1];
	pid = fork();
	if (pid < 0)
		return err_sys(e, "fork");
	if (pid == 0)
		move_parent(parent, writer);
	close_fd(&writer);
	while ((n = read(reader, e, sizeof(*e))) < 0 && errno == EINTR)
		;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return n > 0 ? -1 : 0;
}

/* Groups are made beside us in the scope, and a group with a process in it has none below that limit anything. */
static int enter_leaf(const char *parent, struct err *e)
{
	AUTO_FREE char *leaf = xasprintf(CGROUP2_MOUNT "%s/" SCOPENAME_LEAF, parent);
	AUTO_FREE char *procs = xasprintf("%s/cgroup.procs", leaf);
	AUTO_CLOSE int fd = -1;

	if (mkdir(leaf, 0755) < 0 && errno != EEXIST)
		return err_sys(e, "make '%s'", leaf);
	fd = open(procs, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		return err_sys(e, "join '%s'", leaf);
	return 0;
}

int scope_enter(const char *parent, struct err *e)
{
	if (have_child_move_us(parent, e) < 0)
		return -1;
	if (!scope_holds(parent, getpid()))
		return err_set(e, ERR_SYSTEM, "systemd has put this process elsewhere than in '%s'", parent);
	return is_v2() ? enter_leaf(parent, e) : 0;
}
