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

#include "base/defence.h"
#include "base/fd.h"
#include "base/own.h"
#include "runtime/between.h"
#include "runtime/clone_shared.h"
#include "runtime/launch_parts.h"
#include "runtime/namespaces.h"
#include "runtime/plan_parts.h"
#include "runtime/userns.h"

static const char *const stage_names[STAGES_] = {
	[STAGE_NONE] = "plan",
	[STAGE_PREPARE] = "prepare",
	[STAGE_CGROUP_JOIN] = "cgroup join",
	[STAGE_CGROUPNS] = "cgroup namespace",
	[STAGE_NAMESPACES] = "namespaces",
	[STAGE_MOUNTS] = "mounts",
	[STAGE_HOOKS] = "hooks",
	[STAGE_PIVOT] = "pivot",
	[STAGE_HOST] = "host",
	[STAGE_KEYRING] = "keyring",
	[STAGE_USERS] = "users",
	[STAGE_STDIO] = "stdio",
	[STAGE_CHDIR] = "chdir",
	[STAGE_LSM] = "security module",
	[STAGE_SECCOMP_EARLY] = "seccomp early",
	[STAGE_SCHED] = "scheduling",
	[STAGE_RLIMITS] = "rlimits",
	[STAGE_IDS] = "ids",
	[STAGE_CAPS] = "capabilities",
	[STAGE_PDEATHSIG] = "parent death signal",
	[STAGE_LOOKUP] = "lookup",
	[STAGE_SECCOMP_LATE] = "seccomp late",
	[STAGE_WAIT] = "wait",
	[STAGE_START] = "start hooks",
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
int launch_take_failure(struct stage_msg *m, struct launch_failure *f, struct err *e)
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
		/* Where the program itself is at fault, docker's words stand alone. */
		if (m->exit_code == 125)
			err_wrap(e, "%s", stage_names[m->stage]);
	} else {
		*e = m->err;
	}
	return launch_fail(f, m->stage, m->exit_code);
}

/* Where a descriptor of a message goes that comes at most once. Return: NULL when none can */
static int *place_of(struct launch_heard *h, uint32_t kind)
{
	int *at = kind == STAGE_MSG_PTY ? &h->pty_fd : kind == STAGE_MSG_LISTENER ? &h->listener_fd : NULL;

	return at != NULL && *at < 0 ? at : NULL;
}

int launch_wait_exec(int sock, struct launch_heard *h, struct launch_failure *f, struct err *e)
{
	struct stage_msg m;
	size_t n_fds = 0;
	ssize_t n;

	for (;;) {
		AUTO_CLOSE int fd = -1;

		do {
			n = fd_recv_msg(sock, &m, sizeof(m), &fd, 1, &n_fds);
		} while (n < 0 && errno == EINTR);
		if (n == 0)
			return 0;
		if (n < 0) {
			err_sys(e, "hear from the child");
			return launch_fail(f, STAGE_NONE, 125);
		}
		if (n == sizeof(m) && n_fds == 1 && place_of(h, m.kind) != NULL)
			*place_of(h, m.kind) = TAKE_FD(fd);
		if (n == sizeof(m) && m.kind == STAGE_MSG_PTY && h->pty_fd >= 0)
			continue;
		if (n == sizeof(m) && (m.kind == STAGE_MSG_HOOKS || m.kind == STAGE_MSG_LOCK || m.kind == STAGE_MSG_LISTENER)) {
			h->ask = m.kind;
			h->listener_number = m.number;
			return 1;
		}
		if (n == sizeof(m) && m.kind == STAGE_MSG_FAILED)
			return launch_take_failure(&m, f, e);
		err_set(e, ERR_INTERNAL, "the child sent a message that nobody understands");
		return launch_fail(f, STAGE_NONE, 125);
	}
}

void launch_heard_done(struct launch_heard *h)
{
	close_fd(&h->pty_fd);
	close_fd(&h->listener_fd);
}

int launch_sockets(int fds[2], struct err *e)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return err_sys(e, "make a socket pair");
	return 0;
}

int launch_reap(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

void launch_clone_args(const struct cgroup_handle *group, struct clone_args *ret)
{
	int dir_fd = cgroup_dir_fd(group);

	*ret = (struct clone_args){ .exit_signal = SIGCHLD };
	if (DEFENCE(CGROUP_FIRST, dir_fd >= 0, false)) {
		ret->flags |= CLONE_INTO_CGROUP;
		ret->cgroup = (unsigned)dir_fd;
	}
}

/* Kill and reap a child that is not to live. */
static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	launch_reap(pid);
}

void launched_end(struct launched *l)
{
	if (l->pid > 0)
		end_child(l->pid);
	l->pid = 0;
}

void launched_close(struct launched *l)
{
	close_fd(&l->pidfd);
	close_fd(&l->pty_fd);
	cgroup_close(TAKE_PTR(l->cgroup));
	l->pid = 0;
}

static void fill_clone_args(const struct launch_plan *plan, pid_t *slot, int *pidfd,
			    struct clone_args *ret)
{
	launch_clone_args(plan->cgroup, ret);
	ret->flags |= plan->stages.clone_flags | CLONE_PIDFD;
	ret->pidfd = (uintptr_t)pidfd;
	if (slot != NULL) {
		ret->flags |= CLONE_PARENT_SETTID;
		ret->parent_tid = (uintptr_t)slot;
	}
}

/* A pid namespace whose first process has ended takes no more of them, and the kernel calls that ENOMEM. */
static int clone_failed(const struct launch_plan *plan, struct err *e)
{
	if (errno == ENOMEM && namespaces_has(&plan->stages, CLONE_NEWPID))
		return err_set(e, ERR_CONFLICT, "join pid namespace: it has ended");
	return err_sys(e, "clone the container's first process");
}

/* What the child is told. */
struct birth {
	struct launch_plan *plan;
	int ours, theirs;
};

static _Noreturn void be_born(void *ctx)
{
	const struct birth *b = ctx;

	close(b->ours);
	stage_launch(&b->plan->stages, b->theirs);
}

/*
 * The child may use our memory until it has its program when nobody who could look into it sees it before, and when we
 * have nothing to do but to wait for that: not with Kiln's own init, which never executes anything.
 */
static bool shares_memory(const struct launch_plan *plan)
{
	const struct process_plan *p = &plan->stages.process;

	return clone_shared_works() && (plan->stages.clone_flags & CLONE_NEWPID) != 0 &&
	       !plan->stages.has_users && !p->wants_init && !p->is_registered && !p->has_listener && p->wait.start_fd < 0;
}

/* Return: the child's pid, in which it never returns; or -1 with errno */
static pid_t clone_or_share(struct birth *b, struct clone_args *args)
{
	pid_t pid;

	if (shares_memory(b->plan))
		return clone_shared(args, be_born, b);
	pid = (pid_t)syscall(SYS_clone3, args, sizeof *args);
	if (pid == 0)
		be_born(b);
	return pid;
}

/* Return: the child's pid, in which it never returns; or -1 with @e set and no child left */
static pid_t clone_child(struct launch_plan *plan, pid_t *slot, int *ret_pidfd, int ours, int theirs, struct err *e)
{
	struct birth birth = { plan, ours, theirs };
	struct clone_args args;
	pid_t pid;

	if (plan->stages.goes_between)
		return between_clone(plan, slot, ret_pidfd, ours, theirs, e);
	fill_clone_args(plan, slot, ret_pidfd, &args);
	if (namespaces_enter_pid(&plan->stages, e) < 0)
		return -1;
	pid = clone_or_share(&birth, &args);
	if (pid < 0)
		clone_failed(plan, e);
	if (namespaces_leave_pid(&plan->stages, pid < 0 ? ERR_IGNORED : e) < 0 && pid > 0) {
		end_child(pid);
		return -1;
	}
	return pid;
}

static int let_go_on(int sock, struct err *e)
{
	/* A child that has died meanwhile is heard of in launch_wait_exec() */
	if (send(sock, "", 1, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
		return err_sys(e, "let the child go on");
	return 0;
}

/* Its filter lets the child say no more than a number. */
static int fetch_listener(pid_t pid, int number, int *ret_fd, struct err *e)
{
	AUTO_CLOSE int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	*ret_fd = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	return *ret_fd < 0 ? err_sys(e, "fetch the seccomp listener from the process") : 0;
}

int launch_give_listener(const struct listener_taker *taker, pid_t pid, struct launch_heard *h, int sock, struct err *e)
{
	AUTO_CLOSE int fd = TAKE_FD(h->listener_fd);

	if (taker->take == NULL)
		return err_set(e, ERR_INTERNAL, "nobody takes the listener of the seccomp filter");
	if (fd < 0 && fetch_listener(pid, h->listener_number, &fd, e) < 0)
		return -1;
	return taker->take(taker->ctx, pid, fd, e) < 0 ? -1 : let_go_on(sock, e);
}

/* In a new user namespace the child waits for its mappings before all else. */
static int settle(const struct launch_plan *plan, const struct launched *l, int sock, struct err *e)
{
	if (!plan->stages.has_users)
		return 0;
	return userns_settle(&plan->stages, l->pid, e) < 0 ? -1 : let_go_on(sock, e);
}

/* The caller writes down what has been cloned; then the child may outlive it. */
static int register_child(const struct launch_watch *watch, const struct launched *l, int sock, struct err *e)
{
	if (watch == NULL)
		return 0;
	return watch->cloned(watch->ctx, l, e) < 0 ? -1 : let_go_on(sock, e);
}

static int run_hooks(const struct launch_watch *watch, const struct launched *l, int sock, struct err *e)
{
	if (watch == NULL || watch->hooks == NULL)
		return err_set(e, ERR_INTERNAL, "the child asked for hooks that nobody has");
	return watch->hooks(watch->ctx, l, e) < 0 ? -1 : let_go_on(sock, e);
}

static int answer(const struct launch_plan *plan, const struct launch_watch *watch, const struct launched *l, struct launch_heard *h, int sock, struct launch_failure *f, struct err *e)
{
	if (h->ask == STAGE_MSG_HOOKS)
		return run_hooks(watch, l, sock, e) < 0 ? launch_fail(f, STAGE_HOOKS, 125) : 0;
	if (h->ask == STAGE_MSG_LISTENER)
		return launch_give_listener(&plan->listener, l->pid, h, sock, e) < 0 ? launch_fail(f, STAGE_SECCOMP_LATE, 125) : 0;
	if (!plan->stages.has_users)
		err_set(e, ERR_INTERNAL, "the child asked for locks and has no user namespace");
	else if (userns_lock(l->pidfd, sock, e) == 0)
		return 0;
	return launch_fail(f, STAGE_PIVOT, 125);
}

/* Each question is answered once. */
static int hear_child(const struct launch_plan *plan, const struct launch_watch *watch, int sock, const struct launched *l, struct launch_heard *h, struct launch_failure *f, struct err *e)
{
	uint32_t last = STAGE_MSG_PTY;
	int done;

	while ((done = launch_wait_exec(sock, h, f, e)) == 1) {
		if (h->ask <= last) {
			err_set(e, ERR_INTERNAL, "the child asked for something twice");
			return launch_fail(f, STAGE_NONE, 125);
		}
		last = h->ask;
		if (answer(plan, watch, l, h, sock, f, e) < 0)
			return -1;
	}
	return done;
}

/* Hear from the child until it is where it should be. Return: 0, or -1 with @e set and no child left */
static int follow_child(const struct launch_plan *plan, const struct launch_watch *watch, int sock, struct launched *l, struct launch_failure *f, struct err *e)
{
	struct launch_heard h = LAUNCH_HEARD_EMPTY;
	int done = settle(plan, l, sock, e) < 0 ? -1 : register_child(watch, l, sock, e);

	done = done < 0 ? launch_fail(f, STAGE_NONE, 125) : hear_child(plan, watch, sock, l, &h, f, e);
	if (done == 0)
		l->pty_fd = TAKE_FD(h.pty_fd);
	launch_heard_done(&h);
	if (done == 0)
		return 0;
	end_child(l->pid);
	close_fd(&l->pidfd);
	return -1;
}

int launch(struct launch_plan *plan, struct launch_marks *marks, const struct launch_watch *watch, struct launched *ret,
	   struct launch_failure *ret_failure, struct err *e)
{
	struct launched l = LAUNCHED_EMPTY;
	AUTO_CLOSE int ours = -1, theirs = -1;
	int pair[2];

	if (launch_sockets(pair, e) < 0)
		return launch_fail(ret_failure, STAGE_NONE, 125);
	ours = pair[0];
	theirs = pair[1];
	plan->stages.process.is_registered = watch != NULL;
	plan->stages.process.is_independent = marks ? &marks->is_independent : NULL;
	l.pid = clone_child(plan, marks ? &marks->init : NULL, &l.pidfd, ours, theirs, e);
	if (l.pid < 0) {
		close_fd(&l.pidfd);
		return launch_fail(ret_failure, STAGE_NONE, 125);
	}
	close_fd(&theirs);
	if (follow_child(plan, watch, ours, &l, ret_failure, e) < 0)
		return -1;
	l.cgroup = TAKE_PTR(plan->cgroup);
	*ret = l;
	return 0;
}
