/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stem.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/own.h"
#include "runtime/clone_shared.h"
#include "runtime/stages.h"

static const struct {
	const char *type; /* as the configuration calls it */
	const char *path;
	int flag;
} kinds[STEM_NS_] = {
	[STEM_NET] = { "network", "/proc/self/ns/net", CLONE_NEWNET },
	[STEM_IPC] = { "ipc", "/proc/self/ns/ipc", CLONE_NEWIPC },
	[STEM_UTS] = { "uts", "/proc/self/ns/uts", CLONE_NEWUTS },
};

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
	for (size_t i = 0; i < STEM_NS_; i++)
		if (i != STEM_NET || is_up)
			ns->fds[i] = open(kinds[i].path, O_RDONLY | O_CLOEXEC);
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
	for (size_t i = 0; i < STEM_NS_; i++)
		close_fd(&ns->fds[i]);
}

void stem_namespaces_use(struct stem_namespaces *ns, struct launch_plan_stages *plan, struct arena *arena)
{
	struct namespace_join *joins = arena_new_array(arena, struct namespace_join, plan->n_joins + STEM_NS_);

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
	}
}
