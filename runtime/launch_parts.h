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

/**
 * launch_wait_exec() - Read what the child has to say until it executes its program or fails
 * @ret_pty_fd: owned: the terminal's master when one came; -1 before the call
 * @ret_ask:    what it has asked for: STAGE_MSG_HOOKS, STAGE_MSG_LOCK; set when 1 is returned
 * Return: 0 when all other ends are closed without a complaint; 1 when it waits for an answer; or -1 with @f and @e set
 */
int launch_wait_exec(int sock, int *ret_pty_fd, uint32_t *ret_ask, struct launch_failure *f, struct err *e);

/* What a child said it failed of, as our error; @f may be NULL. Return: -1, always */
struct stage_msg;
int launch_take_failure(struct stage_msg *m, struct launch_failure *f, struct err *e);

/* Fill @f, which may be NULL. Return: -1, always */
int launch_fail(struct launch_failure *f, enum stage stage, int exit_code);
