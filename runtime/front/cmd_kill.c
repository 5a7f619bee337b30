/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "base/signame.h"
#include "runtime/cgroup.h"
#include "runtime/front/front.h"
#include "runtime/front/groups.h"
#include "runtime/front/instance.h"
#include "runtime/front/pids.h"

struct kill_options {
	bool all;
};

static const struct opt rows[] = {
	OPT_FLAG(struct kill_options, all, 'a', "all", "send it to all processes of the container"),
	OPT_END,
};

static int signal_init(const struct instance *i, int pidfd, int signo, struct err *e)
{
	if (syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0) < 0) {
		if (errno == ESRCH)
			return err_set(e, ERR_CONFLICT, "container not running");
		return err_sys(e, "signal the process of container '%s'", i->id);
	}
	/* v1: it takes effect when they are thawed */
	if (signo == SIGKILL && cgroup_is_frozen(i->record->cgroup_path))
		return cgroup_freeze(i->record->cgroup_path, false, e);
	return 0;
}

/* Without a group: those of its pid namespace. */
static int signal_all(const struct instance *i, int pidfd, int signo, struct err *e)
{
	__attribute__((cleanup(cgroup_pids_done))) struct cgroup_pids pids = { 0 };

	if (!str_is_empty(i->record->cgroup_path))
		return cgroup_signal(i->record->cgroup_path, signo, e);
	if (signo == SIGKILL && i->record->own_pid_ns && pidfd >= 0)
		return signal_init(i, pidfd, signo, e);
	if (pids_list(i, &pids, e) < 0)
		return -1;
	for (size_t n = 0; n < pids.n; n++)
		kill(pids.v[n], signo);
	return 0;
}

/*
 * The end of the first process is the end of all when they have a pid namespace to themselves. Where they do not, SIGKILL goes
 * to all of the control group, if there is one, and it may go on after the first process is gone (--all).
 */
static bool goes_to_all(const struct instance_record *r, int signo)
{
	return signo == SIGKILL && !r->own_pid_ns && !str_is_empty(r->cgroup_path);
}

static int send_signal(const struct instance *i, bool all, int signo, struct err *e)
{
	AUTO_CLOSE int pidfd = -1;
	enum instance_status s;

	if (instance_status(i, &s, &pidfd, e) < 0)
		return -1;
	if (i->record != NULL && (all || goes_to_all(i->record, signo)) && (pidfd >= 0 || all))
		return signal_all(i, pidfd, signo, e);
	if (pidfd < 0)
		return err_set(e, ERR_CONFLICT, "container not running");
	return signal_init(i, pidfd, signo, e);
}

static int kill_container(const struct front_call *c, int *ret_status, struct err *e)
{
	const struct kill_options *o = c->o;
	const char *text = c->args.n > 1 && c->args.v[1][0] != '\0' ? c->args.v[1] : "TERM";
	AUTO_INSTANCE struct instance i = INSTANCE_EMPTY;
	int signo = signame_parse(text);

	*ret_status = 0;
	if (signo < 0)
		return err_set(e, ERR_INVALID, "unknown signal '%s'", text);
	if (groups_setup(e) < 0 || instance_open(c->root, c->args.v[0], c->a, &i, e) < 0)
		return -1;
	return send_signal(&i, o->all, signo, e);
}

const struct front_command front_kill = {
	.name = "kill",
	.usage = "[OPTIONS] ID [SIGNAL]",
	.help = "send a signal (TERM, SIGTERM, 15; default TERM) to the first process of a container",
	.more = "SIGKILL goes to all processes of a container that has no pid namespace to itself.",
	.opts = { { rows } },
	.options_size = sizeof(struct kill_options),
	.n_args_min = 1,
	.n_args_max = 2,
	.run = kill_container,
};
