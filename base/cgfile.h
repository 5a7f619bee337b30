/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading cgroup statistic files by (directory descriptor, file name), of v1 and v2: the kernel gives them
 * as text, one number, or lines of "key number". Only reads; writes go through the launcher, and groups are
 * made by runtime/cgroup.c. Bounded; thread-safe; no allocation stays behind. Blocks for one read(2), which
 * memory.stat makes long (the kernel sums over processors), so not on the loop for many groups at once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CGFILE_MAX_BYTES 65536 /* memory.stat has about 6000 */

/* A number, or no limit. */
struct cgfile_limit {
	bool is_max; /* "max"; v1: -1, or memory's largest number of pages */
	uint64_t v;  /* 0 when is_max */
};

/* One wanted line of a keyed file. */
struct cgfile_key {
	const char *key; /* borrows; exact */
	uint64_t v;      /* 0 when absent */
	bool is_found;
};

/**
 * cgfile_u64() - Read a file that holds one number ("memory.current", "cpuacct.usage")
 * @e: ERR_NOT_FOUND the group or the file is gone; ERR_INVALID it holds something else
 *
 * Return: 0, or -1 with @e set
 */
int cgfile_u64(int dirfd, const char *name, uint64_t *ret, struct err *e);

/**
 * cgfile_limit() - Read a file that holds a number or no limit ("pids.max", "memory.limit_in_bytes")
 * @e: as cgfile_u64()
 *
 * Return: 0, or -1 with @e set
 */
int cgfile_limit(int dirfd, const char *name, struct cgfile_limit *ret, struct err *e);

/**
 * cgfile_keys() - Read some lines of a keyed file ("memory.stat", "cpu.stat", "memory.events") in one read
 * @keys:   the wanted ones; v and is_found are filled, also with 0 and false
 * @n_keys: number of them
 * @e:      as cgfile_u64(); a key that is not in the file is no error: kernels differ
 *
 * Lines of another shape are passed over.
 *
 * Return: 0, or -1 with @e set
 */
int cgfile_keys(int dirfd, const char *name, struct cgfile_key *keys, size_t n_keys, struct err *e);

/**
 * cgfile_parse_keys() - The same on text that is there already; @text is cut up by it
 * Return: nothing
 */
void cgfile_parse_keys(char *text, struct cgfile_key *keys, size_t n_keys);

/**
 * cgfile_parse_limit() - Read the text of a limit, with or without its newline
 * @text: cut at its newline
 * Return: true and *ret written, or false
 */
bool cgfile_parse_limit(char *text, struct cgfile_limit *ret);
