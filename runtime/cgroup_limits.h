/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a configuration's resources to the values of control files. Pure: the unit test reads its output.
 *
 * Spec: runtime-spec config-linux.md#control-groups
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

struct oci_resources;

struct cgroup_value {
	const char *controller; /* "memory" */
	const char *file;       /* "memory.max" */
	const char *value;      /* lines are written one by one */
	const char *or_file;    /* NULL, or the file that takes or_value where the kernel has not the first */
	const char *or_value;
	bool is_optional;       /* left out where the kernel has no such file (swap accounting) */
};

struct cgroup_values {
	struct cgroup_value *v; /* in the order in which they must be written */
	size_t n;
};

#define CGROUP_WEIGHT_DEVICES_MAX 64

struct oci_block_io;

/**
 * cgroup_limits_block_io() - The part of cgroup_limits() that is about block devices
 * @out: with room for CGROUP_WEIGHT_DEVICES_MAX + 5 more values
 * @e:   ERR_INVALID, ERR_UNSUPPORTED with the name of the field
 * Return: 0, or -1 with @e set
 */
int cgroup_limits_block_io(const struct oci_block_io *b, bool is_v2, struct arena *arena, struct cgroup_values *out, struct err *e);

/**
 * cgroup_limits() - The values that a configuration asks for
 * @resources: borrows; NULL: none
 * @is_v2:     which kind of files. On v2 device rules are not values, see devices_bpf.h
 * @ret:       in @arena
 * @e:         ERR_INVALID, ERR_UNSUPPORTED with the name of the field
 * Return: 0, or -1 with @e set
 */
int cgroup_limits(const struct oci_resources *resources, bool is_v2, struct arena *arena,
		  struct cgroup_values *ret, struct err *e);

/**
 * cgroup_limits_changed() - The same for a group that is at work: without its devices, which stay as they are
 * Return: 0, or -1 with @e set
 */
int cgroup_limits_changed(const struct oci_resources *resources, bool is_v2, struct arena *arena, struct cgroup_values *ret,
			  struct err *e);
