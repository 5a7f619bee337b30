/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/bundle.h"

#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "oci/bundle_parts.h"

/* --- linux ------------------------------------------------------------------------------------------- */

/* Spec: moby oci/defaults.go. They tell about, or change, the host */
#define MASKED_PATHS                                                                                     \
	"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",                    \
		"/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list",            \
		"/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware"
#define READONLY_PATHS "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"

struct str_list bundle_masked_paths(const struct opt_host_config *h, struct arena *a)
{
	if (h->masked_paths.set)
		return h->masked_paths.v;
	return h->privileged ? (struct str_list){0} : BUNDLE_LIST(a, MASKED_PATHS);
}

struct str_list bundle_readonly_paths(const struct opt_host_config *h, struct arena *a)
{
	if (h->readonly_paths.set)
		return h->readonly_paths.v;
	return h->privileged ? (struct str_list){0} : BUNDLE_LIST(a, READONLY_PATHS);
}

static void add_namespaces(struct oci_linux *l, const struct bundle_input *in, struct arena *a)
{
	static const char *const types[] = { [OPTIONS_PID] = "pid", [OPTIONS_IPC] = "ipc", [OPTIONS_UTS] = "uts",
					     [OPTIONS_CGROUP] = "cgroup", [OPTIONS_NET] = "network" };

	l->namespaces = arena_new_array(a, struct oci_namespace, ARRAY_SIZE(types) + 1);
	l->namespaces[l->n_namespaces++].type = arena_strdup(a, "mount");
	for (size_t ns = 0; ns < ARRAY_SIZE(types); ns++) {
		enum options_share share = options_share(in->options->host, ns, NULL);
		struct oci_namespace *n = &l->namespaces[l->n_namespaces];

		if (!types[ns] || share == SHARE_HOST)
			continue;
		n->type = arena_strdup(a, types[ns]);
		if (share == SHARE_CONTAINER)
			n->path = arena_printf(a, "fd:%d", in->shares.ns[ns]);
		l->n_namespaces++;
	}
}

/* What docker allows everybody in a network of their own, low ports and ping; the user's word counts before it */
static void add_sysctls(struct oci_linux *l, const struct opt_host_config *h, bool has_own_net, struct arena *a)
{
	static const struct str_pair sysctls[] = {
		{ (char *)"net.ipv4.ip_unprivileged_port_start", (char *)"0" },
		{ (char *)"net.ipv4.ping_group_range", (char *)"0 2147483647" },
	};

	l->sysctl.v = arena_new_array(a, struct str_pair, ARRAY_SIZE(sysctls) + h->sysctls.n);
	for (size_t i = 0; i < ARRAY_SIZE(sysctls) && has_own_net; i++)
		if (!str_map_get(&h->sysctls, sysctls[i].key))
			l->sysctl.v[l->sysctl.n++] = sysctls[i];
	for (size_t i = 0; i < h->sysctls.n; i++)
		l->sysctl.v[l->sysctl.n++] = h->sysctls.v[i];
}

static void add_devices(struct oci_linux *l, const struct bundle_host *host, struct arena *a)
{
	if (host->n_devices == 0)
		return;
	l->devices = arena_new_array(a, struct oci_device, host->n_devices);
	memcpy(l->devices, host->devices, host->n_devices * sizeof *host->devices);
	l->n_devices = host->n_devices;
}

static void add_asked_devices(struct oci_linux *l, const struct bundle_host *host, struct arena *a)
{
	l->devices = arena_new_array(a, struct oci_device, host->n_asked + 1);
	for (size_t i = 0; i < host->n_asked; i++)
		l->devices[l->n_devices++] = host->asked[i].node;
}

static int make_linux(const struct bundle_input *in, char *cgroup_path, struct arena *a, struct oci_linux **ret,
		      struct err *e)
{
	const struct opt_host_config *h = in->options->host;
	bool has_own_net = options_share(h, OPTIONS_NET, NULL) == SHARE_NONE;
	struct oci_linux *l = arena_new_obj(a, struct oci_linux);

	l->cgroups_path = cgroup_path;
	*ret = l;
	if (bundle_resources(h, in->host, a, &l->resources, e) < 0)
		return -1;
	l->rootfs_propagation = arena_strdup(a, "private");
	add_namespaces(l, in, a);
	add_sysctls(l, h, has_own_net, a);
	if (h->privileged)
		add_devices(l, in->host, a);
	else
		add_asked_devices(l, in->host, a);
	l->masked_paths = bundle_masked_paths(h, a);
	l->readonly_paths = bundle_readonly_paths(h, a);
	return 0;
}

/* --- the configuration ------------------------------------------------------------------------------- */

static int make_process(const struct bundle_input *in, struct arena *a, struct oci_process **ret, struct err *e)
{
	const struct opt_config *c = in->options->config;
	uint32_t height, width;
	struct oci_process *p;

	if (bundle_process(in->options, in->host, in->options->host->privileged, a, &p, e) < 0 ||
	    bundle_args(in->options, a, &p->args, e) < 0)
		return -1;
	p->terminal = c->tty;
	p->env = bundle_env(c, c->tty, NULL, a);
	p->oom_score_adj = (struct opt_i64){ true, in->options->host->oom_score_adj };
	if (c->tty && options_console_size(in->options->host, &height, &width) && height && width) {
		p->console_size = arena_new_obj(a, struct oci_box);
		*p->console_size = (struct oci_box){ height, width };
	}
	*ret = p;
	return 0;
}

static int make_config(const struct bundle_input *in, char *cgroup_path, struct arena *a, struct oci_config **ret,
		       struct err *e)
{
	const struct container_options *o = in->options;
	struct oci_config *c = arena_new_obj(a, struct oci_config);

	c->oci_version = arena_strdup(a, OCI_RUNTIME_VERSION);
	c->root = arena_new_obj(a, struct oci_root);
	c->root->path = arena_printf(a, "%s/rootfs", in->container_dir);
	c->root->readonly = o->host->readonly_rootfs;
	if (options_share(o->host, OPTIONS_UTS, NULL) == SHARE_NONE) {
		c->hostname = o->config->hostname;
		c->domainname = o->config->domainname;
	}
	c->annotations = o->host->annotations;
	if (make_process(in, a, &c->process, e) < 0 || bundle_mounts(in, a, &c->mounts, &c->n_mounts, e) < 0)
		return -1;
	*ret = c;
	return make_linux(in, cgroup_path, a, &c->linux_, e);
}

/* --- the launch document ----------------------------------------------------------------------------- */

/*
 * An image may name one layer several times, but overlay refuses the same directory twice. The upper one
 * alone gives the same result: it holds every name that the lower one holds.
 */
static int make_lowers(const struct str_list *in, struct arena *a, struct str_list *ret, struct err *e)
{
	struct str_list out = { arena_new_array(a, char *, in->n + 1), 0 };

	if (in->n == 0)
		return err_set(e, ERR_INVALID, "the image has no layers");
	for (size_t i = 0; i < in->n; i++) {
		bool is_new = true;

		for (size_t k = 0; k < out.n && is_new; k++)
			is_new = !str_eq(out.v[k], in->v[i]);
		if (is_new)
			out.v[out.n++] = in->v[i];
	}
	*ret = out;
	return 0;
}

static int make_stdio(const struct bundle_input *in, struct arena *a, struct launch_stdio **ret, struct err *e)
{
	const struct opt_config *c = in->options->config;
	struct launch_stdio *s = arena_new_obj(a, struct launch_stdio);

	s->tty = c->tty;
	s->open_stdin = c->open_stdin;
	s->stdin_once = c->stdin_once;
	options_console_size(in->options->host, &s->height, &s->width);
	*ret = s;
	return bundle_log(in, a, s, e);
}

int bundle_launch(const struct bundle_input *in, struct arena *a, struct launch_spec **ret, struct err *e)
{
	const struct container_options *o = in->options;
	struct launch_spec *s = arena_new_obj(a, struct launch_spec);

	s->version = LAUNCH_VERSION;
	s->id = arena_strdup(a, in->id);
	s->user = arena_strdup(a, o->config->user ? o->config->user : "");
	s->groups = o->host->group_add;
	s->data_root = arena_strdup(a, in->data_root);
	s->layers_dir = arena_printf(a, "%s/layers", in->data_root);
	s->container_dir = arena_strdup(a, in->container_dir);
	/* What will be removed when it ends need not survive a power cut */
	s->volatile_upper = o->host->auto_remove;
	/* Elsewhere there is a first process already */
	s->init = o->host->init.set && o->host->init.v && options_share(o->host, OPTIONS_PID, NULL) == SHARE_NONE;
	s->cgroup_path = bundle_cgroup_path(o->host, in->cgroup_parent, in->id, a);
	s->cgroup_root = arena_strdup(a, str_is_empty(o->host->cgroup_parent) ? "" : in->cgroup_parent);
	s->cgroup_owner = arena_strdup(a, in->cgroup_owner ? in->cgroup_owner : "");
	if (o->host->cpu_rt_runtime_usec > 0) {
		s->rt_period_usec = in->rt_period_usec;
		s->rt_runtime_usec = in->rt_runtime_usec;
	}
	s->socket_path = arena_strdup(a, in->socket_path);
	if (make_stdio(in, a, &s->stdio, e) < 0 || make_lowers(in->lowers, a, &s->lowers, e) < 0 ||
	    bundle_seccomp(o->host, in->host, a, &s->seccomp_profile, e) < 0 ||
	    make_config(in, s->cgroup_path, a, &s->config, e) < 0)
		return -1;
	*ret = s;
	return 0;
}

/* --- exec -------------------------------------------------------------------------------------------- */

static struct launch_stdio *make_exec_stdio(const struct bundle_exec_input *in, struct arena *a)
{
	struct launch_stdio *s = arena_new_obj(a, struct launch_stdio);

	s->tty = in->tty;
	s->open_stdin = in->open_stdin;
	s->stdin_once = true;
	s->height = in->height;
	s->width = in->width;
	s->capture_bytes = in->capture_bytes;
	s->log_path = arena_strdup(a, "");
	return s;
}

static int make_exec_process(const struct bundle_exec_input *in, struct arena *a, struct oci_process **ret,
			     struct err *e)
{
	const struct container_options *o = in->options;
	struct oci_process *p;

	if (in->cmd->n == 0)
		return err_set(e, ERR_INVALID, "No exec command specified");
	if (bundle_process(o, in->host, o->host->privileged || in->privileged, a, &p, e) < 0)
		return -1;
	if (!str_is_empty(in->working_dir)) {
		if (in->working_dir[0] != '/')
			return err_set(e, ERR_INVALID, "Cwd must be an absolute path");
		p->cwd = arena_strdup(a, in->working_dir);
	}
	p->terminal = in->tty;
	p->args = *in->cmd;
	p->env = bundle_env(o->config, in->tty, in->env, a);
	p->oom_score_adj = (struct opt_i64){ true, o->host->oom_score_adj };   /* else the launcher's own */
	*ret = p;
	return 0;
}

int bundle_exec(const struct bundle_exec_input *in, struct arena *a, struct exec_spec **ret, struct err *e)
{
	const struct container_options *o = in->options;
	struct exec_spec *s = arena_new_obj(a, struct exec_spec);

	s->version = LAUNCH_VERSION;
	s->id = arena_strdup(a, in->id);
	s->container_id = arena_strdup(a, in->container_id);
	s->user = arena_strdup(a, !str_is_empty(in->user) ? in->user : o->config->user ? o->config->user : "");
	s->groups = o->host->group_add;
	s->cgroup_path = bundle_cgroup_path(o->host, in->cgroup_parent, in->container_id, a);
	s->data_root = arena_strdup(a, in->data_root);
	s->socket_path = arena_strdup(a, in->socket_path);
	s->timeout_ms = in->timeout_ms;
	s->has_own_pids = options_share(o->host, OPTIONS_PID, NULL) == SHARE_NONE;
	s->stdio = make_exec_stdio(in, a);
	if (bundle_seccomp(o->host, in->host, a, &s->seccomp_profile, e) < 0 ||
	    make_exec_process(in, a, &s->process, e) < 0)
		return -1;
	*ret = s;
	return 0;
}
