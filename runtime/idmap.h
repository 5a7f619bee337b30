/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mappings of user namespaces. Mounts whose files belong to others than on disk: the kernel takes the mapping from a user namespace, which is made for
 * that, and which nothing ever runs in. After clone: no. Single-threaded.
 *
 * Spec: runtime-spec config.md#mounts "uidMappings"; mount_setattr(2) "ID-mapped mounts"
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct arena;
struct oci_id_mapping;

/* Mappings of users and of groups; both or none. Borrowed. */
struct idmap {
	const struct oci_id_mapping *uids, *gids;
	size_t n_uids, n_gids;
};

/**
 * idmap_check() - Are there both, and can the kernel take them? Pure
 * @e: ERR_INVALID with the name of the field
 * Return: 0, or -1 with @e set
 */
int idmap_check(const struct idmap *map, struct err *e);

/**
 * idmap_has() - Has an ID of the container a mapping?
 * Return: that
 */
bool idmap_has(const struct oci_id_mapping *v, size_t n, uint64_t id);

/**
 * idmap_write() - Give the user namespace of a process its mappings, which is possible once
 * @pid: a child of ours, not reaped
 * @e:   ERR_SYSTEM
 * Return: 0, or -1 with @e set
 */
int idmap_write(const struct idmap *map, pid_t pid, struct err *e);

/**
 * idmap_read() - The mappings that a user namespace has, as seen from here
 * @ns: its descriptor
 * @a:  keeps
 * @e:  ERR_INVALID it is our own; ERR_DENIED we have no power over it; ERR_SYSTEM
 *
 * Blocks: until a child has entered it.
 * Return: 0, or -1 with @e set
 */
int idmap_read(int ns, struct arena *a, struct idmap *ret, struct err *e);

/**
 * idmap_equals() - Are they the same, in whatever order? Pure
 * Return: that
 */
bool idmap_equals(const struct idmap *a, const struct idmap *b);

/**
 * idmap_mount() - Map a detached mount that nobody has attached yet
 * @flags: AT_RECURSIVE: what is below it, too
 * @e:     ERR_UNSUPPORTED the file system cannot be mapped; ERR_SYSTEM
 *
 * Clones a process and ends it.
 * Return: 0, or -1 with @e set
 */
int idmap_mount(const struct idmap *map, int mount_fd, unsigned flags, struct err *e);
