/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The systemd driver (--systemd-cgroup): the control group of a container is a scope that systemd makes.
 *
 * Theory of operation. A scope is made around a process, and a container's is born in its group when that is there. So a
 * child of ours, the holder, is what the scope is asked for with; the group is filled and the container's process cloned into it as into
 * any other group; then the holder ends. It also is who speaks to systemd, so that no page of that library is in us or in the
 * container. It dies with us, and a scope without processes is taken away by systemd. Whoever only changes or stops a scope speaks itself.
 *
 * For cgroup v2 alone: systemd's own hierarchy of v1 is not ours to write in.
 */
#pragma once

#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

struct cgroup_values;
struct oci_config;
struct oci_resources;
struct unit_props;

/* Who keeps a new scope alive. Empty value: UNIT_HOLDER_EMPTY */
struct unit_holder {
	pid_t pid;      /* 0: none */
	int release_fd; /* owned: its end lets the holder go; -1 */
};
#define UNIT_HOLDER_EMPTY { .pid = 0, .release_fd = -1 }

/**
 * unit_check() - Can scopes be had here?
 * @e: ERR_UNSUPPORTED PID 1 is not systemd; there is v1. Needs cgroup_setup()
 * Return: 0, or -1 with @e set
 */
int unit_check(struct err *e);

/**
 * unit_plan() - The properties of a container's scope, but for the processes
 * @cgroup_path: of the scope
 * @ret:         in @a
 * @e:           ERR_INVALID, ERR_UNSUPPORTED with the name of a value that systemd cannot be told
 * Return: 0, or -1 with @e set
 */
int unit_plan(const struct oci_config *config, const char *id, const char *cgroup_path, struct arena *a, struct unit_props **ret, struct err *e);

/**
 * unit_start() - Have the scope made, with its limits
 * @ret: unit_let_go(), when another process is in it
 * @e:   ERR_CONFLICT there is one of that name; ERR_TIMEOUT; ERR_SYSTEM in systemd's words
 *
 * Blocks: on systemd, SCOPE_WAIT_MS at most for each call.
 * Return: 0, or -1 with @e set and nothing left behind
 */
int unit_start(const struct unit_props *props, const char *cgroup_path, struct unit_holder *ret, struct err *e);

/**
 * unit_let_go() - End the holder, and wait for that. Empty is fine
 * Return: nothing
 */
void unit_let_go(struct unit_holder *h);

/**
 * unit_update() - Tell systemd new limits, for it to keep them
 * @e: ERR_SYSTEM, ERR_INVALID
 * Return: 0, or -1 with @e set
 */
int unit_update(const char *cgroup_path, const struct cgroup_values *values, struct err *e);

/**
 * unit_stop() - Have the scope stopped, which has no more processes; one that is gone is success
 * @e: ERR_SYSTEM, ERR_TIMEOUT
 * Return: 0, or -1 with @e set
 */
int unit_stop(const char *cgroup_path, struct err *e);
