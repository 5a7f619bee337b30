/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `create` and `run` share: docker's options as a table whose rows tell where in the request a value goes, and the request.
 *
 * Spec: Docker Engine API 1.51, ContainerCreate
 */
#pragma once

#include "cli/cmd.h"

struct create_options {
	/* the container */
	const char *name, *hostname, *domainname, *cidfile, *platform, *pull, *runtime, *isolation;
	struct str_list label, label_file, annotation;
	bool rm, quiet;
	struct opt_bool content_trust_off;
	/* the process */
	bool interactive, tty;
	struct str_list attach, env, env_file, group_add, ulimit;
	const char *user, *workdir, *entrypoint, *stop_signal, *restart;
	struct opt_bool init;
	struct opt_i64 stop_timeout, oom_score_adj;
	/* resources */
	struct opt_i64 memory, memory_reservation, memory_swap, memory_swappiness, kernel_memory, cpus, cpu_shares, cpu_period, cpu_quota;
	struct opt_i64 cpu_rt_period, cpu_rt_runtime, pids_limit, blkio_weight, shm_size;
	bool oom_kill_disable;
	const char *cpuset_cpus, *cpuset_mems, *cgroup_parent;
	struct str_list blkio_weight_device, read_bps, write_bps, read_iops, write_iops;
	/* files and devices */
	struct str_list volume, mount, tmpfs, volumes_from, storage_opt, device, device_cgroup_rule;
	bool read_only;
	/* namespaces, network, security */
	const char *network, *pid, *ipc, *uts, *cgroupns, *userns;
	struct str_list expose, cap_add, cap_drop, security_opt, sysctl;
	bool privileged;
	/* health and log */
	const char *health_cmd, *log_driver;
	struct opt_i64 health_interval, health_timeout, health_start_period, health_start_interval, health_retries;
	bool no_healthcheck;
	struct str_list log_opt;
	/* set by the command, by no option */
	bool is_detached;                /* run -d: attached to nothing */
	uint16_t console_height, console_width;   /* 0: not told */
};

extern const struct opt create_rows[];

/* What `update` has of them */
extern const struct opt update_rows[];
struct update_options {
	struct opt_i64 memory, memory_reservation, memory_swap, kernel_memory, cpus, cpu_shares, cpu_period, cpu_quota;
	struct opt_i64 cpu_rt_period, cpu_rt_runtime, pids_limit, blkio_weight;
	const char *cpuset_cpus, *cpuset_mems, *restart;
};

/**
 * create_check() - What can be told before the daemon is asked; reads --env-file and --label-file into the lists
 * @e: ERR_INVALID options that exclude each other, files that cannot be read
 * Return: 0, or -1 with @e set
 */
int create_check(const struct call *c, struct create_options *o, struct err *e);

/**
 * create_attached() - Which streams the command will be joined with
 * Return: true for "stdin", "stdout" or "stderr" when -a, or -d and -i, say so
 */
bool create_attached(const struct create_options *o, const char *stream);

/**
 * create_print() - The body of the request
 * @args: image and command
 * Return: 0, or -1 with @e set
 */
int create_print(const struct call *c, const struct create_options *o, const struct str_list *args, struct strbuf *out, struct err *e);

/* Checks of rows: the value of --pull, of -a. Return: 0, or -1 with @e set */
int create_check_pull(const char *pull, struct err *e);
int create_check_stream(const char *text, struct err *e);

/**
 * create_container() - Ask the daemon with what create_print() made; writes --cidfile and prints the daemon's warnings
 * @ret_id: in @c's arena
 * Return: 0, or -1 with @e set
 */
int create_container(const struct call *c, const struct create_options *o, const struct strbuf *request, const char **ret_id,
		     struct err *e);
