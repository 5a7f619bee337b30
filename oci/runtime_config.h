/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OCI runtime configuration (config.json): its shape, one struct and one schema table per object.
 *
 * kilnd writes it (oci/bundle.c), the launcher's child and `kiln-runtime run --bundle` read it. Decoding
 * checks shape only. Absent is not zero where the specification tells them apart (struct opt_*). Objects
 * are NULL and arrays empty when absent; strings are NULL. Everything lives in the arena of the document.
 * Pure data, no I/O.
 *
 * Spec: runtime-spec 1.3, config.md and config-linux.md; spec_notes.h has what is refused or without effect
 */
#pragma once

#include "base/json.h"

#define OCI_RUNTIME_VERSION "1.2.0"

struct oci_user {
	uint32_t uid, gid;
	struct opt_u64 umask;            /* absent: 0022 */
	struct json_raw additional_gids; /* an array of numbers; read it with oci_user_gids() */
};

struct oci_box {
	uint32_t height, width;
};

/* Names with CAP_ in front; see capabilities(7) */
struct oci_capabilities {
	struct str_list bounding, effective, inheritable, permitted, ambient;
};

struct oci_rlimit {
	char *type;                      /* "RLIMIT_NOFILE" */
	uint64_t soft, hard;             /* 18446744073709551615: unlimited */
};

struct oci_scheduler {
	char *policy;                    /* "SCHED_OTHER" … */
	int64_t nice, priority;
	struct str_list flags;           /* "SCHED_FLAG_RESET_ON_FORK" … */
	uint64_t runtime_ns, deadline_ns, period_ns;
};

struct oci_io_priority {
	char *class_;                    /* "IOPRIO_CLASS_BE" … */
	int64_t priority;                /* 0 to 7 */
};

/* "0-3,7"; of execs only */
struct oci_cpu_affinity {
	char *initial, *final;           /* before and after it joins the control group */
};

struct oci_process {
	bool terminal;
	struct oci_box *console_size;
	struct oci_user *user;
	struct str_list args;
	struct str_list env;
	char *cwd;
	struct oci_capabilities *capabilities;
	struct oci_rlimit *rlimits;
	size_t n_rlimits;
	bool no_new_privileges;
	char *apparmor_profile;
	char *selinux_label;
	struct opt_i64 oom_score_adj;
	struct oci_scheduler *scheduler;
	struct oci_io_priority *io_priority;
	struct oci_cpu_affinity *exec_cpu_affinity;
};

struct oci_root {
	char *path;
	bool readonly;
};

struct oci_id_mapping {
	uint32_t container_id, host_id, n_ids;
};

struct oci_mount {
	char *destination;               /* absolute in the container */
	char *type;
	char *source;                    /* "fd:N" in a launch document: see oci/launch.h */
	struct str_list options;
	struct oci_id_mapping *uid_mappings, *gid_mappings;
	size_t n_uid_mappings, n_gid_mappings;
};

struct oci_namespace {
	char *type;                      /* "pid" "network" "mount" "ipc" "uts" "user" "cgroup" "time" */
	char *path;                      /* NULL: a fresh one */
};

struct oci_device {
	char *type;                      /* "c" "b" "u" "p" */
	char *path;
	int64_t major, minor;
	struct opt_u64 file_mode, uid, gid;
};

struct oci_device_rule {
	bool allow;
	char *type;                      /* "a" "c" "b"; NULL is "a" */
	struct opt_i64 major, minor;     /* absent: any */
	char *access;                    /* of "rwm"; NULL is all */
};

/* 0 is as good as absent */
struct oci_memory {
	struct opt_i64 limit_bytes, reservation_bytes, swap_bytes;   /* -1: unlimited; swap is memory + swap */
	struct opt_i64 kernel_bytes, kernel_tcp_bytes;
	struct opt_u64 swappiness;
	struct opt_bool disable_oom_killer, use_hierarchy, check_before_update;
};

struct oci_cpu {
	struct opt_u64 shares;
	struct opt_i64 quota_usec;
	struct opt_u64 burst_usec, period_usec;
	struct opt_i64 realtime_runtime_usec;
	struct opt_u64 realtime_period_usec;
	char *cpus, *mems;               /* "0-3,7" */
	struct opt_i64 idle;
};

struct oci_pids {
	struct opt_i64 limit;            /* less than 0: unlimited; 0: as it is */
};

struct oci_throttle {
	int64_t major, minor;
	uint64_t rate;                   /* bytes or operations per second */
};

struct oci_weight_device {
	int64_t major, minor;
	struct opt_u64 weight, leaf_weight;
};

struct oci_block_io {
	struct opt_u64 weight, leaf_weight;
	struct oci_weight_device *weight_devices;
	struct oci_throttle *read_bps, *write_bps, *read_iops, *write_iops;
	size_t n_weight_devices, n_read_bps, n_write_bps, n_read_iops, n_write_iops;
};

struct oci_hugepage_limit {
	char *page_size;                 /* "2MB" */
	uint64_t limit_bytes;
};

struct oci_priority {
	char *name;                      /* of a network interface */
	uint32_t priority;
};

struct oci_network {
	struct opt_u64 class_id;
	struct oci_priority *priorities;
	size_t n_priorities;
};

struct oci_rdma {
	char *device;                    /* "mlx5_1" */
	struct opt_u64 handles, objects;
};

struct oci_resources {
	struct oci_device_rule *devices;
	size_t n_devices;
	struct oci_memory *memory;
	struct oci_cpu *cpu;
	struct oci_pids *pids;
	struct oci_block_io *block_io;
	struct oci_hugepage_limit *hugepage_limits;
	size_t n_hugepage_limits;
	struct str_map unified;          /* cgroup v2 file -> value */
	struct oci_network *network;
	struct oci_rdma *rdma;
	size_t n_rdma;
};

struct oci_seccomp_arg {
	uint32_t index;
	uint64_t value, value_two;
	char *op;                        /* "SCMP_CMP_EQ" … */
};

struct oci_seccomp_rule {
	struct str_list names;
	char *action;                    /* "SCMP_ACT_ALLOW" … */
	struct opt_u64 errno_ret;
	struct oci_seccomp_arg *args;
	size_t n_args;
};

struct oci_seccomp {
	char *default_action;
	struct opt_u64 default_errno_ret;
	struct str_list architectures;   /* "SCMP_ARCH_X86_64" … */
	struct str_list flags;           /* "SECCOMP_FILTER_FLAG_LOG" … */
	char *listener_path, *listener_metadata;
	struct oci_seccomp_rule *syscalls;
	size_t n_syscalls;
};

struct oci_personality {
	char *domain;                    /* "LINUX" "LINUX32" */
	struct str_list flags;
};

struct oci_memory_policy {
	char *mode, *nodes;              /* "MPOL_BIND" …, "0-1" */
	struct str_list flags;           /* "MPOL_F_STATIC_NODES" … */
};

struct oci_time_offset {
	char *clock;                     /* "monotonic" "boottime" */
	int64_t secs;
	uint32_t nanosecs;
};

struct oci_net_device {
	char *host_name;                 /* as it is called outside */
	char *name;                      /* as it is called inside; NULL: the same */
};

struct oci_linux {
	struct oci_id_mapping *uid_mappings, *gid_mappings;
	size_t n_uid_mappings, n_gid_mappings;
	struct str_map sysctl;
	char *cgroups_path;
	struct oci_namespace *namespaces;
	size_t n_namespaces;
	struct oci_device *devices;
	size_t n_devices;
	struct oci_resources *resources;
	struct oci_seccomp *seccomp;
	char *rootfs_propagation;        /* "shared" "slave" "private" "unbindable" */
	struct str_list masked_paths, readonly_paths;
	char *mount_label;
	struct oci_personality *personality;
	struct oci_memory_policy *memory_policy;
	struct oci_time_offset *time_offsets;
	size_t n_time_offsets;
	struct json_raw intel_rdt;
	struct oci_net_device *net_devices;
	size_t n_net_devices;
};

struct oci_hook {
	char *path;                      /* absolute */
	struct str_list args, env;       /* args with the name of the program first; empty: the path */
	struct opt_i64 timeout;          /* seconds */
};

struct oci_hooks {
	struct oci_hook *prestart, *create_runtime, *create_container, *start_container, *poststart, *poststop;
	size_t n_prestart, n_create_runtime, n_create_container, n_start_container, n_poststart, n_poststop;
};

struct oci_config {
	char *oci_version;
	struct oci_root *root;
	struct oci_process *process;
	char *hostname, *domainname;
	struct oci_mount *mounts;
	size_t n_mounts;
	struct oci_hooks *hooks;
	struct str_map annotations;
	struct oci_linux *linux_;        /* `linux` is a macro of the compiler */
};

extern const struct jschema oci_config_schema;
extern const struct jschema oci_process_schema;
extern const struct jschema oci_linux_schema;
extern const struct jschema oci_resources_schema;
extern const struct jschema oci_seccomp_schema;

/**
 * oci_user_gids() - The supplementary groups of a process as numbers
 * @u:       borrows
 * @a:       owns what is returned
 * @ret:     array of @ret_n; NULL when there are none
 * @e:       ERR_INVALID when it is not an array of 32-bit numbers, or has more than 65536
 *
 * Spec: config.md#posix-platform-user "additionalGids"
 * Return: 0, or -1 with @e set
 */
int oci_user_gids(const struct oci_user *u, struct arena *a, uint32_t **ret, size_t *ret_n, struct err *e);
