/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control groups as the command line has them: also for one who may make none, or only below what is delegated (--rootless).
 */
#pragma once

#include "base/err.h"

struct front_call;
struct instance;
struct launch_spec;

/**
 * groups_setup() - cgroup_setup() for who we are; after rootless_setup()
 * @e: ERR_UNSUPPORTED no hierarchy is mounted, and we are root; ERR_SYSTEM
 * Return: 0, or -1 with @e set
 */
int groups_setup(struct err *e);

/**
 * groups_choose() - Where a container's group is to be; for one who may not make it, below what is delegated, or nowhere
 * @spec: borrows; its cgroup_path and cgroup_root change, NULL: there will be none
 * @e:    ERR_INVALID --rootless; ERR_DENIED limits are asked for, and no group may be made
 * Return: 0, or -1 with @e set
 */
int groups_choose(const struct front_call *c, struct launch_spec *spec, struct err *e);

/**
 * groups_of() - The group of a container, for a command that cannot do without
 * @ret: borrowed from the instance
 * @e:   ERR_CONFLICT it has none
 * Return: 0, or -1 with @e set
 */
int groups_of(const struct instance *i, const char **ret, struct err *e);

/**
 * groups_check_join() - May a process of ours be moved into the container's group?
 * @path: NULL: it has none, and none is joined
 * @e:    ERR_DENIED it may not
 * Return: 0, or -1 with @e set
 */
int groups_check_join(const char *path, struct err *e);
