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
#include "oci/options_rules.h"

/* One -v /host:/container[:options], or a --mount of type bind. The N-th of bundle_binds() is mount source "fd:N" */
struct bundle_bind {
	char *source;            /* absolute, cleaned */
	char *target;            /* absolute, cleaned, not "/" */
	bool readonly;           /* with all that is mounted below */
	bool is_top_readonly;    /* … but not that */
	bool is_recursive;       /* false: only the mount itself (option "bind") */
	char *propagation;       /* "rprivate" when nothing was said */
	bool must_exist;         /* false: the source is made as a directory when it is missing */
	char *mode;              /* of -v, as it was written; "" */
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
	struct oci_block_io *block_io;      /* what HostConfig.Blkio… names; NULL: nothing */
	const struct options_host *facts;   /* has_apparmor and has_apparmor_default count */
	const char *seccomp;             /* of containers that ask for none: "unconfined" or a profile; NULL: Kiln's own */
};

/* Which descriptors of the message lead to what a container shares, by number; -1: none */
struct bundle_shares {
	int ns[OPTIONS_NS_];             /* the pidfd of the container whose namespace it is */
	int shm;                         /* IPC of the host: its /dev/shm, a detached mount; of a container: its pidfd */
};
#define BUNDLE_SHARES_MAX (OPTIONS_NS_ + 1)

struct bundle_input {
	const char *id;                  /* 64 hex digits */
	const char *name, *image_id;     /* for the log's tag; NULL: unknown */
	const struct container_options *options;   /* merged with the image and validated */
	const struct bundle_host *host;
	const char *data_root;           /* absolute */
	const struct str_list *lowers;   /* layer directory names, the top layer first; not empty */
	const char *container_dir;       /* absolute */
	const char *etc_dir;             /* hosts, hostname and resolv.conf are in it; NULL: container_dir */
	struct bundle_shares shares;
	const char *cgroup_parent;       /* "/kiln": kilnd's own */
	const char *cgroup_owner;        /* what the group is marked with */
	uint64_t rt_period_usec, rt_runtime_usec;   /* of kilnd's groups; 0: none */
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

/* What containers have mounted, gathered; empty: {0} */
struct bundle_from {
	struct opt_mount *v;
	size_t n;
};

/**
 * bundle_from_parse() - Read one of HostConfig.VolumesFrom
 * @ret_container: name or ID, in @a or borrowed from @spec
 * @e: ERR_INVALID "invalid mode for volumes-from: …"
 * Return: 0, or -1 with @e set
 */
int bundle_from_parse(const char *spec, struct arena *a, const char **ret_container, bool *ret_readonly, struct err *e);

/**
 * bundle_from_add() - Add what a container has mounted: its binds and tmpfs of --mount, and what it has from others itself
 * @f:        a later mount at the same place counts; in @a
 * @of:       borrows; its strings are borrowed by @f
 * @readonly: all of it
 * @e:        as bundle_binds()
 * Return: 0, or -1 with @e set
 */
int bundle_from_add(struct bundle_from *f, const struct container_options *of, bool readonly, struct arena *a, struct err *e);

/**
 * bundle_tmpfs_mounts() - The tmpfs of --mount, its own and those from other containers
 * @ret: array of @ret_n in @a
 * Return: nothing
 */
void bundle_tmpfs_mounts(const struct container_options *o, struct arena *a, struct opt_mount **ret, size_t *ret_n);

/**
 * bundle_device_rules() - Read HostConfig.DeviceCgroupRules
 * @ret: array of @ret_n in @a
 * @e:   ERR_INVALID "invalid device cgroup rule format: '…'"
 * Return: 0, or -1 with @e set
 */
int bundle_device_rules(const struct opt_host_config *h, struct arena *a, struct oci_device_rule **ret, size_t *ret_n,
			struct err *e);

/**
 * bundle_masked_paths() - What is hidden from a container, and what it cannot write
 * Return: in @a or borrowed from @h
 */
struct str_list bundle_masked_paths(const struct opt_host_config *h, struct arena *a);
struct str_list bundle_readonly_paths(const struct opt_host_config *h, struct arena *a);

/**
 * bundle_check_log() - Is HostConfig.LogConfig what can be done?
 * @e: as options_log()
 * Return: 0, or -1 with @e set
 */
int bundle_check_log(const struct opt_log_config *l, struct err *e);

/**
 * bundle_check_devices() - Is HostConfig.Devices well formed?
 * @e: ERR_INVALID
 * Return: 0, or -1 with @e set
 */
int bundle_check_devices(const struct opt_host_config *h, struct err *e);

/**
 * bundle_cgroup_path() - The control group of a container, below each hierarchy's root
 * @parent: kilnd's own, absolute and clean
 * Return: in @a
 */
char *bundle_cgroup_path(const struct opt_host_config *h, const char *parent, const char *id, struct arena *a);

/**
 * bundle_check_cgroup_parent() - May a container's group be there?
 * @asked:  HostConfig.CgroupParent; NULL or "": nothing asked
 * @parent: kilnd's own
 * @e:      ERR_INVALID "invalid cgroup parent …"
 * Return: 0, or -1 with @e set
 */
int bundle_check_cgroup_parent(const char *asked, const char *parent, struct err *e);

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
