/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unpack role's cage. The role reads untrusted bytes, so before the first of them it gives up all that it
 * does not need: see unpack_sandbox.c. What it is asked and answers is in oci/unpack_proto.h.
 */
#pragma once

#include "base/err.h"

/**
 * unpack_sandbox_enter() - Give up all powers but to fill one directory
 * @dir_fd: in: the directory; afterwards the same number is the root directory "/" of a mount namespace of
 *          our own, which holds nothing else, nodev, nosuid, noexec
 * @e:      ERR_SYSTEM, ERR_DENIED
 *
 * Descriptors that are not standard ones, @dir_fd or @result_fd are closed. Needs root. No way back.
 * Return: 0, or -1 with @e set
 */
int unpack_sandbox_enter(int dir_fd, int result_fd, struct err *e);

/**
 * unpack_sandbox_filter() - The last step of unpack_sandbox_enter(): no_new_privs and the list of system calls
 * Return: 0, or -1 with @e set
 */
int unpack_sandbox_filter(struct err *e);
