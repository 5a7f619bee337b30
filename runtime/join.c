/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/join.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "oci/launch.h"
#include "runtime/launch_parts.h"
#include "runtime/plan_parts.h"

/* All that a container may have of its own; one that it shares with us is entered again, which changes nothing. */
#define JOIN_NAMESPACES \
	(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP)

static int process_part(const struct exec_spec *spec, const struct launch_stdio_fds *stdio,
			struct arena *a, struct process_plan *ret, struct err *e)
{
	struct process_source src = {
		.process = spec->process,
		.user = spec->user,
		.groups = &spec->groups,
		.seccomp_profile = spec->seccomp_profile,
		.data_root = spec->data_root,
		.stdio = spec->stdio,
		.fds = stdio,
	};

	return process_plan_build(&src, a, ret, e);
}

/* A pidfd is readable when its process has ended. */
static int check_running(int pidfd, struct err *e)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	if (poll(&p, 1, 0) < 0)
		return err_sys(e, "look at the container's first process");
	return p.revents == 0 ? 0 : err_set(e, ERR_CONFLICT, "the container is not running");
}

int join_plan_build(const struct exec_spec *spec, int init_pidfd,
		    const struct launch_stdio_fds *stdio, struct arena *arena,
		    struct join_plan **ret, struct err *e)
{
	struct join_plan *plan = arena_new_obj(arena, struct join_plan);

	if (check_running(init_pidfd, e) < 0 ||
	    process_part(spec, stdio, arena, &plan->stages.process, e) < 0)
		return -1;
	if (cgroup_open(spec->cgroup_path, &plan->cgroup, e) < 0)
		return -1;
	plan->stages.pidfd = init_pidfd;
	plan->stages.ns_flags = JOIN_NAMESPACES;
	plan->stages.n_cgroup_fds = cgroup_join_fds(plan->cgroup, &plan->stages.cgroup_fds);
	*ret = plan;
	return 0;
}

void join_plan_done(struct join_plan *plan)
{
	if (plan != NULL)
		cgroup_close(TAKE_PTR(plan->cgroup));
}

static pid_t clone_intermediate(struct join_plan *plan, int ours, int theirs, pid_t *slot)
{
	int dir_fd = cgroup_dir_fd(plan->cgroup);
	struct clone_args args = { .exit_signal = SIGCHLD };
	long pid;

	if (dir_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (unsigned)dir_fd;
	}
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0) {
		close(ours);
		stage_join(&plan->stages, theirs, slot);
	}
	return (pid_t)pid;
}

static void reap(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* The intermediate has ended: the slot holds the program's pid, or it was never cloned. */
static int wait_program(int sock, volatile pid_t *slot, struct launched *l,
			struct launch_failure *f, struct err *e)
{
	int done = launch_wait_exec(sock, &l->pty_fd, f, e);

	l->pid = *slot;
	if (done == 0 && l->pid == 0) {
		err_set(e, ERR_CONFLICT, "the container is not running");
		done = launch_fail(f, STAGE_NAMESPACES, 125);
	}
	if (done == 0)
		l->pidfd = (int)syscall(SYS_pidfd_open, l->pid, 0);
	if (done == 0 && l->pidfd < 0) {
		err_sys(e, "open the program's pidfd");
		done = launch_fail(f, STAGE_NONE, 125);
	}
	if (done == 0)
		return 0;
	if (l->pid > 0) {
		kill(l->pid, SIGKILL);
		reap(l->pid);
	}
	close_fd(&l->pty_fd);
	return -1;
}

static int join_by_slot(struct join_plan *plan, pid_t *slot, struct launched *ret,
			struct launch_failure *f, struct err *e)
{
	struct launched l = LAUNCHED_EMPTY;
	AUTO_CLOSE int ours = -1, theirs = -1;
	int pair[2];
	pid_t between;

	if (launch_sockets(pair, e) < 0)
		return launch_fail(f, STAGE_NONE, 125);
	ours = pair[0];
	theirs = pair[1];
	*slot = 0;
	between = clone_intermediate(plan, ours, theirs, slot);
	if (between < 0) {
		err_sys(e, "clone a process that joins the container");
		return launch_fail(f, STAGE_NONE, 125);
	}
	close_fd(&theirs);
	reap(between);
	if (wait_program(ours, slot, &l, f, e) < 0)
		return -1;
	*ret = l;
	return 0;
}

int join(struct join_plan *plan, pid_t *pid_slot, struct launched *ret,
	 struct launch_failure *ret_failure, struct err *e)
{
	pid_t *page;
	int done;

	if (pid_slot != NULL)
		return join_by_slot(plan, pid_slot, ret, ret_failure, e);
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED) {
		err_sys(e, "map a page");
		return launch_fail(ret_failure, STAGE_NONE, 125);
	}
	done = join_by_slot(plan, page, ret, ret_failure, e);
	munmap(page, sizeof(*page));
	return done;
}
