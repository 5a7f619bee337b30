/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/attend.h"
#include "runtime/front/destroy.h"
#include "runtime/front/make.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"
#include "oci/launch.h"
#include "runtime/cgroup.h"
#include "runtime/cgroup_limits.h"
#include "runtime/front/agent.h"
#include "runtime/front/bundle_config.h"
#include "runtime/front/crun_annotations.h"
#include "runtime/front/groups.h"
#include "runtime/front/handover.h"
#include "runtime/front/hooks.h"
#include "runtime/front/unit.h"
#include "runtime/netdevs.h"
#include "runtime/plan.h"
#include "runtime/rootless.h"

const struct opt make_rows[] = {
	OPT_TEXT(struct make_options, bundle, 'b', "bundle", "DIR", "the bundle: a directory with config.json (default: the working directory)",
		 .kind = VALUE_DIR),
	OPT_TEXT(struct make_options, console_socket, 0, "console-socket", "SOCKET", "the terminal's master is sent over this socket",
		 .kind = VALUE_FILE),
	OPT_TEXT(struct make_options, pidfd_socket, 0, "pidfd-socket", "SOCKET", "a pidfd of the process is sent over this socket",
		 .kind = VALUE_FILE),
	OPT_TEXT(struct make_options, pid_file, 0, "pid-file", "FILE", "the pid of the process is written to it", .kind = VALUE_FILE),
	OPT_FLAG(struct make_options, no_pivot, 0, "no-pivot",
		 "move the root over the old one instead of pivoting; for an initramfs only, it isolates less"),
	OPT_FLAG(struct make_options, no_new_keyring, 0, "no-new-keyring", "the container has the caller's session keyring"),
	OPT_NUMBER(struct make_options, preserve_fds, 0, "preserve-fds", "N", "that many descriptors from 3 on go to the process, too"),
	OPT_END,
};

/* What is there before the container is. */
struct making {
	const struct make_request *r;
	struct made *m;
	const char *bundle;
	struct bundle_text text;
	struct launch_spec *spec;
	bool has_hooks;
	struct unit_props *unit; /* NULL: the control group is not systemd's */
	struct unit_holder holder; /* owned */
	bool has_room; /* one process more may be in the group: the holder */
	struct crun_annotations more;
	int console_sock, pidfd_sock, pidfd_receiver; /* owned; -1 */
	struct agent agent;
	int start_fd, report_fd;      /* owned; -1 */
};

static void making_done(struct making *k)
{
	close_fd(&k->console_sock);
	close_fd(&k->pidfd_sock);
	close_fd(&k->pidfd_receiver);
	agent_done(&k->agent);
	close_fd(&k->start_fd);
	close_fd(&k->report_fd);
	unit_let_go(&k->holder);
}

/* --- before anything is made --------------------------------------------------------------------------------------- */

static int check_terminal(const struct make_request *r, const struct oci_config *config, struct err *e)
{
	bool has_tty = config->process != NULL && config->process->terminal;
	bool has_socket = r->o->console_socket != NULL;

	if (r->is_detached && has_tty && !has_socket)
		return err_set(e, ERR_INVALID, "cannot allocate tty if runtime will detach without setting console socket");
	if (!(r->is_detached && has_tty) && has_socket)
		return err_set(e, ERR_INVALID, "cannot use console socket if runtime will not detach or allocate tty");
	return 0;
}

/* The program sees them from 3 on, as systemd's convention says. */
static void add_listen_env(struct oci_process *p, unsigned n, struct arena *a)
{
	char **env = arena_new_array(a, char *, p->env.n + 2);

	memcpy(env, p->env.v, p->env.n * sizeof(*env));
	env[p->env.n++] = arena_printf(a, "LISTEN_FDS=%u", n);
	env[p->env.n++] = arena_strdup(a, "LISTEN_PID=1");
	p->env.v = env;
}

static int read_bundle(struct making *k, struct err *e)
{
	const struct front_call *c = k->r->call;
	const char *bundle = k->r->o->bundle != NULL ? k->r->o->bundle : ".";
	char dir[PATH_MAX];

	if (realpath(bundle, dir) == NULL)
		return err_sys(e, "bundle '%s'", bundle);
	k->bundle = arena_strdup(c->a, dir);
	if (bundle_config_read(AT_FDCWD, k->bundle, c->a, &k->text, e) < 0 ||
	    bundle_config_parse(&k->text, c->a, &k->m->config, e) < 0 || check_terminal(k->r, k->m->config, e) < 0 ||
	    hooks_check(k->m->config, &k->has_hooks, e) < 0 || crun_annotations_read(k->m->config, &k->more, e) < 0 ||
	    crun_annotations_seccomp(k->m->config, e) < 0)
		return -1;
	bundle_config_warn(k->m->config);
	if (c->n_listen != 0 && k->m->config->process != NULL)
		add_listen_env(k->m->config->process, c->n_listen, c->a);
	if (bundle_config_spec(k->m->config, k->bundle, c->args.v[0], c->globals->systemd_cgroup, c->a, &k->spec, e) < 0)
		return -1;
	k->spec->is_rootless = rootless_is();
	k->spec->has_entered = rootless_has_entered();
	k->spec->keeps_groups = rootless_is() && rootless_keeps_groups();
	return 0;
}

static int plan_unit(struct making *k, struct err *e)
{
	const struct front_call *c = k->r->call;

	if (!c->globals->systemd_cgroup)
		return groups_choose(c, k->spec, e);
	if (rootless_is())
		return err_set(e, ERR_UNSUPPORTED, "--systemd-cgroup: the systemd of a user is not asked; without root's powers control groups are those that are delegated");
	return unit_check(e) < 0 ? -1 : unit_plan(k->m->config, c->args.v[0], k->spec->cgroup_path, c->a, &k->unit, e);
}

static int connect_caller(struct making *k, struct err *e)
{
	if (handover_connect(k->r->o->console_socket, "console socket", &k->console_sock, e) < 0)
		return -1;
	if (handover_connect(k->r->o->pidfd_socket, "pidfd socket", &k->pidfd_sock, e) < 0 ||
	    handover_connect(k->more.pidfd_receiver, "pidfd receiver", &k->pidfd_receiver, e) < 0)
		return -1;
	return agent_connect(k->m->config, &k->agent, e);
}

/* --- writing down -------------------------------------------------------------------------------------------------- */

struct instance_record *make_record(const struct oci_config *config, const struct launch_spec *spec, bool has_hooks, struct arena *a)
{
	struct instance_record *rec = arena_new_obj(a, struct instance_record);
	const char *root = config->root != NULL && config->root->path != NULL ? config->root->path : "";
	char now[CLOCK_TEXT_MAX];

	rec->version = INSTANCE_VERSION;
	rec->oci_version = config->oci_version != NULL ? config->oci_version : arena_strdup(a, OCI_RUNTIME_VERSION);
	rec->id = arena_strdup(a, spec->id);
	rec->bundle = arena_strdup(a, spec->container_dir);
	rec->rootfs = root[0] == '/' ? arena_strdup(a, root) : arena_printf(a, "%s/%s", spec->container_dir, root);
	rec->created = arena_strdup(a, clock_rfc3339(clock_wall_ns(), now));
	rec->cgroup_path = spec->cgroup_path;
	rec->is_scope = spec->cgroup_is_made;
	rec->has_hooks = has_hooks;
	rec->keeps_groups = spec->keeps_groups;
	rec->own_pid_ns = bundle_config_owns_pids(config);
	rec->annotations = config->annotations;
	return rec;
}

static int write_down(struct making *k, struct err *e)
{
	struct instance *i = &k->m->instance;

	i->record = make_record(k->m->config, k->spec, k->has_hooks, k->r->call->a);
	if (instance_save(i, e) < 0)
		return -1;
	return file_replace(i->dir_fd, BUNDLE_CONFIG, k->text.text, k->text.n, 0600, e);
}

/* --- the scope ------------------------------------------------------------------------------------------------------ */

static struct oci_pids *pids_of(const struct making *k)
{
	struct oci_linux *l = k->m->config->linux_;

	return l != NULL && l->resources != NULL ? l->resources->pids : NULL;
}

/* A process is not cloned into a group that has as many as it may have, and the holder is one of them. */
static int start_scope(struct making *k, struct err *e)
{
	struct oci_pids *pids = pids_of(k);

	if (k->unit == NULL)
		return 0;
	if (unit_start(k->unit, k->spec->cgroup_path, &k->holder, e) < 0)
		return -1;
	k->m->has_scope = true;
	k->has_room = pids != NULL && pids->limit.v == 1;
	if (k->has_room)
		pids->limit.v++;
	return 0;
}

static int settle_scope(struct making *k, struct err *e)
{
	struct oci_pids *pids = pids_of(k);
	struct oci_resources r = { .pids = pids };
	struct cgroup_values written;

	unit_let_go(&k->holder);
	if (!k->has_room)
		return 0;
	pids->limit.v--;
	return cgroup_update(k->spec->cgroup_path, &r, k->r->call->a, &written, e);
}

/* --- the process ----------------------------------------------------------------------------------------------------- */

/* The child exists: from here on it may outlive us. */
static int write_down_process(void *ctx, const struct launched *l, struct err *e)
{
	struct making *k = ctx;
	struct instance_record *rec = k->m->instance.record;
	struct procid id;

	if (procid_of(l->pid, &id, e) < 0)
		return -1;
	if (!str_is_empty(rec->cgroup_path))
		cgroup_claim(rec->cgroup_path, rec->created);
	rec->pid = id.pid;
	rec->start_ticks = id.start_ticks;
	rec->boot = arena_strdup(k->r->call->a, id.boot);
	return instance_save(&k->m->instance, e) < 0 ? -1 : settle_scope(k, e);
}

/* --- hooks --------------------------------------------------------------------------------------------------------- */

/* The child is about to pivot. It has its network namespace, in which the hooks of an engine find what is in it from the beginning. */
static int run_hooks(void *ctx, const struct launched *l, struct err *e)
{
	static const enum hook_kind kinds[] = { HOOK_PRESTART, HOOK_CREATE_RUNTIME };
	struct making *k = ctx;

	if (netdevs_move(k->m->config->linux_, l->pid, k->r->call->a, e) < 0)
		return -1;
	if (!k->has_hooks)
		return 0;
	k->m->has_begun = true;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct hook_plan plan;

		hooks_plan(k->m->config, k->m->instance.record, kinds[i], k->r->call->a, &plan);
		if (hooks_run(&plan, l->pid, e) < 0)
			return -1;
	}
	return 0;
}

/* --- making -------------------------------------------------------------------------------------------------------- */

static int build_and_launch(struct making *k, struct err *e)
{
	static const struct launch_stdio_fds stdio = { 0, 1, 2 };
	const struct front_call *c = k->r->call;
	struct launch_extras extras = {
		.start_fd = k->start_fd,
		.report_fd = k->report_fd,
		.n_preserve = c->n_listen + c->n_preserve,
		.no_pivot = k->r->o->no_pivot,
		.no_new_keyring = k->r->o->no_new_keyring,
		.keeps_groups = k->more.keeps_groups,
		.listener = agent_taker(&k->agent),
	};
	struct launch_watch watch = { .cloned = write_down_process, .hooks = run_hooks, .ctx = k };
	struct hook_plan in_container, before_program;
	struct launch_plan *plan = NULL;
	int done;

	k->agent.record = k->m->instance.record;
	k->agent.status = instance_status_name(INSTANCE_CREATING);
	k->spec->filters_dir = instance_filters_dir(c->root, c->a);
	if (start_scope(k, e) < 0 || launch_plan_build(k->spec, NULL, 0, &stdio, c->a, &plan, e) < 0)
		return -1;
	hooks_plan(k->m->config, k->m->instance.record, HOOK_CREATE_CONTAINER, c->a, &in_container);
	hooks_plan(k->m->config, k->m->instance.record, HOOK_START_CONTAINER, c->a, &before_program);
	extras.asks_hooks = k->has_hooks || k->m->config->linux_->n_net_devices != 0;
	extras.hooks = &in_container;
	extras.start_hooks = &before_program;
	launch_plan_extend(plan, &extras);
	done = launch(plan, NULL, &watch, &k->m->process, NULL, e);
	launch_plan_done(plan);
	return done;
}

static int hand_over(struct making *k, struct err *e)
{
	struct launched *l = &k->m->process;

	if (k->r->is_detached && l->pty_fd >= 0) {
		if (handover_terminal(k->console_sock, l->pty_fd, e) < 0)
			return -1;
		close_fd(&l->pty_fd);
	}
	if (handover_pidfd(k->pidfd_sock, l->pidfd, "standard", e) < 0 || handover_pidfd(k->pidfd_receiver, l->pidfd, "standard", e) < 0)
		return -1;
	return handover_pid(k->r->o->pid_file, l->pid, e);
}

/* With the directory reserved. */
static int make(struct making *k, struct err *e)
{
	struct made *m = k->m;

	if (write_down(k, e) < 0)
		return -1;
	if (k->r->waits && instance_make_fifos(&m->instance, &k->start_fd, &k->report_fd, e) < 0)
		return -1;
	if (build_and_launch(k, e) < 0)
		return -1;
	return hand_over(k, e);
}

int make_container(const struct make_request *r, struct made *ret, struct err *e)
{
	struct made m = MADE_EMPTY;
	__attribute__((cleanup(making_done))) struct making k = {
		.r = r, .m = &m, .console_sock = -1, .pidfd_sock = -1, .pidfd_receiver = -1, .start_fd = -1, .report_fd = -1,
		.agent = AGENT_EMPTY,
		.holder = UNIT_HOLDER_EMPTY,
	};

	if (read_bundle(&k, e) < 0 || connect_caller(&k, e) < 0 || groups_setup(e) < 0 || plan_unit(&k, e) < 0)
		return -1;
	if (instance_reserve(r->call->root, r->call->args.v[0], r->call->a, &m.instance, e) < 0)
		return -1;
	if (make(&k, e) < 0) {
		unit_let_go(&k.holder);
		made_undo(&m);
		made_done(&m);
		return -1;
	}
	instance_unlock(&m.instance);
	*ret = m;
	return 0;
}

void made_undo(struct made *m)
{
	const struct instance_record *rec = m->instance.record;

	launched_end(&m->process);
	/* Without a process the group was never made, or the plan has removed it: one of that name is somebody else's */
	if (m->process.cgroup != NULL)
		cgroup_remove(rec->cgroup_path, ERR_IGNORED);
	if (m->has_scope)
		unit_stop(rec->cgroup_path, ERR_IGNORED);
	if (rec != NULL && !str_is_empty(rec->cgroup_path))
		cgroup_remove_above(rec->cgroup_path);
	if (m->has_begun)
		hooks_run_saved(&m->instance, HOOK_POSTSTOP, ERR_IGNORED);
	instance_remove(&m->instance, ERR_IGNORED);
}

int made_attend(struct made *m, bool keeps, int *ret_status, struct err *e)
{
	if (attend(&m->process, ret_status, e) < 0) {
		made_undo(m);
		return -1;
	}
	return keeps || destroy_instance(&m->instance, e) == 0 || e->kind == ERR_NOT_FOUND ? 0 : -1;
}

void made_done(struct made *m)
{
	instance_close(&m->instance);
	launched_close(&m->process);
}
