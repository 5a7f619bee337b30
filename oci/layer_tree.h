/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory that a layer is unpacked into: parents, what is in the way, and what must be remembered to
 * the end (times of directories, opaque marks). Used by oci/layer.c only. Paths are clean (layer_path_clean).
 */
#pragma once

#include "base/arena.h"
#include "oci/layer_tar.h"
#include "oci/unpack_proto.h"

struct layer_dir_note {
	char *path;
	int64_t mtime_sec;
	long mtime_nsec;
};

struct layer_tree {
	int root_fd;                     /* borrowed */
	struct arena *arena;             /* borrowed; owns the strings */
	uint64_t note_bytes_left;
	struct layer_dir_note *dirs;     /* owned */
	size_t n_dirs, cap_dirs;
	char **opaque;                   /* owned */
	size_t n_opaque, cap_opaque;
	/* The parent of the last entry stays open: entries come sorted by directory */
	int parent_fd;                   /* owned; -1: none */
	bool is_parent_stale;            /* something was removed: look again */
	char parent[LAYER_PATH_MAX + 1];
};

/* A single name in an open directory */
struct layer_place {
	int parent_fd;                   /* borrowed from the tree until the next layer_tree_place() */
	const char *name;                /* points into path */
	const char *path;
};

/**
 * layer_tree_init() - Begin with an empty directory
 * Return: nothing
 */
void layer_tree_init(struct layer_tree *t, int root_fd, uint64_t max_note_bytes, struct arena *a);

/**
 * layer_tree_done() - Free what it owns
 * Return: nothing
 */
void layer_tree_done(struct layer_tree *t);

/**
 * layer_tree_place() - Where a path goes; missing parents are made, 0755 and root's
 * @path: borrows, clean and not ""; must live as long as @ret
 * @e:    ERR_INVALID when a parent is no directory
 * Return: 0, or -1 with @e set
 */
int layer_tree_place(struct layer_tree *t, const char *path, struct layer_place *ret, struct err *e);

enum layer_cleared { LAYER_CLEARED_NOTHING, LAYER_CLEARED_SOMETHING, LAYER_CLEARED_WHITEOUT, LAYER_KEPT_DIR };

/**
 * layer_tree_clear() - Remove what is in the way of a new entry
 * @keep_dir: a directory may stay
 * @ret:      what was there; a whiteout means that a new directory must be opaque
 * Return: 0, or -1 with @e set
 */
int layer_tree_clear(struct layer_tree *t, const struct layer_place *at, bool keep_dir,
		     enum layer_cleared *ret, struct err *e);

/**
 * layer_tree_note_dir() - Set a directory's time at the end; layer_tree_note_opaque() - report it as opaque
 * @e: ERR_INVALID when there is too much to remember
 * Return: 0, or -1 with @e set
 */
int layer_tree_note_dir(struct layer_tree *t, const char *path, int64_t sec, long nsec, struct err *e);
int layer_tree_note_opaque(struct layer_tree *t, const char *path, struct err *e);

/**
 * layer_tree_finish() - Set the times of directories, and hand over the opaque marks
 * @ret_opaque: in the arena, escaped
 * Return: 0, or -1 with @e set
 */
int layer_tree_finish(struct layer_tree *t, struct str_list *ret_opaque, struct err *e);
