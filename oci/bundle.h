/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what a user asked (oci/options.h) to what the launcher gets (oci/launch.h), as dockerd would do it.
 *
 * At create: options_normalize(), options_merge_image(), options_validate() (oci/options_rules.h).
 * At start: bundle_launch(). Facts about the host come in as data, so all of it is pure; results live in
 * the caller's arena and may borrow from the inputs, which must live as long.
 *
 * Spec: moby daemon/oci_linux.go, oci/defaults.go, oci/caps; runtime-spec config.md
 */
#pragma once

#include "oci/launch.h"
#include "oci/options.h"

/* One -v /host:/container[:options], or a --mount of type bind. The N-th of bundle_binds() is mount source "fd:N" */
struct bundle_bind {
	char *source;            /* absolute, cleaned */
	char *target;            /* absolute, cleaned, not "/" */
	bool readonly;
	bool is_recursive;       /* false: only the mount itself (option "bind") */
	char *propagation;       /* "rprivate" when nothing was said */
	bool must_exist;         /* false: the source is made as a directory when it is missing */
};

/* A device that was asked for, as the host has it */
struct bundle_device {
	struct oci_device node;          /* path: in the container */
	char *access;                    /* of "rwm" */
};

/* Facts about the host that the configuration depends on */
struct bundle_host {
	const char *hostname;            /* of the host, for network mode "host" */
	uint64_t caps;                   /* bit mask of what the daemon can give: its own bounding set */
	const struct oci_device *devices;   /* what is in /dev; for privileged */
	size_t n_devices;
	const struct bundle_device *asked;  /* what HostConfig.Devices names; NULL for an exec */
	size_t n_asked;
};

struct bundle_input {
	const char *id;                  /* 64 hex digits */
	const struct container_options *options;   /* merged with the image and validated */
	const struct bundle_host *host;
	const char *data_root;           /* absolute */
	const struct str_list *lowers;   /* layer directory names, the top layer first; not empty */
	const char *container_dir;       /* absolute; hosts, hostname and resolv.conf are in it */
	const char *cgroup_parent;       /* "/kiln"; HostConfig.CgroupParent counts before it */
	const char *log_path;            /* NULL: none */
	const char *socket_path;         /* of the monitor */
};

/* What docker exec asks */
struct bundle_exec_input {
	const char *id;                  /* of the exec */
	const char *container_id;
	const struct container_options *options;   /* of the container */
	const struct bundle_host *host;
	const char *data_root, *socket_path, *cgroup_parent;
	const struct str_list *cmd, *env;
	const char *user;                /* "": the container's */
	const char *working_dir;         /* "": the container's */
	bool tty, open_stdin, privileged;
	uint32_t height, width;
	uint64_t capture_bytes;          /* health checks */
	uint64_t timeout_ms;             /* 0: never */
};

/**
 * bundle_parse_bind() - Read one bind
 * @e: ERR_INVALID "invalid volume specification: '…'" and docker's other messages;
 *     ERR_UNSUPPORTED for named volumes
 * Return: 0, or -1 with @e set
 */
int bundle_parse_bind(const char *text, struct arena *a, struct bundle_bind *ret, struct err *e);

/**
 * bundle_binds() - All binds of a container, in the order of their descriptors
 * @ret: array of @ret_n in @a; NULL when there are none
 * @e:   as bundle_parse_bind(), and ERR_INVALID "Duplicate mount point: …"
 * Return: 0, or -1 with @e set
 */
int bundle_binds(const struct container_options *o, struct arena *a, struct bundle_bind **ret,
		 size_t *ret_n, struct err *e);

/**
 * bundle_device_rules() - Read HostConfig.DeviceCgroupRules
 * @ret: array of @ret_n in @a
 * @e:   ERR_INVALID "invalid device cgroup rule format: '…'"
 * Return: 0, or -1 with @e set
 */
int bundle_device_rules(const struct opt_host_config *h, struct arena *a, struct oci_device_rule **ret, size_t *ret_n,
			struct err *e);

/**
 * bundle_check_devices() - Is HostConfig.Devices well formed?
 * @e: ERR_INVALID
 * Return: 0, or -1 with @e set
 */
int bundle_check_devices(const struct opt_host_config *h, struct err *e);

/**
 * bundle_launch() - The launch document of a container
 * @ret: in @a; emit it with launch_spec_schema
 * @e:   ERR_INVALID "no command specified" and what options_validate() would have found
 * Return: 0, or -1 with @e set
 */
int bundle_launch(const struct bundle_input *in, struct arena *a, struct launch_spec **ret, struct err *e);

/**
 * bundle_exec() - The exec document of a process in a running container
 * @ret: in @a; emit it with exec_spec_schema
 * @e:   ERR_INVALID
 * Return: 0, or -1 with @e set
 */
int bundle_exec(const struct bundle_exec_input *in, struct arena *a, struct exec_spec **ret, struct err *e);

/**
 * bundle_args() - What will run: entrypoint, then command (docker's Path and Args)
 * Return: 0, or -1 with ERR_INVALID "no command specified"
 */
int bundle_args(const struct container_options *o, struct arena *a, struct str_list *ret, struct err *e);

/**
 * bundle_etc_write() - Write hosts, hostname and resolv.conf into a container's directory
 * @dir_fd: borrows; <data-root>/containers/<id>
 * @host_etc_fd: borrows; the host's /etc, whose hosts and resolv.conf are read (at most 1 MiB each; absent is empty)
 * @e:      ERR_SYSTEM
 *
 * Network mode "host" gets copies. The others get docker's hosts, and resolv.conf without name servers on the
 * host's loopback, which the container cannot reach.
 * Return: 0, or -1 with @e set
 */
int bundle_etc_write(const struct container_options *o, int dir_fd, int host_etc_fd, struct err *e);
