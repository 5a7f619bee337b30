/* SPDX-License-Identifier: Apache-2.0 */
/* What runs, as whom, with which environment, powers and limits. Spec: moby daemon/oci_linux.go, daemon/exec.go */
#include <string.h>

#include "base/defence.h"
#include "base/own.h"
#include "base/str.h"
#include "oci/bundle_parts.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct str_list bundle_list(const char *const *v, size_t n, struct arena *a)
{
	struct str_list l = { arena_new_array(a, char *, n), n };

	for (size_t i = 0; i < n; i++)
		l.v[i] = arena_strdup(a, v[i]);
	return l;
}

/* --- arguments --------------------------------------------------------------------------------------- */

static bool is_reset(const struct str_list *entrypoint)
{
	return entrypoint->n == 1 && entrypoint->v[0][0] == '\0';
}

int bundle_args(const struct container_options *o, struct arena *a, struct str_list *ret, struct err *e)
{
	const struct str_list *entry = &o->config->entrypoint, *cmd = &o->config->cmd;
	struct str_list args = { arena_new_array(a, char *, entry->n + cmd->n + 1), 0 };

	if (!is_reset(entry))
		for (size_t i = 0; i < entry->n; i++)
			args.v[args.n++] = entry->v[i];
	for (size_t i = 0; i < cmd->n; i++)
		args.v[args.n++] = cmd->v[i];
	if (args.n == 0)
		return err_set(e, ERR_INVALID, "no command specified");
	*ret = args;
	return 0;
}

/* --- environment ------------------------------------------------------------------------------------- */

static size_t env_find(const struct str_list *env, const char *like)
{
	size_t n = strcspn(like, "=");

	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->v[i], like, n) == 0 && env->v[i][n] == '=')
			return i;
	return env->n;
}

static void env_override(struct str_list *env, const struct str_list *with)
{
	for (size_t i = 0; i < with->n; i++) {
		size_t at = env_find(env, with->v[i]);

		if (strchr(with->v[i], '=')) {
			env->v[at] = with->v[i];
			env->n += at == env->n;
		} else if (at < env->n) {
			memmove(&env->v[at], &env->v[at + 1], (env->n - at - 1) * sizeof *env->v);
			env->n--;
		}
	}
}

struct str_list bundle_env(const struct opt_config *c, bool tty, const struct str_list *extra, struct arena *a)
{
	struct str_list env = { arena_new_array(a, char *, 3 + c->env.n + (extra ? extra->n : 0)), 0 };

	env.v[env.n++] = arena_strdup(a, DEFAULT_PATH);
	env.v[env.n++] = arena_printf(a, "HOSTNAME=%s", c->hostname);
	if (tty)
		env.v[env.n++] = arena_strdup(a, "TERM=xterm");
	env_override(&env, &c->env);
	if (extra)
		env_override(&env, extra);
	return env;
}

/* --- powers and limits ------------------------------------------------------------------------------- */

/* Nothing is inheritable and nothing ambient (CVE-2022-29162); the kernel takes the rest when uid is not 0 */
static int make_caps(const struct opt_host_config *h, const struct bundle_host *host, bool privileged,
		     struct arena *a, struct oci_capabilities **ret, struct err *e)
{
	struct oci_capabilities *c = arena_new_obj(a, struct oci_capabilities);
	struct opt_host_config effective = *h;

	effective.privileged = privileged;
	if (options_capabilities(&effective, host->caps, a, &c->bounding, e) < 0)
		return -1;
	c->effective = c->permitted = c->bounding;
	*ret = c;
	return 0;
}

/* "nofile" is RLIMIT_NOFILE */
static char *rlimit_type(const char *name, struct arena *a)
{
	char *type = arena_printf(a, "RLIMIT_%s", name);

	for (char *c = type; *c; c++)
		if (*c >= 'a' && *c <= 'z')
			*c -= 'a' - 'A';
	return type;
}

/* The user's limits, and docker's for what he did not name */
static void add_rlimits(struct oci_process *p, const struct opt_host_config *h, struct arena *a)
{
	static const struct opt_ulimit nofile = { (char *)"nofile", 1024, 524288 };
	bool has_nofile = false;

	p->rlimits = arena_new_array(a, struct oci_rlimit, h->n_ulimits + 1);
	for (size_t i = 0; i <= h->n_ulimits; i++) {
		const struct opt_ulimit *u = i < h->n_ulimits ? &h->ulimits[i] : &nofile;

		if (u == &nofile && has_nofile)
			break;
		has_nofile = has_nofile || str_eq(u->name, nofile.name);
		/* -1 becomes the specification's unlimited */
		p->rlimits[p->n_rlimits++] = (struct oci_rlimit){ rlimit_type(u->name, a), (uint64_t)u->soft, (uint64_t)u->hard };
	}
}

int bundle_process(const struct container_options *o, const struct bundle_host *host, bool privileged,
		   struct arena *a, struct oci_process **ret, struct err *e)
{
	struct oci_process *p = arena_new_obj(a, struct oci_process);
	struct options_security security;

	if (make_caps(o->host, host, privileged, a, &p->capabilities, e) < 0 ||
	    options_security(o->host, &security, e) < 0)
		return -1;
	p->user = arena_new_obj(a, struct oci_user);   /* root until the stages have read the image's passwd */
	p->no_new_privileges = security.no_new_privileges;
	/* That of the container, for a privileged exec too */
	if (host->facts)
		p->apparmor_profile = arena_strdup(a, options_apparmor(o->host, host->facts));
	p->cwd = str_is_empty(o->config->working_dir) ? arena_strdup(a, "/") : o->config->working_dir;
	add_rlimits(p, o->host, a);
	*ret = p;
	return 0;
}

int bundle_seccomp(const struct opt_host_config *h, const struct bundle_host *host, struct arena *a, char **ret,
		   struct err *e)
{
	struct options_security security;

	if (options_security(h, &security, e) < 0)
		return -1;
	if (security.seccomp)
		*ret = arena_strdup(a, security.seccomp);
	else if (h->privileged)
		*ret = arena_strdup(a, "unconfined");
	else
		*ret = arena_strdup(a, host->seccomp ? host->seccomp : "default");
	return 0;
}

/* --- resources --------------------------------------------------------------------------------------- */

#define ANY (-1)
static const struct {
	const char *type;
	int major, minor;
	const char *access;
} device_rules[] = {
	{ "c", ANY, ANY, "m" }, { "b", ANY, ANY, "m" },
	{ "c", 1, 3, "rwm" },   /* null */
	{ "c", 1, 5, "rwm" },   /* zero */
	{ "c", 1, 7, "rwm" },   /* full */
	{ "c", 1, 8, "rwm" },   /* random */
	{ "c", 1, 9, "rwm" },   /* urandom */
	{ "c", 5, 0, "rwm" },   /* tty */
	{ "c", 5, 1, "rwm" },   /* console */
	{ "c", 5, 2, "rwm" },   /* ptmx */
	{ "c", 136, ANY, "rwm" }, /* pts */
};

static void add_device_rules(struct oci_resources *r, bool privileged, size_t n_more, struct arena *a)
{
	r->devices = arena_new_array(a, struct oci_device_rule, ARRAY_SIZE(device_rules) + 1 + n_more);
	r->devices[r->n_devices++] = (struct oci_device_rule){ .allow = DEFENCE(DEVICES, privileged, true),
							       .access = arena_strdup(a, "rwm") };
	for (size_t i = 0; i < ARRAY_SIZE(device_rules) && !privileged; i++) {
		struct oci_device_rule *d = &r->devices[r->n_devices++];

		d->allow = true;
		d->type = arena_strdup(a, device_rules[i].type);
		d->access = arena_strdup(a, device_rules[i].access);
		d->major = (struct opt_i64){ device_rules[i].major != ANY, device_rules[i].major };
		d->minor = (struct opt_i64){ device_rules[i].minor != ANY, device_rules[i].minor };
	}
}

static void add_memory(struct oci_resources *r, const struct opt_host_config *h, struct arena *a)
{
	struct oci_memory *m = arena_new_obj(a, struct oci_memory);

	if (h->memory_bytes > 0)
		m->limit_bytes = (struct opt_i64){ true, h->memory_bytes };
	if (h->memory_swap_bytes != 0)
		m->swap_bytes = (struct opt_i64){ true, h->memory_swap_bytes };
	if (h->memory_reservation_bytes > 0)
		m->reservation_bytes = (struct opt_i64){ true, h->memory_reservation_bytes };
	if (h->memory_swappiness.set)
		m->swappiness = (struct opt_u64){ true, (uint64_t)h->memory_swappiness.v };
	if (h->oom_kill_disable.v)
		m->disable_oom_killer = h->oom_kill_disable;
	if (m->limit_bytes.set || m->swap_bytes.set || m->reservation_bytes.set || m->swappiness.set ||
	    m->disable_oom_killer.set)
		r->memory = m;
}

/* --cpus is a quota in a period of 100 ms */
static void add_quota(struct oci_cpu *c, const struct opt_host_config *h)
{
	const uint64_t period_usec = 100000;

	if (h->nano_cpus > 0) {
		c->period_usec = (struct opt_u64){ true, period_usec };
		c->quota_usec = (struct opt_i64){ true, h->nano_cpus / (1000000000 / (int64_t)period_usec) };
	}
	if (h->cpu_period_usec > 0)
		c->period_usec = (struct opt_u64){ true, (uint64_t)h->cpu_period_usec };
	if (h->cpu_quota_usec != 0)
		c->quota_usec = (struct opt_i64){ true, h->cpu_quota_usec };
}

static void add_cpu(struct oci_resources *r, const struct opt_host_config *h, struct arena *a)
{
	struct oci_cpu *c = arena_new_obj(a, struct oci_cpu);

	add_quota(c, h);
	if (h->cpu_shares > 0)
		c->shares = (struct opt_u64){ true, (uint64_t)h->cpu_shares };
	if (!str_is_empty(h->cpuset_cpus))
		c->cpus = h->cpuset_cpus;
	if (!str_is_empty(h->cpuset_mems))
		c->mems = h->cpuset_mems;
	if (h->cpu_rt_period_usec > 0)
		c->realtime_period_usec = (struct opt_u64){ true, (uint64_t)h->cpu_rt_period_usec };
	if (h->cpu_rt_runtime_usec > 0)
		c->realtime_runtime_usec = (struct opt_i64){ true, h->cpu_rt_runtime_usec };
	if (c->period_usec.set || c->quota_usec.set || c->shares.set || c->cpus || c->mems ||
	    c->realtime_period_usec.set || c->realtime_runtime_usec.set)
		r->cpu = c;
}

/* What the devices that were asked for need, and then what the user says: the last word counts */
static int add_asked_rules(struct oci_resources *r, const struct opt_host_config *h, const struct bundle_host *host,
			   struct arena *a, struct err *e)
{
	struct oci_device_rule *rules;
	size_t n;

	if (bundle_device_rules(h, a, &rules, &n, e) < 0)
		return -1;
	add_device_rules(r, h->privileged, host->n_asked + n, a);
	if (h->privileged)
		return 0;
	for (size_t i = 0; i < host->n_asked; i++) {
		const struct bundle_device *d = &host->asked[i];

		r->devices[r->n_devices++] = (struct oci_device_rule){
			.allow = true, .type = d->node.type, .access = d->access,
			.major = { true, d->node.major }, .minor = { true, d->node.minor },
		};
	}
	for (size_t i = 0; i < n; i++)
		r->devices[r->n_devices++] = rules[i];
	return 0;
}

int bundle_resources(const struct opt_host_config *h, const struct bundle_host *host, struct arena *a,
		     struct oci_resources **ret, struct err *e)
{
	struct oci_resources *r = arena_new_obj(a, struct oci_resources);

	if (add_asked_rules(r, h, host, a, e) < 0)
		return -1;
	add_memory(r, h, a);
	add_cpu(r, h, a);
	r->block_io = host->block_io;
	if (h->pids_limit.set && h->pids_limit.v > 0) {
		r->pids = arena_new_obj(a, struct oci_pids);
		r->pids->limit = h->pids_limit;
	}
	*ret = r;
	return 0;
}
