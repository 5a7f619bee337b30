/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one way in which kilnd makes a process: posix_spawn (CLONE_VFORK, no code of ours in the child).
 * Thread-safe. The child gets default signal dispositions, an empty mask and only the descriptors listed.
 * glibc leaves its two internal signals (32 and 33) ignored in the child: who starts a container resets them.
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"

struct spawn_fd {
	int from;
	int to;
}; /* borrows; `to` is the number in the child */

struct spawn_request {
	const char *path; /* absolute; no PATH search */
	char *const *argv;
	char *const *envp;          /* NULL: an empty environment with PATH only */
	const struct spawn_fd *fds; /* at least 0, 1, 2; others are CLOEXEC and so closed */
	size_t n_fds;
};

/**
 * spawn_exec() - Start a program
 * @ret_pid:   the child, which the caller must reap by waitid(P_PIDFD)
 * @ret_pidfd: owned; readable when it ended. May be NULL
 * @e:         ERR_NOT_FOUND the program is not there; ERR_DENIED it may not be executed; ERR_SYSTEM
 * Return: 0, or -1 with @e set
 */
int spawn_exec(const struct spawn_request *req, pid_t *ret_pid, int *ret_pidfd, struct err *e);
