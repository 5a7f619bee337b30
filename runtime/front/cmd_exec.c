/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "oci/launch.h"
#include "runtime/front/agent.h"
#include "runtime/front/attend.h"
#include "runtime/front/bundle_config.h"
#include "runtime/front/crun_annotations.h"
#include "runtime/front/exec_process.h"
#include "runtime/front/front.h"
#include "runtime/front/groups.h"
#include "runtime/front/handover.h"
#include "runtime/front/instance.h"
#include "runtime/join.h"
#include "runtime/rootless.h"

#define EXEC_FAILED 255

static const struct opt rows[] = {
	OPT_TEXT(struct exec_options, console_socket, 0, "console-socket", "SOCKET", "the terminal's master is sent over this socket",
		 .kind = VALUE_FILE),
	OPT_TEXT(struct exec_options, pidfd_socket, 0, "pidfd-socket", "SOCKET", "a pidfd of the process is sent over this socket",
		 .kind = VALUE_FILE),
	OPT_TEXT(struct exec_options, cwd, 0, "cwd", "DIR", "its working directory"),
	OPT_TEXTS(struct exec_options, env, 'e', "env", "NAME=VALUE", "set a variable of its environment; may be given again"),
	OPT_FLAG(struct exec_options, tty, 't', "tty", "it has a terminal"),
	OPT_TEXT(struct exec_options, user, 'u', "user", "UID[:GID]", "its user and group, as numbers"),
	OPT_TEXTS(struct exec_options, additional_gids, 'g', "additional-gids", "GID", "a further group of it; may be given again"),
	OPT_TEXT(struct exec_options, process, 'p', "process", "FILE", "the process as JSON, as in config.json; instead of a command",
		 .kind = VALUE_FILE),
	OPT_FLAG(struct exec_options, detach, 'd', "detach", "do not wait for its end"),
	OPT_TEXT(struct exec_options, pid_file, 0, "pid-file", "FILE", "the pid of the process is written to it", .kind = VALUE_FILE),
	OPT_TEXT(struct exec_options, process_label, 0, "process-label", "LABEL", "its SELinux label"),
	OPT_TEXT(struct exec_options, apparmor, 0, "apparmor", "PROFILE", "its AppArmor profile"),
	OPT_SWITCH(struct exec_options, no_new_privs, 0, "no-new-privs", "it gains no privileges by executing files"),
	OPT_TEXTS(struct exec_options, caps, 'c', "cap", "CAPABILITY", "a further capability of it; may be given again",
		  .kind = VALUE_CAPABILITY),
	OPT_NUMBER(struct exec_options, preserve_fds, 0, "preserve-fds", "N", "that many descriptors from 3 on go to the process, too"),
	OPT_TEXTS(struct exec_options, cgroups, 0, "cgroup", "[CONTROLLER[,...]:]PATH",
		  "a control group below the container's that it goes into; may be given again"),
	OPT_FLAG(struct exec_options, ignore_paused, 0, "ignore-paused", "allow it in a paused container, where it waits until that is resumed"),
	OPT_FLAG(struct exec_options, no_subreaper, 0, "no-subreaper", "do not adopt what the process leaves behind"),
	OPT_END,
};

static int check_status(const struct instance *i, bool ignore_paused, int *ret_pidfd, struct err *e)
{
	enum instance_status s;

	if (instance_status(i, &s, ret_pidfd, e) < 0)
		return -1;
	if (s == INSTANCE_PAUSED && !ignore_paused)
		return err_set(e, ERR_CONFLICT, "cannot exec in a paused container (use --ignore-paused to override)");
	if (*ret_pidfd < 0 || s == INSTANCE_CREATING)
		return err_set(e, ERR_CONFLICT, "cannot exec in a %s container", instance_status_name(s));
	return 0;
}

static int check_terminal(const struct exec_options *o, const struct oci_process *p, struct err *e)
{
	if (o->detach && p->terminal && o->console_socket == NULL)
		return err_set(e, ERR_INVALID, "cannot allocate tty if runtime will detach without setting console socket");
	if (!(o->detach && p->terminal) && o->console_socket != NULL)
		return err_set(e, ERR_INVALID, "cannot use console socket if runtime will not detach or allocate tty");
	return 0;
}

/* What is executed, and what comes with that. */
struct executed {
	struct exec_spec spec;
	struct agent agent;
	struct crun_annotations more;
};

static void executed_done(struct executed *x)
{
	agent_done(&x->agent);
}

/* The container's own configuration, and in it what is executed. */
static int make_spec(const struct front_call *c, const struct instance *i, struct executed *x, struct err *e)
{
	struct exec_spec *spec = &x->spec;
	struct str_list args = { c->args.v + 1, c->args.n - 1 };
	struct bundle_text text;
	struct oci_config *config;

	if (bundle_config_read(i->dir_fd, ".", c->a, &text, e) < 0 || bundle_config_parse(&text, c->a, &config, e) < 0 ||
	    exec_process(c->o, &args, config, c->a, &spec->process, e) < 0 || check_terminal(c->o, spec->process, e) < 0 ||
	    crun_annotations_read(config, &x->more, e) < 0 || crun_annotations_seccomp(config, e) < 0)
		return -1;
	spec->filters_dir = instance_filters_dir(c->root, c->a);
	spec->lin = config->linux_;
	spec->is_rootless = rootless_is();
	spec->keeps_groups = i->record->keeps_groups;
	spec->must_not_trace = !rootless_may_mount() && !i->record->own_pid_ns;
	spec->seccomp = config->linux_ != NULL ? config->linux_->seccomp : NULL;
	x->agent.record = i->record;
	x->agent.status = instance_status_name(INSTANCE_RUNNING);
	x->agent.container = (pid_t)i->record->pid;
	return agent_connect(config, &x->agent, e);
}

static int start(const struct front_call *c, struct executed *x, int pidfd, struct launched *ret, struct err *e)
{
	static const struct launch_stdio_fds stdio = { 0, 1, 2 };
	const struct exec_options *o = c->o;
	struct launch_extras extras = { .start_fd = -1, .report_fd = -1, .n_preserve = c->n_preserve, .keeps_groups = x->more.keeps_groups,
					.listener = agent_taker(&x->agent) };
	struct join_plan *plan = NULL;
	struct cgroup_below *below;
	int done;

	if (exec_cgroups(&o->cgroups, c->a, &below, &extras.n_below, e) < 0 ||
	    join_plan_build(&x->spec, pidfd, &stdio, c->a, &plan, e) < 0)
		return -1;
	extras.below = below;
	done = join_plan_extend(plan, &extras, e);
	if (done == 0)
		done = join(plan, NULL, ret, NULL, e);
	join_plan_done(plan);
	return done;
}

static int hand_over(const struct exec_options *o, int console_sock, int pidfd_sock, struct launched *l, struct err *e)
{
	if (o->detach && l->pty_fd >= 0) {
		if (handover_terminal(console_sock, l->pty_fd, e) < 0)
			return -1;
		close_fd(&l->pty_fd);
	}
	if (handover_pidfd(pidfd_sock, l->pidfd, "setns", e) < 0)
		return -1;
	return handover_pid(o->pid_file, l->pid, e);
}

static int exec_in(const struct front_call *c, const struct instance *i, int pidfd, struct launched *ret, struct err *e)
{
	const struct exec_options *o = c->o;
	AUTO_CLOSE int console_sock = -1, pidfd_sock = -1;
	AUTO(executed_done) struct executed x = { .spec.cgroup_path = i->record->cgroup_path, .agent = AGENT_EMPTY };

	/* One that says where it goes means below the container's own group */
	if (o->cgroups.n == 0 && !str_is_empty(x.spec.cgroup_path))
		x.spec.cgroup_path = (char *)cgroup_leaf(i->record->cgroup_path, (pid_t)i->record->pid, c->a);

	if (groups_check_join(x.spec.cgroup_path, e) < 0 || make_spec(c, i, &x, e) < 0 ||
	    handover_connect(o->console_socket, "console socket", &console_sock, e) < 0 ||
	    handover_connect(o->pidfd_socket, "pidfd socket", &pidfd_sock, e) < 0 || start(c, &x, pidfd, ret, e) < 0)
		return -1;
	if (hand_over(o, console_sock, pidfd_sock, ret, e) == 0)
		return 0;
	launched_end(ret);
	return -1;
}

static int exec_container(const struct front_call *c, int *ret_status, struct err *e)
{
	const struct exec_options *o = c->o;
	AUTO_INSTANCE struct instance i = INSTANCE_EMPTY;
	__attribute__((cleanup(launched_close))) struct launched l = LAUNCHED_EMPTY;
	AUTO_CLOSE int pidfd = -1;

	*ret_status = 0;
	if (groups_setup(e) < 0 || instance_open(c->root, c->args.v[0], c->a, &i, e) < 0 ||
	    check_status(&i, o->ignore_paused, &pidfd, e) < 0)
		return -1;
	if (!o->detach)
		attend_prepare(!o->no_subreaper);
	if (exec_in(c, &i, pidfd, &l, e) < 0)
		return -1;
	if (o->detach || attend(&l, ret_status, e) == 0)
		return 0;
	launched_end(&l);
	return -1;
}

const struct front_command front_exec = {
	.name = "exec",
	.usage = "[OPTIONS] ID COMMAND [ARG...]",
	.help = "execute a further program in a container",
	.more = "It has what the container's process has, as far as options do not change it. Its exit status is ours; 255 says that it could "
		"not be executed.",
	.failed = "exec failed",
	.fail_status = EXEC_FAILED,
	.opts = { { rows } },
	.options_size = sizeof(struct exec_options),
	.n_args_min = 1,
	.n_args_max = ARGS_MANY,
	.is_prefix = true,
	.enters = true,
	.preserve_offset = offsetof(struct exec_options, preserve_fds),
	.run = exec_container,
};
