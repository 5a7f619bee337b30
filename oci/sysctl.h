/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System controls that a container can have for itself. Pure.
 *
 * Spec: sysctl(8), ipc_namespaces(7), network_namespaces(7); runtime-spec config-linux.md#sysctl
 */
#pragma once

#include "base/err.h"
#include "base/json.h"

enum sysctl_owner {
	SYSCTL_HOST,             /* the machine's: nobody may set it from a container */
	SYSCTL_IPC,              /* of an IPC namespace */
	SYSCTL_NET,              /* of a network namespace */
};

/**
 * sysctl_owner_of() - Which namespace a control belongs to
 * Return: SYSCTL_HOST also for what is not known
 */
enum sysctl_owner sysctl_owner_of(const char *key);

/**
 * sysctl_check() - Is it one line for one control? "net.ipv4.ip_forward" and no other way to write it
 * @e: ERR_INVALID
 *
 * A key has one spelling (no slashes) and a value one line, so that a control is written once, and as it was said.
 * Return: 0, or -1 with @e set
 */
int sysctl_check(const struct str_pair *p, struct err *e);
