/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of a unit of systemd's: what a container's scope is to have. Its limits are told to systemd as well as written
 * into its control group, so that systemd, which writes what it knows whenever it likes (daemon-reload), writes the same. What systemd has no
 * property for is in the group alone, and stays: the group is delegated. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct cgroup_values;
struct str_map;

enum unit_type { UNIT_BOOL, UNIT_U64, UNIT_SIGNAL, UNIT_TEXT, UNIT_TEXTS, UNIT_BYTES, UNIT_PID };

struct unit_prop {
	const char *name;    /* "MemoryMax" */
	enum unit_type type;
	uint64_t number;     /* UNIT_BOOL, UNIT_U64, UNIT_SIGNAL, UNIT_PID */
	const void *data;    /* UNIT_TEXT: const char *; UNIT_TEXTS: char *const *, with a NULL at the end; UNIT_BYTES */
	size_t n;            /* of UNIT_BYTES */
};

#define UNIT_PROPS_MAX 64

/* Empty value: { .n = 0 } */
struct unit_props {
	struct unit_prop v[UNIT_PROPS_MAX];
	size_t n;
};

/**
 * unitprops_add() - One more
 * @prop: borrows what it points to, as long as @p lives; one of the same name is replaced
 * Return: nothing
 */
void unitprops_add(struct unit_props *p, struct unit_prop prop);

/**
 * unitprops_limits() - The limits among them that systemd knows
 * @values: of control files of cgroup v2; others than systemd's are passed over
 * @arena:  keeps
 * @e:      ERR_INVALID a value that is not understood, with the name of the file
 * Return: 0, or -1 with @e set
 */
int unitprops_limits(const struct cgroup_values *values, struct arena *arena, struct unit_props *p, struct err *e);

/**
 * unitprops_annotations() - What annotations ask for: "org.systemd.property.TimeoutStopUSec": "uint64 5000000"
 * @map:   the values are written as GVariants are; a name ending in Sec for one in USec is in seconds
 * @arena: keeps
 * @e:     ERR_UNSUPPORTED a property that is not among those that a container may have; ERR_INVALID its value; both with the name
 * Return: 0, or -1 with @e set
 */
int unitprops_annotations(const struct str_map *map, struct arena *arena, struct unit_props *p, struct err *e);
