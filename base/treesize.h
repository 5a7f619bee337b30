/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much is in a directory that somebody else writes at the same time, and may have made to be walked. For workers: it reads
 * all of the tree. Never leaves it, and opens one directory for each level.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"

#define TREESIZE_MAX_DEPTH   128
#define TREESIZE_MAX_ENTRIES (8u << 20)

/**
 * treesize() - The sizes of all files in a tree together, each file once whatever names it has, as docker counts
 * @path: no symbolic link; its parents are ours
 * @e:    ERR_INVALID beyond the limits above; ERR_NOT_FOUND, ERR_SYSTEM
 *
 * What vanishes meanwhile is not counted. Blocks: for as long as it takes to read the tree.
 * Return: 0, or -1 with @e set
 */
int treesize(const char *path, int64_t *ret_bytes, struct err *e);
