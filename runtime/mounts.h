/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the mounts, devices and protected paths of a configuration to a flat list of operations.
 *
 * mounts_plan() is pure (golden files test it); mounts_open() opens the sources of binds as detached mounts,
 * with their options set, so that the child only attaches them. The order of operations is the configuration's:
 * devices and links follow the file system at /dev, read-only and hidden paths come last.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct cgroup_layout;
struct mount_op;
struct oci_config;
struct strbuf;

/**
 * mounts_plan() - The operations that a configuration asks for
 * @config:  borrows; must live as long as the operations
 * @layout:  borrows; what a mount of type cgroup becomes
 * @group:   borrows; the container's control group, which is what is seen of v1; NULL: what the namespace shows
 * @ret:     array of @ret_n in @arena; binds are not open yet
 * @e:       ERR_INVALID with the index of the mount; ERR_UNSUPPORTED an option or type, by name
 *
 * Spec: runtime-spec config.md#mounts, config-linux.md#devices #default-devices #masked-paths #readonly-paths
 * Return: 0, or -1 with @e set
 */
int mounts_plan(const struct oci_config *config, const struct cgroup_layout *layout, const char *group,
		struct arena *arena, struct mount_op **ret, size_t *ret_n, struct err *e);

/**
 * mounts_bind_devices() - Nobody makes a device in a user namespace: the host's own of that name is bound, when it is the same
 * @arena: keeps
 * Return: nothing
 */
void mounts_bind_devices(struct mount_op *ops, size_t n, struct arena *arena);

/**
 * mounts_plan_rootless() - The operations of a plan for one without power over the host. After userns_plan()
 * @group: borrows; the container's control group, NULL: it has none
 * @e: ERR_DENIED, ERR_INVALID what the kernel would refuse, with the place
 * Return: 0, or -1 with @e set
 */
struct launch_plan_stages;
int mounts_plan_rootless(struct launch_plan_stages *s, const char *group, struct arena *arena, struct err *e);

/**
 * mounts_show_processes() - Is the host's procfs among what is bound?
 * Return: that
 */
bool mounts_show_processes(const struct launch_plan_stages *s);

/* Where the sources of binds may come from. */
struct mount_sources {
	int *bind_fds; /* "fd:N", "fd:N:/path"; an entry is set to -1 when an operation has taken it */
	size_t n_bind_fds;
	const char *data_root; /* absolute paths must lie below; NULL: any path of the host, for a bundle */
	const char *bundle_dir; /* what relative sources are relative to; NULL: they are refused */
};

/**
 * mounts_open() - Open the sources of all binds as detached mounts and set their options
 * @ops: the descriptors become the operations' own, also on failure: mounts_close()
 * @e:   ERR_INVALID a source that is not allowed; ERR_NOT_FOUND; ERR_SYSTEM
 * Return: 0, or -1 with @e set
 */
int mounts_open(struct mount_op *ops, size_t n, const struct mount_sources *sources, struct err *e);

/**
 * mounts_close() - Close what mounts_open() has opened
 * Return: nothing
 */
void mounts_close(struct mount_op *ops, size_t n);

/**
 * mounts_print() - One line an operation
 * Return: nothing
 */
void mounts_print(const struct mount_op *ops, size_t n, struct strbuf *out);

/**
 * mounts_propagation() - "rslave" and the like as MS_ flags
 * @ret_is_recursive: whether the name begins with r
 * Return: 0, or -1 when it is no such name
 */
int mounts_propagation(const char *name, uint64_t *ret, bool *ret_is_recursive);

/**
 * mounts_option_name() - The @i-th option of a mount that is not the file system's own
 * Return: a string that the next call overwrites, NULL behind the last
 */
const char *mounts_option_name(size_t i);
