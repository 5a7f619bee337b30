/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories and trees by (dirfd, name). Paths inside a container's root only ever go through
 * path_open_in_root(). Thread-safe; may block on disk.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/**
 * path_open_in_root() - Open a path of a container: links, absolute ones too, and ".." stay inside
 * @root_fd: borrows; the directory that is "/"
 * @flags:   of open(2); O_CLOEXEC is added
 * @mode:    counts only where @flags create
 *
 * openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS).
 *
 * Return: 0, or -1 with @e set
 */
int path_open_in_root(int root_fd, const char *path, int flags, mode_t mode, int *ret_fd,
		      struct err *e);

/**
 * path_mkdirs() - mkdir -p for a host path of ours, which may have links in it
 * @e: ERR_CONFLICT the path is there and is no directory
 *
 * Return: 0, also where the directories exist, or -1 with @e set
 */
int path_mkdirs(int dirfd, const char *path, mode_t mode, struct err *e);

/**
 * path_open_dir() - Open a directory (O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC; @flags may add O_PATH)
 * Return: 0, or -1 with @e set
 */
int path_open_dir(int dirfd, const char *name, int flags, int *ret_fd, struct err *e);

/**
 * path_remove_tree() - rm -rf of (dirfd, name)
 * @e: ERR_CONFLICT a mount is in the way (of the same file system too), or somebody moved a directory meanwhile
 *
 * Follows no link, enters no mount, whatever somebody renames in the tree meanwhile. Any depth, with a
 * bounded number of descriptors and no recursion. Stops at the first entry that cannot be removed.
 *
 * Return: 0, also when it is absent, or -1 with @e set
 */
int path_remove_tree(int dirfd, const char *name, struct err *e);

/**
 * path_join() - "/a/b" and "c" make "/a/b/c": one slash between, nothing else is cleaned
 * Return: owned
 */
char *path_join(const char *a, const char *b);

/**
 * path_clean() - Clean lexically as Go's path.Clean does: "a//b/../c" is "a/c", "" is "."
 * Return: owned
 */
char *path_clean(const char *path);

/**
 * path_is_name() - Whether it is a single safe file name: not empty, no '/', not "." or ".."
 * Return: false for NULL too
 */
bool path_is_name(const char *name);

/**
 * path_find_program() - Where $PATH has a program, as far as it names absolute directories
 * @name: one component
 * Return: owned, or NULL
 */
char *path_find_program(const char *name);
