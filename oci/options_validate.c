/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/defence.h"
#include "base/signame.h"
#include "base/str.h"
#include "oci/bundle.h"
#include "oci/options_parts.h"

#define NS_PER_MS       1000000
#define HOSTNAME_MAX    64
#define LIST_MAX        4096   /* entries of any list of the request */

/* --- Config ------------------------------------------------------------------------------------------ */

static bool is_host_name(const char *s)
{
	return strlen(s) <= HOSTNAME_MAX && s[0] != '-' && s[0] != '.' &&
	       DEFENCE(HOST_NAME,
		       s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")] == '\0', true);
}

/* They are written into /etc/hosts: nothing else than a name may get through */
static int check_names(const struct opt_config *c, struct err *e)
{
	if (!is_host_name(c->hostname))
		return err_set(e, ERR_INVALID, "invalid hostname format: %.100s", c->hostname);
	if (!is_host_name(c->domainname))
		return err_set(e, ERR_INVALID, "invalid domainname format: %.100s", c->domainname);
	return 0;
}

static int check_env(const struct str_list *env, struct err *e)
{
	if (env->n > LIST_MAX)
		return err_set(e, ERR_INVALID, "more than %d environment variables", LIST_MAX);
	for (size_t i = 0; i < env->n; i++)
		if (env->v[i][0] == '=' || env->v[i][0] == '\0')
			return err_set(e, ERR_INVALID, "invalid environment variable: %.100s", env->v[i]);
	return 0;
}

static int check_duration(int64_t ns, const char *what, struct err *e)
{
	if (ns != 0 && ns < NS_PER_MS)
		return err_set(e, ERR_INVALID, "%s in Healthcheck cannot be less than 1ms", what);
	return 0;
}

static int check_health(const struct opt_healthcheck *h, struct err *e)
{
	const char *kind;

	if (!h)
		return 0;
	kind = h->test.n > 0 ? h->test.v[0] : "NONE";
	if (!str_eq(kind, "NONE") && !str_eq(kind, "CMD") && !str_eq(kind, "CMD-SHELL"))
		return err_set(e, ERR_INVALID, "Unknown healthcheck type '%.60s' (expected 'CMD')", kind);
	if (!str_eq(kind, "NONE") && h->test.n < 2)
		return err_set(e, ERR_INVALID, "Missing command after HEALTHCHECK %s", kind);
	if (check_duration(h->interval_ns, "Interval", e) < 0 || check_duration(h->timeout_ns, "Timeout", e) < 0 ||
	    check_duration(h->start_period_ns, "StartPeriod", e) < 0 ||
	    check_duration(h->start_interval_ns, "StartInterval", e) < 0)
		return -1;
	if (h->retries < 0)
		return err_set(e, ERR_INVALID, "Retries in Healthcheck cannot be negative");
	return 0;
}

static int check_config(const struct opt_config *c, struct err *e)
{
	if (check_names(c, e) < 0 || check_env(&c->env, e) < 0 || check_health(c->healthcheck, e) < 0)
		return -1;
	if (c->cmd.n > LIST_MAX || c->entrypoint.n > LIST_MAX)
		return err_set(e, ERR_INVALID, "more than %d arguments", LIST_MAX);
	if (!str_is_empty(c->working_dir) && c->working_dir[0] != '/')
		return err_set(e, ERR_INVALID,
			       "the working directory '%.200s' is invalid, it needs to be an absolute path",
			       c->working_dir);
	if (!str_is_empty(c->stop_signal) && signame_parse(c->stop_signal) < 0)
		return err_set(e, ERR_INVALID, "invalid signal: %.60s", c->stop_signal);
	return 0;
}

/* --- HostConfig: the rest ---------------------------------------------------------------------------- */

static int check_restart(const struct opt_host_config *h, struct err *e)
{
	const struct opt_restart_policy *p = h->restart_policy;
	bool is_on_failure = str_eq(p->name, "on-failure");

	if (!is_on_failure && !str_eq(p->name, "no") && !str_eq(p->name, "always") &&
	    !str_eq(p->name, "unless-stopped"))
		return err_set(e, ERR_INVALID,
			       "invalid restart policy: unknown policy '%.60s'; use one of 'no', 'always', 'on-failure', "
			       "or 'unless-stopped'", p->name);
	if (is_on_failure && p->maximum_retry_count < 0)
		return err_set(e, ERR_INVALID, "invalid restart policy: maximum retry count cannot be negative");
	if (!is_on_failure && p->maximum_retry_count != 0)
		return err_set(e, ERR_INVALID,
			       "invalid restart policy: maximum retry count can only be used with 'on-failure'%s",
			       p->maximum_retry_count < 0 ? " and cannot be negative" : "");
	if (h->auto_remove && !str_eq(p->name, "no"))
		return err_set(e, ERR_INVALID, "can't create 'AutoRemove' container with restart policy");
	return 0;
}

int options_check_log(const struct opt_log_config *l, struct err *e)
{
	if (!str_eq(l->type, "json-file") && !str_eq(l->type, "none"))
		return err_set(e, ERR_UNSUPPORTED,
			       "log driver '%.60s' is not supported: use json-file or none", l->type);
	return bundle_check_log(l, e);
}

static int check_capabilities(const struct opt_host_config *h, struct arena *a, struct err *e)
{
	struct str_list ignored;

	return options_capabilities(h, UINT64_MAX, a, &ignored, e);
}

static int check_mounts(const struct container_options *o, struct arena *a, struct err *e)
{
	const struct str_map *tmpfs = &o->host->tmpfs;
	struct oci_device_rule *rules;
	struct bundle_bind *binds;
	struct str_list options;
	size_t n;

	if (bundle_binds(o, a, &binds, &n, e) < 0 || bundle_check_devices(o->host, e) < 0 ||
	    bundle_device_rules(o->host, a, &rules, &n, e) < 0)
		return -1;
	for (size_t i = 0; i < tmpfs->n; i++)
		if (options_tmpfs_options(tmpfs->v[i].value, a, &options, e) < 0)
			return -1;
	return 0;
}

int options_validate(const struct container_options *o, const struct options_host *host, struct err *e)
{
	const struct opt_host_config *h = o->host;
	AUTO_ARENA struct arena *a = arena_new();
	uint32_t height, width;

	if (check_config(o->config, e) < 0 || check_restart(h, e) < 0 || options_check_log(h->log_config, e) < 0 ||
	    options_check_namespaces(h, e) < 0 || bundle_check_cgroup_parent(h->cgroup_parent, host->cgroup_parent, e) < 0)
		return -1;
	if (options_check_limits(h, host, e) < 0 || options_check_process(h, e) < 0 || check_capabilities(h, a, e) < 0 || check_mounts(o, a, e) < 0)
		return -1;
	if (options_check_security(h, host, e) < 0)
		return -1;
	if (!options_console_size(h, &height, &width))
		return err_set(e, ERR_INVALID, "invalid ConsoleSize: expected [height, width]");
	return 0;
}
