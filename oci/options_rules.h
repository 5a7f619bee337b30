/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The meaning of a container's options: docker's defaults, its merge with the image's configuration, and what
 * it refuses, in its words. Pure; strings live in the caller's arena.
 *
 * Spec: moby daemon/commit.go merge(), daemon/container.go verifyContainerSettings()
 */
#pragma once

#include "oci/image.h"
#include "oci/options.h"

/* What the rules need to know about this machine */
struct options_host {
	unsigned n_cpus;         /* online */
	unsigned n_nodes;        /* of memory; 0 is 1 */
	bool is_v2;              /* limits are cgroup v2's */
	bool has_swap_limit;     /* swap can be limited */
	bool has_cpu_rt;         /* real time can be limited by group */
	bool has_io_weight, has_io_throttle;
	const char *cgroup_parent; /* kilnd's own */
	bool raises_limits;      /* the daemon has CAP_SYS_RESOURCE */
	bool has_apparmor;       /* the kernel has it on */
	bool has_selinux;        /* the kernel has it on */
	bool has_apparmor_default; /* and containers that ask for nothing get docker-default */
};

#define OPTIONS_MEMORY_MIN_BYTES (INT64_C(1) << 20)
#define OPTIONS_SHM_BYTES        (INT64_C(64) << 20)

/* What a daemon's configuration gives to containers that do not say otherwise; all of it may be absent */
struct options_defaults {
	const char *log_driver;          /* NULL: json-file */
	struct str_map log_opts;
	const struct opt_ulimit *ulimits;
	size_t n_ulimits;
	int64_t shm_size_bytes;          /* 0: OPTIONS_SHM_BYTES */
	bool init;
	bool no_new_privileges;
};

/**
 * options_default() - Fill in the daemon's defaults, as dockerd does at create
 * @o: as the user asked, before options_normalize(); gets host when it has none
 * @d: its strings are copied
 * Return: nothing
 */
void options_default(struct container_options *o, const struct options_defaults *d, struct arena *a);

/**
 * options_normalize() - Make config and host non-NULL and fill in docker's defaults
 * @id: the container's; its first 12 digits are the host name when none is asked for
 * @host_name: of the host, which network mode "host" shows when none is asked for
 *
 * NetworkMode "" is "default"; IpcMode and CgroupnsMode "" are "private"; RestartPolicy "" is "no"; LogConfig "" is "json-file"; ShmSize 0 is 64 MiB.
 * Return: nothing
 */
void options_normalize(struct container_options *o, const char *id, const char *host_name, struct arena *a);

/**
 * options_merge_image() - Fill in from the image what the user did not say, as docker does at create
 * @image: borrows; its strings are copied
 *
 * Labels of the image that begin with "kiln." are left out: an image does not decide how it is watched.
 * Return: nothing
 */
void options_merge_image(struct opt_config *c, const struct oci_image_config *image, struct arena *a);

/**
 * options_validate() - Refuse what makes no sense, in docker's words
 * @o: normalized and merged
 * @e: ERR_INVALID, ERR_UNSUPPORTED; ERR_CONFLICT is never used, as dockerd says 400 to these
 * Return: 0, or -1 with @e set
 */
int options_validate(const struct container_options *o, const struct options_host *host, struct err *e);

/**
 * options_check_conflicts() - Refuse what does not go together, as it was asked: before options_normalize() fills it in
 * @o: config and host may be NULL
 * @e: ERR_INVALID "conflicting options: …"
 * Return: 0, or -1 with @e set
 */
int options_check_conflicts(const struct container_options *o, struct err *e);

enum options_ns { OPTIONS_PID, OPTIONS_IPC, OPTIONS_UTS, OPTIONS_CGROUP, OPTIONS_USER, OPTIONS_NET, OPTIONS_NS_ };

/* Whose namespace a container has */
enum options_share {
	SHARE_NONE,              /* its own */
	SHARE_HOST,
	SHARE_CONTAINER,
};

/**
 * options_share() - Whose namespace of a kind it has (OPTIONS_USER: there is only the host's)
 * @ret_container: name or ID with SHARE_CONTAINER, borrowed from @h; may be NULL
 * Return: that
 */
enum options_share options_share(const struct opt_host_config *h, enum options_ns ns, const char **ret_container);

/**
 * options_shares_ipc() - May others join its IPC namespace and its /dev/shm?
 * Return: that
 */
bool options_shares_ipc(const struct opt_host_config *h);

/**
 * options_has_shm() - Has it a /dev/shm?
 * Return: that
 */
bool options_has_shm(const struct opt_host_config *h);

/**
 * options_asks_blkio() - Is anything said about block devices?
 * Return: that
 */
bool options_asks_blkio(const struct opt_host_config *h);

#define OPTIONS_WARNINGS_MAX 16

/**
 * options_adapt() - Take away what this host's kernel cannot do and docker does not refuse for it
 * @h: validated
 * Return: the warnings, docker's words, in @a
 */
struct str_list options_adapt(struct opt_host_config *h, const struct options_host *host, struct arena *a);

/**
 * options_check_ulimits() - Refuse unknown limits, soft ones above hard ones, and what comes twice
 * @e: ERR_INVALID
 * Return: 0, or -1 with @e set
 */
int options_check_ulimits(const struct opt_ulimit *v, size_t n, struct err *e);

/**
 * options_check_log() - Refuse log drivers, and options of theirs, that are not Kiln's
 * @l: normalized: the driver is named
 * @e: ERR_INVALID, ERR_UNSUPPORTED
 * Return: 0, or -1 with @e set
 */
int options_check_log(const struct opt_log_config *l, struct err *e);

enum options_label {
	OPTIONS_LABEL_USER, OPTIONS_LABEL_ROLE, OPTIONS_LABEL_TYPE, OPTIONS_LABEL_LEVEL, OPTIONS_LABEL_FILETYPE,
	OPTIONS_LABEL_PARTS_
};

/* How SecurityOpt came out */
struct options_security {
	bool no_new_privileges;
	const char *seccomp;     /* NULL: not asked for; else "default", "unconfined" or the text of a profile */
	const char *apparmor;    /* NULL: not asked for; else "unconfined" or a profile */
	bool is_label_disabled;
	bool asks_label;
	const char *label[OPTIONS_LABEL_PARTS_];   /* parts of SELinux labels; NULL: as they are */
};

/**
 * options_security() - Read HostConfig.SecurityOpt
 * @ret: borrows from @h
 * @e:   ERR_INVALID "invalid --security-opt 2: …"
 * Return: 0, or -1 with @e set
 */
int options_security(const struct opt_host_config *h, struct options_security *ret, struct err *e);

#define OPTIONS_APPARMOR_DEFAULT "docker-default"

/**
 * options_apparmor() - The AppArmor profile that a container runs with
 * @host: borrows; has_apparmor and has_apparmor_default
 * Return: its name, borrowed from @h or static; "unconfined"; "" where AppArmor is not on
 */
const char *options_apparmor(const struct opt_host_config *h, const struct options_host *host);

#define OPTIONS_LOG_MAX_BYTES (16u << 20)
#define OPTIONS_LOG_MAX_FILES 3

/* How LogConfig came out */
struct options_log {
	uint64_t max_bytes;      /* of one file; 0: without bound */
	unsigned max_files;      /* with the one that is written */
	const char *labels, *env, *tag;  /* what each line is to tell, as it was asked; NULL: nothing */
};

/**
 * options_log() - Read HostConfig.LogConfig; what is not said is bounded by OPTIONS_LOG_MAX_…
 * @l:   its type is json-file or none
 * @ret: borrows from @l
 * @e:   ERR_INVALID "unknown log opt '…' for json-file log driver" and the like; ERR_UNSUPPORTED
 * Return: 0, or -1 with @e set
 */
int options_log(const struct opt_log_config *l, struct options_log *ret, struct err *e);

/**
 * options_cpuset_parse() - Check "0-3,7"
 * @n_cpus: numbers from here on are refused
 * @e:      ERR_INVALID, as docker says it
 * Return: 0, or -1 with @e set
 */
int options_cpuset_parse(const char *text, unsigned n_cpus, struct err *e);

/**
 * options_tmpfs_options() - Options for one --tmpfs: docker's defaults, then the user's
 * @text: "size=1m,exec"; "" for the defaults
 * @ret:  in @a
 * @e:    ERR_INVALID "Invalid tmpfs option \"x\""
 * Return: 0, or -1 with @e set
 */
int options_tmpfs_options(const char *text, struct arena *a, struct str_list *ret, struct err *e);

/**
 * options_capabilities() - The set after CapAdd and CapDrop: names with CAP_, in the kernel's order
 * @available: bit mask of what the daemon can give (its own bounding set); ALL and --privileged mean these
 * @ret:      in @a
 * @e:        ERR_INVALID "invalid CapAdd: unknown capability: \"CAP_X\""
 * Return: 0, or -1 with @e set
 */
int options_capabilities(const struct opt_host_config *h, uint64_t available, struct arena *a,
			 struct str_list *ret, struct err *e);

/**
 * options_console_size() - Read ConsoleSize, [height, width]
 * Return: true and both written (0, 0 when absent), or false when malformed
 */
bool options_console_size(const struct opt_host_config *h, uint32_t *ret_height, uint32_t *ret_width);
