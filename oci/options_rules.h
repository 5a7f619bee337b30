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
	bool raises_limits;      /* the daemon has CAP_SYS_RESOURCE */
};

#define OPTIONS_MEMORY_MIN_BYTES (INT64_C(1) << 20)
#define OPTIONS_SHM_BYTES        (INT64_C(64) << 20)

/**
 * options_normalize() - Make config and host non-NULL and fill in docker's defaults
 * @id: the container's; its first 12 digits are the host name when none is asked for
 * @host_name: of the host, which network mode "host" shows when none is asked for
 *
 * NetworkMode "" is "default"; RestartPolicy "" is "no"; LogConfig "" is "json-file"; ShmSize 0 is 64 MiB.
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

#define OPTIONS_WARNINGS_MAX 8

/**
 * options_adapt() - Take away what this host's kernel cannot do and docker does not refuse for it
 * @h: validated
 * Return: the warnings, docker's words, in @a
 */
struct str_list options_adapt(struct opt_host_config *h, const struct options_host *host, struct arena *a);

/* How SecurityOpt came out */
struct options_security {
	bool no_new_privileges;
	const char *seccomp;     /* NULL: not asked for; else "default", "unconfined" or the text of a profile */
};

/**
 * options_security() - Read HostConfig.SecurityOpt
 * @ret: borrows from @h
 * @e:   ERR_INVALID "invalid --security-opt 2: …"; ERR_UNSUPPORTED for apparmor and label
 * Return: 0, or -1 with @e set
 */
int options_security(const struct opt_host_config *h, struct options_security *ret, struct err *e);

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
