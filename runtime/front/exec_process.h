/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process of an exec: that of the container with what the command line changes, or one of the caller's. Pure but for reading
 * the caller's file.
 */
#pragma once

#include "base/arena.h"
#include "base/json.h"
#include "runtime/cgroup.h"

struct oci_config;
struct oci_process;

/* The options of exec that say what is executed, and how. */
struct exec_options {
	const char *process, *cwd, *user, *apparmor, *process_label;
	struct str_list env, caps, additional_gids, cgroups;
	bool tty;
	struct opt_bool no_new_privs;
	const char *console_socket, *pidfd_socket, *pid_file;
	struct opt_i64 preserve_fds;
	bool detach, ignore_paused, no_subreaper;
};

/**
 * exec_process() - What is to be executed
 * @config: of the container; its process is changed in place
 * @args:   behind the container's ID
 * @ret:    in @a, or @config's
 * @e:      ERR_INVALID an option that means nothing, by name
 *
 * Return: 0, or -1 with @e set
 */
int exec_process(const struct exec_options *o, const struct str_list *args, struct oci_config *config, struct arena *a,
		 struct oci_process **ret, struct err *e);

/**
 * exec_cgroups() - "path" or "controller[,controller]:path" as groups below the container's
 * @ret: in @a
 * @e:   ERR_INVALID one that leads out of it
 * Return: 0, or -1 with @e set
 */
int exec_cgroups(const struct str_list *cgroups, struct arena *a, struct cgroup_below **ret, size_t *ret_n, struct err *e);
