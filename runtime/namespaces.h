/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which namespaces a container has for itself, and whose others it enters.
 *
 * A namespace of the configuration without a path is made by clone. One with a path is entered: the path names a file
 * of procfs (or a bind of one), "fd:N" the N-th descriptor of the launch message, which is such a file or the pidfd
 * of a process whose namespace is meant. One that is not named at all stays the caller's.
 *
 * Sources are opened and looked at before clone; the child enters them in STAGE_NAMESPACES. A pid namespace counts for
 * children only, so the caller of launch() enters it around the clone and goes back.
 *
 * Spec: runtime-spec config-linux.md#namespaces; namespaces(7), setns(2)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct launch_plan_stages;
struct oci_linux;
struct strbuf;

/**
 * namespaces_plan() - Fill in clone_flags, unshares_cgroup, brings_lo_up and joins; pure
 * @is_v2: whether the host has cgroup2 alone: then clone makes the cgroup namespace
 * @ret:   nothing is open yet
 * @e:     ERR_INVALID one comes twice, or its path is not absolute; ERR_UNSUPPORTED a type, by name
 * Return: 0, or -1 with @e set
 */
int namespaces_plan(const struct oci_linux *lin, bool is_v2, struct arena *a,
		    struct launch_plan_stages *ret, struct err *e);

/**
 * namespaces_open() - Open what is to be entered, and check that it is a namespace of that type
 * @fds: those of the message; an entry is set to -1 when a join has taken it
 * @e:   ERR_INVALID it is something else; ERR_CONFLICT the process of a pidfd has ended; ERR_NOT_FOUND, ERR_SYSTEM
 * Return: 0, or -1 with @e set; what was opened is the plan's: namespaces_close()
 */
int namespaces_open(struct launch_plan_stages *s, int *fds, size_t n_fds, struct err *e);

/**
 * namespaces_close() - Close what namespaces_open() has opened
 * Return: nothing
 */
void namespaces_close(struct launch_plan_stages *s);

/**
 * namespaces_listed() - The types that a configuration names, made or entered, as CLONE_NEW*; pure
 * @lin: borrows; may be NULL
 * Return: those
 */
int namespaces_listed(const struct oci_linux *lin);

/**
 * namespaces_has() - Does the plan enter a namespace of this type (CLONE_NEW*)?
 * Return: that
 */
bool namespaces_has(const struct launch_plan_stages *s, int flag);

/**
 * namespaces_print() - Two lines of launch_plan_print()
 * Return: nothing
 */
void namespaces_print(const struct launch_plan_stages *s, struct strbuf *out);

/**
 * namespaces_enter_pid() - The next child is born in the pid namespace of the plan, if it has one to enter
 * @e: ERR_CONFLICT it has ended
 *
 * Only the next child: namespaces_leave_pid() follows, whatever comes of it. Single-threaded callers only.
 * Return: 0, or -1 with @e set
 */
int namespaces_enter_pid(const struct launch_plan_stages *s, struct err *e);

/**
 * namespaces_leave_pid() - Children are born in the caller's own pid namespace again
 * @e: ERR_SYSTEM
 * Return: 0, or -1 with @e set
 */
int namespaces_leave_pid(const struct launch_plan_stages *s, struct err *e);

/**
 * namespaces_type() - The @i-th type of namespace that a configuration may name
 * Return: a static string, NULL behind the last
 */
const char *namespaces_type(size_t i);
