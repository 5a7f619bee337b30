/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * The scope is made around the launcher. When one of that name is there (this launcher comes after another one that died), the
 * launcher is put into it. A scope whose last process has just ended is neither: it is there, but takes nobody; the two are tried in turn
 * until one works or time is up.
 */
#include "runtime/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"
#include "runtime/scope_bus.h"
#include "runtime/unitprops.h"

#define CGROUP2_MOUNT    "/sys/fs/cgroup"   /* where systemd has it when there is nothing else */
#define GROUPS_MAX_BYTES 65536
#define NAP_NS           10000000
#define STOP_USEC        15000000   /* of the scope: what does not end by then is killed */
#define SHUTDOWN_UNIT    "kiln-shutdown.service"   /* is stopped before us, and stops containers by their own signals */

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

/* Unlimited tasks: each container has its own limit. Collected also when failed, so that its name is free again. */
static void describe(const struct scopename *s, pid_t pid, struct unit_props *ret)
{
	static const char *const before[] = { SHUTDOWN_UNIT, NULL };
	const struct unit_prop props[] = {
		{ "Description", UNIT_TEXT, 0, "Kiln's containers, their monitors and the launcher", 0 },
		{ "Slice", UNIT_TEXT, 0, s->slice, 0 },
		{ "PIDs", UNIT_PID, (uint64_t)pid, NULL, 0 },
		{ "Delegate", UNIT_BOOL, true, NULL, 0 },
		{ "Before", UNIT_TEXTS, 0, before, 0 },
		{ "CollectMode", UNIT_TEXT, 0, "inactive-or-failed", 0 },
		{ "TasksMax", UNIT_U64, UINT64_MAX, NULL, 0 },
		{ "TimeoutStopUSec", UNIT_U64, STOP_USEC, NULL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(props); i++)
		unitprops_add(ret, props[i]);
}

static void nap(void)
{
	struct timespec t = { .tv_nsec = NAP_NS };

	nanosleep(&t, NULL);
}

static int start_or_join(struct scope_bus *b, const struct scopename *s, const char *below, pid_t pid, struct err *e)
{
	int64_t until_ns = clock_mono_ns() + (int64_t)SCOPE_WAIT_MS * 1000000;
	struct unit_props props = { .n = 0 };

	describe(s, pid, &props);
	for (;;) {
		if (scope_bus_start(b, s->unit, &props, e) == 0)
			return 0;
		if (e->kind != ERR_CONFLICT)
			return -1;
		if (scope_bus_attach(b, s->unit, below, pid, e) == 0)
			return 0;
		if (clock_mono_ns() >= until_ns)
			return -1;
		nap();
	}
}

static int move_to_scope(const char *parent, const char *below, pid_t pid, struct err *e)
{
	struct scope_bus *b = NULL;
	struct scopename s;

	if (scopename_parse(parent, &s, e) < 0 || scope_bus_open(&b, e) < 0)
		return -1;
	return start_or_join(b, &s, below, pid, e) < 0 ? -1 : scope_bus_wait(parent, pid, e);
}

/* In the child: what happens here leaves no page behind in the launcher. */
static void move_parent(const char *parent, int report_fd)
{
	struct err e = { 0 };

	if (move_to_scope(parent, is_v2() ? "/" SCOPENAME_LEAF : "", getppid(), &e) < 0)
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
