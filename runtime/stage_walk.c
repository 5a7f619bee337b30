/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * A launch: the parent clones this child into fresh namespaces (and, with cgroup2, into its group); the child
 * walks PREPARE, CGROUP_JOIN, CGROUPNS, MOUNTS, PIVOT, HOST and then, as every program that enters a container,
 * KEYRING to EXEC.
 *
 * A join: the parent clones an intermediate child, which walks PREPARE, CGROUP_JOIN, NAMESPACES; setns changes
 * only which pid namespace its children are born in, so it clones once more, with CLONE_PARENT: the program is the
 * intermediate's sibling, its parent waits for it. The intermediate ends; the program walks KEYRING to EXEC.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/stages.h"

#define STAGE_CTX(fd)                                                                         \
	{                                                                                     \
		.report_fd = (fd), .root_fd = -1, .dir_fd = -1, .mask_fd = -1, .null_fd = -1, \
		.tty_fd = -1                                                                  \
	}
#define KEEP_MAX 32

_Noreturn void stage_process(struct stage_ctx *c, struct process_plan *p)
{
	stage_keyring(c);
	stage_users(c, p);
	stage_stdio(c, p);
	stage_chdir(c, p);
	stage_limits(c, p);
	stage_ids(c, p);
	/* Must: the program outlives the monitor. A profile may forbid prctl, so it is now */
	stage_enter(c, STAGE_PDEATHSIG);
	if (prctl(PR_SET_PDEATHSIG, 0) < 0)
		stage_die(c, "outlive the parent", NULL);
	stage_seccomp(c, p, STAGE_SECCOMP_EARLY);
	stage_caps(c, p);
	stage_seccomp(c, p, STAGE_SECCOMP_LATE);
	if (p->wants_init)
		stage_init(c, p);
	stage_exec(c, p);
}

/* The working directory is made while the root can still be written to. */
static void stage_make_cwd(struct stage_ctx *c, const struct process_plan *p)
{
	int fd;

	if (!p->makes_cwd)
		return;
	fd = stage_open_target(c->root_fd, p->cwd, true);
	if (fd < 0)
		stage_die(c, "make the working directory '", p->cwd, "'", NULL);
	stage_close(fd);
}

_Noreturn void stage_launch(struct launch_plan_stages *plan, int report_fd)
{
	struct stage_ctx c = STAGE_CTX(report_fd);

	stage_prepare(&c);
	stage_oom_score(&c, plan->process.oom_score_adj);
	stage_cgroup(&c, plan->cgroup_fds, plan->n_cgroup_fds, plan->unshares_cgroup);
	stage_enter(&c, STAGE_MOUNTS);
	stage_root(&c, &plan->root);
	stage_mounts(&c, plan->ops, plan->n_ops);
	stage_terminal(&c, &plan->process, true);
	stage_make_cwd(&c, &plan->process);
	stage_seal_root(&c, &plan->root);
	stage_enter(&c, STAGE_PIVOT);
	stage_pivot(&c);
	stage_host(&c, plan);
	stage_process(&c, &plan->process);
}

/* --- join ------------------------------------------------------------------------------------------------ */

struct stage_keep {
	int fds[KEEP_MAX];
	size_t n;
};

/* Insert in order. */
static void stage_keep_fd(struct stage_keep *k, int fd)
{
	size_t i = k->n;

	if (fd < 3 || k->n == KEEP_MAX)
		return;
	for (; i > 0 && k->fds[i - 1] > fd; i--)
		k->fds[i] = k->fds[i - 1];
	k->fds[i] = fd;
	k->n++;
}

/* CVE-2016-9962, CVE-2024-21626: no descriptor of the host is open when a process of the container can see us. */
static void stage_close_others(const struct join_plan_stages *plan, int report_fd)
{
	const struct process_plan *p = &plan->process;
	struct stage_keep k = { .n = 0 };
	unsigned from = 3;

	stage_keep_fd(&k, report_fd);
	stage_keep_fd(&k, plan->pidfd);
	stage_keep_fd(&k, p->in_fd);
	stage_keep_fd(&k, p->out_fd);
	stage_keep_fd(&k, p->err_fd);
	for (size_t i = 0; i < plan->n_cgroup_fds; i++)
		stage_keep_fd(&k, plan->cgroup_fds[i]);
	for (size_t i = 0; i < k.n; i++) {
		if ((unsigned)k.fds[i] > from)
			close_range(from, (unsigned)k.fds[i] - 1, 0);
		if ((unsigned)k.fds[i] >= from)
			from = (unsigned)k.fds[i] + 1;
	}
	close_range(from, ~0U, 0);
}

/* The same for what we have for stdio, where 2 is the log of the host. With a terminal: what 0 is, /dev/null. */
static void stage_hide_stdio(const struct stage_ctx *c, const struct process_plan *p)
{
	if (dup2(p->in_fd >= 0 ? p->in_fd : 0, STDIN_FILENO) < 0 ||
	    dup2(p->out_fd >= 0 ? p->out_fd : 0, STDOUT_FILENO) < 0 ||
	    dup2(p->err_fd >= 0 ? p->err_fd : 0, STDERR_FILENO) < 0)
		stage_die(c, "set up stdio", NULL);
}

static _Noreturn void stage_joined(struct stage_ctx *c, struct process_plan *p)
{
	stage_die_with_parent(c);
	c->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (c->root_fd < 0)
		stage_die(c, "open the root", NULL);
	stage_terminal(c, p, false);
	stage_process(c, p);
}

_Noreturn void stage_join(struct join_plan_stages *plan, int report_fd, pid_t *pid_slot)
{
	struct stage_ctx c = STAGE_CTX(report_fd);
	struct clone_args args = { .flags = CLONE_PARENT |
					    (pid_slot != NULL ? CLONE_PARENT_SETTID : 0),
				   .parent_tid = (uintptr_t)pid_slot };
	long pid;

	stage_prepare(&c);
	stage_close_others(plan, report_fd);
	stage_oom_score(&c, plan->process.oom_score_adj);
	stage_cgroup(&c, plan->cgroup_fds, plan->n_cgroup_fds, false);
	stage_enter(&c, STAGE_NAMESPACES);
	if (setns(plan->pidfd, plan->ns_flags) < 0) {
		if (errno == ESRCH)
			stage_refuse(&c, ERR_CONFLICT, 125, 0, "the container is not running", NULL);
		stage_die(&c, "join the container's namespaces", NULL);
	}
	stage_close(plan->pidfd);
	stage_hide_stdio(&c, &plan->process);
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		stage_die(&c, "start a process in the container", NULL);
	if (pid == 0)
		stage_joined(&c, &plan->process);
	_exit(0);
}
