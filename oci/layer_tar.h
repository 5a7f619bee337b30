/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a tar stream, compressed or not: the one place that sees libarchive, of which only the tar reader
 * is used (never archive_write_disk, never other formats or filters). Digests of both the bytes as they came
 * and the tar stream are made in the same pass. Names are raw bytes.
 *
 * The process must stay in the "C" locale: in a UTF-8 locale libarchive composes names (NFC), which
 * changes them. In "C" it keeps the bytes and warns, and that warning is expected here.
 *
 * One reader, one thread. Not for kilnd: this runs in the unpack role.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "oci/inflate.h"

enum layer_tar_type {
	LAYER_TAR_FILE,
	LAYER_TAR_DIR,
	LAYER_TAR_SYMLINK,
	LAYER_TAR_HARDLINK,
	LAYER_TAR_CHAR,
	LAYER_TAR_BLOCK,
	LAYER_TAR_FIFO,
};

/* Strings are borrowed from the reader until the next entry; nothing was checked but what is said here */
struct layer_tar_entry {
	const char *path;        /* never NULL; as in the archive */
	const char *link;        /* of links; never NULL then */
	enum layer_tar_type type;
	mode_t mode;             /* 07777 */
	uid_t uid;               /* checked: below 2^32 - 1 */
	gid_t gid;
	int64_t mtime_sec;
	long mtime_nsec;
	uint64_t bytes;          /* of files */
	unsigned dev_major, dev_minor;
};

struct layer_tar_sums {
	struct digest tar;       /* of the whole stream, padding included: the DiffID */
	struct digest record;    /* of the stream with zeros up to a whole record: what it is when its padding was cut off */
	struct digest blob;      /* of the bytes as they came */
	uint64_t tar_bytes, blob_bytes;
};

struct layer_tar;

/**
 * layer_tar_open() - Begin to read
 * @fd:  borrows until layer_tar_free()
 * @is_hashed: layer_tar_finish() tells digests
 * @ret: owned; free with layer_tar_free()
 * @e:   as inflate_open()
 * Return: 0, or -1 with @e set
 */
int layer_tar_open(int fd, const struct inflate_limits *limits, bool is_hashed, struct layer_tar **ret, struct err *e);

/**
 * layer_tar_next() - The next entry
 * @e: ERR_INVALID truncated or malformed; ERR_UNSUPPORTED kinds of entry that are none of the above
 * Return: 1, 0 at the end of the archive, or -1 with @e set
 */
int layer_tar_next(struct layer_tar *t, struct layer_tar_entry *ret, struct err *e);

/**
 * layer_tar_data() - The next piece of the current file; holes of sparse files are left out
 * @ret_data: borrowed until the next call
 * Return: 1, 0 at the end of the file, or -1 with @e set
 */
int layer_tar_data(struct layer_tar *t, const void **ret_data, size_t *ret_n, uint64_t *ret_offset, struct err *e);

/**
 * layer_tar_xattr() - The next extended attribute of the current entry
 * Return: true, or false when there is none left
 */
bool layer_tar_xattr(struct layer_tar *t, const char **ret_name, const void **ret_value, size_t *ret_n);

/**
 * layer_tar_finish() - Read what is behind the archive's end mark, and tell the digests
 * @ret: NULL when nothing was hashed
 * Return: 0, or -1 with @e set
 */
int layer_tar_finish(struct layer_tar *t, struct layer_tar_sums *ret, struct err *e);

/**
 * layer_tar_free() - Free; NULL is fine. layer_tar_freep() is for AUTO()
 * Return: nothing
 */
void layer_tar_free(struct layer_tar *t);
void layer_tar_freep(struct layer_tar **t);

#define LAYER_TAR_RECORD 10240   /* what tars are padded to */

#define LAYER_PATH_MAX  4095
#define LAYER_DEPTH_MAX 256

/**
 * layer_path_clean() - A name from an archive as a relative path: without leading '/', "." and "//"
 * @ret: LAYER_PATH_MAX + 1 bytes; "" is the root
 * @e:   ERR_INVALID for "..", and for names that are too long or too deep
 * Return: 0, or -1 with @e set
 */
int layer_path_clean(const char *path, char ret[LAYER_PATH_MAX + 1], struct err *e);
