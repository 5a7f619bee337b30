/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/options.h"

#define O J_OMIT_EMPTY
#define N J_NULLABLE

/* Keys match without regard to case because clients of Docker rely on Go's decoder, which does. */

static const struct jfield healthcheck_fields[] = {
	J_STRINGS(struct opt_healthcheck, test, "Test", O),
	J_I64(struct opt_healthcheck, interval_ns, "Interval", O),
	J_I64(struct opt_healthcheck, timeout_ns, "Timeout", O),
	J_I64(struct opt_healthcheck, start_period_ns, "StartPeriod", O),
	J_I64(struct opt_healthcheck, start_interval_ns, "StartInterval", O),
	J_I64(struct opt_healthcheck, retries, "Retries", O),
};
const struct jschema opt_healthcheck_schema =
	J_SCHEMA_FOLD(struct opt_healthcheck, "HealthConfig", healthcheck_fields);

static const struct jfield config_fields[] = {
	J_STRING(struct opt_config, hostname, "Hostname", 0),
	J_STRING(struct opt_config, domainname, "Domainname", 0),
	J_STRING(struct opt_config, user, "User", 0),
	J_BOOLEAN(struct opt_config, attach_stdin, "AttachStdin", 0),
	J_BOOLEAN(struct opt_config, attach_stdout, "AttachStdout", 0),
	J_BOOLEAN(struct opt_config, attach_stderr, "AttachStderr", 0),
	J_RAW(struct opt_config, exposed_ports, "ExposedPorts", O),
	J_BOOLEAN(struct opt_config, tty, "Tty", 0),
	J_BOOLEAN(struct opt_config, open_stdin, "OpenStdin", 0),
	J_BOOLEAN(struct opt_config, stdin_once, "StdinOnce", 0),
	J_STRINGS(struct opt_config, env, "Env", N),
	J_STRINGS(struct opt_config, cmd, "Cmd", N | J_OR_STRING),
	J_OBJECT(struct opt_config, healthcheck, "Healthcheck", &opt_healthcheck_schema, O),
	J_STRING(struct opt_config, image, "Image", 0),
	J_RAW(struct opt_config, volumes, "Volumes", N),
	J_STRING(struct opt_config, working_dir, "WorkingDir", 0),
	J_STRINGS(struct opt_config, entrypoint, "Entrypoint", N | J_OR_STRING),
	J_MAP(struct opt_config, labels, "Labels", 0),
	J_STRING(struct opt_config, stop_signal, "StopSignal", O),
	J_OPT_I64(struct opt_config, stop_timeout_sec, "StopTimeout", O),
	J_STRINGS(struct opt_config, shell, "Shell", O | J_OR_STRING),
};
const struct jschema opt_config_schema =
	J_SCHEMA_FOLD(struct opt_config, "ContainerConfig", config_fields);

static const struct jfield restart_policy_fields[] = {
	J_STRING(struct opt_restart_policy, name, "Name", 0),
	J_I64(struct opt_restart_policy, maximum_retry_count, "MaximumRetryCount", 0),
};
const struct jschema opt_restart_policy_schema =
	J_SCHEMA_FOLD(struct opt_restart_policy, "RestartPolicy", restart_policy_fields);

static const struct jfield log_config_fields[] = {
	J_STRING(struct opt_log_config, type, "Type", 0),
	J_MAP(struct opt_log_config, config, "Config", 0),
};
static const struct jschema log_config_schema =
	J_SCHEMA_FOLD(struct opt_log_config, "HostConfig.LogConfig", log_config_fields);

static const struct jfield ulimit_fields[] = {
	J_STRING(struct opt_ulimit, name, "Name", J_REQUIRED),
	J_I64(struct opt_ulimit, hard, "Hard", 0),
	J_I64(struct opt_ulimit, soft, "Soft", 0),
};
static const struct jschema ulimit_schema = J_SCHEMA_FOLD(struct opt_ulimit, "HostConfig.Ulimits", ulimit_fields);

static const struct jfield device_fields[] = {
	J_STRING(struct opt_device, path_on_host, "PathOnHost", 0),
	J_STRING(struct opt_device, path_in_container, "PathInContainer", 0),
	J_STRING(struct opt_device, cgroup_permissions, "CgroupPermissions", 0),
};
static const struct jschema device_schema = J_SCHEMA_FOLD(struct opt_device, "HostConfig.Devices", device_fields);

static const struct jfield weight_device_fields[] = {
	J_STRING(struct opt_blkio, path, "Path", 0),
	J_U64(struct opt_blkio, amount, "Weight", 0),
};
static const struct jschema weight_device_schema =
	J_SCHEMA_FOLD(struct opt_blkio, "HostConfig.BlkioWeightDevice", weight_device_fields);

static const struct jfield throttle_fields[] = {
	J_STRING(struct opt_blkio, path, "Path", 0),
	J_U64(struct opt_blkio, amount, "Rate", 0),
};
static const struct jschema throttle_schema = J_SCHEMA_FOLD(struct opt_blkio, "HostConfig.BlkioDevice…", throttle_fields);

static const struct jfield mount_bind_fields[] = {
	J_STRING(struct opt_mount_bind, propagation, "Propagation", O),
	J_BOOLEAN(struct opt_mount_bind, non_recursive, "NonRecursive", O),
	J_BOOLEAN(struct opt_mount_bind, create_mountpoint, "CreateMountpoint", O),
	J_BOOLEAN(struct opt_mount_bind, read_only_non_recursive, "ReadOnlyNonRecursive", O),
	J_BOOLEAN(struct opt_mount_bind, read_only_force_recursive, "ReadOnlyForceRecursive", O),
};
static const struct jschema mount_bind_schema =
	J_SCHEMA_FOLD(struct opt_mount_bind, "HostConfig.Mounts.BindOptions", mount_bind_fields);

static const struct jfield mount_tmpfs_fields[] = {
	J_I64(struct opt_mount_tmpfs, size_bytes, "SizeBytes", O),
	J_U32(struct opt_mount_tmpfs, mode, "Mode", O),
	J_RAW(struct opt_mount_tmpfs, options, "Options", O),
};
static const struct jschema mount_tmpfs_schema =
	J_SCHEMA_FOLD(struct opt_mount_tmpfs, "HostConfig.Mounts.TmpfsOptions", mount_tmpfs_fields);

static const struct jfield mount_fields[] = {
	J_STRING(struct opt_mount, type, "Type", J_REQUIRED),
	J_STRING(struct opt_mount, source, "Source", O),
	J_STRING(struct opt_mount, target, "Target", 0),
	J_BOOLEAN(struct opt_mount, readonly, "ReadOnly", O),
	J_STRING(struct opt_mount, consistency, "Consistency", O),
	J_OBJECT(struct opt_mount, bind, "BindOptions", &mount_bind_schema, O),
	J_OBJECT(struct opt_mount, tmpfs, "TmpfsOptions", &mount_tmpfs_schema, O),
};
static const struct jschema mount_schema = J_SCHEMA_FOLD(struct opt_mount, "HostConfig.Mounts", mount_fields);

#define BLKIO(kind, key, schema) J_ARRAY(struct opt_host_config, blkio[kind].v, blkio[kind].n, key, schema, N)

static const struct jfield host_config_fields[] = {
	J_STRINGS(struct opt_host_config, binds, "Binds", N),
	J_STRING(struct opt_host_config, container_id_file, "ContainerIDFile", 0),
	J_OBJECT(struct opt_host_config, log_config, "LogConfig", &log_config_schema, 0),
	J_STRING(struct opt_host_config, network_mode, "NetworkMode", 0),
	J_OBJECT(struct opt_host_config, restart_policy, "RestartPolicy", &opt_restart_policy_schema, 0),
	J_BOOLEAN(struct opt_host_config, auto_remove, "AutoRemove", 0),
	J_RAW(struct opt_host_config, console_size, "ConsoleSize", N),
	J_STRINGS(struct opt_host_config, volumes_from, "VolumesFrom", N),
	J_STRINGS(struct opt_host_config, cap_add, "CapAdd", N),
	J_STRINGS(struct opt_host_config, cap_drop, "CapDrop", N),
	J_STRING(struct opt_host_config, cgroupns_mode, "CgroupnsMode", 0),
	J_STRING(struct opt_host_config, ipc_mode, "IpcMode", 0),
	J_STRING(struct opt_host_config, pid_mode, "PidMode", 0),
	J_BOOLEAN(struct opt_host_config, privileged, "Privileged", 0),
	J_BOOLEAN(struct opt_host_config, readonly_rootfs, "ReadonlyRootfs", 0),
	J_STRINGS(struct opt_host_config, security_opt, "SecurityOpt", N),
	J_OPT_STRINGS(struct opt_host_config, masked_paths, "MaskedPaths", 0),
	J_OPT_STRINGS(struct opt_host_config, readonly_paths, "ReadonlyPaths", 0),
	J_STRING(struct opt_host_config, uts_mode, "UTSMode", 0),
	J_STRING(struct opt_host_config, userns_mode, "UsernsMode", 0),
	J_ARRAY(struct opt_host_config, mounts, n_mounts, "Mounts", &mount_schema, O),
	J_MAP(struct opt_host_config, tmpfs, "Tmpfs", O),
	J_I64(struct opt_host_config, shm_size_bytes, "ShmSize", 0),
	J_I64(struct opt_host_config, memory_bytes, "Memory", 0),
	J_I64(struct opt_host_config, nano_cpus, "NanoCpus", 0),
	J_STRING(struct opt_host_config, cgroup_parent, "CgroupParent", 0),
	J_STRING(struct opt_host_config, cpuset_cpus, "CpusetCpus", 0),
	J_OPT_I64(struct opt_host_config, pids_limit, "PidsLimit", N),
	J_OPT_BOOL(struct opt_host_config, init, "Init", O),
	J_I64(struct opt_host_config, memory_swap_bytes, "MemorySwap", 0),
	J_I64(struct opt_host_config, memory_reservation_bytes, "MemoryReservation", 0),
	J_OPT_I64(struct opt_host_config, memory_swappiness, "MemorySwappiness", N),
	J_OPT_BOOL(struct opt_host_config, oom_kill_disable, "OomKillDisable", N),
	J_I64(struct opt_host_config, cpu_shares, "CpuShares", 0),
	J_I64(struct opt_host_config, cpu_period_usec, "CpuPeriod", 0),
	J_I64(struct opt_host_config, cpu_quota_usec, "CpuQuota", 0),
	J_I64(struct opt_host_config, cpu_rt_period_usec, "CpuRealtimePeriod", 0),
	J_I64(struct opt_host_config, cpu_rt_runtime_usec, "CpuRealtimeRuntime", 0),
	J_I64(struct opt_host_config, blkio_weight, "BlkioWeight", 0),
	BLKIO(OPT_BLKIO_WEIGHT_DEVICE, "BlkioWeightDevice", &weight_device_schema),
	BLKIO(OPT_BLKIO_READ_BPS, "BlkioDeviceReadBps", &throttle_schema),
	BLKIO(OPT_BLKIO_WRITE_BPS, "BlkioDeviceWriteBps", &throttle_schema),
	BLKIO(OPT_BLKIO_READ_IOPS, "BlkioDeviceReadIOps", &throttle_schema),
	BLKIO(OPT_BLKIO_WRITE_IOPS, "BlkioDeviceWriteIOps", &throttle_schema),
	J_STRING(struct opt_host_config, cpuset_mems, "CpusetMems", 0),
	J_ARRAY(struct opt_host_config, ulimits, n_ulimits, "Ulimits", &ulimit_schema, N),
	J_ARRAY(struct opt_host_config, devices, n_devices, "Devices", &device_schema, 0),
	J_STRINGS(struct opt_host_config, device_cgroup_rules, "DeviceCgroupRules", N),
	J_STRINGS(struct opt_host_config, group_add, "GroupAdd", N),
	J_MAP(struct opt_host_config, sysctls, "Sysctls", O),
	J_MAP(struct opt_host_config, annotations, "Annotations", O),
	J_I64(struct opt_host_config, oom_score_adj, "OomScoreAdj", 0),
};
const struct jschema opt_host_config_schema =
	J_SCHEMA_FOLD(struct opt_host_config, "HostConfig", host_config_fields);

static const struct jfield container_fields[] = {
	J_OBJECT(struct container_options, config, "Config", &opt_config_schema, 0),
	J_OBJECT(struct container_options, host, "HostConfig", &opt_host_config_schema, 0),
	J_ARRAY(struct container_options, inherited, n_inherited, "Inherited", &mount_schema, O),
};
const struct jschema container_options_schema =
	J_SCHEMA_FOLD(struct container_options, "Config and HostConfig", container_fields);
