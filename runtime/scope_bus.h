/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scopes, as PID 1 is asked for them over D-Bus: the one of the launcher (scope.h), and those of containers that the systemd driver makes
 * (front/unit.h). libsystemd is loaded by scope_bus_open() and stays in the process: whoever lives long, or becomes a container,
 * does it in a child.
 *
 * Each call blocks until systemd has answered, SCOPE_WAIT_MS at most.
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"

struct scope_bus;
struct unit_props;

/**
 * scope_bus_open() - Connect to the system bus
 * @ret: owned; scope_bus_close()
 * @e:   ERR_UNSUPPORTED no libsystemd; ERR_SYSTEM no bus
 * Return: 0, or -1 with @e set
 */
int scope_bus_open(struct scope_bus **ret, struct err *e);

/**
 * scope_bus_close() - Disconnect; the library stays. NULL is fine
 * Return: nothing
 */
void scope_bus_close(struct scope_bus *b);

/**
 * scope_bus_start() - Ask for a scope; it is there when the kernel shows its process in it
 * @props: a process among them
 * @e:     ERR_CONFLICT one of that name is there; ERR_SYSTEM in systemd's words
 * Return: 0, or -1 with @e set
 */
int scope_bus_start(struct scope_bus *b, const char *unit, const struct unit_props *props, struct err *e);

/**
 * scope_bus_attach() - Put a process into a scope that is there
 * @below: group below the unit's ("/launcher"), which must exist; "": none
 * Return: 0, or -1 with @e set
 */
int scope_bus_attach(struct scope_bus *b, const char *unit, const char *below, pid_t pid, struct err *e);

/**
 * scope_bus_set() - Change properties of a scope that is there, until it ends
 * @e: ERR_NOT_FOUND, ERR_SYSTEM
 * Return: 0, or -1 with @e set
 */
int scope_bus_set(struct scope_bus *b, const char *unit, const struct unit_props *props, struct err *e);

/**
 * scope_bus_stop() - Stop a scope and wait until systemd knows it no more; one that it does not know is success
 * @e: ERR_TIMEOUT it is still there; ERR_SYSTEM
 * Return: 0, or -1 with @e set
 */
int scope_bus_stop(struct scope_bus *b, const char *unit, struct err *e);

/**
 * scope_bus_wait() - Wait until the kernel shows a process in a scope
 * @path: of the scope's control group
 * @e:    ERR_TIMEOUT
 * Return: 0, or -1 with @e set
 */
int scope_bus_wait(const char *path, pid_t pid, struct err *e);
