/* SPDX-License-Identifier: Apache-2.0 */
/* Whose namespaces a container has. Spec: moby api/types/container/hostconfig.go, runconfig validateNetMode() */
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "oci/options_parts.h"
#include "oci/sysctl.h"

#define CONTAINER "container:"

/* What may be said, besides nothing and container:X where it is allowed */
static const struct {
	const char *what;
	const char *modes[6];
	bool takes_container;
} kinds[] = {
	[OPTIONS_PID] = { "PID mode", { "private", "host" }, true },
	[OPTIONS_IPC] = { "IPC mode", { "private", "shareable", "none", "host" }, true },
	[OPTIONS_UTS] = { "UTS mode", { "private", "host" }, false },
	[OPTIONS_CGROUP] = { "cgroup namespace mode", { "private", "host" }, false },
	[OPTIONS_USER] = { "user namespace mode", { "host" }, false },
};

static const char *mode_of(const struct opt_host_config *h, enum options_ns ns)
{
	switch (ns) {
	case OPTIONS_PID:
		return h->pid_mode;
	case OPTIONS_IPC:
		return h->ipc_mode;
	case OPTIONS_UTS:
		return h->uts_mode;
	case OPTIONS_CGROUP:
		return h->cgroupns_mode;
	case OPTIONS_USER:
		return h->userns_mode;
	case OPTIONS_NET:
		return h->network_mode;
	case OPTIONS_NS_:
		break;
	}
	return NULL;
}

enum options_share options_share(const struct opt_host_config *h, enum options_ns ns, const char **ret_container)
{
	const char *mode = mode_of(h, ns);

	if (str_is_empty(mode))
		return SHARE_NONE;
	if (str_eq(mode, "host"))
		return SHARE_HOST;
	if (!str_starts(mode, CONTAINER))
		return SHARE_NONE;
	if (ret_container)
		*ret_container = mode + strlen(CONTAINER);
	return SHARE_CONTAINER;
}

bool options_shares_ipc(const struct opt_host_config *h)
{
	return str_eq(h->ipc_mode, "shareable") || options_share(h, OPTIONS_IPC, NULL) != SHARE_NONE;
}

bool options_has_shm(const struct opt_host_config *h)
{
	return !str_eq(h->ipc_mode, "none");
}

/* --- what is asked ------------------------------------------------------------------------------------- */

static bool is_known(enum options_ns ns, const char *mode)
{
	if (str_is_empty(mode))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(kinds[ns].modes) && kinds[ns].modes[i]; i++)
		if (str_eq(mode, kinds[ns].modes[i]))
			return true;
	return kinds[ns].takes_container && str_starts(mode, CONTAINER) && mode[strlen(CONTAINER)] != '\0';
}

static int check_network(const char *mode, struct err *e)
{
	static const char *const modes[] = { "default", "bridge", "none", "host" };

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (str_eq(mode, modes[i]))
			return 0;
	if (str_eq(mode, "container") || str_eq(mode, CONTAINER))
		return err_set(e, ERR_INVALID, "invalid network mode: invalid container format container:<name|id>");
	if (str_starts(mode, CONTAINER))
		return 0;
	return err_set(e, ERR_UNSUPPORTED,
		       "network mode '%.60s' is not supported: use bridge, none, host or container:NAME", mode);
}

int options_check_namespaces(const struct opt_host_config *h, struct err *e)
{
	for (size_t ns = 0; ns < ARRAY_SIZE(kinds); ns++)
		if (!is_known(ns, mode_of(h, ns)))
			return err_set(e, ERR_INVALID, "invalid %s: %.100s", kinds[ns].what, mode_of(h, ns));
	return check_network(h->network_mode, e);
}

static int conflict(const char *a, const char *b, struct err *e)
{
	return err_set(e, ERR_INVALID, "conflicting options: %s and the %s", a, b);
}

int options_check_conflicts(const struct container_options *o, struct err *e)
{
	const struct opt_config *c = o->config;
	const struct json_raw *ports = c ? &c->exposed_ports : NULL;

	if (!c || !o->host)
		return 0;
	if (options_share(o->host, OPTIONS_UTS, NULL) == SHARE_HOST && !str_is_empty(c->hostname))
		return conflict("hostname", "UTS mode", e);
	if (options_share(o->host, OPTIONS_UTS, NULL) == SHARE_HOST && !str_is_empty(c->domainname))
		return conflict("domainname", "UTS mode", e);
	if (options_share(o->host, OPTIONS_NET, NULL) != SHARE_CONTAINER)
		return 0;
	if (!str_is_empty(c->hostname))
		return conflict("hostname", "network mode", e);
	if (ports->text && !str_eq(ports->text, "null") && !str_eq(ports->text, "{}"))
		return conflict("port exposing", "container type network mode", e);
	return 0;
}

/* --- controls of what is shared -------------------------------------------------------------------------- */

int options_check_sysctl(const struct opt_host_config *h, const char *key, struct err *e)
{
	static const struct {
		enum options_ns ns;
		const char *name;
	} owners[] = { [SYSCTL_IPC] = { OPTIONS_IPC, "IPC" }, [SYSCTL_NET] = { OPTIONS_NET, "network" } };
	enum sysctl_owner owner = sysctl_owner_of(key);

	if (owner == SYSCTL_HOST)
		return err_set(e, ERR_INVALID, "sysctl '%.100s' is not in a separate kernel namespace", key);
	switch (options_share(h, owners[owner].ns, NULL)) {
	case SHARE_HOST:
		return err_set(e, ERR_INVALID, "sysctl '%.100s' not allowed in host %s namespace", key, owners[owner].name);
	case SHARE_CONTAINER:
		return err_set(e, ERR_INVALID, "sysctl '%.100s' not allowed in the %s namespace of another container", key,
			       owners[owner].name);
	case SHARE_NONE:
		break;
	}
	return 0;
}
