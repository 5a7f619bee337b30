/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which process a pid meant when it was written down. A pid alone is never believed: it may be somebody else's by now.
 * With it go the time at which the process started (of the kernel's own clock) and the boot in which that was.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define BOOT_ID_LEN 36

struct procid {
	pid_t pid;                  /* in the caller's pid namespace; 0: none */
	uint64_t start_ticks;       /* field 22 of /proc/PID/stat */
	char boot[BOOT_ID_LEN + 1]; /* /proc/sys/kernel/random/boot_id */
};

/**
 * procid_of() - What is to be written down of a process that is there
 * @e: ERR_NOT_FOUND there is none of that pid
 * Return: 0, or -1 with @e set
 */
int procid_of(pid_t pid, struct procid *ret, struct err *e);

/**
 * procid_open() - The process that was written down, if it lives
 * @ret_pidfd: owned
 * @e:         ERR_NOT_FOUND it has ended (a zombie has), or was of another boot
 * Return: 0, or -1 with @e set
 */
int procid_open(const struct procid *id, int *ret_pidfd, struct err *e);

/**
 * procid_parse_start() - The start time in the text of a /proc/PID/stat, whatever the process is called
 * Return: 0, or -1 when it is not such a text
 */
int procid_parse_start(const char *stat, uint64_t *ret);
