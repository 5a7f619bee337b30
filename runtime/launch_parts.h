/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What launch.c and join.c share: the parent's side of the socket pair.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "runtime/launch.h"

/* A pair of SEQPACKET sockets, CLOEXEC. Return: 0, or -1 with @e set */
int launch_sockets(int fds[2], struct err *e);

/* Wait for the end of a child. Return: its wait status */
int launch_reap(pid_t pid);

/* For a child that is born in a group where the kernel can do that; @group may be NULL. Return: the arguments, for more to be added */
struct clone_args;
struct cgroup_handle;
void launch_clone_args(const struct cgroup_handle *group, struct clone_args *ret);

/* What has come from a child so far. Empty value: LAUNCH_HEARD_EMPTY */
struct launch_heard {
	uint32_t ask;        /* what it has asked for last: STAGE_MSG_HOOKS, STAGE_MSG_LOCK, STAGE_MSG_LISTENER; 0 */
	int pty_fd;          /* owned: the terminal's master; -1 */
	int listener_fd;     /* owned: by which the seccomp filter asks an agent; -1 */
	int listener_number; /* the same, as the child has it */
};
#define LAUNCH_HEARD_EMPTY { .pty_fd = -1, .listener_fd = -1, .listener_number = -1 }

/**
 * launch_wait_exec() - Read what the child has to say until it executes its program or fails
 * @h: what comes with it is added
 * Return: 0 when all other ends are closed without a complaint; 1 when it waits for an answer to @h->ask; or -1 with @f and @e set
 */
int launch_wait_exec(int sock, struct launch_heard *h, struct launch_failure *f, struct err *e);

/**
 * launch_give_listener() - Give what has come to who takes it, and let the child go on
 * @pid: the program's
 * @h:   the listener of it is used up
 * Return: 0, or -1 with @e set
 */
struct listener_taker;
int launch_give_listener(const struct listener_taker *taker, pid_t pid, struct launch_heard *h, int sock, struct err *e);

/* Close what nobody has taken. Return: nothing */
void launch_heard_done(struct launch_heard *h);

/* What a child said it failed of, as our error; @f may be NULL. Return: -1, always */
struct stage_msg;
int launch_take_failure(struct stage_msg *m, struct launch_failure *f, struct err *e);

/* Fill @f, which may be NULL. Return: -1, always */
int launch_fail(struct launch_failure *f, enum stage stage, int exit_code);
