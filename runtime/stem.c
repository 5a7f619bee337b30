/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stem.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/own.h"
#include "base/str.h"
#include "runtime/clone_shared.h"
#include "runtime/stages.h"

static const struct {
	const char *type; /* as the configuration calls it */
	const char *path;
	int flag;
	const char *fs;   /* the file system that shows it; NULL: none */
} kinds[STEM_NS_] = {
	[STEM_NET] = { "network", "/proc/self/ns/net", CLONE_NEWNET, "sysfs" },
	[STEM_IPC] = { "ipc", "/proc/self/ns/ipc", CLONE_NEWIPC, "mqueue" },
	[STEM_UTS] = { "uts", "/proc/self/ns/uts", CLONE_NEWUTS, NULL },
};

/* Of the namespace that we are in. Return: a detached mount; -1: there is none */
static int make_mount(const char *type)
{
	int fd = -1, fs = type != NULL ? fsopen(type, FSOPEN_CLOEXEC) : -1;

	if (fs < 0)
		return -1;
	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", type, 0) == 0 && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	close(fs);
	return fd;
}

/* In a child with our memory and our descriptors, which works when nobody else wants the processor. */
static void make_all(void *ctx)
{
	struct stem_namespaces *ns = ctx;
	struct sched_param none = { 0 };
	int flags = 0;
	bool is_up;

	for (size_t i = 0; i < STEM_NS_; i++)
		flags |= kinds[i].flag;
	sched_setscheduler(0, SCHED_IDLE, &none);
	if (unshare(flags) < 0)
		_exit(1);
	is_up = stage_lo_up() == 0;
	for (size_t i = 0; i < STEM_NS_; i++) {
		if (i == STEM_NET && !is_up)
			continue;
		ns->fds[i] = open(kinds[i].path, O_RDONLY | O_CLOEXEC);
		ns->mounts[i] = make_mount(kinds[i].fs);
	}
	_exit(0);
}

void stem_namespaces_make(struct stem_namespaces *ret)
{
	struct clone_args args = { .flags = CLONE_FILES, .exit_signal = SIGCHLD };
	pid_t pid;

	*ret = (struct stem_namespaces)STEM_NAMESPACES_EMPTY;
	if (!clone_shared_works())
		return;
	pid = clone_shared(&args, make_all, ret);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

void stem_namespaces_close(struct stem_namespaces *ns)
{
	for (size_t i = 0; i < STEM_NS_; i++) {
		close_fd(&ns->fds[i]);
		close_fd(&ns->mounts[i]);
	}
}

/* The first mount of it that has no wishes of its own but options that any mount has. */
static void give_mount(int *fd, const char *type, struct launch_plan_stages *plan)
{
	for (size_t i = 0; i < plan->n_ops && *fd >= 0; i++) {
		struct mount_op *op = &plan->ops[i];
		struct mount_attr attr = { .attr_set = op->attr_set };

		if (op->kind != MOUNT_FS || op->fd >= 0 || op->copies_up || op->n_params > 0 || !str_eq(op->type, type) ||
		    !str_eq(op->source, type))
			continue;
		if (mount_setattr(*fd, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
			return;
		op->fd = TAKE_FD(*fd);
	}
}

void stem_namespaces_use(struct stem_namespaces *ns, struct launch_plan_stages *plan, struct arena *arena)
{
	struct namespace_join *joins = arena_new_array(arena, struct namespace_join, plan->n_joins + STEM_NS_);

	if (plan->has_users)   /* a user namespace has power over what was made in it only */
		return;
	if (plan->n_joins > 0)
		memcpy(joins, plan->joins, plan->n_joins * sizeof joins[0]);
	plan->joins = joins;
	for (size_t i = 0; i < STEM_NS_; i++) {
		if (ns->fds[i] < 0 || (plan->clone_flags & (uint64_t)kinds[i].flag) == 0)
			continue;
		plan->clone_flags &= ~(uint64_t)kinds[i].flag;
		joins[plan->n_joins++] = (struct namespace_join){
			.type = kinds[i].type, .source = "stem", .flag = kinds[i].flag, .fd = TAKE_FD(ns->fds[i]),
		};
		if (i == STEM_NET)
			plan->brings_lo_up = false;
		give_mount(&ns->mounts[i], kinds[i].fs, plan);
	}
}
