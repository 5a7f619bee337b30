/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of bytes that may be compressed: told by its first bytes, decompressed in this process, hashed on
 * the way, and bounded. gzip by ISA-L (several members in a row are one stream), zstd by libzstd, or as it is.
 * One reader, one thread. Not for kilnd: this runs in the unpack role.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "oci/digest.h"

struct inflate_limits {
	uint64_t max_bytes;      /* of output */
	uint64_t max_ratio;      /* output : input, beyond INFLATE_RATIO_FROM bytes of output; 0: any */
};
#define INFLATE_RATIO_FROM (UINT64_C(256) << 20)

struct inflate;

/**
 * inflate_open() - Begin to read a stream
 * @fd:  borrows, until inflate_free(); pipe or file
 * @is_hashed: inflate_input() will be asked for the digest
 * @ret: owned; free with inflate_free()
 * @e:   ERR_UNSUPPORTED for xz, bzip2 and others, by name; ERR_SYSTEM
 * Return: 0, or -1 with @e set
 */
int inflate_open(int fd, const struct inflate_limits *limits, bool is_hashed, struct inflate **ret, struct err *e);

/**
 * inflate_read() - The next bytes
 * @ret_data: borrowed until the next call
 * @ret_n:    0 at the end of the stream, which is then the end of the file, too
 * @e:        ERR_INVALID truncated, malformed, or over a limit
 * Return: 0, or -1 with @e set
 */
int inflate_read(struct inflate *s, const void **ret_data, size_t *ret_n, struct err *e);

/**
 * inflate_input() - Digest and size of what was read from the file; once, after the end
 * Return: true; false when it was not hashed, or nothing was compressed: the digest is that of the output, and not made twice
 */
bool inflate_input(struct inflate *s, struct digest *ret_digest, uint64_t *ret_bytes);

/**
 * inflate_free() - Free; NULL is fine. inflate_freep() is for AUTO()
 * Return: nothing
 */
void inflate_free(struct inflate *s);
void inflate_freep(struct inflate **s);
