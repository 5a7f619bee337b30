/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving up power for good: what a monitor does between its program's start and the first byte from it.
 *
 * No capability, no_new_privs, and a seccomp filter that allows to move bytes between descriptors that are open
 * already, to wait for the child and to allocate memory: no path, no new socket, no exec, no fork. What is not
 * allowed fails with EPERM. A monitor that rotates a log has that log's directory as its root, and may make, rename and
 * remove files there. Monitors of execs with a timeout keep CAP_KILL, of which the filter leaves: SIGKILL
 * to their own program.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/* What is still to be done afterwards. */
struct confine_needs {
	pid_t kills;             /* the program that may be killed with SIGKILL, alone or with its process group; 0: none */
	int pidfd;               /* its pidfd */
	bool makes_files;        /* new ones, renames and removals, anywhere below the process's root */
};

/**
 * confine() - Drop everything; there is no way back
 * @needs: borrows
 *
 * With a sanitizer built in, the filter is left out: its runtime needs what the filter denies.
 * Return: 0, or -1 with @e set
 */
int confine(const struct confine_needs *needs, struct err *e);
