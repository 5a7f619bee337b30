/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacking one layer into an empty directory, alone, without its parents.
 *
 * Whiteouts become overlay's: a character device 0:0, or a name in the list of opaque directories, which the
 * caller marks (this code runs without CAP_SYS_ADMIN). Every path goes through openat2(RESOLVE_IN_ROOT) below
 * the directory, new things are made with O_EXCL or its like, and metadata is set on descriptors or on a
 * single name without following. Nobody else may write to the directory meanwhile. Single-threaded; blocks.
 *
 * Spec: image-spec layer.md; Linux Documentation/filesystems/overlayfs.rst
 */
#pragma once

#include "oci/inflate.h"
#include "oci/unpack_proto.h"

struct layer_limits {
	struct inflate_limits stream;
	uint64_t max_entries;
	uint64_t max_note_bytes;         /* paths that are kept until the end: directories, opaque marks, links */
	bool has_lower;                  /* hard links may lead to files of layers below: they are reported, not made */
};
#define LAYER_LIMITS_DEFAULT                                                         \
	{ .stream = { .max_bytes = UINT64_C(128) << 30, .max_ratio = 500 },          \
	  .max_entries = 8u << 20, .max_note_bytes = 256u << 20 }

#define LAYER_FILE_BYTES_MAX  (UINT64_C(1) << 50)   /* sum of what files say they hold; holes count */
#define LAYER_XATTRS_MAX      128            /* of one entry */
#define LAYER_XATTR_MAX_BYTES 65536          /* what the kernel takes */

/**
 * layer_apply() - Unpack a layer
 * @blob_fd: borrows; read to its end
 * @dir_fd:  borrows; an empty directory
 * @ret:     in @a
 * @e:       ERR_INVALID with the name of the entry: malformed, dangerous, or over a limit;
 *           ERR_UNSUPPORTED what cannot be represented; ERR_SYSTEM
 *
 * A layer without an entry for its root gets mode 0755. umask is expected to be 0.
 * Return: 0, or -1 with @e set (the directory then holds rubbish)
 */
int layer_apply(int blob_fd, int dir_fd, const struct layer_limits *limits, struct arena *a,
		struct unpack_layer *ret, struct err *e);
