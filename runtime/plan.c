/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/launch.h"
#include "oci/sysctl.h"
#include "runtime/mounts.h"
#include "runtime/namespaces.h"
#include "runtime/netdevs.h"
#include "runtime/plan_parts.h"
#include "runtime/stem.h"
#include "runtime/userns.h"

#define OPTIONS_MAX 4096 /* mount(2) copies one page */

/* --- host ------------------------------------------------------------------------------------------------------ */

/* Which namespace must be fresh for a system control to be the container's own. Return: 0 for none at all */
static uint64_t sysctl_namespace(const char *key)
{
	static const uint64_t flags[] = { [SYSCTL_HOST] = 0, [SYSCTL_IPC] = CLONE_NEWIPC, [SYSCTL_NET] = CLONE_NEWNET };

	return flags[sysctl_owner_of(key)];
}

static int sysctl_plan(const struct str_pair *p, uint64_t fresh, struct arena *a,
		       struct sysctl_op *ret, struct err *e)
{
	uint64_t ns = sysctl_namespace(p->key);
	char *path;

	if (ns == 0)
		return err_set(e, ERR_DENIED, "linux.sysctl: '%s' is not the container's own",
			       p->key);
	if ((fresh & ns) == 0)
		return err_set(e, ERR_DENIED,
			       "linux.sysctl: '%s' is the host's, which the container shares",
			       p->key);
	if (sysctl_check(p, e) < 0)
		return err_wrap(e, "linux.sysctl");
	path = arena_printf(a, "sys/%s", p->key);
	for (char *c = path; *c != '\0'; c++)
		if (*c == '.')
			*c = '/';
	ret->path = path;
	ret->value = p->value;
	return 0;
}

static int host_plan(const struct oci_config *config, struct arena *a, struct launch_plan_stages *s,
		     struct err *e)
{
	const struct str_map *sysctl = &config->linux_->sysctl;
	struct sysctl_op *ops = arena_new_array(a, struct sysctl_op, sysctl->n + 1);

	if (!str_is_empty(config->hostname) || !str_is_empty(config->domainname)) {
		if ((s->clone_flags & CLONE_NEWUTS) == 0)
			return err_set(e, ERR_INVALID, "hostname: needs a uts namespace");
		s->hostname = str_is_empty(config->hostname) ? NULL : config->hostname;
		s->domainname = str_is_empty(config->domainname) ? NULL : config->domainname;
	}
	for (size_t i = 0; i < sysctl->n; i++)
		if (sysctl_plan(&sysctl->v[i], s->clone_flags, a, &ops[i], e) < 0)
			return -1;
	s->sysctls = ops;
	s->n_sysctls = sysctl->n;
	return 0;
}

/* --- root ------------------------------------------------------------------------------------------------------- */

/* The kernel reads ':', ',' and '\' in these options as its own; there is no escape that all kernels understand. */
static int check_overlay_word(const char *word, const char *what, struct err *e)
{
	if (word == NULL || strpbrk(word, ":,\\") != NULL)
		return err_set(e, ERR_INVALID,
			       "%s '%s': overlay cannot take ':', ',' or '\\' in a name", what,
			       word != NULL ? word : "");
	return 0;
}

static int overlay_options(const struct launch_spec *spec, struct arena *a, const char **ret,
			   struct err *e)
{
	AUTO_STRBUF struct strbuf b = { 0 };

	if (check_overlay_word(spec->container_dir, "containerDir", e) < 0)
		return -1;
	strbuf_adds(&b, "lowerdir=");
	for (size_t i = 0; i < spec->lowers.n; i++) {
		if (!path_is_name(spec->lowers.v[i]))
			return err_set(e, ERR_INVALID, "lowers[%zu]: '%s' is no name", i,
				       spec->lowers.v[i]);
		if (check_overlay_word(spec->lowers.v[i], "lowers", e) < 0)
			return -1;
		strbuf_addf(&b, "%s%s", i != 0 ? ":" : "", spec->lowers.v[i]);
	}
	strbuf_addf(&b, ",upperdir=%s/upper,workdir=%s/work%s", spec->container_dir,
		    spec->container_dir, spec->volatile_upper ? ",volatile" : "");
	if (b.len + 1 > OPTIONS_MAX)
		return err_set(e, ERR_UNSUPPORTED,
			       "%zu layers take %zu bytes of mount options, and %d are possible",
			       spec->lowers.n, b.len, OPTIONS_MAX);
	*ret = arena_strdup(a, strbuf_cstr(&b));
	return 0;
}

static int root_plan_make(const struct launch_spec *spec, struct arena *a, struct root_plan *root,
			  struct err *e)
{
	const struct oci_config *c = spec->config;
	bool is_recursive;

	root->tree_fd = -1;
	root->is_readonly = c->root != NULL && c->root->readonly;
	if (!str_is_empty(c->linux_->rootfs_propagation) &&
	    mounts_propagation(c->linux_->rootfs_propagation, &root->propagation, &is_recursive) < 0)
		return err_set(e, ERR_INVALID, "linux.rootfsPropagation: unknown '%s'",
			       c->linux_->rootfs_propagation);
	if (spec->lowers.n != 0) {
		if (str_is_empty(spec->layers_dir) || spec->layers_dir[0] != '/')
			return err_set(e, ERR_INVALID, "layersDir is not an absolute path");
		root->layers_dir = spec->layers_dir;
		root->path = arena_printf(a, "%s/rootfs", spec->container_dir);
		return overlay_options(spec, a, &root->overlay_options, e);
	}
	if (c->root == NULL || str_is_empty(c->root->path))
		return err_set(e, ERR_INVALID, "root.path: it is missing");
	root->path = c->root->path[0] == '/'
			     ? c->root->path
			     : arena_printf(a, "%s/%s", spec->container_dir, c->root->path);
	return 0;
}

/* The mount before this one may have ended without its last sync: the kernel wants that seen (it does not matter to a
 * volatile container, whose files are allowed to be lost with the machine). */
static int root_forget_volatile(const struct launch_spec *spec, struct err *e)
{
	AUTO_CLOSE int dir = -1;
	AUTO_FREE char *work = xasprintf("%s/work/work", spec->container_dir);

	if (!spec->volatile_upper || spec->lowers.n == 0)
		return 0;
	dir = open(work, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return errno == ENOENT ? 0 : err_sys(e, "open '%s'", work);
	return path_remove_tree(dir, "incompat", e);
}

static int root_open(const struct launch_spec *spec, struct root_plan *root, struct err *e)
{
	struct mount_attr attr = { .propagation = MS_PRIVATE };

	if (root->overlay_options != NULL)
		return root_forget_volatile(spec, e);
	root->tree_fd =
		open_tree(AT_FDCWD, root->path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (root->tree_fd < 0)
		return err_sys(e, "root.path: '%s'", root->path);
	if (mount_setattr(root->tree_fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return err_sys(e, "root.path: '%s'", root->path);
	return 0;
}

/* --- the plan ----------------------------------------------------------------------------------------------------- */

static bool is_given(const struct json_raw *raw)
{
	return raw->text != NULL && !str_eq(raw->text, "null") && !str_eq(raw->text, "{}");
}

static bool has_hooks(const struct oci_hooks *h)
{
	return h != NULL && h->n_prestart + h->n_create_runtime + h->n_create_container + h->n_start_container + h->n_poststart + h->n_poststop != 0;
}

/* Namespaces that kilnd's containers never have. */
static bool has_strange_namespace(const struct oci_linux *lin)
{
	for (size_t i = 0; i < lin->n_namespaces; i++)
		if (str_eq(lin->namespaces[i].type, "user") || (str_eq(lin->namespaces[i].type, "mount") && !str_is_empty(lin->namespaces[i].path)))
			return true;
	return false;
}

int plan_check_label(const char *mount_label, bool has_selinux, struct err *e)
{
	if (str_is_empty(mount_label) || !has_selinux)
		return 0;
	return err_set(e, ERR_UNSUPPORTED, "linux.mountLabel is not supported: SELinux is on in this machine's kernel, and Kiln labels no file systems");
}

static int refuse(const struct launch_spec *spec, struct err *e)
{
	const struct oci_config *c = spec->config;
	const struct oci_linux *l = c->linux_;

	if (l == NULL)
		return err_set(e, ERR_INVALID, "linux: it is missing");
	/* kilnd has no use for them; who launches a bundle gives them with launch_plan_extend() */
	if (spec->data_root != NULL && has_hooks(c->hooks))
		return err_set(e, ERR_UNSUPPORTED, "hooks are not supported");
	/* Its overlay would be looked for by the container's root, who may not enter our directories */
	if (spec->data_root != NULL && (l->n_uid_mappings != 0 || l->n_gid_mappings != 0 || has_strange_namespace(l)))
		return err_set(e, ERR_UNSUPPORTED, "linux.namespaces: a user namespace, a mount namespace by path, linux.uidMappings and linux.gidMappings are not supported");
	if (plan_check_label(l->mount_label, access("/sys/fs/selinux/enforce", F_OK) == 0, e) < 0)
		return -1;
	if (is_given(&l->intel_rdt))
		return err_set(e, ERR_UNSUPPORTED, "linux.intelRdt is not supported");
	if (spec->data_root != NULL && l->n_net_devices != 0)
		return err_set(e, ERR_UNSUPPORTED, "linux.netDevices is not supported");
	return netdevs_check(l, e);
}

static int process_part(const struct launch_spec *spec, const struct launch_stdio_fds *stdio,
			struct arena *a, struct process_plan *ret, struct err *e)
{
	struct process_source src = {
		.process = spec->config->process,
		.user = spec->user,
		.groups = &spec->groups,
		.seccomp_profile = spec->seccomp_profile,
		.oci_seccomp = spec->config->linux_->seccomp,
		.lin = spec->config->linux_,
		.data_root = spec->data_root,
		.filters_dir = spec->filters_dir,
		.stdio = spec->stdio,
		.fds = stdio,
		.wants_init = spec->init,
		.makes_cwd = true,
	};

	return process_plan_build(&src, a, ret, e);
}

/* Everything that needs no descriptor. */
static int plan_make(const struct launch_spec *spec, const struct launch_stdio_fds *stdio,
		     const struct cgroup_layout *layout, struct arena *a, struct launch_plan *plan,
		     struct err *e)
{
	struct launch_plan_stages *s = &plan->stages;

	s->root.tree_fd = -1;
	if (spec->config == NULL)
		return err_set(e, ERR_INVALID, "config: it is missing");
	if (refuse(spec, e) < 0 ||
	    namespaces_plan(spec->config->linux_, layout->is_v2, a, s, e) < 0 || userns_plan(spec->config->linux_, spec->has_entered, s, e) < 0 ||
	    host_plan(spec->config, a, s, e) < 0 || root_plan_make(spec, a, &s->root, e) < 0)
		return -1;
	if (mounts_plan(spec->config, layout, spec->cgroup_path, a, &s->ops, &s->n_ops, e) < 0)
		return -1;
	if (spec->is_rootless && mounts_plan_rootless(s, spec->cgroup_path, a, e) < 0)
		return -1;
	userns_plan_mounts(s);
	if (process_part(spec, stdio, a, &s->process, e) < 0 || process_plan_groups(&s->process, spec->keeps_groups, e) < 0)
		return -1;
	if (spec->has_entered && ((s->clone_flags & CLONE_NEWPID) == 0 || mounts_show_processes(s)) && userns_check_tracing(&s->process.caps, e) < 0)
		return -1;
	return userns_check_process(s, e);
}

/* Without one when nothing is said, which only the command line does, for who may make none. */
static int group_open(const struct launch_spec *spec, struct launch_plan *plan, struct err *e)
{
	struct launch_plan_stages *s = &plan->stages;

	if (spec->data_root == NULL && str_is_empty(spec->cgroup_path))
		return 0;
	if (!spec->cgroup_is_made && !str_is_empty(spec->cgroup_root) && cgroup_make_above(spec->cgroup_path, spec->cgroup_root, e) < 0)
		return -1;
	if (cgroup_give_real_time(spec->cgroup_path, spec->rt_period_usec, spec->rt_runtime_usec, e) < 0)
		return -1;
	if ((spec->cgroup_is_made ? cgroup_adopt : cgroup_create)(spec->cgroup_path, spec->config->linux_->resources, &plan->cgroup, e) < 0)
		return -1;
	plan->cgroup_path = spec->cgroup_path;
	if (!str_is_empty(spec->cgroup_owner) && cgroup_mark(spec->cgroup_path, spec->cgroup_owner, e) < 0)
		return -1;
	s->n_cgroup_fds = cgroup_join_fds(plan->cgroup, &s->cgroup_fds);
	return 0;
}

static int plan_open(const struct launch_spec *spec, struct launch_plan *plan, struct arena *a, struct err *e)
{
	struct launch_plan_stages *s = &plan->stages;
	struct mount_sources sources = {
		.bind_fds = plan->bind_fds,
		.n_bind_fds = plan->n_bind_fds,
		.data_root = spec->data_root,
		.bundle_dir = spec->data_root == NULL ? spec->container_dir : NULL,
	};

	if (root_open(spec, &s->root, e) < 0 || namespaces_open(s, plan->bind_fds, plan->n_bind_fds, e) < 0 || userns_open(s, a, e) < 0)
		return -1;
	if (group_open(spec, plan, e) < 0)
		return -1;
	/* Last: the group's own directories may be among them */
	return mounts_open(s->ops, s->n_ops, &sources, e);
}

static struct launch_plan *plan_new(const int *bind_fds, size_t n, struct arena *a)
{
	struct launch_plan *plan = arena_new_obj(a, struct launch_plan);

	plan->stages.root.tree_fd = -1;
	plan->bind_fds = arena_new_array(a, int, n + 1);
	if (n != 0)
		memcpy(plan->bind_fds, bind_fds, n * sizeof(*bind_fds));
	plan->n_bind_fds = n;
	return plan;
}

int launch_plan_build(const struct launch_spec *spec, const int *bind_fds, size_t n_bind_fds,
		      const struct launch_stdio_fds *stdio, struct arena *arena,
		      struct launch_plan **ret, struct err *e)
{
	struct launch_plan *plan = plan_new(bind_fds, n_bind_fds, arena);

	if (plan_make(spec, stdio, cgroup_layout(), arena, plan, e) < 0 ||
	    plan_open(spec, plan, arena, e) < 0) {
		launch_plan_done(plan);
		return -1;
	}
	*ret = plan;
	return 0;
}

int launch_plan_make(const struct launch_spec *spec, const struct launch_stdio_fds *stdio,
		     const struct cgroup_layout *layout, struct arena *arena,
		     struct launch_plan **ret, struct err *e)
{
	struct launch_plan *plan = plan_new(NULL, 0, arena);

	if (plan_make(spec, stdio, layout, arena, plan, e) < 0)
		return -1;
	*ret = plan;
	return 0;
}

void launch_plan_take_ready(struct launch_plan *plan, struct stem_namespaces *ready, struct arena *arena)
{
	stem_namespaces_use(ready, &plan->stages, arena);
}

void launch_plan_extend(struct launch_plan *plan, const struct launch_extras *extras)
{
	plan->stages.root.no_pivot = extras->no_pivot;
	plan->stages.asks_hooks = extras->asks_hooks;
	plan->listener = extras->listener;
	if (extras->hooks != NULL)
		plan->stages.hooks = *extras->hooks;
	process_plan_extend(&plan->stages.process, extras);
}

void launch_plan_done(struct launch_plan *plan)
{
	if (plan == NULL)
		return;
	for (size_t i = 0; i < plan->n_bind_fds; i++)
		close_fd(&plan->bind_fds[i]);
	mounts_close(plan->stages.ops, plan->stages.n_ops);
	namespaces_close(&plan->stages);
	close_fd(&plan->stages.root.tree_fd);
	if (plan->cgroup == NULL)
		return;
	cgroup_close(TAKE_PTR(plan->cgroup));
	cgroup_remove(plan->cgroup_path, ERR_IGNORED);
}
