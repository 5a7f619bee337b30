/* SPDX-License-Identifier: Apache-2.0 */
/*
 * STAGE_NAMESPACES of a launch: what is not fresh is entered, and what lies in the mount namespace of a process whose
 * others are shared (its /dev/shm) is fetched from there.
 *
 * Must: come after the joins of the groups and before any mount: sysfs shows the network namespace, mqueue the IPC
 * namespace, and cgroup the cgroup namespace of who mounts it.
 * Must not: use a path of that process's root but by descriptor, without links, and as a mount of memory; nor stay
 * in its mount namespace.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/stages.h"

void stage_enter_namespace(const struct stage_ctx *c, const struct namespace_join *j)
{
	if (setns(j->fd, j->flag) == 0)
		return;
	if (errno == ESRCH)
		stage_refuse(c, ERR_CONFLICT, 125, 0, "join ", j->type,
			     " namespace: its process has ended", NULL);
	stage_die(c, "join ", j->type, " namespace '", j->source, "'", NULL);
}

static void stage_go(const struct stage_ctx *c, const struct mount_op *op, int ns_fd)
{
	if (setns(ns_fd, CLONE_NEWNS) == 0)
		return;
	if (errno == ESRCH)
		stage_refuse(c, ERR_CONFLICT, 125, 0, "mount '", op->target,
			     "': the process that it is of has ended", NULL);
	stage_die(c, "mount '", op->target, "': change the mount namespace", NULL);
}

static int stage_clone_memory(const struct stage_ctx *c, const struct mount_op *op)
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int at = root < 0 ? -1 : stage_open_plain(root, op->inside, O_PATH | O_DIRECTORY);
	struct statfs fs;
	int tree;

	if (at < 0 || fstatfs(at, &fs) < 0)
		stage_die(c, "mount '", op->target, "': find '", op->inside,
			  "' in the other container", NULL);
	if (fs.f_type != TMPFS_MAGIC)
		stage_refuse(c, ERR_INVALID, 125, 0, "mount '", op->target, "': '", op->inside,
			     "' in the other container is no memory", NULL);
	tree = open_tree(at, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (tree < 0)
		stage_die(c, "mount '", op->target, "': clone '", op->inside,
			  "' of the other container", NULL);
	stage_close(at);
	stage_close(root);
	return tree;
}

/* Behind the number of the pidfd that the operation came with is now a detached mount: the descriptors are ours, the plan may not be. */
static void stage_borrow(const struct stage_ctx *c, const struct mount_op *op, int own_ns)
{
	struct mount_attr attr = { .attr_set = op->attr_set,
				   .attr_clr = op->attr_clr,
				   .propagation = MS_PRIVATE };
	int tree;

	stage_go(c, op, op->fd);
	tree = stage_clone_memory(c, op);
	stage_go(c, op, own_ns);
	if (mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		stage_die(c, "mount '", op->target, "': set its options", NULL);
	if (dup3(tree, op->fd, O_CLOEXEC) < 0)
		stage_die(c, "mount '", op->target, "': keep it", NULL);
	stage_close(tree);
}

/*
 * unshare is about children; we go where they would, once the clocks are set, which is possible as long as nobody is in there.
 * The procfs is still that of the parent.
 */
static void stage_time(const struct stage_ctx *c, const struct launch_plan_stages *plan)
{
	size_t n = plan->time_offsets != NULL ? strlen(plan->time_offsets) : 0;
	int fd;

	if (!plan->unshares_time)
		return;
	if (unshare(CLONE_NEWTIME) < 0)
		stage_die(c, "make a time namespace", NULL);
	if (n != 0) {
		fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, plan->time_offsets, n) < 0)
			stage_die(c, "linux.timeOffsets: set the clocks", NULL);
		stage_close(fd);
	}
	fd = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWTIME) < 0)
		stage_die(c, "enter the time namespace", NULL);
	stage_close(fd);
}

void stage_namespaces(struct stage_ctx *c, const struct launch_plan_stages *plan)
{
	int own_ns = -1;

	stage_enter(c, STAGE_NAMESPACES);
	for (size_t i = 0; i < plan->n_joins; i++)
		/* pid counts for children only: launch() has done it */
		if (plan->joins[i].flag != CLONE_NEWPID && plan->joins[i].flag != CLONE_NEWNS)
			stage_enter_namespace(c, &plan->joins[i]);
	stage_time(c, plan);
	/* last: what else is looked for is not there */
	for (size_t i = 0; i < plan->n_joins; i++) {
		if (plan->joins[i].flag == CLONE_NEWNS)
			stage_enter_namespace(c, &plan->joins[i]);
		stage_close(plan->joins[i].fd);
	}
	for (size_t i = 0; i < plan->n_ops; i++) {
		if (plan->ops[i].kind != MOUNT_BIND || plan->ops[i].inside == NULL)
			continue;
		if (own_ns < 0)
			own_ns = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
		if (own_ns < 0)
			stage_die(c, "open '/proc/self/ns/mnt'", NULL);
		stage_borrow(c, &plan->ops[i], own_ns);
	}
	stage_close(own_ns);
}
