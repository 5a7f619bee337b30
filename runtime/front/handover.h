/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the caller of a command is given besides its exit status: the terminal's master and the process's pidfd, each over a
 * socket, and the pid in a file.
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"

/**
 * handover_connect() - Connect to a socket of the caller, before anything is made
 * @path: NULL: there is none, and *ret_sock stays -1
 * @what: for messages: "console socket"
 * @ret_sock: owned
 * Return: 0, or -1 with @e set
 */
int handover_connect(const char *path, const char *what, int *ret_sock, struct err *e);

/**
 * handover_terminal() - Send the master of a terminal, with its name
 * @sock: -1: nothing is sent
 * Return: 0, or -1 with @e set
 */
int handover_terminal(int sock, int master_fd, struct err *e);

/**
 * handover_pidfd() - Send a pidfd, with the word that runc puts beside it: "standard", "setns"
 * @sock: -1: nothing is sent
 * Return: 0, or -1 with @e set
 */
int handover_pidfd(int sock, int pidfd, const char *word, struct err *e);

/**
 * handover_pid() - Write a pid into a file, which appears as a whole
 * @file: NULL: nothing is written
 * Return: 0, or -1 with @e set
 */
int handover_pid(const char *file, pid_t pid, struct err *e);
