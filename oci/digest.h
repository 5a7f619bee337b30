/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests: "sha256:" and 64 lower-case hex digits. Nothing else is accepted, so a digest is always safe
 * as a file name (CVE-2024-3727). Hashing is libcrypto's, streaming. A stream belongs to one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define DIGEST_HEX_LEN  64
#define DIGEST_TEXT_LEN (7 + DIGEST_HEX_LEN)

/* "sha256:<64 hex>", NUL-terminated; "" is no digest */
struct digest {
	char text[DIGEST_TEXT_LEN + 1];
};

/**
 * digest_is_valid() - Does the text match the grammar?
 * @text: borrows; NULL is not valid
 * Return: true or false
 */
bool digest_is_valid(const char *text);

/**
 * digest_parse() - Read a digest
 * @e: ERR_INVALID when the text does not match, or names an algorithm other than sha256
 * Return: 0, or -1 with @e set
 */
int digest_parse(const char *text, struct digest *ret, struct err *e);

/**
 * digest_hex() - The hex digits of a digest's text
 * @text: borrows; must be valid
 * Return: borrowed, points into @text
 */
const char *digest_hex(const char *text);

/**
 * digest_of() - Hash bytes that are in memory
 * Return: nothing
 */
void digest_of(const void *data, size_t n, struct digest *ret);

struct digest_stream;

/**
 * digest_stream_new() - Begin to hash
 * Return: owned, never NULL; free with digest_stream_free()
 */
struct digest_stream *digest_stream_new(void);

/**
 * digest_stream_copy() - Go on in two ways from what was added
 * Return: as digest_stream_new()
 */
struct digest_stream *digest_stream_copy(const struct digest_stream *s);

/**
 * digest_stream_add() - Hash more bytes
 * Return: nothing
 */
void digest_stream_add(struct digest_stream *s, const void *data, size_t n);

/**
 * digest_stream_end() - The digest of all that was added; the stream is as new afterwards
 * Return: nothing
 */
void digest_stream_end(struct digest_stream *s, struct digest *ret);

/**
 * digest_stream_free() - Free; NULL is fine. digest_stream_freep() is for AUTO()
 * Return: nothing
 */
void digest_stream_free(struct digest_stream *s);
void digest_stream_freep(struct digest_stream **s);
