/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pieces that oci/bundle.c puts together. For oci/bundle*.c only; see oci/bundle.h for the rules.
 */
#pragma once

#include "oci/bundle.h"
#include "oci/options_rules.h"

/**
 * bundle_mounts() - All mounts: docker's default ones, then the user's by depth
 * @ret: array of @ret_n in @a
 * @e:   as bundle_binds() and options_tmpfs_options()
 * Return: 0, or -1 with @e set
 */
int bundle_mounts(const struct bundle_input *in, struct arena *a, struct oci_mount **ret, size_t *ret_n,
		  struct err *e);

/**
 * bundle_mount_bind() - Check one of HostConfig.Mounts and, when it is a bind, read it
 * @ret: written when *@ret_is_bind
 * @e:   ERR_INVALID "invalid mount config for type …"; ERR_UNSUPPORTED for volumes
 * Return: 0, or -1 with @e set
 */
int bundle_mount_bind(const struct opt_mount *m, struct arena *a, struct bundle_bind *ret, bool *ret_is_bind,
		      struct err *e);

/* The last part of -v and of --volumes-from */
struct bundle_mode {
	bool readonly;
	const char *propagation;         /* NULL: nothing said */
};

/**
 * bundle_mode_read() - "ro,z,rslave"
 * @e: ERR_INVALID "invalid mode: …"
 * Return: 0, or -1 with @e set
 */
int bundle_mode_read(const char *text, struct arena *a, struct bundle_mode *ret, struct err *e);

/**
 * bundle_inherited() - What a container has from others and not a mount of its own in the same place
 * @ret: array of @ret_n in @a
 * Return: nothing
 */
void bundle_inherited(const struct container_options *o, struct arena *a, struct opt_mount **ret, size_t *ret_n);

/**
 * bundle_mount_tmpfs() - The mount options of one of HostConfig.Mounts, which is a checked tmpfs
 * @ret: in @a
 * @e:   as options_tmpfs_options()
 * Return: 0, or -1 with @e set
 */
int bundle_mount_tmpfs(const struct opt_mount *m, struct arena *a, struct str_list *ret, struct err *e);

/**
 * bundle_env() - Docker's variables, overridden by those of the container and then of the exec
 * @extra: of an exec; NULL: none. "K" alone removes K
 * Return: in @a
 */
struct str_list bundle_env(const struct opt_config *c, bool tty, const struct str_list *extra, struct arena *a);

/**
 * bundle_process() - What container and exec have in common: capabilities, limits, user's place
 * @privileged: of the container, or of the exec
 * @e:          ERR_INVALID
 * Return: 0, or -1 with @e set
 */
int bundle_process(const struct container_options *o, const struct bundle_host *host, bool privileged,
		   struct arena *a, struct oci_process **ret, struct err *e);

/**
 * bundle_resources() - Limits and device rules
 * @e: as bundle_device_rules()
 * Return: 0, or -1 with @e set
 */
int bundle_resources(const struct opt_host_config *h, const struct bundle_host *host, struct arena *a,
		     struct oci_resources **ret, struct err *e);

/**
 * bundle_seccomp() - "default", "unconfined" or the text of a profile
 * @e: as options_security()
 * Return: 0, or -1 with @e set
 */
int bundle_seccomp(const struct opt_host_config *h, const struct bundle_host *host, struct arena *a, char **ret,
		   struct err *e);

/**
 * bundle_log() - Where the log goes, how it is bounded and what its lines tell
 * @s: log_path and the other log_… are filled in; strings in @a
 * @e: as options_log()
 * Return: 0, or -1 with @e set
 */
int bundle_log(const struct bundle_input *in, struct arena *a, struct launch_stdio *s, struct err *e);

/**
 * bundle_list() - A list of constant strings, copied
 * Return: in @a
 */
struct str_list bundle_list(const char *const *v, size_t n, struct arena *a);
#define BUNDLE_LIST(a, ...) \
	bundle_list((const char *const[]){ __VA_ARGS__ }, \
		    sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *), (a))
