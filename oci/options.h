/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a user asks of a container: Docker's Config and HostConfig, as far as Kiln does them.
 *
 * One table per struct decodes a create request, keeps it in the state store, and prints it in inspect.
 * What is not a row here is refused by name at the door. Absent lists are empty; 0 means "not asked".
 * Everything lives in the arena of the document it was decoded into. Pure data, no I/O.
 *
 * Spec: Docker Engine API 1.51, ContainerCreate (Config, HostConfig)
 */
#pragma once

#include "base/json.h"

struct opt_healthcheck {
	struct str_list test;            /* {} inherit, {"NONE"}, {"CMD", ...}, {"CMD-SHELL", text} */
	int64_t interval_ns;             /* 0: default (30 s) */
	int64_t timeout_ns;              /* 0: default (30 s) */
	int64_t start_period_ns;         /* 0: none */
	int64_t start_interval_ns;       /* 0: default (5 s) */
	int64_t retries;                 /* 0: default (3) */
};

struct opt_config {
	char *hostname;                  /* "": first 12 digits of the ID */
	char *domainname;
	char *user;                      /* "user[:group]", resolved inside the image at start */
	bool attach_stdin, attach_stdout, attach_stderr;
	bool tty;
	bool open_stdin;
	bool stdin_once;
	struct str_list env;             /* "K=V"; "K" alone removes what the image set */
	struct str_list cmd;
	struct str_list entrypoint;      /* {""} resets the image's */
	struct opt_healthcheck *healthcheck; /* NULL: the image's */
	char *image;                     /* as the user wrote it */
	char *working_dir;
	struct str_map labels;
	char *stop_signal;               /* "": the image's, else SIGTERM */
	struct opt_i64 stop_timeout_sec; /* absent: 10; -1: for ever */
	struct json_raw exposed_ports;   /* kept and shown */
	struct json_raw volumes;         /* kept and shown */
	struct str_list shell;
};

struct opt_restart_policy {
	char *name;                      /* "", "no", "always", "unless-stopped", "on-failure" */
	int64_t maximum_retry_count;
};

struct opt_log_config {
	char *type;                      /* "" or "json-file" or "none" */
	struct str_map config;
};

struct opt_ulimit {
	char *name;                      /* "nofile" */
	int64_t soft, hard;              /* -1: unlimited */
};

struct opt_device {
	char *path_on_host;              /* a device, or a directory of them */
	char *path_in_container;         /* "": the same */
	char *cgroup_permissions;        /* of "rwm"; "": all */
};

/* A block device and what is said of it */
struct opt_blkio {
	char *path;                      /* on the host */
	uint64_t amount;                 /* weight, or bytes or operations per second */
};

struct opt_blkio_list {
	struct opt_blkio *v;
	size_t n;
};

enum opt_blkio_kind {
	OPT_BLKIO_WEIGHT_DEVICE, OPT_BLKIO_READ_BPS, OPT_BLKIO_WRITE_BPS, OPT_BLKIO_READ_IOPS, OPT_BLKIO_WRITE_IOPS,
	OPT_BLKIO_KINDS_
};

struct opt_mount_bind {
	char *propagation;
	bool non_recursive, create_mountpoint;
	bool read_only_non_recursive;    /* what is mounted below stays writable */
	bool read_only_force_recursive;  /* it does not, which is always so without the other */
};

struct opt_mount_tmpfs {
	int64_t size_bytes;
	uint32_t mode;
	struct json_raw options;         /* [["noexec"],["size","1m"]] */
};

struct opt_mount {
	char *type;                      /* "bind", "tmpfs" */
	char *source, *target;
	bool readonly;
	char *consistency;               /* of other systems: without effect */
	struct opt_mount_bind *bind;
	struct opt_mount_tmpfs *tmpfs;
};

struct opt_host_config {
	char *container_id_file;         /* the client has written it: kept and shown */
	struct str_list binds;           /* "/host:/container[:ro|rw|...]" */
	char *network_mode;              /* "default", "bridge", "none", "host", "container:X" */
	char *pid_mode;                  /* "", "private", "host", "container:X" */
	char *ipc_mode;                  /* and "shareable", "none"; "" is "private" */
	char *uts_mode;                  /* "", "private", "host" */
	char *cgroupns_mode;             /* the same */
	char *userns_mode;               /* "", "host": there are no user namespaces */
	struct opt_restart_policy *restart_policy;
	struct opt_log_config *log_config;
	bool auto_remove;
	struct str_list cap_add, cap_drop;   /* "NET_ADMIN", "CAP_NET_ADMIN", "ALL" */
	bool privileged;
	bool readonly_rootfs;
	struct opt_mount *mounts;
	size_t n_mounts;
	struct str_map tmpfs;            /* path -> mount options */
	struct str_list volumes_from;    /* "container[:ro]" */
	struct opt_bool init;
	int64_t memory_bytes;            /* 0: no limit */
	int64_t memory_swap_bytes;       /* memory and swap together; -1: no limit, 0: twice memory_bytes */
	int64_t memory_reservation_bytes;
	struct opt_i64 memory_swappiness;    /* 0 to 100; -1: the kernel's */
	struct opt_bool oom_kill_disable;
	int64_t nano_cpus;               /* 0: no limit */
	int64_t cpu_shares;              /* 0: the kernel's */
	int64_t cpu_period_usec, cpu_quota_usec;   /* 0: not asked; a quota of -1: no limit */
	int64_t cpu_rt_period_usec, cpu_rt_runtime_usec;   /* 0: not asked */
	int64_t blkio_weight;            /* 10 to 1000; 0: not asked */
	struct opt_blkio_list blkio[OPT_BLKIO_KINDS_];
	struct opt_i64 pids_limit;       /* absent, 0, -1: no limit */
	char *cpuset_cpus;
	char *cpuset_mems;
	struct str_list security_opt;    /* "seccomp=unconfined", "seccomp={json}", "no-new-privileges[:true]", "apparmor=x", "label=x" */
	struct opt_strs masked_paths, readonly_paths;   /* absent: docker's, none for privileged; empty: none */
	struct json_raw console_size;    /* [height, width] */
	char *cgroup_parent;
	int64_t shm_size_bytes;          /* 0: 64 MiB */
	struct opt_ulimit *ulimits;
	size_t n_ulimits;
	struct opt_device *devices;
	size_t n_devices;
	struct str_list device_cgroup_rules;  /* "c 1:3 rwm" */
	struct str_list group_add;       /* names or numbers, looked up in the image at start */
	struct str_map sysctls;
	struct str_map annotations;      /* kept, shown, and told to the runtime */
	int64_t oom_score_adj;
};

struct container_options {
	struct opt_config *config;       /* never NULL after validation */
	struct opt_host_config *host;    /* never NULL after validation */
	struct opt_mount *inherited;     /* what VolumesFrom meant when the container was made; own mounts count before these */
	size_t n_inherited;
};

extern const struct jschema opt_healthcheck_schema;
extern const struct jschema opt_config_schema;
extern const struct jschema opt_restart_policy_schema;
extern const struct jschema opt_host_config_schema;
extern const struct jschema container_options_schema;   /* {"Config":…,"HostConfig":…}: how the state store keeps it */
