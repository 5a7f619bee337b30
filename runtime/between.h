/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent's side of a launch whose first process is cloned by another (stage_between.c). Single-threaded callers only.
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"

struct launch_plan;

/**
 * between_clone() - Clone the container's first process by way of one that ends again
 * @slot:      keeps; shared memory, or NULL
 * @ret_pidfd: owned, filled only on success
 * @ours:      our end of the socket, with what the other may have to say; @theirs: its own
 * @e:         what that one reported, or what failed here
 *
 * Blocks until that one has ended.
 * Return: the pid of a child of ours; or -1 with @e set and no child left
 */
pid_t between_clone(struct launch_plan *plan, pid_t *slot, int *ret_pidfd, int ours, int theirs, struct err *e);
