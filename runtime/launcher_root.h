/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launcher's own world: a mount namespace whose root is a tmpfs with nothing but what launches need.
 *
 *	<data root>, <exec root>   as on the host, at the same absolute paths, with what is mounted below
 *	/proc, /sys/fs/cgroup      as on the host
 *	/dev                       null zero full random urandom tty
 *
 * So no clone copies the host's mounts, no host mount is pinned by a container, and none can be reached by it.
 */
#pragma once

#include "base/err.h"

/**
 * launcher_root_enter() - Make the namespace and go into it; afterwards the host's tree is out of reach
 * @data_root, @exec_root: absolute, existing directories
 * @e: ERR_DENIED not root; ERR_NOT_FOUND a directory is missing; ERR_SYSTEM
 * Return: 0, or -1 with @e set (the process is then only good to exit)
 */
int launcher_root_enter(const char *data_root, const char *exec_root, struct err *e);
