/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What checkpoint and restore have in common on the command line.
 */
#pragma once

#include "base/opt.h"
#include "runtime/front/front.h"

struct criu_args;

struct checkpoint_options {
	const char *image_path, *work_path, *manage_cgroups;
	bool tcp_established, ext_unix_sk, shell_job, file_locks, link_remap, auto_dedup;
	const char *parent_path; /* of checkpoint */
	bool leave_running, pre_dump;
	const char *bundle, *pid_file; /* of restore */
	bool detach, no_subreaper;
};
extern const struct opt checkpoint_rows[];

/* The name under which CRIU is given a network namespace that a container has joined */
#define CHECKPOINT_NET "kiln-net"

struct checkpoint_dirs {
	const char *image, *work; /* absolute */
};

/**
 * checkpoint_layout() - Can control groups be brought back here? Only those of v2; needs cgroup_setup()
 * @e: ERR_UNSUPPORTED
 * Return: 0, or -1 with @e set
 */
int checkpoint_layout(struct err *e);

/**
 * checkpoint_dirs() - Where images and logs are
 * @makes:  make them when they are not there
 * @ret:    in @a
 * @ret_fd: owned: the images' directory
 * @e:      of checkpoint_open_dir(), also for what --parent-path names; ERR_UNSUPPORTED another --manage-cgroups-mode than soft, or the caller is not root
 * Return: 0, or -1 with @e set
 */
int checkpoint_dirs(const struct checkpoint_options *o, bool makes, struct arena *a, struct checkpoint_dirs *ret, int *ret_fd, struct err *e);

/**
 * checkpoint_add_common() - The options that CRIU has, too
 * Return: nothing
 */
void checkpoint_add_common(struct criu_args *args, const struct checkpoint_options *o);

/**
 * checkpoint_network_lock() - How CRIU keeps packets away meanwhile: by iptables, or, where there is no such program, nftables
 * Return: a static string
 */
const char *checkpoint_network_lock(void);
