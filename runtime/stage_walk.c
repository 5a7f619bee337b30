/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * A launch: the parent clones this child into fresh namespaces (and, with cgroup2, into its group); the child
 * walks PREPARE, CGROUP_JOIN, CGROUPNS, NAMESPACES, MOUNTS, HOOKS, PIVOT, HOST and then, as every program that enters a container,
 * KEYRING to EXEC. Beside a user namespace, what takes power over others is done by one more process before (stage_between.c).
 *
 * A join: the parent clones an intermediate child, which walks PREPARE, CGROUP_JOIN, NAMESPACES; setns changes
 * only which pid namespace its children are born in, so it clones once more, with CLONE_PARENT: the program is the
 * intermediate's sibling, its parent waits for it. The intermediate walks KEYRING to SECCOMP_LATE before that, and only
 * EXEC is left to the program; or, where the program's filter forbids what comes then, the program walks them itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/defence.h"
#include "runtime/stages.h"

/* Become what the program is to be: from STAGE_KEYRING to STAGE_SECCOMP_LATE. */
static void stage_become(struct stage_ctx *c, struct process_plan *p)
{
	stage_keyring(c, p);
	stage_users(c, p);
	stage_stdio(c, p);
	stage_chdir(c, p);
	stage_lsm(c, p);
	stage_scheduling(c, &p->sched);
	stage_limits(c, p);
	stage_ids(c, p);
	stage_let_go(c, p);
	stage_lookup(c, p);
	stage_seccomp(c, p, STAGE_SECCOMP_EARLY);
	stage_caps(c, p);
	stage_seccomp(c, p, STAGE_SECCOMP_LATE);
}

static _Noreturn void stage_process(struct stage_ctx *c, struct process_plan *p)
{
	stage_session(c, p);
	stage_become(c, p);
	stage_listener_taken(c);
	stage_wait(c, p);
	stage_start_hooks(c, p);
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

	bool has_users = plan->has_users;

	stage_prepare(&c);
	if (has_users)
		stage_wait_mapped(&c);
	stage_oom_score(&c, plan->process.oom_score_adj);
	stage_cgroup(&c, plan->cgroup_fds, plan->n_cgroup_fds, plan->unshares_cgroup);
	stage_namespaces(&c, plan);
	stage_enter(&c, STAGE_MOUNTS);
	stage_root(&c, &plan->root);
	if (has_users || plan->has_entered_users)
		stage_become_root(&c, plan->process.identity.keeps_groups);
	stage_mounts(&c, plan->ops, plan->n_ops);
	stage_terminal(&c, &plan->process, true);
	stage_make_cwd(&c, &plan->process);
	stage_hooks(&c, plan);
	stage_seal_root(&c, &plan->root);
	stage_enter(&c, STAGE_PIVOT);
	stage_pivot(&c, &plan->root);
	if (has_users)
		DEFENCE(USERS_LOCKED, stage_lock_mounts(&c, plan), (void)0);
	stage_share_root(&c, &plan->root);
	stage_host(&c, plan);
	stage_process(&c, &plan->process);
}

/* --- join ------------------------------------------------------------------------------------------------ */

static void stage_close_host(const struct join_plan_stages *plan, int report_fd)
{
	const struct process_plan *p = &plan->process;
	struct stage_keep k = { .n = 0 };

	stage_keep_fd(&k, report_fd);
	stage_keep_fd(&k, plan->pidfd);
	stage_keep_fd(&k, p->in_fd);
	stage_keep_fd(&k, p->out_fd);
	stage_keep_fd(&k, p->err_fd);
	for (size_t i = 0; i < plan->n_cgroup_fds; i++)
		stage_keep_fd(&k, plan->cgroup_fds[i]);
	stage_close_others(&k, 3 + p->n_preserve);
}

/* The same for what we have for stdio, where 2 is the log of the host. With a terminal: what 0 is, /dev/null. */
static void stage_hide_stdio(const struct stage_ctx *c, const struct process_plan *p)
{
	if (dup2(p->in_fd >= 0 ? p->in_fd : 0, STDIN_FILENO) < 0 ||
	    dup2(p->out_fd >= 0 ? p->out_fd : 0, STDOUT_FILENO) < 0 ||
	    dup2(p->err_fd >= 0 ? p->err_fd : 0, STDERR_FILENO) < 0)
		stage_die(c, "set up stdio", NULL);
}

static void stage_enter_root(struct stage_ctx *c, const struct process_plan *p)
{
	c->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (c->root_fd < 0)
		stage_die(c, "open the root", NULL);
	stage_terminal(c, p, false);
}

static _Noreturn void stage_joined(struct stage_ctx *c, struct process_plan *p)
{
	DEFENCE_PAUSE(BORN);
	stage_die_with_parent(c);
	stage_enter_root(c, p);
	stage_process(c, p);
}

/* Must not: call anything that join_plan_build() has not asked the program's filter about. */
static _Noreturn void stage_joined_ready(struct stage_ctx *c, const struct process_plan *p)
{
	DEFENCE_PAUSE(BORN);
	/* only now there is a process that the agent can be told of */
	stage_listener_taken(c);
	stage_session(c, p);
	stage_exec(c, p);
}

/*
 * CAP_SYS_PTRACE in the container is power over any process that can be seen there, dumpable or not, and what has more
 * power than the container would give it away. So the intermediate, which nobody there can see, becomes what the program
 * is to be, and only then clones. By clone(2): profiles answer clone3 with ENOSYS, as its flags cannot be looked at.
 */
static _Noreturn void stage_join_becoming(struct stage_ctx *c, struct process_plan *p, pid_t *slot)
{
	unsigned long flags = CLONE_PARENT | (slot != NULL ? CLONE_PARENT_SETTID : 0);
	long pid;

	stage_enter_root(c, p);
	stage_become(c, p);
	pid = syscall(SYS_clone, flags, NULL, slot, NULL, 0ul);
	if (pid < 0)
		stage_die(c, "start a process in the container", NULL);
	if (pid == 0)
		stage_joined_ready(c, p);
	_exit(0);
}

static void stage_enter_namespaces(struct stage_ctx *c, const struct join_plan_stages *plan)
{
	bool has_users = (plan->ns_flags & CLONE_NEWUSER) != 0;

	stage_enter(c, STAGE_NAMESPACES);
	if (has_users)
		stage_raise_limits(0, &plan->process);
	if (setns(plan->pidfd, plan->ns_flags) < 0) {
		if (errno == ESRCH)
			stage_refuse(c, ERR_CONFLICT, 125, 0, "the container is not running", NULL);
		stage_die(c, "join the container's namespaces", NULL);
	}
	stage_close(plan->pidfd);
	if (has_users)
		stage_become_root(c, plan->process.identity.keeps_groups);
}

_Noreturn void stage_join(struct join_plan_stages *plan, int report_fd, pid_t *pid_slot)
{
	struct stage_ctx c = STAGE_CTX(report_fd);
	struct clone_args args = { .flags = CLONE_PARENT |
					    (pid_slot != NULL ? CLONE_PARENT_SETTID : 0),
				   .parent_tid = (uintptr_t)pid_slot };
	long pid;

	stage_prepare(&c);
	DEFENCE(EXEC_FDS, stage_close_host(plan, report_fd), (void)0);
	stage_oom_score(&c, plan->process.oom_score_adj);
	stage_initial_cpus(&c, &plan->process.sched);
	stage_cgroup(&c, plan->cgroup_fds, plan->n_cgroup_fds, false);
	stage_enter_namespaces(&c, plan);
	stage_hide_stdio(&c, &plan->process);
	if (DEFENCE(EXEC_POWERS, plan->becomes_first, false))
		stage_join_becoming(&c, &plan->process, pid_slot);
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		stage_die(&c, "start a process in the container", NULL);
	if (pid == 0)
		stage_joined(&c, &plan->process);
	_exit(0);
}
