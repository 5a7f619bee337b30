/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/join.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "oci/launch.h"
#include "runtime/clone_shared.h"
#include "runtime/launch_parts.h"
#include "runtime/namespaces.h"
#include "runtime/plan_parts.h"
#include "runtime/seccomp.h"
#include "runtime/userns.h"
#include "runtime/watchers.h"

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
		.oci_seccomp = spec->seccomp,
		.lin = spec->lin,
		.is_exec = true,
		.data_root = spec->data_root,
		.filters_dir = spec->filters_dir,
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

/* What a program does after it has its filter, when the intermediate becomes it first. */
static bool filter_allows_the_rest(const struct process_plan *p)
{
	const struct {
		struct seccomp_call call;
		bool is_done;
	} calls[] = {
		{ { SYS_clone, { CLONE_PARENT | CLONE_PARENT_SETTID } }, true },
		{ { SYS_setsid, { 0 } }, true },
		{ { SYS_execve, { 0 } }, true },
		{ { SYS_exit_group, { 0 } }, true },
		{ { SYS_ioctl, { 0, TIOCSCTTY } }, p->tty },
		/* An agent would be asked about the intermediate, which it is not told of. That a profile forbids them is told by their stage */
		{ { SYS_capset, { 0 } }, p->has_listener },
		{ { SYS_close, { 0 } }, p->has_listener },
		{ { SYS_prctl, { PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE } }, p->has_listener },
	};

	/* The program would hold, where others see it, what only the agent is to have */
	if (p->tells_listener)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].is_done && !seccomp_allows(&p->filter, &calls[i].call))
			return false;
	return true;
}

static int plan_order(struct join_plan_stages *s, struct err *e)
{
	bool is_watched = false;

	s->becomes_first = filter_allows_the_rest(&s->process);
	if (s->becomes_first)
		return 0;
	if (watchers_look(s->pidfd, &is_watched, e) < 0)
		return -1;
	return !is_watched ? 0 : err_set(e, ERR_UNSUPPORTED, "the seccomp profile forbids clone, setsid or execve, and processes of the container may "
		       "trace: they would see an exec with powers that they have not");
}

static int join_groups(struct join_plan *plan, const struct cgroup_below *below, size_t n, struct err *e)
{
	cgroup_close(TAKE_PTR(plan->cgroup));
	if (str_is_empty(plan->cgroup_path))
		return err_set(e, ERR_CONFLICT, "the container has no control group");
	if (cgroup_open_below(plan->cgroup_path, below, n, &plan->cgroup, e) < 0)
		return -1;
	plan->stages.n_cgroup_fds = cgroup_join_fds(plan->cgroup, &plan->stages.cgroup_fds);
	return 0;
}

static bool has_type(const struct oci_linux *lin, const char *type)
{
	for (size_t i = 0; lin != NULL && i < lin->n_namespaces; i++)
		if (str_eq(lin->namespaces[i].type, type))
			return true;
	return false;
}

/*
 * A time namespace cannot be entered even where it is shared when the kernel is without them; one's own user namespace never can.
 */
static int some_namespaces(const struct oci_linux *lin)
{
	return (has_type(lin, "time") ? CLONE_NEWTIME : 0) | (has_type(lin, "user") ? CLONE_NEWUSER : 0);
}

int join_plan_build(const struct exec_spec *spec, int init_pidfd,
		    const struct launch_stdio_fds *stdio, struct arena *arena,
		    struct join_plan **ret, struct err *e)
{
	struct join_plan *plan = arena_new_obj(arena, struct join_plan);

	plan->stages.pidfd = init_pidfd;
	if (check_running(init_pidfd, e) < 0 ||
	    process_part(spec, stdio, arena, &plan->stages.process, e) < 0 ||
	    process_plan_groups(&plan->stages.process, spec->keeps_groups, e) < 0 ||
	    (spec->must_not_trace && userns_check_tracing(&plan->stages.process.caps, e) < 0) || plan_order(&plan->stages, e) < 0)
		return -1;
	plan->cgroup_path = spec->cgroup_path;
	plan->stages.ns_flags = spec->is_rootless ? namespaces_listed(spec->lin) : JOIN_NAMESPACES | some_namespaces(spec->lin);
	plan->has_own_pids = spec->has_own_pids;
	if ((spec->data_root != NULL || !str_is_empty(plan->cgroup_path)) && join_groups(plan, NULL, 0, e) < 0)
		return -1;
	*ret = plan;
	return 0;
}

int join_plan_extend(struct join_plan *plan, const struct launch_extras *extras, struct err *e)
{
	process_plan_extend(&plan->stages.process, extras);
	plan->listener = extras->listener;
	return extras->n_below == 0 ? 0 : join_groups(plan, extras->below, extras->n_below, e);
}

void join_plan_done(struct join_plan *plan)
{
	if (plan != NULL)
		cgroup_close(TAKE_PTR(plan->cgroup));
}

struct birth { struct join_plan *plan; int ours, theirs; pid_t *slot; };

static void be_intermediate(void *ctx)
{
	const struct birth *b = ctx;

	close(b->ours);
	stage_join(&b->plan->stages, b->theirs, b->slot);
}

/*
 * The intermediate may use our memory, which the program that it clones has a copy of, when nobody in the container can see
 * it: when they have process IDs of their own. What shares memory can enter neither user nor time namespaces, and we cannot
 * hand descriptors over meanwhile.
 */
static bool shares_memory(const struct join_plan *plan)
{
	return plan->has_own_pids && clone_shared_works() && (plan->stages.ns_flags & (CLONE_NEWUSER | CLONE_NEWTIME)) == 0;
}

static pid_t clone_intermediate(struct birth *b)
{
	struct clone_args args;
	long pid;

	launch_clone_args(b->plan->cgroup, &args);
	if (shares_memory(b->plan))
		return clone_shared(&args, be_intermediate, b);
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		be_intermediate(b);
	return (pid_t)pid;
}

/* Of a program that could not be cloned there is more to hear, and nobody to tell an agent of. */
static int hear_program(const struct join_plan *plan, int sock, pid_t pid, struct launch_heard *h, struct launch_failure *f, struct err *e)
{
	int done = launch_wait_exec(sock, h, f, e);

	if (done != 1 || h->ask != STAGE_MSG_LISTENER)
		return done;
	if (pid != 0 && launch_give_listener(&plan->listener, pid, h, sock, e) < 0)
		return launch_fail(f, STAGE_SECCOMP_LATE, 125);
	return launch_wait_exec(sock, h, f, e);
}

/* The intermediate has ended: the slot holds the program's pid, or it was never cloned. */
static int wait_program(const struct join_plan *plan, int sock, volatile pid_t *slot, struct launched *l,
			struct launch_failure *f, struct err *e)
{
	struct launch_heard h = LAUNCH_HEARD_EMPTY;
	int done = hear_program(plan, sock, *slot, &h, f, e);

	if (done == 1)
		done = err_set(e, ERR_INTERNAL, "a program that joins has asked for what it cannot have");
	l->pty_fd = TAKE_FD(h.pty_fd);
	launch_heard_done(&h);
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
		launch_reap(l->pid);
	}
	close_fd(&l->pty_fd);
	return -1;
}

static int join_by_slot(struct join_plan *plan, pid_t *slot, struct launched *ret,
			struct launch_failure *f, struct err *e)
{
	struct launched l = LAUNCHED_EMPTY;
	AUTO_CLOSE int ours = -1, theirs = -1;
	struct birth birth = { .plan = plan, .slot = slot };
	int pair[2];
	pid_t between;

	if (launch_sockets(pair, e) < 0)
		return launch_fail(f, STAGE_NONE, 125);
	birth.ours = ours = pair[0];
	birth.theirs = theirs = pair[1];
	*slot = 0;
	between = clone_intermediate(&birth);
	if (between < 0) {
		err_sys(e, "clone a process that joins the container");
		return launch_fail(f, STAGE_NONE, 125);
	}
	close_fd(&theirs);
	launch_reap(between);
	if (wait_program(plan, ours, slot, &l, f, e) < 0)
		return -1;
	*ret = l;
	return 0;
}

int join(struct join_plan *plan, struct launch_marks *marks, struct launched *ret,
	 struct launch_failure *ret_failure, struct err *e)
{
	struct launch_marks *page;
	int done;

	if (marks != NULL) {
		plan->stages.process.is_independent = &marks->is_independent;
		return join_by_slot(plan, &marks->init, ret, ret_failure, e);
	}
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED) {
		err_sys(e, "map a page");
		return launch_fail(ret_failure, STAGE_NONE, 125);
	}
	done = join_by_slot(plan, &page->init, ret, ret_failure, e);
	munmap(page, sizeof(*page));
	return done;
}
