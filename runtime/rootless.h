/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Without the host's powers: for one who is not root, and for the root of a user namespace (podman's, or that of an outer
 * container). The command line asks once who it is; kilnd's roles never do, they are the host's root.
 *
 * One who has no power to mount enters the container's user namespace before anything is made, with the mappings of the
 * configuration, and a mount namespace that belongs to it: what the host has set on a mount (ro, nodev) is locked there by
 * the kernel. From then on it is as the host's root, but with power over nothing that the caller has none over: files stay
 * the caller's own, and the container's process becomes the namespace's root (stage_become_root()).
 *
 * An ID that is the caller's own is mapped directly; for all others newuidmap and newgidmap are asked, which know from /etc/subuid
 * and /etc/subgid what the caller may have. Whoever lies about the environment lies about their own powers only.
 *
 * Single-threaded callers only. Spec: user_namespaces(7), newuidmap(1)
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

struct idmap;

/**
 * rootless_setup() - Find out who we are; once, before the others here
 * Return: nothing
 */
void rootless_setup(void);

/**
 * rootless_is() - Is there no power over the host?
 * Return: that; false before rootless_setup()
 */
bool rootless_is(void);

/**
 * rootless_may_mount() - Is there the power to mount, wherever we are? Without it rootless_enter() is the way
 * Return: that
 */
bool rootless_may_mount(void);

/**
 * rootless_has_entered() - Are we in the user namespace of the container that is being made?
 * Return: that
 */
bool rootless_has_entered(void);

/**
 * rootless_keeps_groups() - Does our user namespace forbid to change supplementary groups? Then everybody in it has the caller's
 * Return: that
 */
bool rootless_keeps_groups(void);

/**
 * rootless_enter() - Enter a user namespace with these mappings, and execute a copy of the program there with the same arguments
 * @map:  borrows; checked
 * @argv: what becomes the copy's arguments, without the name of the program
 * @e:    ERR_DENIED, ERR_NOT_FOUND with what is missing for these mappings; ERR_SYSTEM
 *
 * The copy is what makes the process one of that namespace for the kernel: others who own it may look into it.
 * Blocks: on newuidmap. Return: not at all, or -1 with @e set and the caller to end: it may be in the namespace already
 */
int rootless_enter(const struct idmap *map, char *const *argv, struct err *e);
