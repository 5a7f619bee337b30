/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of plans, for the files that build and use them: plan*.c, launch.c, join.c.
 */
#pragma once

#include "runtime/cgroup.h"
#include "runtime/plan.h"
#include "runtime/stages.h"

struct launch_stdio;
struct str_list;
struct oci_linux;
struct oci_process;
struct oci_seccomp;

struct launch_plan {
	struct launch_plan_stages stages;
	struct listener_taker listener;
	const char *cgroup_path;      /* NULL: none yet */
	struct cgroup_handle *cgroup; /* owned until a launch succeeds */
	int *bind_fds;                /* owned; those that no mount has taken */
	size_t n_bind_fds;
};

struct join_plan {
	struct join_plan_stages stages;
	struct listener_taker listener;
	bool has_own_pids;            /* see struct exec_spec */
	const char *cgroup_path;
	struct cgroup_handle *cgroup; /* owned */
};

/* What a process is planned from; all borrowed for as long as the plan lives. */
struct process_source {
	const struct oci_process *process;
	const char *user;            /* NULL: the numbers in process */
	const struct str_list *groups;   /* more supplementary groups, names or numbers */
	const char *seccomp_profile; /* NULL: oci_seccomp */
	const struct oci_seccomp *oci_seccomp;
	const char *data_root;   /* for the cache of filters; NULL: see filters_dir */
	const char *filters_dir; /* the cache of filters of the command line; NULL: none */
	const struct launch_stdio *stdio;
	const struct launch_stdio_fds *fds;
	const struct oci_linux *lin; /* its personality and memory policy; NULL: none */
	bool wants_init;
	bool makes_cwd;
	bool is_exec; /* execCPUAffinity is for it */
};

/**
 * process_plan_build() - What a launch and a join have in common
 * @e: ERR_INVALID, ERR_UNSUPPORTED with the name of the field
 * Return: 0, or -1 with @e set
 */
int process_plan_build(const struct process_source *src, struct arena *arena,
		       struct process_plan *ret, struct err *e);

/**
 * plan_check_label() - Can the file systems of a container be as it wants them labelled?
 * @mount_label: NULL: as they come
 * @e: ERR_UNSUPPORTED SELinux is on, where a file system without its label would be one that the container has not asked for
 * Return: 0, or -1 with @e set
 */
int plan_check_label(const char *mount_label, bool has_selinux, struct err *e);

/**
 * process_plan_groups() - Is it a process whose groups nobody may change?
 * @keeps: so it is in its user namespace
 * @e:     ERR_INVALID it asks for some
 * Return: 0, or -1 with @e set
 */
int process_plan_groups(struct process_plan *p, bool keeps, struct err *e);

/* The part of launch_plan_extend() that a join can have, too. Return: nothing */
void process_plan_extend(struct process_plan *p, const struct launch_extras *extras);

/**
 * process_plan_print() - The process part of launch_plan_print()
 * Return: nothing
 */
void process_plan_print(const struct process_plan *p, struct strbuf *out);
