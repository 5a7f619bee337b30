/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of oci/inherit.h share. Nobody else includes this. Paths are clean; links are followed by
 * inherit_resolve() only.
 */
#pragma once

#include <stdbool.h>
#include <time.h>

#include "oci/inherit.h"
#include "oci/layer_tar.h"

struct inherit {
	int layer_fd;                  /* borrowed, as the lowers are */
	const int *lowers;             /* the nearest first */
	size_t n_lowers;
	struct inherit_moved {
		char *from, *to;
	} *moves;                      /* owned; directories whose content went elsewhere */
	size_t n_moves;
};

enum inherit_seen {
	SEEN_DIR,      /* it is here */
	SEEN_LINK,     /* a symbolic link is here */
	SEEN_NOTHING,  /* a layer further below may have it */
	SEEN_WALL,     /* what is further below does not show */
};

struct inherit_sight {
	enum inherit_seen what;
	int fd;                        /* owned; of the directory, for reading; -1 else */
	bool is_hidden;                /* one on the way is opaque, the directory itself not counted */
	char link[LAYER_PATH_MAX + 1]; /* where the link leads */
};

/* ---- inherit.c ---- */
bool inherit_is_opaque(int fd);      /* Return: does nothing of the layers below show in it? */
int inherit_look(int root_fd, const char *path, struct inherit_sight *s, struct err *e);   /* one layer. Return: 0, or -1 with @e set */
int inherit_resolve(const struct inherit *h, const char *path, char **ret, struct err *e); /* where @path leads; owned, NULL: in circles. Return: 0, or -1 with @e set */
int inherit_copy_meta(int from_fd, int to_fd, struct err *e);                              /* Return: 0, or -1 with @e set */
int inherit_made(const struct inherit *h, const char *path, size_t n, struct err *e);      /* the last @n components of @path were made. Return: 0, or -1 with @e set */
char *inherit_moved(const struct inherit *h, const char *path);                            /* Return: where it is now; owned */

/* ---- inherit_links.c ---- */
int inherit_links(const struct inherit *h, const struct str_list *links, struct err *e);   /* Return: 0, or -1 with @e set */

/* ---- inherit_move.c ---- */

/* A directory whose time is put back when others have changed what is in it */
struct inherit_kept {
	int fd;                        /* owned; -1: none */
	struct timespec times[2];
};
int inherit_keep(struct inherit_kept *k, int fd, struct err *e);       /* Return: 0, or -1 with @e set */
void inherit_kept_done(struct inherit_kept *k);

/**
 * inherit_make_dirs() - Open a directory of the layer; missing ones are made, 0755 and root's
 * @last:       the deepest that was there is kept
 * @ret_n_made: how many of the last components were made
 * Return: 0, or -1 with @e set
 */
int inherit_make_dirs(int layer_fd, const char *path, struct inherit_kept *last, size_t *ret_n_made, int *ret_fd, struct err *e);

/**
 * inherit_move() - Merge directory @from into @to, which is made where it is missing, and remove it
 * @ret_n_made: how many of the last components of @to were made; 0: it was there
 * @e:          ERR_INVALID @to is below @from, or something else than a directory is in its way
 *
 * Of a name that both have, what was in @from stays, but directories are merged. The times of directories that were
 * there before stay as they are.
 * Return: 0, or -1 with @e set
 */
int inherit_move(int layer_fd, const char *from, const char *to, size_t *ret_n_made, struct err *e);
