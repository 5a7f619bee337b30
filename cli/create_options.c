/* SPDX-License-Identifier: Apache-2.0 */
/* The options of create, run and update, and where their values go in the request. */
#include "cli/create.h"
#include "cli/create_emit.h"

#include <string.h>

#define T struct create_options
#define HOST(name) .json = "HostConfig." name

static int check_label(const char *text, struct err *e)
{
	return text[0] && text[0] != '=' ? 0 : err_set(e, ERR_INVALID, "invalid label '%.128s': empty name", text);
}

static int check_device(const char *text, struct err *e)
{
	return text[0] == '/' ? 0 : err_set(e, ERR_INVALID, "%.128s is not an absolute path", text);
}

/* As docker's client; "=" and, of old, ":" */
static int check_security(const char *text, struct err *e)
{
	if (strpbrk(text, "=:") || str_eq(text, "no-new-privileges"))
		return 0;
	return err_set(e, ERR_INVALID, "expected no-new-privileges or KEY=VALUE");
}

#define NETWORKS  "there are no networks yet; use --network none or host"
#define NEVER     "it is not an option of Linux"
#define RESTARTS  "no|always|unless-stopped|on-failure"

const struct opt create_rows[] = {
	OPT_TEXT(T, name, 0, "name", "NAME", "Its name", .group = "Options"),
	OPT_TEXT(T, hostname, 'h', "hostname", "NAME", "Its host name", .json = "Hostname"),
	OPT_TEXT(T, domainname, 0, "domainname", "NAME", "Its NIS domain name", .json = "Domainname"),
	OPT_TEXTS(T, label, 'l', "label", "KEY=VALUE", "Set a label", .json = "Labels", .emit = emit_map, .check = check_label),
	OPT_TEXTS(T, label_file, 0, "label-file", "FILE", "Read labels from a file, one a line", .kind = VALUE_FILE),
	OPT_TEXTS(T, annotation, 0, "annotation", "KEY=VALUE", "Set an annotation, which the runtime is told", HOST("Annotations"), .emit = emit_map),
	OPT_TEXT(T, cidfile, 0, "cidfile", "FILE", "Write its ID to a file, which must not exist", .kind = VALUE_FILE, HOST("ContainerIDFile")),
	OPT_FLAG(T, rm, 0, "rm", "Remove it when it ends", HOST("AutoRemove")),
	OPT_TEXT(T, restart, 0, "restart", "POLICY", "When to start it again: no, always, unless-stopped, on-failure[:N]", HOST("RestartPolicy"),
		 .emit = emit_restart, .kind = VALUE_CHOICE, .choices = RESTARTS),
	OPT_TEXT(T, platform, 0, "platform", "OS/ARCH", "The image's platform, which is this machine's", .choices = "linux/amd64"),
	OPT_TEXT(T, pull, 0, "pull", "WHEN", "'missing' or 'never': Kiln pulls no images", .kind = VALUE_CHOICE, .choices = "missing|never", .check = create_check_pull),
	OPT_FLAG(T, quiet, 'q', "quiet", "Accepted for docker's sake: nothing is pulled", .is_hidden = true),
	OPT_SWITCH(T, content_trust_off, 0, "disable-content-trust", "Accepted for docker's sake", .is_hidden = true),
	OPT_TEXT(T, runtime, 0, "runtime", "NAME", "Its runtime, 'kiln'", HOST("Runtime"), .choices = "kiln"),
	OPT_TEXT(T, isolation, 0, "isolation", "NAME", "'default'", HOST("Isolation"), .choices = "default"),

	OPT_FLAG(T, interactive, 'i', "interactive", "Keep standard input open", .group = "Process", .json = "OpenStdin"),
	OPT_FLAG(T, tty, 't', "tty", "Give it a terminal", .json = "Tty"),
	OPT_TEXTS(T, attach, 'a', "attach", "STREAM", "Join with stdin, stdout or stderr only", .kind = VALUE_CHOICE, .choices = "stdin|stdout|stderr", .check = create_check_stream),
	OPT_TEXTS(T, env, 'e', "env", "KEY=VALUE", "Set an environment variable; KEY alone takes ours", .json = "Env", .emit = emit_env, .check = emit_check_env),
	OPT_TEXTS(T, env_file, 0, "env-file", "FILE", "Read environment variables from a file, one a line", .kind = VALUE_FILE),
	OPT_TEXT(T, entrypoint, 0, "entrypoint", "PROGRAM", "Instead of the image's; \"\" for none", .json = "Entrypoint", .emit = emit_one),
	OPT_TEXT(T, user, 'u', "user", "USER[:GROUP]", "Run as this user, by name or number", .json = "User"),
	OPT_TEXTS(T, group_add, 0, "group-add", "GROUP", "One more group of the user", HOST("GroupAdd")),
	OPT_TEXT(T, workdir, 'w', "workdir", "DIR", "Its working directory", .json = "WorkingDir"),
	OPT_SWITCH(T, init, 0, "init", "Run an init that forwards signals and reaps", HOST("Init")),
	OPT_TEXT(T, stop_signal, 0, "stop-signal", "SIGNAL", "What stop sends", .kind = VALUE_SIGNAL, .json = "StopSignal"),
	OPT_NUMBER(T, stop_timeout, 0, "stop-timeout", "SECONDS", "How long stop waits before it kills", .json = "StopTimeout"),
	OPT_TEXTS(T, ulimit, 0, "ulimit", "NAME=SOFT[:HARD]", "Set a limit of setrlimit(2)", HOST("Ulimits"), .emit = emit_ulimits),
	OPT_NUMBER(T, oom_score_adj, 0, "oom-score-adj", "N", "How soon the kernel kills it when memory is out, -1000 to 1000", HOST("OomScoreAdj")),

	OPT_SIZE(T, memory, 'm', "memory", "Limit of memory, with k, m or g", .group = "Resources", HOST("Memory")),
	OPT_SIZE(T, memory_reservation, 0, "memory-reservation", "Soft limit of memory", HOST("MemoryReservation")),
	OPT_SIZE(T, memory_swap, 0, "memory-swap", "Limit of memory and swap together; -1: no limit of swap", HOST("MemorySwap")),
	OPT_NUMBER(T, memory_swappiness, 0, "memory-swappiness", "N", "0 to 100 (cgroup v1)", HOST("MemorySwappiness")),
	OPT_SIZE(T, kernel_memory, 0, "kernel-memory", "A limit that the kernel has no more", HOST("KernelMemory"), .is_hidden = true),
	OPT_FLAG(T, oom_kill_disable, 0, "oom-kill-disable", "Do not kill it when its memory is out (cgroup v1)", HOST("OomKillDisable")),
	OPT_BILLIONTHS(T, cpus, 0, "cpus", "N", "Limit of processor time, as 1.5", HOST("NanoCpus")),
	OPT_NUMBER(T, cpu_shares, 'c', "cpu-shares", "N", "Share of processor time when it is scarce; 1024 is one", HOST("CpuShares")),
	OPT_NUMBER(T, cpu_period, 0, "cpu-period", "USEC", "Period of the CFS scheduler", HOST("CpuPeriod")),
	OPT_NUMBER(T, cpu_quota, 0, "cpu-quota", "USEC", "Processor time within a period", HOST("CpuQuota")),
	OPT_NUMBER(T, cpu_rt_period, 0, "cpu-rt-period", "USEC", "Period of the real-time scheduler (cgroup v1)", HOST("CpuRealtimePeriod")),
	OPT_NUMBER(T, cpu_rt_runtime, 0, "cpu-rt-runtime", "USEC", "Real-time processor time within a period (cgroup v1)", HOST("CpuRealtimeRuntime")),
	OPT_TEXT(T, cpuset_cpus, 0, "cpuset-cpus", "LIST", "Processors it may use, as 0-3,5", HOST("CpusetCpus")),
	OPT_TEXT(T, cpuset_mems, 0, "cpuset-mems", "LIST", "Memory nodes it may use", HOST("CpusetMems")),
	OPT_NUMBER(T, pids_limit, 0, "pids-limit", "N", "Limit of processes; -1: none", HOST("PidsLimit")),
	OPT_NUMBER(T, blkio_weight, 0, "blkio-weight", "N", "Share of block I/O, 10 to 1000; 0: the kernel's", HOST("BlkioWeight")),
	OPT_TEXTS(T, blkio_weight_device, 0, "blkio-weight-device", "DEVICE:N", "The same for one device", HOST("BlkioWeightDevice"), .emit = emit_weights),
	OPT_TEXTS(T, read_bps, 0, "device-read-bps", "DEVICE:BYTES", "Limit of bytes read in a second", HOST("BlkioDeviceReadBps"), .emit = emit_bps),
	OPT_TEXTS(T, write_bps, 0, "device-write-bps", "DEVICE:BYTES", "Limit of bytes written in a second", HOST("BlkioDeviceWriteBps"), .emit = emit_bps),
	OPT_TEXTS(T, read_iops, 0, "device-read-iops", "DEVICE:N", "Limit of reads in a second", HOST("BlkioDeviceReadIOps"), .emit = emit_iops),
	OPT_TEXTS(T, write_iops, 0, "device-write-iops", "DEVICE:N", "Limit of writes in a second", HOST("BlkioDeviceWriteIOps"), .emit = emit_iops),
	OPT_SIZE(T, shm_size, 0, "shm-size", "Size of /dev/shm (default 64m)", HOST("ShmSize")),
	OPT_TEXT(T, cgroup_parent, 0, "cgroup-parent", "GROUP", "The control group that its own is made in", HOST("CgroupParent")),

	OPT_TEXTS(T, volume, 'v', "volume", "SRC:DST[:OPTIONS]", "Bind a path of this machine; ro makes it read-only", .group = "Files and devices",
		  .kind = VALUE_DIR, HOST("Binds"), .emit = emit_binds),
	OPT_TEXTS(T, mount, 0, "mount", "SPEC", "type=bind|tmpfs,source=PATH,target=PATH[,readonly][,OPTION=VALUE...]", HOST("Mounts"), .emit = emit_mounts,
		  .more = "Keys: type, source (src), target (dst, destination), readonly (ro), consistency, bind-propagation, bind-recursive, "
			  "bind-nonrecursive, tmpfs-size, tmpfs-mode."),
	OPT_TEXTS(T, tmpfs, 0, "tmpfs", "DIR[:OPTIONS]", "Mount a file system in memory", HOST("Tmpfs"), .emit = emit_tmpfs),
	OPT_TEXTS(T, volumes_from, 0, "volumes-from", "CONTAINER[:ro]", "Bind what another container has bound", .kind = VALUE_CONTAINER, HOST("VolumesFrom")),
	OPT_FLAG(T, read_only, 0, "read-only", "Make its root read-only", HOST("ReadonlyRootfs")),
	OPT_TEXTS(T, device, 0, "device", "PATH[:PATH][:rwm]", "Give it a device of this machine", .kind = VALUE_FILE, HOST("Devices"), .emit = emit_devices, .check = check_device),
	OPT_TEXTS(T, device_cgroup_rule, 0, "device-cgroup-rule", "RULE", "Allow more devices, as 'c 1:3 rwm'", HOST("DeviceCgroupRules")),
	OPT_TEXTS(T, storage_opt, 0, "storage-opt", "KEY=VALUE", "Refused by the daemon today", HOST("StorageOpt"), .emit = emit_map, .is_hidden = true),

	OPT_TEXT(T, network, 0, "network", "MODE", "Its network: none, host, container:NAME or bridge (loopback only; default)", .group = "Namespaces and network",
		 HOST("NetworkMode"), .kind = VALUE_CHOICE, .choices = "none|host|bridge|container:"),
	OPT_TEXT(T, network, 0, "net", "MODE", "The same", .is_hidden = true),
	OPT_TEXTS(T, expose, 0, "expose", "PORT[/PROTO]", "Note that it listens there", .json = "ExposedPorts", .emit = emit_ports),
	OPT_TEXT(T, pid, 0, "pid", "MODE", "Its processes: host or container:NAME", HOST("PidMode"), .choices = "host|container:"),
	OPT_TEXT(T, ipc, 0, "ipc", "MODE", "Its IPC: private, shareable, host or container:NAME", HOST("IpcMode"), .choices = "private|shareable|host|none|container:"),
	OPT_TEXT(T, uts, 0, "uts", "MODE", "Its host name: host", HOST("UTSMode"), .choices = "host"),
	OPT_TEXT(T, cgroupns, 0, "cgroupns", "MODE", "Its view of control groups: private or host", HOST("CgroupnsMode"), .kind = VALUE_CHOICE, .choices = "private|host"),
	OPT_TEXT(T, userns, 0, "userns", "MODE", "Its user IDs: host", HOST("UsernsMode"), .kind = VALUE_CHOICE, .choices = "host"),

	OPT_FLAG(T, privileged, 0, "privileged", "Give it all capabilities and devices", .group = "Security", HOST("Privileged")),
	OPT_TEXTS(T, cap_add, 0, "cap-add", "CAP", "Add a capability, or ALL", .kind = VALUE_CAPABILITY, HOST("CapAdd"), .emit = emit_caps),
	OPT_TEXTS(T, cap_drop, 0, "cap-drop", "CAP", "Drop a capability, or ALL", .kind = VALUE_CAPABILITY, HOST("CapDrop"), .emit = emit_caps),
	OPT_TEXTS(T, security_opt, 0, "security-opt", "OPTION", "seccomp=FILE|unconfined, apparmor=PROFILE, no-new-privileges, systempaths=unconfined",
		  HOST("SecurityOpt"), .emit = emit_security, .check = check_security,
		  .choices = "apparmor=|label=|no-new-privileges|seccomp=|seccomp=unconfined|systempaths=unconfined"),
	OPT_TEXTS(T, sysctl, 0, "sysctl", "NAME=VALUE", "Set a parameter of its kernel namespaces", HOST("Sysctls"), .emit = emit_map),

	OPT_TEXT(T, health_cmd, 0, "health-cmd", "COMMAND", "What tells whether it is healthy", .group = "Health", .json = "Healthcheck.Test", .emit = emit_health_cmd),
	OPT_TIME(T, health_interval, 0, "health-interval", "Time between two checks", .json = "Healthcheck.Interval"),
	OPT_TIME(T, health_timeout, 0, "health-timeout", "Time that one may take", .json = "Healthcheck.Timeout"),
	OPT_TIME(T, health_start_period, 0, "health-start-period", "Time to start, in which failures do not count", .json = "Healthcheck.StartPeriod"),
	OPT_TIME(T, health_start_interval, 0, "health-start-interval", "Time between two checks in that time", .json = "Healthcheck.StartInterval"),
	OPT_NUMBER(T, health_retries, 0, "health-retries", "N", "Failures in a row that make it unhealthy", .json = "Healthcheck.Retries"),
	OPT_FLAG(T, no_healthcheck, 0, "no-healthcheck", "Without the check that the image has", .json = "Healthcheck.Test", .emit = emit_health_none),

	OPT_TEXT(T, log_driver, 0, "log-driver", "NAME", "Where its output is kept: json-file or none", .group = "Log", HOST("LogConfig.Type"),
		 .kind = VALUE_CHOICE, .choices = "json-file|none"),
	OPT_TEXTS(T, log_opt, 0, "log-opt", "KEY=VALUE", "max-size=10m, max-file=3 and others", HOST("LogConfig.Config"), .emit = emit_map,
		  .choices = "max-size=|max-file="),

	OPT_REFUSED_VALUE('p', "publish", "publishing ports: " NETWORKS, HOST("PortBindings")),
	OPT_REFUSED_FLAG('P', "publish-all", "publishing ports: " NETWORKS, HOST("PublishAllPorts")),
	OPT_REFUSED_VALUE(0, "add-host", NETWORKS, HOST("ExtraHosts")),
	OPT_REFUSED_VALUE(0, "dns", NETWORKS, HOST("Dns")),
	OPT_REFUSED_VALUE(0, "dns-option", NETWORKS, HOST("DnsOptions")),
	OPT_REFUSED_VALUE(0, "dns-opt", NETWORKS),
	OPT_REFUSED_VALUE(0, "dns-search", NETWORKS, HOST("DnsSearch")),
	OPT_REFUSED_VALUE(0, "ip", NETWORKS, .json = "NetworkingConfig.EndpointsConfig.*"),
	OPT_REFUSED_VALUE(0, "ip6", NETWORKS, .json = "NetworkingConfig.EndpointsConfig.*"),
	OPT_REFUSED_VALUE(0, "link", NETWORKS, HOST("Links")),
	OPT_REFUSED_VALUE(0, "link-local-ip", NETWORKS, .json = "NetworkingConfig.EndpointsConfig.*"),
	OPT_REFUSED_VALUE(0, "mac-address", NETWORKS, .json = "MacAddress"),
	OPT_REFUSED_VALUE(0, "network-alias", NETWORKS, .json = "NetworkingConfig.EndpointsConfig.*"),
	OPT_REFUSED_VALUE(0, "net-alias", NETWORKS),
	OPT_REFUSED_VALUE(0, "gpus", "Kiln knows no GPUs yet; use --device", HOST("DeviceRequests")),
	OPT_REFUSED_VALUE(0, "volume-driver", "there are no volumes yet; use -v /host/path:/path", HOST("VolumeDriver")),
	OPT_REFUSED_FLAG(0, "use-api-socket", "bind the socket yourself: -v /run/kiln/kiln.sock:/run/kiln/kiln.sock"),
	OPT_REFUSED_VALUE(0, "cpu-count", NEVER, HOST("CpuCount")),
	OPT_REFUSED_VALUE(0, "cpu-percent", NEVER, HOST("CpuPercent")),
	OPT_REFUSED_VALUE(0, "io-maxbandwidth", NEVER, HOST("IOMaximumBandwidth")),
	OPT_REFUSED_VALUE(0, "io-maxiops", NEVER, HOST("IOMaximumIOps")),
	OPT_END,
};

#undef T
#define T struct update_options

/* The request of an update is the resources themselves */
const struct opt update_rows[] = {
	OPT_NUMBER(T, blkio_weight, 0, "blkio-weight", "N", "Share of block I/O, 10 to 1000; 0: the kernel's", .json = "BlkioWeight"),
	OPT_NUMBER(T, cpu_period, 0, "cpu-period", "USEC", "Period of the CFS scheduler", .json = "CpuPeriod"),
	OPT_NUMBER(T, cpu_quota, 0, "cpu-quota", "USEC", "Processor time within a period", .json = "CpuQuota"),
	OPT_NUMBER(T, cpu_rt_period, 0, "cpu-rt-period", "USEC", "Period of the real-time scheduler (cgroup v1)", .json = "CpuRealtimePeriod"),
	OPT_NUMBER(T, cpu_rt_runtime, 0, "cpu-rt-runtime", "USEC", "Real-time processor time within a period (cgroup v1)", .json = "CpuRealtimeRuntime"),
	OPT_NUMBER(T, cpu_shares, 'c', "cpu-shares", "N", "Share of processor time when it is scarce; 1024 is one", .json = "CpuShares"),
	OPT_BILLIONTHS(T, cpus, 0, "cpus", "N", "Limit of processor time, as 1.5", .json = "NanoCpus"),
	OPT_TEXT(T, cpuset_cpus, 0, "cpuset-cpus", "LIST", "Processors it may use, as 0-3,5", .json = "CpusetCpus"),
	OPT_TEXT(T, cpuset_mems, 0, "cpuset-mems", "LIST", "Memory nodes it may use", .json = "CpusetMems"),
	OPT_SIZE(T, kernel_memory, 0, "kernel-memory", "A limit that the kernel has no more", .json = "KernelMemory", .is_hidden = true),
	OPT_SIZE(T, memory, 'm', "memory", "Limit of memory, with k, m or g", .json = "Memory"),
	OPT_SIZE(T, memory_reservation, 0, "memory-reservation", "Soft limit of memory", .json = "MemoryReservation"),
	OPT_SIZE(T, memory_swap, 0, "memory-swap", "Limit of memory and swap together; -1: no limit of swap", .json = "MemorySwap"),
	OPT_NUMBER(T, pids_limit, 0, "pids-limit", "N", "Limit of processes; -1: none", .json = "PidsLimit"),
	OPT_TEXT(T, restart, 0, "restart", "POLICY", "When to start it again: no, always, unless-stopped, on-failure[:N]", .json = "RestartPolicy",
		 .emit = emit_restart, .kind = VALUE_CHOICE, .choices = RESTARTS),
	OPT_END,
};
