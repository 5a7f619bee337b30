/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user namespace of the container's own, or one that is joined, which owns all namespaces that are made with it. Others
 * that are joined beside it: stage_between.c.
 *
 * The child has every power in it from the start, and none over the host, so what takes the host's power is done by the
 * parent while the child waits (userns_settle()): the mappings, the OOM score, hard limits above ours.
 *
 * Detached mounts of binds come from the parent, too, and what the child mounts is its own: CAP_SYS_ADMIN in there could lift
 * the flags of the host (ro, nodev), and undo what hides a path. The kernel locks both when it copies mounts from a namespace
 * of one owner into one of another. So, when the tree is made, a process of the parent's copies it into a mount namespace of
 * its own user namespace, and that copy into one of the container's, which the child enters (userns_lock()). No mount of the
 * host gets what is mounted in there: the copy of a shared mount is its slave.
 *
 * Single-threaded callers only.
 *
 * Spec: runtime-spec config-linux.md#user-namespace-mappings; user_namespaces(7)
 */
#pragma once

#include "base/err.h"

#include <sys/types.h>

struct arena;
struct stage_caps;
struct launch_plan_stages;
struct oci_linux;

/**
 * userns_plan() - Fill in has_users and user_map; pure. After namespaces_plan()
 * @lin: borrowed by the plan
 * @has_entered: we are in it already (rootless.h): nobody makes it, and it is to the others as none
 * @e:   ERR_INVALID, with the JSON path, mappings that mean nothing, or without the namespace, or the other way round
 * Return: 0, or -1 with @e set
 */
int userns_plan(const struct oci_linux *lin, bool has_entered, struct launch_plan_stages *s, struct err *e);

/**
 * userns_map() - The mappings of the user namespace that a configuration asks for, for who enters it before all else
 * @ret: borrows from @lin
 * @e:   ERR_INVALID it asks for none, or for mappings that mean nothing; ERR_UNSUPPORTED one that is there
 * Return: 0, or -1 with @e set
 */
struct idmap;
int userns_map(const struct oci_linux *lin, struct idmap *ret, struct err *e);

/**
 * userns_plan_mounts() - Which file systems are of namespaces that are not the container's own, and must it go between? Pure
 * Return: nothing
 */
void userns_plan_mounts(struct launch_plan_stages *s);

/**
 * userns_open() - Fill in user_map with what a namespace that is joined has, and check the process against it. After namespaces_open()
 * @a: keeps
 * @e: ERR_INVALID an ID has no mapping, the document has other mappings, or it is our own namespace; ERR_DENIED, ERR_SYSTEM
 * Return: 0, or -1 with @e set
 */
int userns_open(struct launch_plan_stages *s, struct arena *a, struct err *e);

/**
 * userns_check_process() - May this process be in there? Pure. After userns_plan() and process_plan_build()
 * @e: ERR_INVALID a user or group without a mapping
 * Return: 0, or -1 with @e set
 */
int userns_check_process(const struct launch_plan_stages *s, struct err *e);

/**
 * userns_check_tracing() - What is waited for in its own user namespace, and sees who waits, must not trace: it would be the host's user. Pure
 * @e: ERR_UNSUPPORTED it has CAP_SYS_PTRACE
 * Return: 0, or -1 with @e set
 */
int userns_check_tracing(const struct stage_caps *caps, struct err *e);

/**
 * userns_settle() - Do for the child, which waits, what takes the host's power; nothing without a user namespace
 * @pid: our child, not reaped
 * @e:   ERR_SYSTEM
 * Return: 0, or -1 with @e set
 */
int userns_settle(const struct launch_plan_stages *s, pid_t pid, struct err *e);

/**
 * userns_lock() - Send to the child, which waits, a mount namespace like its own, whose mounts nobody in there can undo or change
 * @pidfd: of our child
 * @sock:  our end of its socket
 * @e:     ERR_SYSTEM, ERR_DENIED
 * Return: 0, or -1 with @e set
 */
int userns_lock(int pidfd, int sock, struct err *e);
