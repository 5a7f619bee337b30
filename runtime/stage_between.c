/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * A launch with a user namespace beside namespaces that are not the container's own. To enter one takes power over its
 * owner, and so does mounting a file system that shows it (sysfs the network, mqueue IPC, proc processes, cgroup2 groups);
 * whoever is in the user namespace has that power no more, and does not come back. So the parent clones this process, which
 * has it still: it enters the others, makes those file systems, enters the user namespace when there is one to enter, and
 * clones the container's first process beside itself (CLONE_PARENT), which finds the rest done.
 *
 * Must: enter all others before the user namespace, and that before the clone, whose fresh namespaces are then owned by it.
 * Must not: be seen in the pid namespace that it enters: that counts for children.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/stages.h"

/* --- file systems that show other namespaces ------------------------------------------------------------------------ */

/* A procfs is of the namespace that its maker lives in. The descriptors are shared with the parent, which has numbers for them. */
static _Noreturn void stage_make_foreign(const struct stage_ctx *c, const struct launch_plan_stages *plan)
{
	for (size_t i = 0; i < plan->n_ops; i++) {
		const struct mount_op *op = &plan->ops[i];
		int fd;

		if (!op->is_foreign)
			continue;
		fd = stage_new_fs(c, op);
		if (dup3(fd, op->fd, O_CLOEXEC) < 0)
			stage_die(c, "mount '", op->target, "': keep it", NULL);
		stage_close(fd);
	}
	_exit(0);
}

/* Return: how many there are */
static size_t stage_number_foreign(const struct stage_ctx *c, struct launch_plan_stages *plan)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->n_ops; i++) {
		if (!plan->ops[i].is_foreign)
			continue;
		plan->ops[i].fd = open("/", O_PATH | O_CLOEXEC);
		if (plan->ops[i].fd < 0)
			stage_die(c, "open '/'", NULL);
		n++;
	}
	return n;
}

static void stage_foreign(const struct stage_ctx *c, struct launch_plan_stages *plan)
{
	long pid, got;
	int status = 0;

	if (stage_number_foreign(c, plan) == 0)
		return;
	pid = syscall(SYS_clone, (unsigned long)(CLONE_FILES | SIGCHLD), NULL, NULL, NULL, 0ul);
	if (pid < 0)
		stage_die(c, "start a process in the pid namespace", NULL);
	if (pid == 0)
		stage_make_foreign(c, plan);
	do
		got = syscall(SYS_wait4, pid, &status, 0, NULL);
	while (got < 0 && errno == EINTR);
	/* It has said why */
	if (status != 0)
		_exit(125);
}

/* --- the walk ---------------------------------------------------------------------------------------------------- */

static void stage_enter_all(const struct stage_ctx *c, const struct launch_plan_stages *plan, bool is_user)
{
	for (size_t i = 0; i < plan->n_joins; i++) {
		const struct namespace_join *j = &plan->joins[i];

		if ((j->flag == CLONE_NEWUSER) != is_user)
			continue;
		stage_enter_namespace(c, j);
		stage_close(j->fd);
	}
}

_Noreturn void stage_between(struct launch_plan_stages *plan, int report_fd, pid_t *pid_slot)
{
	struct clone_args args = { .flags = plan->clone_flags | CLONE_PARENT | CLONE_PARENT_SETTID, .parent_tid = (uintptr_t)pid_slot };
	struct stage_ctx c = STAGE_CTX(report_fd);
	long pid;

	stage_prepare(&c);
	stage_enter(&c, STAGE_NAMESPACES);
	stage_enter_all(&c, plan, false);
	stage_foreign(&c, plan);
	stage_enter_all(&c, plan, true);
	plan->n_joins = 0;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	/* the kernel's word for a pid namespace whose first process has ended */
	if (pid < 0 && errno == ENOMEM)
		stage_refuse(&c, ERR_CONFLICT, 125, 0, "join pid namespace: Cannot allocate memory, which also means that it has ended", NULL);
	if (pid < 0)
		stage_die(&c, "clone the container's first process", NULL);
	if (pid == 0)
		stage_launch(plan, report_fd);
	_exit(0);
}
