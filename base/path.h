/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories and trees by (dirfd, name). Paths inside a container's root only ever go through
 * path_open_in_root(). Thread-safe; may block on disk.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/* openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), O_CLOEXEC added. Return: 0, or -1 with @e set */
int path_open_in_root(int root_fd, const char *path, int flags, mode_t mode, int *ret_fd, struct err *e);

/* mkdir -p for a host path of ours. Existing directories are fine. Return: 0, or -1 with @e set */
int path_mkdirs(int dirfd, const char *path, mode_t mode, struct err *e);

/* Open a directory (O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC; @flags may add O_PATH). Return: 0, or -1 with @e set */
int path_open_dir(int dirfd, const char *name, int flags, int *ret_fd, struct err *e);

/*
 * rm -rf of (dirfd, name): never follows links, never leaves the tree or its file system; absent is success.
 * Return: 0, or -1 with @e set
 */
int path_remove_tree(int dirfd, const char *name, struct err *e);

/* "/a/b" + "c" style joins and lexical cleaning ("a//b/../c" -> "a/c"); returned strings are owned */
char *path_join(const char *a, const char *b);
char *path_clean(const char *path);

/* A single safe file name: not empty, no '/', not "." or "..". Return: whether it is one */
bool path_is_name(const char *name);
