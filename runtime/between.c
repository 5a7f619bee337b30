/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/between.h"

#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "runtime/launch_parts.h"
#include "runtime/plan_parts.h"

static pid_t clone_one(struct launch_plan *plan, pid_t *slot, int ours, int theirs)
{
	struct clone_args args;
	long pid;

	/* the first process is born where it is */
	launch_clone_args(plan->cgroup, &args);
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0) {
		close(ours);
		stage_between(&plan->stages, theirs, slot);
	}
	return (pid_t)pid;
}

/* What it has said before it ended, if it has. Return: -1, always */
static int why(int status, int ours, struct err *e)
{
	struct launch_heard h = LAUNCH_HEARD_EMPTY;

	if (WIFEXITED(status) && WEXITSTATUS(status) != 0 && launch_wait_exec(ours, &h, NULL, e) < 0)
		return -1;
	launch_heard_done(&h);
	return err_set(e, ERR_INTERNAL, "the process that clones the container's first one has ended with status %d", status);
}

static pid_t take_child(int status, volatile pid_t *slot, int *ret_pidfd, int ours, struct err *e)
{
	pid_t pid = *slot;
	int fd;

	if (pid <= 0)
		return why(status, ours, e);
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd >= 0) {
		*ret_pidfd = fd;
		return pid;
	}
	err_sys(e, "open the pidfd of the container's first process");
	kill(pid, SIGKILL);
	launch_reap(pid);
	return -1;
}

pid_t between_clone(struct launch_plan *plan, pid_t *slot, int *ret_pidfd, int ours, int theirs, struct err *e)
{
	pid_t *page = slot, pid;

	if (page == NULL)
		page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return err_sys(e, "map a page");
	*page = 0;
	pid = clone_one(plan, page, ours, theirs);
	if (pid < 0)
		err_sys(e, "clone a process that enters namespaces");
	else
		pid = take_child(launch_reap(pid), page, ret_pidfd, ours, e);
	if (slot == NULL)
		munmap(page, sizeof(*page));
	return pid;
}
