/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/runtime_config.h"

#include <string.h>

#define O J_OMIT_EMPTY
#define GIDS_MAX 65536   /* NGROUPS_MAX of Linux */

/* --- process ---------------------------------------------------------------------------------------- */

static const struct jfield user_fields[] = {
	J_U32(struct oci_user, uid, "uid", 0),
	J_U32(struct oci_user, gid, "gid", 0),
	J_OPT_U64(struct oci_user, umask, "umask", O),
	J_RAW(struct oci_user, additional_gids, "additionalGids", O),
};
static const struct jschema user_schema =
	J_SCHEMA(struct oci_user, "config.md#posix-platform-user", user_fields);

static const struct jfield box_fields[] = {
	J_U32(struct oci_box, height, "height", J_REQUIRED),
	J_U32(struct oci_box, width, "width", J_REQUIRED),
};
static const struct jschema box_schema = J_SCHEMA(struct oci_box, "config.md#process", box_fields);

static const struct jfield capabilities_fields[] = {
	J_STRINGS(struct oci_capabilities, bounding, "bounding", O),
	J_STRINGS(struct oci_capabilities, effective, "effective", O),
	J_STRINGS(struct oci_capabilities, inheritable, "inheritable", O),
	J_STRINGS(struct oci_capabilities, permitted, "permitted", O),
	J_STRINGS(struct oci_capabilities, ambient, "ambient", O),
};
static const struct jschema capabilities_schema =
	J_SCHEMA(struct oci_capabilities, "config.md#linux-process", capabilities_fields);

static const struct jfield rlimit_fields[] = {
	J_STRING(struct oci_rlimit, type, "type", J_REQUIRED),
	J_U64(struct oci_rlimit, soft, "soft", J_REQUIRED),
	J_U64(struct oci_rlimit, hard, "hard", J_REQUIRED),
};
static const struct jschema rlimit_schema =
	J_SCHEMA(struct oci_rlimit, "config.md#posix-process", rlimit_fields);

static const struct jfield scheduler_fields[] = {
	J_STRING(struct oci_scheduler, policy, "policy", J_REQUIRED),
	J_I64(struct oci_scheduler, nice, "nice", O),
	J_I64(struct oci_scheduler, priority, "priority", O),
	J_STRINGS(struct oci_scheduler, flags, "flags", O),
	J_U64(struct oci_scheduler, runtime_ns, "runtime", O),
	J_U64(struct oci_scheduler, deadline_ns, "deadline", O),
	J_U64(struct oci_scheduler, period_ns, "period", O),
};
static const struct jschema scheduler_schema = J_SCHEMA(struct oci_scheduler, "config.md#linux-process", scheduler_fields);

static const struct jfield io_priority_fields[] = {
	J_STRING(struct oci_io_priority, class_, "class", J_REQUIRED),
	J_I64(struct oci_io_priority, priority, "priority", O),
};
static const struct jschema io_priority_schema = J_SCHEMA(struct oci_io_priority, "config.md#linux-process", io_priority_fields);

static const struct jfield cpu_affinity_fields[] = {
	J_STRING(struct oci_cpu_affinity, initial, "initial", O),
	J_STRING(struct oci_cpu_affinity, final, "final", O),
};
static const struct jschema cpu_affinity_schema = J_SCHEMA(struct oci_cpu_affinity, "config.md#linux-process", cpu_affinity_fields);

static const struct jfield process_fields[] = {
	J_BOOLEAN(struct oci_process, terminal, "terminal", O),
	J_OBJECT(struct oci_process, console_size, "consoleSize", &box_schema, O),
	J_OBJECT(struct oci_process, user, "user", &user_schema, O),
	J_STRINGS(struct oci_process, args, "args", O),
	J_STRINGS(struct oci_process, env, "env", O),
	J_STRING(struct oci_process, cwd, "cwd", J_REQUIRED),
	J_OBJECT(struct oci_process, capabilities, "capabilities", &capabilities_schema, O),
	J_ARRAY(struct oci_process, rlimits, n_rlimits, "rlimits", &rlimit_schema, O),
	J_BOOLEAN(struct oci_process, no_new_privileges, "noNewPrivileges", O),
	J_STRING(struct oci_process, apparmor_profile, "apparmorProfile", O),
	J_STRING(struct oci_process, selinux_label, "selinuxLabel", O),
	J_OPT_I64(struct oci_process, oom_score_adj, "oomScoreAdj", O),
	J_OBJECT(struct oci_process, scheduler, "scheduler", &scheduler_schema, O),
	J_OBJECT(struct oci_process, io_priority, "ioPriority", &io_priority_schema, O),
	J_OBJECT(struct oci_process, exec_cpu_affinity, "execCPUAffinity", &cpu_affinity_schema, O),
};
const struct jschema oci_process_schema =
	J_SCHEMA(struct oci_process, "config.md#process", process_fields);

/* --- root and mounts --------------------------------------------------------------------------------- */

static const struct jfield root_fields[] = {
	J_STRING(struct oci_root, path, "path", J_REQUIRED),
	J_BOOLEAN(struct oci_root, readonly, "readonly", O),
};
static const struct jschema root_schema = J_SCHEMA(struct oci_root, "config.md#root", root_fields);

static const struct jfield id_mapping_fields[] = {
	J_U32(struct oci_id_mapping, container_id, "containerID", J_REQUIRED),
	J_U32(struct oci_id_mapping, host_id, "hostID", J_REQUIRED),
	J_U32(struct oci_id_mapping, n_ids, "size", J_REQUIRED),
};
static const struct jschema id_mapping_schema =
	J_SCHEMA(struct oci_id_mapping, "config-linux.md#user-namespace-mappings", id_mapping_fields);

static const struct jfield mount_fields[] = {
	J_STRING(struct oci_mount, destination, "destination", J_REQUIRED),
	J_STRING(struct oci_mount, type, "type", O),
	J_STRING(struct oci_mount, source, "source", O),
	J_STRINGS(struct oci_mount, options, "options", O),
	J_ARRAY(struct oci_mount, uid_mappings, n_uid_mappings, "uidMappings", &id_mapping_schema, O),
	J_ARRAY(struct oci_mount, gid_mappings, n_gid_mappings, "gidMappings", &id_mapping_schema, O),
};
static const struct jschema mount_schema = J_SCHEMA(struct oci_mount, "config.md#mounts", mount_fields);

/* --- resources --------------------------------------------------------------------------------------- */

static const struct jfield device_rule_fields[] = {
	J_BOOLEAN(struct oci_device_rule, allow, "allow", J_REQUIRED),
	J_STRING(struct oci_device_rule, type, "type", O),
	J_OPT_I64(struct oci_device_rule, major, "major", O),
	J_OPT_I64(struct oci_device_rule, minor, "minor", O),
	J_STRING(struct oci_device_rule, access, "access", O),
};
static const struct jschema device_rule_schema =
	J_SCHEMA(struct oci_device_rule, "config-linux.md#allowed-device-list", device_rule_fields);

static const struct jfield memory_fields[] = {
	J_OPT_I64(struct oci_memory, limit_bytes, "limit", O),
	J_OPT_I64(struct oci_memory, reservation_bytes, "reservation", O),
	J_OPT_I64(struct oci_memory, swap_bytes, "swap", O),
	J_OPT_I64(struct oci_memory, kernel_bytes, "kernel", O),
	J_OPT_I64(struct oci_memory, kernel_tcp_bytes, "kernelTCP", O),
	J_OPT_U64(struct oci_memory, swappiness, "swappiness", O),
	J_OPT_BOOL(struct oci_memory, disable_oom_killer, "disableOOMKiller", O),
	J_OPT_BOOL(struct oci_memory, use_hierarchy, "useHierarchy", O),
	J_OPT_BOOL(struct oci_memory, check_before_update, "checkBeforeUpdate", O),
};
static const struct jschema memory_schema =
	J_SCHEMA(struct oci_memory, "config-linux.md#memory", memory_fields);

static const struct jfield cpu_fields[] = {
	J_OPT_U64(struct oci_cpu, shares, "shares", O),
	J_OPT_I64(struct oci_cpu, quota_usec, "quota", O),
	J_OPT_U64(struct oci_cpu, burst_usec, "burst", O),
	J_OPT_U64(struct oci_cpu, period_usec, "period", O),
	J_OPT_I64(struct oci_cpu, realtime_runtime_usec, "realtimeRuntime", O),
	J_OPT_U64(struct oci_cpu, realtime_period_usec, "realtimePeriod", O),
	J_STRING(struct oci_cpu, cpus, "cpus", O),
	J_STRING(struct oci_cpu, mems, "mems", O),
	J_OPT_I64(struct oci_cpu, idle, "idle", O),
};
static const struct jschema cpu_schema = J_SCHEMA(struct oci_cpu, "config-linux.md#cpu", cpu_fields);

static const struct jfield pids_fields[] = {
	J_OPT_I64(struct oci_pids, limit, "limit", O),
};
static const struct jschema pids_schema = J_SCHEMA(struct oci_pids, "config-linux.md#pids", pids_fields);

static const struct jfield throttle_fields[] = {
	J_I64(struct oci_throttle, major, "major", J_REQUIRED),
	J_I64(struct oci_throttle, minor, "minor", J_REQUIRED),
	J_U64(struct oci_throttle, rate, "rate", J_REQUIRED),
};
static const struct jschema throttle_schema =
	J_SCHEMA(struct oci_throttle, "config-linux.md#block-io", throttle_fields);

static const struct jfield weight_device_fields[] = {
	J_I64(struct oci_weight_device, major, "major", J_REQUIRED),
	J_I64(struct oci_weight_device, minor, "minor", J_REQUIRED),
	J_OPT_U64(struct oci_weight_device, weight, "weight", O),
	J_OPT_U64(struct oci_weight_device, leaf_weight, "leafWeight", O),
};
static const struct jschema weight_device_schema =
	J_SCHEMA(struct oci_weight_device, "config-linux.md#block-io", weight_device_fields);

#define THROTTLE(m, key) J_ARRAY(struct oci_block_io, m, n_##m, key, &throttle_schema, O)
static const struct jfield block_io_fields[] = {
	J_OPT_U64(struct oci_block_io, weight, "weight", O),
	J_OPT_U64(struct oci_block_io, leaf_weight, "leafWeight", O),
	J_ARRAY(struct oci_block_io, weight_devices, n_weight_devices, "weightDevice",
		&weight_device_schema, O),
	THROTTLE(read_bps, "throttleReadBpsDevice"),
	THROTTLE(write_bps, "throttleWriteBpsDevice"),
	THROTTLE(read_iops, "throttleReadIOPSDevice"),
	THROTTLE(write_iops, "throttleWriteIOPSDevice"),
};
static const struct jschema block_io_schema =
	J_SCHEMA(struct oci_block_io, "config-linux.md#block-io", block_io_fields);

static const struct jfield hugepage_fields[] = {
	J_STRING(struct oci_hugepage_limit, page_size, "pageSize", J_REQUIRED),
	J_U64(struct oci_hugepage_limit, limit_bytes, "limit", J_REQUIRED),
};
static const struct jschema hugepage_schema =
	J_SCHEMA(struct oci_hugepage_limit, "config-linux.md#huge-page-limits", hugepage_fields);

static const struct jfield priority_fields[] = {
	J_STRING(struct oci_priority, name, "name", J_REQUIRED),
	J_U32(struct oci_priority, priority, "priority", J_REQUIRED),
};
static const struct jschema priority_schema = J_SCHEMA(struct oci_priority, "config-linux.md#network", priority_fields);

static const struct jfield network_fields[] = {
	J_OPT_U64(struct oci_network, class_id, "classID", O),
	J_ARRAY(struct oci_network, priorities, n_priorities, "priorities", &priority_schema, O),
};
static const struct jschema network_schema = J_SCHEMA(struct oci_network, "config-linux.md#network", network_fields);

static const struct jfield rdma_fields[] = {
	J_OPT_U64(struct oci_rdma, handles, "hcaHandles", O),
	J_OPT_U64(struct oci_rdma, objects, "hcaObjects", O),
};
static const struct jschema rdma_schema = J_SCHEMA(struct oci_rdma, "config-linux.md#rdma", rdma_fields);

static const struct jfield resources_fields[] = {
	J_ARRAY(struct oci_resources, devices, n_devices, "devices", &device_rule_schema, O),
	J_OBJECT(struct oci_resources, memory, "memory", &memory_schema, O),
	J_OBJECT(struct oci_resources, cpu, "cpu", &cpu_schema, O),
	J_OBJECT(struct oci_resources, pids, "pids", &pids_schema, O),
	J_OBJECT(struct oci_resources, block_io, "blockIO", &block_io_schema, O),
	J_ARRAY(struct oci_resources, hugepage_limits, n_hugepage_limits, "hugepageLimits",
		&hugepage_schema, O),
	J_MAP(struct oci_resources, unified, "unified", O),
	J_OBJECT(struct oci_resources, network, "network", &network_schema, O),
	J_OBJECT_MAP(struct oci_resources, rdma, n_rdma, "rdma", &rdma_schema, O),
};
const struct jschema oci_resources_schema =
	J_SCHEMA(struct oci_resources, "config-linux.md#control-groups", resources_fields);

/* --- seccomp ----------------------------------------------------------------------------------------- */

static const struct jfield seccomp_arg_fields[] = {
	J_U32(struct oci_seccomp_arg, index, "index", J_REQUIRED),
	J_U64(struct oci_seccomp_arg, value, "value", J_REQUIRED),
	J_U64(struct oci_seccomp_arg, value_two, "valueTwo", O),
	J_STRING(struct oci_seccomp_arg, op, "op", J_REQUIRED),
};
static const struct jschema seccomp_arg_schema =
	J_SCHEMA(struct oci_seccomp_arg, "config-linux.md#seccomp", seccomp_arg_fields);

static const struct jfield seccomp_rule_fields[] = {
	J_STRINGS(struct oci_seccomp_rule, names, "names", J_REQUIRED),
	J_STRING(struct oci_seccomp_rule, action, "action", J_REQUIRED),
	J_OPT_U64(struct oci_seccomp_rule, errno_ret, "errnoRet", O),
	J_ARRAY(struct oci_seccomp_rule, args, n_args, "args", &seccomp_arg_schema, O),
};
static const struct jschema seccomp_rule_schema =
	J_SCHEMA(struct oci_seccomp_rule, "config-linux.md#seccomp", seccomp_rule_fields);

static const struct jfield seccomp_fields[] = {
	J_STRING(struct oci_seccomp, default_action, "defaultAction", J_REQUIRED),
	J_OPT_U64(struct oci_seccomp, default_errno_ret, "defaultErrnoRet", O),
	J_STRINGS(struct oci_seccomp, architectures, "architectures", O),
	J_STRINGS(struct oci_seccomp, flags, "flags", O),
	J_STRING(struct oci_seccomp, listener_path, "listenerPath", O),
	J_STRING(struct oci_seccomp, listener_metadata, "listenerMetadata", O),
	J_ARRAY(struct oci_seccomp, syscalls, n_syscalls, "syscalls", &seccomp_rule_schema, O),
};
const struct jschema oci_seccomp_schema =
	J_SCHEMA(struct oci_seccomp, "config-linux.md#seccomp", seccomp_fields);

/* --- linux ------------------------------------------------------------------------------------------- */

static const struct jfield namespace_fields[] = {
	J_STRING(struct oci_namespace, type, "type", J_REQUIRED),
	J_STRING(struct oci_namespace, path, "path", O),
};
static const struct jschema namespace_schema =
	J_SCHEMA(struct oci_namespace, "config-linux.md#namespaces", namespace_fields);

static const struct jfield device_fields[] = {
	J_STRING(struct oci_device, type, "type", J_REQUIRED),
	J_STRING(struct oci_device, path, "path", J_REQUIRED),
	J_I64(struct oci_device, major, "major", 0),
	J_I64(struct oci_device, minor, "minor", 0),
	J_OPT_U64(struct oci_device, file_mode, "fileMode", O),
	J_OPT_U64(struct oci_device, uid, "uid", O),
	J_OPT_U64(struct oci_device, gid, "gid", O),
};
static const struct jschema device_schema =
	J_SCHEMA(struct oci_device, "config-linux.md#devices", device_fields);

static const struct jfield personality_fields[] = {
	J_STRING(struct oci_personality, domain, "domain", J_REQUIRED),
	J_STRINGS(struct oci_personality, flags, "flags", O),
};
static const struct jschema personality_schema = J_SCHEMA(struct oci_personality, "config-linux.md#personality", personality_fields);

static const struct jfield memory_policy_fields[] = {
	J_STRING(struct oci_memory_policy, mode, "mode", J_REQUIRED),
	J_STRING(struct oci_memory_policy, nodes, "nodes", O),
	J_STRINGS(struct oci_memory_policy, flags, "flags", O),
};
static const struct jschema memory_policy_schema = J_SCHEMA(struct oci_memory_policy, "config-linux.md#memory-policy", memory_policy_fields);

static const struct jfield time_offset_fields[] = {
	J_I64(struct oci_time_offset, secs, "secs", O),
	J_U32(struct oci_time_offset, nanosecs, "nanosecs", O),
};
static const struct jschema time_offset_schema = J_SCHEMA(struct oci_time_offset, "config-linux.md#offset-for-time-namespace", time_offset_fields);

static const struct jfield net_device_fields[] = {
	J_STRING(struct oci_net_device, name, "name", O),
};
static const struct jschema net_device_schema = J_SCHEMA(struct oci_net_device, "config-linux.md#network-devices", net_device_fields);

static const struct jfield linux_fields[] = {
	J_ARRAY(struct oci_linux, uid_mappings, n_uid_mappings, "uidMappings", &id_mapping_schema, O),
	J_ARRAY(struct oci_linux, gid_mappings, n_gid_mappings, "gidMappings", &id_mapping_schema, O),
	J_MAP(struct oci_linux, sysctl, "sysctl", O),
	J_STRING(struct oci_linux, cgroups_path, "cgroupsPath", O),
	J_ARRAY(struct oci_linux, namespaces, n_namespaces, "namespaces", &namespace_schema, O),
	J_ARRAY(struct oci_linux, devices, n_devices, "devices", &device_schema, O),
	J_OBJECT(struct oci_linux, resources, "resources", &oci_resources_schema, O),
	J_OBJECT(struct oci_linux, seccomp, "seccomp", &oci_seccomp_schema, O),
	J_STRING(struct oci_linux, rootfs_propagation, "rootfsPropagation", O),
	J_STRINGS(struct oci_linux, masked_paths, "maskedPaths", O),
	J_STRINGS(struct oci_linux, readonly_paths, "readonlyPaths", O),
	J_STRING(struct oci_linux, mount_label, "mountLabel", O),
	J_RAW(struct oci_linux, intel_rdt, "intelRdt", O),
	J_OBJECT(struct oci_linux, personality, "personality", &personality_schema, O),
	J_OBJECT(struct oci_linux, memory_policy, "memoryPolicy", &memory_policy_schema, O),
	J_OBJECT_MAP(struct oci_linux, time_offsets, n_time_offsets, "timeOffsets", &time_offset_schema, O),
	J_OBJECT_MAP(struct oci_linux, net_devices, n_net_devices, "netDevices", &net_device_schema, O),
};
const struct jschema oci_linux_schema = J_SCHEMA(struct oci_linux, "config-linux.md", linux_fields);

/* --- config ------------------------------------------------------------------------------------------ */

static const struct jfield hook_fields[] = {
	J_STRING(struct oci_hook, path, "path", J_REQUIRED),
	J_STRINGS(struct oci_hook, args, "args", O),
	J_STRINGS(struct oci_hook, env, "env", O),
	J_OPT_I64(struct oci_hook, timeout, "timeout", O),
};
static const struct jschema hook_schema = J_SCHEMA(struct oci_hook, "config.md#posix-platform-hooks", hook_fields);

static const struct jfield hooks_fields[] = {
	J_ARRAY(struct oci_hooks, prestart, n_prestart, "prestart", &hook_schema, O),
	J_ARRAY(struct oci_hooks, create_runtime, n_create_runtime, "createRuntime", &hook_schema, O),
	J_ARRAY(struct oci_hooks, create_container, n_create_container, "createContainer", &hook_schema, O),
	J_ARRAY(struct oci_hooks, start_container, n_start_container, "startContainer", &hook_schema, O),
	J_ARRAY(struct oci_hooks, poststart, n_poststart, "poststart", &hook_schema, O),
	J_ARRAY(struct oci_hooks, poststop, n_poststop, "poststop", &hook_schema, O),
};
static const struct jschema hooks_schema = J_SCHEMA(struct oci_hooks, "config.md#posix-platform-hooks", hooks_fields);

static const struct jfield config_fields[] = {
	J_STRING(struct oci_config, oci_version, "ociVersion", J_REQUIRED),
	J_OBJECT(struct oci_config, root, "root", &root_schema, O),
	J_OBJECT(struct oci_config, process, "process", &oci_process_schema, O),
	J_STRING(struct oci_config, hostname, "hostname", O),
	J_STRING(struct oci_config, domainname, "domainname", O),
	J_ARRAY(struct oci_config, mounts, n_mounts, "mounts", &mount_schema, O),
	J_OBJECT(struct oci_config, hooks, "hooks", &hooks_schema, O),
	J_MAP(struct oci_config, annotations, "annotations", O),
	J_OBJECT(struct oci_config, linux_, "linux", &oci_linux_schema, O),
};
const struct jschema oci_config_schema = J_SCHEMA(struct oci_config, "config.md", config_fields);

/* --- reading what a table cannot --------------------------------------------------------------------- */

/* One decimal number below 2^32 at *p, which moves behind it; -1 when there is none */
static int gid_take(const char **p, uint32_t *ret)
{
	uint64_t v = 0;
	const char *s = *p;

	if (*s < '0' || *s > '9')
		return -1;
	for (; *s >= '0' && *s <= '9'; s++) {
		v = v * 10 + (uint64_t)(*s - '0');
		if (v > UINT32_MAX)
			return -1;
	}
	*p = s;
	*ret = (uint32_t)v;
	return 0;
}

int oci_user_gids(const struct oci_user *u, struct arena *a, uint32_t **ret, size_t *ret_n, struct err *e)
{
	const char *p = u->additional_gids.text;
	uint32_t *gids;
	size_t n = 0, max = 1;

	*ret = NULL;
	*ret_n = 0;
	if (!p || str_eq(p, "null") || str_eq(p, "[]"))
		return 0;

	for (const char *c = p; *c; c++)
		max += *c == ',';
	if (max > GIDS_MAX)
		return err_set(e, ERR_INVALID, "process.user.additionalGids: more than %d groups", GIDS_MAX);

	gids = arena_new_array(a, uint32_t, max);
	if (*p++ != '[')
		return err_set(e, ERR_INVALID, "process.user.additionalGids: expected an array of numbers");
	do {
		if (gid_take(&p, &gids[n++]) < 0)
			return err_set(e, ERR_INVALID,
				       "process.user.additionalGids[%zu]: expected a number below 2^32", n - 1);
	} while (*p++ == ',');
	if (p[-1] != ']')
		return err_set(e, ERR_INVALID, "process.user.additionalGids: expected an array of numbers");

	*ret = gids;
	*ret_n = n;
	return 0;
}
