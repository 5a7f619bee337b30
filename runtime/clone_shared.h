/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A child that shares our memory until it executes its program, as vfork(2) has it, but by clone3 and on a stack of its
 * own. Nothing is copied, and execve has nothing to tear down.
 */
#pragma once

#include <linux/sched.h>
#include <stdbool.h>
#include <sys/types.h>

/**
 * clone_shared_works() - Where it does not, a plain clone3 does the same, only slower
 *
 * Not on other processors, under AddressSanitizer, and while fs.suid_dumpable is 1: asked once, and children inherit the answer.
 * Return: whether it is there
 */
bool clone_shared_works(void);

/**
 * clone_shared() - clone3 with CLONE_VM and CLONE_VFORK; @fn runs in the child and must not return
 * @args: flags, exit signal and what else is wanted; the stack is set here
 *
 * Blocks until the child has executed a program or ended; only SIGKILL ends that. What the child writes into memory
 * is seen here afterwards, errno too. Single-threaded callers without signal handlers only: the child would run them.
 * Return: the child's pid; or -1 with errno
 */
pid_t clone_shared(struct clone_args *args, void (*fn)(void *), void *ctx);
