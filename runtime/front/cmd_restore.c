/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restore: a container from what `checkpoint` has written.
 *
 * Theory of operation. Directory, record and control group are made as `create` makes them. CRIU joins the group, and restores into
 * it, below a mount of the root that only it sees; the first process becomes a sibling of CRIU, a child of ours. The record says that the group is
 * ours before that, so that whoever is killed leaves nothing that `delete` would not take away.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"
#include "oci/launch.h"
#include "runtime/cgroup.h"
#include "runtime/front/attend.h"
#include "runtime/front/bundle_config.h"
#include "runtime/front/checkpoint.h"
#include "runtime/front/checkpoint_options.h"
#include "runtime/front/criu.h"
#include "runtime/front/handover.h"
#include "runtime/front/hooks.h"
#include "runtime/front/make.h"
#include "runtime/front/unit.h"

#define PID_FILE "criu.pid"

static const struct opt rows[] = {
	OPT_TEXT(struct checkpoint_options, bundle, 'b', "bundle", "DIR", "the bundle: a directory with config.json (default: the working directory)",
		 .kind = VALUE_DIR),
	OPT_TEXT(struct checkpoint_options, pid_file, 0, "pid-file", "FILE", "the pid of the process is written to it", .kind = VALUE_FILE),
	OPT_FLAG(struct checkpoint_options, detach, 'd', "detach", "do not wait for its end"),
	OPT_FLAG(struct checkpoint_options, no_subreaper, 0, "no-subreaper", "do not adopt what the container leaves behind"),
	OPT_REFUSED_VALUE(0, "console-socket", "terminals are not restored"),
	OPT_REFUSED_FLAG(0, "no-pivot", "the root is what it was"),
	OPT_REFUSED_VALUE(0, "lsm-profile", "the security module's label is what it was"),
	OPT_REFUSED_VALUE(0, "lsm-mount-context", "the security module's label is what it was"),
	OPT_END,
};

/* What is there before the container is. */
struct restoring {
	const struct front_call *call;
	const struct checkpoint_options *o;
	struct made *m;
	struct bundle_text text;
	struct launch_spec *spec;
	struct checkpoint_image *image;
	struct checkpoint_dirs dirs;
	bool has_hooks;
	int net_fd; /* owned; -1 */
	struct unit_props *unit;   /* NULL: the control group is not systemd's */
	struct unit_holder holder; /* owned */
};

static void restoring_done(struct restoring *r)
{
	close_fd(&r->net_fd);
	unit_let_go(&r->holder);
}

/* --- before anything is made --------------------------------------------------------------------------------------------- */

/* They are for a container in the making. */
static int check_hooks(const struct oci_hooks *h, struct err *e)
{
	const char *name = h == NULL ? NULL : h->n_prestart != 0 ? "prestart" : h->n_create_runtime != 0 ? "createRuntime"
		: h->n_create_container != 0 ? "createContainer" : h->n_start_container != 0 ? "startContainer" : NULL;

	return name == NULL ? 0 : err_set(e, ERR_UNSUPPORTED, "hooks.%s: a restore runs poststart hooks only", name);
}

static int read_bundle(struct restoring *r, struct err *e)
{
	const struct front_call *c = r->call;
	const char *bundle = r->o->bundle != NULL ? r->o->bundle : ".";
	char dir[PATH_MAX];

	if (realpath(bundle, dir) == NULL)
		return err_sys(e, "bundle '%s'", bundle);
	if (bundle_config_read(AT_FDCWD, dir, c->a, &r->text, e) < 0 || bundle_config_parse(&r->text, c->a, &r->m->config, e) < 0 ||
	    checkpoint_check(r->m->config, e) < 0 || hooks_check(r->m->config, &r->has_hooks, e) < 0 || check_hooks(r->m->config->hooks, e) < 0)
		return -1;
	return bundle_config_spec(r->m->config, arena_strdup(c->a, dir), c->args.v[0], c->globals->systemd_cgroup, c->a, &r->spec, e);
}

static int read_image(struct restoring *r, struct err *e)
{
	AUTO_CLOSE int dir = -1;

	if (checkpoint_dirs(r->o, false, r->call->a, &r->dirs, &dir, e) < 0)
		return -1;
	if (checkpoint_check_parents(r->dirs.image, r->call->a, e) < 0 || checkpoint_load(dir, r->call->a, &r->image, e) < 0)
		return err_wrap(e, "--image-path");
	return 0;
}

/* What can be had here, for groups in the form that they have. */
static int check_groups(struct restoring *r, struct err *e)
{
	const struct front_call *c = r->call;

	if (cgroup_setup(e) < 0 || checkpoint_layout(e) < 0)
		return -1;
	if (!c->globals->systemd_cgroup)
		return 0;
	return unit_check(e) < 0 ? -1 : unit_plan(r->m->config, c->args.v[0], r->spec->cgroup_path, c->a, &r->unit, e);
}

static const char *network_path(const struct oci_config *config)
{
	for (size_t i = 0; config->linux_ != NULL && i < config->linux_->n_namespaces; i++)
		if (str_eq(config->linux_->namespaces[i].type, "network"))
			return config->linux_->namespaces[i].path;
	return NULL;
}

static int open_network(struct restoring *r, struct err *e)
{
	const char *path = network_path(r->m->config);

	if (str_is_empty(path) != str_is_empty(r->image->net))
		return err_set(e, ERR_INVALID, "linux.namespaces: the network namespace is joined by path in the image or in the configuration, not in both");
	if (str_is_empty(path))
		return 0;
	r->net_fd = open(path, O_RDONLY | O_NONBLOCK); /* lint: cloexec CRIU inherits it */
	return r->net_fd >= 0 ? 0 : err_sys(e, "open network namespace '%s'", path);
}

/* --- making -------------------------------------------------------------------------------------------------------------- */

static int write_down(struct restoring *r, struct err *e)
{
	struct instance *i = &r->m->instance;

	i->record = make_record(r->m->config, r->spec, r->has_hooks, r->call->a);
	return instance_save(i, e) < 0 ? -1 : file_replace(i->dir_fd, BUNDLE_CONFIG, r->text.text, r->text.n, 0600, e);
}

static int make_scope(struct restoring *r, const struct oci_resources *resources, struct err *e)
{
	if (unit_start(r->unit, r->spec->cgroup_path, &r->holder, e) < 0)
		return -1;
	r->m->has_scope = true;
	return cgroup_adopt(r->spec->cgroup_path, resources, &r->m->process.cgroup, e);
}

static int make_plain_group(struct restoring *r, const struct oci_resources *resources, struct err *e)
{
	if (cgroup_make_above(r->spec->cgroup_path, r->spec->cgroup_root, e) < 0)
		return -1;
	return cgroup_create(r->spec->cgroup_path, resources, &r->m->process.cgroup, e);
}

static int make_group(struct restoring *r, struct err *e)
{
	const struct oci_linux *l = r->m->config->linux_;

	if ((r->unit != NULL ? make_scope : make_plain_group)(r, l != NULL ? l->resources : NULL, e) < 0)
		return -1;
	cgroup_claim(r->spec->cgroup_path, r->m->instance.record->created);
	r->m->instance.record->has_group = true;
	return instance_save(&r->m->instance, e);
}

static int add_mounts(struct criu_args *args, const struct restoring *r, struct err *e)
{
	for (size_t i = 0; i < r->image->mounts.n; i++) {
		const char *mount = r->image->mounts.v[i];
		const char *source = checkpoint_source(r->m->config, r->spec->container_dir, mount, args->a, e);

		if (source == NULL)
			return -1;
		criu_add(args, "--external=mnt[%s]:%s", mount, source);
	}
	return 0;
}

static int run_criu(struct restoring *r, const char *pid_file, struct err *e)
{
	const char *rootfs = r->m->instance.record->rootfs;
	struct criu_place place = { .root = rootfs, .cgroup_dir_fd = cgroup_dir_fd(r->m->process.cgroup) };
	struct criu_args args;

	criu_begin(&args, r->call->a, "restore", r->dirs.image, r->dirs.work);
	criu_add(&args, "--root=%s", rootfs);
	criu_add(&args, "--cgroup-root=%s", r->spec->cgroup_path);
	criu_add(&args, "--restore-detached");
	criu_add(&args, "--restore-sibling");
	criu_add(&args, "--pidfile=%s", pid_file);
	checkpoint_add_common(&args, r->o);
	for (size_t i = 0; i < r->image->fds.n; i++)
		if (!str_is_empty(r->image->fds.v[i]))
			criu_add(&args, "--inherit-fd=fd[%zu]:%s", i, r->image->fds.v[i]);
	if (r->net_fd >= 0)
		criu_add(&args, "--inherit-fd=fd[%d]:" CHECKPOINT_NET, r->net_fd);
	return add_mounts(&args, r, e) < 0 ? -1 : criu_run(&args, r->dirs.work, &place, e);
}

/* CRIU has written its pid; it is a child of ours, and so what we find under that number. */
static int take_process(struct restoring *r, struct err *e)
{
	struct instance_record *rec = r->m->instance.record;
	AUTO_FREE char *text = NULL;
	struct procid id;
	uint64_t pid;

	if (file_read(r->m->instance.dir_fd, PID_FILE, 64, &text, NULL, e) < 0)
		return -1;
	text[strcspn(text, "\n")] = '\0';
	if (!str_to_u64(text, &pid) || pid == 0 || pid > INT32_MAX)
		return err_set(e, ERR_INTERNAL, "criu has written '%.32s' for a pid", text);
	if (procid_of((pid_t)pid, &id, e) < 0 || procid_open(&id, &r->m->process.pidfd, e) < 0)
		return -1;
	r->m->process.pid = id.pid;
	rec->pid = id.pid;
	rec->start_ticks = id.start_ticks;
	rec->boot = arena_strdup(r->call->a, id.boot);
	unlinkat(r->m->instance.dir_fd, PID_FILE, 0);
	return instance_save(&r->m->instance, e);
}

static int make(struct restoring *r, struct err *e)
{
	const char *pid_file = arena_printf(r->call->a, "%s/%s/" PID_FILE, r->call->root, r->call->args.v[0]);

	if (write_down(r, e) < 0 || make_group(r, e) < 0 || run_criu(r, pid_file, e) < 0 || take_process(r, e) < 0)
		return -1;
	unit_let_go(&r->holder);
	r->m->has_begun = true;
	return handover_pid(r->o->pid_file, r->m->process.pid, e) < 0 ? -1 : hooks_run_saved(&r->m->instance, HOOK_POSTSTART, e);
}

static int restore_container(const struct front_call *c, struct made *ret, struct err *e)
{
	struct made m = MADE_EMPTY;
	__attribute__((cleanup(restoring_done))) struct restoring r = { .call = c, .o = c->o, .m = &m, .net_fd = -1, .holder = UNIT_HOLDER_EMPTY };

	if (read_bundle(&r, e) < 0 || read_image(&r, e) < 0 || check_groups(&r, e) < 0 || open_network(&r, e) < 0)
		return -1;
	if (instance_reserve(c->root, c->args.v[0], c->a, &m.instance, e) < 0)
		return -1;
	if (make(&r, e) < 0) {
		unit_let_go(&r.holder);
		made_undo(&m);
		made_done(&m);
		return -1;
	}
	instance_unlock(&m.instance);
	*ret = m;
	return 0;
}

static int restore(const struct front_call *c, int *ret_status, struct err *e)
{
	const struct checkpoint_options *o = c->o;
	AUTO_MADE struct made m = MADE_EMPTY;

	*ret_status = 0;
	if (!o->detach)
		attend_prepare(!o->no_subreaper);
	if (restore_container(c, &m, e) < 0)
		return -1;
	return o->detach ? 0 : made_attend(&m, false, ret_status, e);
}

const struct front_command front_restore = {
	.name = "restore",
	.usage = "[OPTIONS] ID",
	.help = "bring a container back from what checkpoint has written",
	.more = "By CRIU, which must be installed. The bundle is to be what it was: limits, paths of binds and of the network namespace are taken from it, all else from "
		"the image. The container may have another ID, and its standard streams are the caller's.",
	.failed = "restore failed",
	.opts = { { checkpoint_rows, rows } },
	.options_size = sizeof(struct checkpoint_options),
	.n_args_min = 1,
	.n_args_max = 1,
	.run = restore,
};
