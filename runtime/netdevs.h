/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.netDevices: devices of the network namespace that we are in go into a container's, under another name if one is given; they
 * keep their permanent addresses of global scope, and are up there. When the container's namespace ends, the kernel does what it
 * does: physical devices go to the first namespace, virtual ones go away.
 *
 * Spec: runtime-spec config-linux.md#network-devices
 */
#pragma once

#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

struct oci_linux;

/**
 * netdevs_check() - Can this be done at all?
 * @e: ERR_INVALID with the path to the value: no network namespace, a name that no device can have, one that comes twice
 * Return: 0, or -1 with @e set
 */
int netdevs_check(const struct oci_linux *lin, struct err *e);

/**
 * netdevs_move() - Move them all into the network namespace of a process
 * @lin: as netdevs_check() wants it; without devices nothing is done
 * @a:   for scratch memory
 * @e:   ERR_NOT_FOUND there is no such device; ERR_INVALID the namespace is our own; ERR_SYSTEM
 *
 * Enters that namespace for a moment. After clone: no.
 * Return: 0; or -1 with @e set, and what had been moved brought back
 */
int netdevs_move(const struct oci_linux *lin, pid_t pid, struct arena *a, struct err *e);
