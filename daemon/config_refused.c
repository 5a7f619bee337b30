/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of dockerd that Kiln does not have, each refused by name with its reason. One table, as docker_create.c has one
 * for the fields of a container. Values that ask for what Kiln does anyway are accepted in the file.
 */
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "daemon/config_priv.h"

#define NETWORKS   "there are no networks yet"
#define REGISTRIES "there are no registries yet"
#define TCP        "kilnd serves unix sockets only"
#define SWARM      "Kiln has no swarm mode"
#define RUNTIME    "there is one runtime, 'kiln'"
#define STORAGE    "layers are kept by Kiln's own overlay store"
#define CONTAINERD "there is no containerd"
#define USERNS     "there are no user namespaces yet"

static const struct {
	const char *name, *accepted, *reason;   /* accepted: compact JSON values, "|" between */
} refused[] = {
	{ "add-runtime",                 "",            RUNTIME },
	{ "allow-direct-routing",        "false",       NETWORKS },
	{ "api-cors-header",             "",            TCP },
	{ "authorization-plugin",        "",            "there are no plugins; the socket's group decides" },
	{ "authorization-plugins",       "[]",          "there are no plugins; the socket's group decides" },
	{ "bip",                         "",            NETWORKS },
	{ "bip6",                        "",            NETWORKS },
	{ "bridge",                      "\"none\"",    NETWORKS },
	{ "bridge-accept-fwmark",        "",            NETWORKS },
	{ "builder",                     "{}",          "Kiln does not build images" },
	{ "cdi-spec-dir",                "",            "there are no CDI devices" },
	{ "cdi-spec-dirs",               "[]",          "there are no CDI devices" },
	{ "cluster-advertise",           "",            SWARM },
	{ "cluster-store",               "",            SWARM },
	{ "cluster-store-opts",          "{}",          SWARM },
	{ "containerd",                  "",            CONTAINERD },
	{ "containerd-namespace",        "",            CONTAINERD },
	{ "containerd-plugins-namespace", "",           CONTAINERD },
	{ "cri-containerd",              "false",       CONTAINERD },
	{ "default-address-pool",        "",            NETWORKS },
	{ "default-address-pools",       "[]",          NETWORKS },
	{ "default-cgroupns-mode",       "\"private\"", "containers have a cgroup namespace of their own unless they ask for the host's" },
	{ "default-gateway",             "",            NETWORKS },
	{ "default-gateway-v6",          "",            NETWORKS },
	{ "default-ipc-mode",            "\"private\"", "containers have an IPC namespace of their own unless they ask for another" },
	{ "default-network-opt",         "",            NETWORKS },
	{ "default-network-opts",        "{}",          NETWORKS },
	{ "default-runtime",             "\"kiln\"",    RUNTIME },
	{ "dns",                         "[]",          NETWORKS },
	{ "dns-opt",                     "",            NETWORKS },
	{ "dns-opts",                    "[]",          NETWORKS },
	{ "dns-search",                  "[]",          NETWORKS },
	{ "exec-opt",                    "",            "control groups are Kiln's own; see cgroup-parent" },
	{ "exec-opts",                   "[]|[\"native.cgroupdriver=cgroupfs\"]", "control groups are Kiln's own; see cgroup-parent" },
	{ "experimental",                "false",       "there are no experimental features" },
	{ "features",                    "{}|{\"buildkit\":false}", "there are no such features" },
	{ "firewall-backend",            "",            NETWORKS },
	{ "fixed-cidr",                  "",            NETWORKS },
	{ "fixed-cidr-v6",               "",            NETWORKS },
	{ "graph",                       "",            "it is called data-root" },
	{ "host-gateway-ip",             "",            NETWORKS },
	{ "host-gateway-ips",            "[]",          NETWORKS },
	{ "http-proxy",                  "",            REGISTRIES },
	{ "https-proxy",                 "",            REGISTRIES },
	{ "icc",                         "",            NETWORKS },
	{ "init-path",                   "",            "the init is kiln-runtime's own" },
	{ "insecure-registries",         "[]",          REGISTRIES },
	{ "insecure-registry",           "",            REGISTRIES },
	{ "ip",                          "",            NETWORKS },
	{ "ip-forward",                  "",            NETWORKS },
	{ "ip-forward-no-drop",          "",            NETWORKS },
	{ "ip-masq",                     "",            NETWORKS },
	{ "ip6tables",                   "",            NETWORKS },
	{ "iptables",                    "",            NETWORKS },
	{ "ipv6",                        "false",       NETWORKS },
	{ "live-restore",                "true",        "containers always outlive kilnd" },
	{ "max-concurrent-downloads",    "",            REGISTRIES },
	{ "max-concurrent-uploads",      "",            REGISTRIES },
	{ "max-download-attempts",       "",            REGISTRIES },
	{ "metrics-addr",                "",            "there are no metrics yet" },
	{ "min-api-version",             "\"1.24\"",    "the API is served from version 1.24" },
	{ "mtu",                         "",            NETWORKS },
	{ "network-control-plane-mtu",   "",            SWARM },
	{ "network-diagnostic-port",     "",            SWARM },
	{ "no-proxy",                    "",            REGISTRIES },
	{ "node-generic-resource",       "",            SWARM },
	{ "node-generic-resources",      "[]",          SWARM },
	{ "oom-score-adjust",            "0",           "set OOMScoreAdjust= in kilnd.service" },
	{ "proxies",                     "{}",          REGISTRIES },
	{ "raw-logs",                    "",            "the log has no colours" },
	{ "registry-mirror",             "",            REGISTRIES },
	{ "registry-mirrors",            "[]",          REGISTRIES },
	{ "rootless",                    "false",       USERNS },
	{ "runtimes",                    "{}",          RUNTIME },
	{ "selinux-enabled",             "false",       "Kiln does not label for SELinux" },
	{ "storage-driver",              "\"overlay2\"", STORAGE },
	{ "storage-opt",                 "",            STORAGE },
	{ "storage-opts",                "[]",          STORAGE },
	{ "swarm-default-advertise-addr", "",           SWARM },
	{ "tls",                         "false",       TCP },
	{ "tlscacert",                   "",            TCP },
	{ "tlscert",                     "",            TCP },
	{ "tlskey",                      "",            TCP },
	{ "tlsverify",                   "false",       TCP },
	{ "userland-proxy",              "",            NETWORKS },
	{ "userland-proxy-path",         "",            NETWORKS },
	{ "userns-remap",                "\"\"",        USERNS },
};

static bool is_listed(const char *accepted, const char *value)
{
	size_t n_value = strlen(value);

	for (const char *p = accepted; *p;) {
		size_t n = strcspn(p, "|");

		if (n == n_value && memcmp(p, value, n) == 0)
			return true;
		p += n + (p[n] == '|');
	}
	return false;
}

int config_refused(const char *name, const char *value, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		if (!str_eq(refused[i].name, name))
			continue;
		if (value && is_listed(refused[i].accepted, value))
			return 1;
		return err_set(e, ERR_UNSUPPORTED, "is refused: %s", refused[i].reason);
	}
	return 0;
}
