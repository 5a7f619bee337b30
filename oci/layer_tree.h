/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory that a layer is unpacked into: parents, what is in the way, and what must be remembered to
 * the end (times of directories, opaque marks). Used by oci/layer.c only. Paths are clean (layer_path_clean).
 */
#pragma once

#include "base/arena.h"
#include "oci/layer_tar.h"
#include "oci/unpack_proto.h"

#define LAYER_IMPLIED_MAX 65536   /* directories that no entry describes: each is looked for in all layers below */
#define LAYER_LINKS_MAX   65536   /* hard links to files of the layers below */

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
	char **implied;                  /* owned; made for what lies below, when no entry had told of them */
	size_t n_implied, cap_implied;
	char **links;                    /* owned; hard links to what is not here: name, target, name, target … */
	size_t n_links, cap_links;
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

/**
 * layer_tree_enter() - A directory that was just made: what comes next is most likely in it
 * @path: borrows
 * @fd:   takes; it, opened
 * Return: nothing
 */
void layer_tree_enter(struct layer_tree *t, const char *path, int fd);

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
 * layer_tree_note_dir() - Set a directory's time at the end; layer_tree_note_opaque() - report it as opaque;
 * layer_tree_note_link() - report a hard link that is to be made when the layers below are there
 * @e: ERR_INVALID when there is too much to remember
 * Return: 0, or -1 with @e set
 */
int layer_tree_note_dir(struct layer_tree *t, const char *path, int64_t sec, long nsec, struct err *e);
int layer_tree_note_opaque(struct layer_tree *t, const char *path, struct err *e);
int layer_tree_note_link(struct layer_tree *t, const char *path, const char *target, struct err *e);

/**
 * layer_tree_finish() - Set the times of directories, and hand over what is left to others
 * @ret: its lists of opaque and implied directories and of links are written, in the arena
 * Return: 0, or -1 with @e set
 */
int layer_tree_finish(struct layer_tree *t, struct unpack_layer *ret, struct err *e);
