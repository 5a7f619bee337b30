/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs and layers on disk, below the data root. What exists under its final name is whole and verified.
 *
 *   blobs/sha256/<hex>   layers/<26 hex of the DiffID>/   tmp/<anything>
 *
 * Things are made in tmp/, synced, and renamed into place; removal renames into tmp/ first. So a crash
 * leaves only rubbish in tmp/, which store_clean() empties. A name must never appear before its content, whatever
 * happens to the power: store_sync_content() once for all that was made, then the names, then store_sync_names().
 * No metadata here: that is the state store's.
 * Thread-safe (no state; renames are atomic). Blocks on disk: for workers, not for the loop.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"

#define STORE_LAYER_NAME_LEN 26

/* The name in layers of what belongs to no image: the lowest layer of every container, with what is mounted upon. */
#define STORE_MOUNT_POINTS "mount-points"

/**
 * store_init() - Make blobs/sha256, layers and tmp, mode 0700, and the layer of mount points in layers, where missing
 * Return: 0, or -1 with @e set
 */
int store_init(int data_fd, struct err *e);

/**
 * store_clean() - Empty tmp/; what cannot be removed is left for the next time
 * Return: 0, or -1 with @e set to the first failure
 */
int store_clean(int data_fd, struct err *e);

/**
 * store_sync_content() - All that was written so far outlasts a loss of power; before it is given its names
 * @fd: borrows; anything on the data root's file system that was opened before the writing began: failures of writing
 *      since then are told through it
 * Return: 0, or -1 with @e set
 */
int store_sync_content(int fd, struct err *e);

/**
 * store_sync_names() - The names of all blobs and layers outlast a loss of power; before they are committed
 * Return: 0, or -1 with @e set
 */
int store_sync_names(int data_fd, struct err *e);

/**
 * store_tmp_new() - A new empty directory tmp/<prefix>-<random>
 * @ret_name: "tmp/<…>", relative to the data root
 * @ret_fd:   owned, O_RDONLY | O_DIRECTORY; may be NULL
 * Return: 0, or -1 with @e set
 */
int store_tmp_new(int data_fd, const char *prefix, char ret_name[64], int *ret_fd, struct err *e);

/**
 * store_tmp_remove() - Remove what store_tmp_new() made, with all that is in it; absent is success
 * Return: 0, or -1 with @e set
 */
int store_tmp_remove(int data_fd, const char *tmp_name, struct err *e);

/**
 * store_blob_path() - "blobs/sha256/<hex>", relative to the data root
 * @digest: borrows; must be valid
 * Return: nothing
 */
void store_blob_path(const char *digest, char ret[96]);

/**
 * store_has_blob() - Is the blob there?
 * Return: true or false
 */
bool store_has_blob(int data_fd, const char *digest, uint64_t *ret_bytes);

/**
 * store_blob_open() - Open a blob for reading
 * @ret_fd: owned
 * @e:      ERR_NOT_FOUND, ERR_INVALID when @digest is none
 * Return: 0, or -1 with @e set
 */
int store_blob_open(int data_fd, const char *digest, int *ret_fd, struct err *e);

/**
 * store_blob_commit() - Move a file whose digest was verified, and which was synced, into place
 * @dir_fd, @name: the file; gone afterwards, also when the blob was there before
 * Return: 0, or -1 with @e set
 */
int store_blob_commit(int data_fd, int dir_fd, const char *name, const char *digest, struct err *e);

/**
 * store_blob_put() - The same for bytes in memory, which it syncs
 * Return: 0, or -1 with @e set
 */
int store_blob_put(int data_fd, const void *data, size_t n, const char *digest, struct err *e);

/**
 * store_blob_remove() - Remove a blob; absent is success
 * Return: 0, or -1 with @e set
 */
int store_blob_remove(int data_fd, const char *digest, struct err *e);

/**
 * store_layer_name() - The directory name of a layer: the first 26 hex digits of its DiffID
 * Return: nothing
 */
void store_layer_name(const char *diff_id, char ret[STORE_LAYER_NAME_LEN + 1]);

/**
 * store_has_layer() - Is the layer there?
 * Return: true or false
 */
bool store_has_layer(int data_fd, const char *diff_id);

/**
 * store_layer_mark_opaque() - Set trusted.overlay.opaque on the directories that the unpack role named
 * @layer_fd: borrows; the layer's directory
 * @opaque:   as in struct unpack_layer (escaped)
 * Needs CAP_SYS_ADMIN. Paths are resolved with openat2(RESOLVE_IN_ROOT).
 * Return: 0, or -1 with @e set
 */
int store_layer_mark_opaque(int layer_fd, const struct str_list *opaque, struct err *e);

/**
 * store_layer_commit() - Rename an unpacked layer, which was synced, into place
 * @tmp_name: from store_tmp_new(); gone afterwards, also when the layer was there before
 * Return: 0, or -1 with @e set
 */
int store_layer_commit(int data_fd, const char *tmp_name, const char *diff_id, struct err *e);

/**
 * store_layer_remove() - Rename a layer into tmp/ and remove it; absent is success
 * @ret_tmp_name: set on failure, too: where it is now, for store_tmp_remove(); empty when it was not moved
 * Return: 0, or -1 with @e set
 */
int store_layer_remove(int data_fd, const char *diff_id, char ret_tmp_name[64], struct err *e);
