/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes of a container without a control group: those of its pid namespace.
 */
#pragma once

#include "base/err.h"

struct cgroup_pids;
struct instance;

/**
 * pids_list() - The processes that a container has
 * @ret: owned; cgroup_pids_done(). One without a process has none
 * @e:   ERR_CONFLICT it has neither a control group nor a pid namespace to itself
 * Return: 0, or -1 with @e set
 */
int pids_list(const struct instance *i, struct cgroup_pids *ret, struct err *e);
