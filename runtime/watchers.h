/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who could trace what enters a pid namespace: CAP_SYS_PTRACE is power over any process that can be seen, and what
 * has more power than the one who sees it would give it away.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

/**
 * watchers_look() - Look for a process in a pid namespace that may trace, and is not root of the host anyway
 * @fd:  borrows; a pidfd of a process that is in it, or the namespace
 * @ret: what may be there: when a process cannot be looked at, yes
 *
 * By the bounding set, which only ever shrinks. Who has CAP_SYS_ADMIN needs nobody else's powers. Reads all of /proc.
 * Return: 0, or -1 with @e set
 */
int watchers_look(int fd, bool *ret, struct err *e);
