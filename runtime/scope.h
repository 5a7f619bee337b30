/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launcher's way into its scope: under systemd it asks PID 1, over D-Bus, for a unit of its own in which it, its
 * monitors and all containers live, with the right to make groups below it (Delegate=yes). So kilnd.service holds kilnd
 * alone, and neither its restart nor its end touches a container.
 *
 * libsystemd is loaded at run time, in a child that ends when all is done: a machine without systemd does not need
 * the library, and no monitor carries its pages. Called once, before the launcher leaves the host's mount namespace.
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"
#include "base/scopename.h"

/**
 * scope_enter() - Have this process moved into its scope; a scope that is there is joined
 * @parent: "/system.slice/kiln.scope"
 * @e:      ERR_INVALID it is no name that systemd would give; ERR_UNSUPPORTED no libsystemd; ERR_TIMEOUT;
 *          ERR_SYSTEM D-Bus or systemd says no, in their words
 *
 * On cgroup v2 the process ends in "<parent>/launcher", since only leaves may have processes. Blocks: up to SCOPE_WAIT_MS.
 * Return: 0, or -1 with @e set and the process where it was
 */
int scope_enter(const char *parent, struct err *e);

#define SCOPE_WAIT_MS 10000

/**
 * scope_holds() - Does the kernel show the process in the scope?
 * Return: that
 */
bool scope_holds(const char *parent, pid_t pid);
