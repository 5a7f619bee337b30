/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A further program in a running container: what `docker exec` needs.
 *
 * An intermediate child joins the groups and the namespaces (setns on a pidfd) and clones with CLONE_PARENT, so
 * that the program is in the pid namespace and yet a child of the caller, which waits for it exactly. The program
 * walks the same stages as a launch, from STAGE_KEYRING on. No descriptor of the host is open when it enters.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "runtime/launch.h"
#include "runtime/plan.h"

struct exec_spec;
struct join_plan;

/**
 * join_plan_build() - Make ready all that a join needs
 * @spec:       borrows; must live as long as the plan
 * @init_pidfd: borrows until join() has returned; the container's init
 * @stdio:      borrows likewise; may be NULL when the document asks for a terminal
 * @e:          ERR_CONFLICT the container is not running; else as launch_plan_build()
 * Return: 0, or -1 with @e set
 */
int join_plan_build(const struct exec_spec *spec, int init_pidfd,
		    const struct launch_stdio_fds *stdio, struct arena *arena,
		    struct join_plan **ret, struct err *e);

/**
 * join_plan_extend() - Add what only the command line asks for, as launch_plan_extend(); a join does not wait and does not pivot
 * @e: of the groups below
 * Return: 0, or -1 with @e set
 */
int join_plan_extend(struct join_plan *plan, const struct launch_extras *extras, struct err *e);

/**
 * join_plan_done() - Close what the plan holds; NULL is fine
 * Return: nothing
 */
void join_plan_done(struct join_plan *plan);

/**
 * join() - Start the program and wait until execve has succeeded or something has failed
 *
 * Parameters, blocking and results as launch(); ret->cgroup stays NULL. @marks->init gets the program's pid, not
 * the intermediate's.
 * Return: 0, or -1 with @e set and no child left
 */
int join(struct join_plan *plan, struct launch_marks *marks, struct launched *ret,
	 struct launch_failure *ret_failure, struct err *e);
