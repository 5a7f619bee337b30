/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/launch.h"

#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "runtime/launch_parts.h"
#include "runtime/plan_parts.h"

static const char *const stage_names[STAGES_] = {
	[STAGE_NONE] = "plan",
	[STAGE_PREPARE] = "prepare",
	[STAGE_CGROUP_JOIN] = "cgroup join",
	[STAGE_CGROUPNS] = "cgroup namespace",
	[STAGE_NAMESPACES] = "namespaces",
	[STAGE_MOUNTS] = "mounts",
	[STAGE_PIVOT] = "pivot",
	[STAGE_HOST] = "host",
	[STAGE_KEYRING] = "keyring",
	[STAGE_USERS] = "users",
	[STAGE_STDIO] = "stdio",
	[STAGE_CHDIR] = "chdir",
	[STAGE_SECCOMP_EARLY] = "seccomp early",
	[STAGE_RLIMITS] = "rlimits",
	[STAGE_IDS] = "ids",
	[STAGE_CAPS] = "capabilities",
	[STAGE_PDEATHSIG] = "parent death signal",
	[STAGE_SECCOMP_LATE] = "seccomp late",
	[STAGE_EXEC] = "exec",
};

const char *stage_name(enum stage stage)
{
	return (unsigned)stage < STAGES_ ? stage_names[stage] : "unknown";
}

int launch_fail(struct launch_failure *f, enum stage stage, int exit_code)
{
	if (f != NULL) {
		f->stage = stage;
		f->exit_code = exit_code;
	}
	return -1;
}

/* What the child said, as our error. It has no words for errno: they are added here. */
static int take_failure(struct stage_msg *m, struct launch_failure *f, struct err *e)
{
	m->err.msg[sizeof(m->err.msg) - 1] = '\0';
	if (m->stage == STAGE_NONE || m->stage >= STAGES_ || m->exit_code < 125 ||
	    m->exit_code > 127) {
		err_set(e, ERR_INTERNAL, "the child reported stage %u, code %d", m->stage,
			m->exit_code);
		return launch_fail(f, STAGE_NONE, 125);
	}
	if (m->err.sys != 0) {
		errno = m->err.sys;
		err_sys(e, "%s", m->err.msg);
	} else {
		*e = m->err;
	}
	return launch_fail(f, m->stage, m->exit_code);
}

int launch_wait_exec(int sock, int *ret_pty_fd, struct launch_failure *f, struct err *e)
{
	struct stage_msg m;
	int fd = -1;
	size_t n_fds = 0;
	ssize_t n;

	for (;;) {
		do {
			n = fd_recv_msg(sock, &m, sizeof(m), &fd, 1, &n_fds);
		} while (n < 0 && errno == EINTR);
		if (n == 0)
			return 0;
		if (n < 0) {
			err_sys(e, "hear from the child");
			return launch_fail(f, STAGE_NONE, 125);
		}
		if (n == sizeof(m) && m.kind == STAGE_MSG_PTY && n_fds == 1 && *ret_pty_fd < 0) {
			*ret_pty_fd = fd;
			continue;
		}
		if (n_fds != 0)
			close(fd);
		if (n == sizeof(m) && m.kind == STAGE_MSG_FAILED)
			return take_failure(&m, f, e);
		err_set(e, ERR_INTERNAL, "the child sent a message that nobody understands");
		return launch_fail(f, STAGE_NONE, 125);
	}
}

int launch_sockets(int fds[2], struct err *e)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return err_sys(e, "make a socket pair");
	return 0;
}

/* Kill and reap a child that is not to live. */
static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void fill_clone_args(const struct launch_plan *plan, pid_t *slot, int *pidfd,
			    struct clone_args *ret)
{
	int dir_fd = cgroup_dir_fd(plan->cgroup);

	*ret = (struct clone_args){
		.flags = plan->stages.clone_flags | CLONE_PIDFD,
		.pidfd = (uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
	};
	if (slot != NULL) {
		ret->flags |= CLONE_PARENT_SETTID;
		ret->parent_tid = (uintptr_t)slot;
	}
	if (dir_fd >= 0) {
		ret->flags |= CLONE_INTO_CGROUP;
		ret->cgroup = (unsigned)dir_fd;
	}
}

int launch(struct launch_plan *plan, pid_t *pid_slot, struct launched *ret,
	   struct launch_failure *ret_failure, struct err *e)
{
	struct launched l = LAUNCHED_EMPTY;
	struct clone_args args;
	AUTO_CLOSE int ours = -1, theirs = -1;
	int pair[2];
	long pid;

	if (launch_sockets(pair, e) < 0)
		return launch_fail(ret_failure, STAGE_NONE, 125);
	ours = pair[0];
	theirs = pair[1];
	fill_clone_args(plan, pid_slot, &l.pidfd, &args);
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0) {
		close(ours);
		stage_launch(&plan->stages, theirs);
	}
	if (pid < 0) {
		err_sys(e, "clone the container's first process");
		return launch_fail(ret_failure, STAGE_NONE, 125);
	}
	close_fd(&theirs);
	if (launch_wait_exec(ours, &l.pty_fd, ret_failure, e) < 0) {
		end_child((pid_t)pid);
		close_fd(&l.pidfd);
		close_fd(&l.pty_fd);
		return -1;
	}
	l.pid = (pid_t)pid;
	l.cgroup = TAKE_PTR(plan->cgroup);
	*ret = l;
	return 0;
}
