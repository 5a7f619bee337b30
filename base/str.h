/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings: a growing buffer and small strict parsers. Not thread-safe per object. Growing aborts when
 * memory is out, so bound what comes from outside before appending it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growing byte buffer, always NUL-terminated behind len. Empty value: {0}. */
struct strbuf {
	char *data; /* owned; NULL when nothing was ever appended */
	size_t len;
	size_t cap;
};
#define AUTO_STRBUF __attribute__((cleanup(strbuf_done)))

/**
 * strbuf_done() - Free the data; the buffer is empty and usable again
 */
void strbuf_done(struct strbuf *b);

/**
 * strbuf_reset() - Length 0, memory kept; strbuf_reserve() makes room for @extra more bytes
 */
void strbuf_reset(struct strbuf *b);
void strbuf_reserve(struct strbuf *b, size_t extra);

/**
 * strbuf_add() - Append bytes; strbuf_adds() a string, strbuf_addc() a character, strbuf_addf() as printf
 *
 * strbuf_drop_front() removes n consumed bytes, strbuf_take() hands the data over and leaves the buffer empty,
 * strbuf_cstr() borrows it. strbuf_add_visible() is for what comes from outside and is shown: control characters, which
 * could forge lines or move the reader's cursor, become \x1b and the like, but for those in @keep.
 * Return: strbuf_take() owned, strbuf_cstr() borrowed; neither is ever NULL
 */
void strbuf_add(struct strbuf *b, const void *data, size_t n);
void strbuf_adds(struct strbuf *b, const char *s);
void strbuf_addc(struct strbuf *b, char c);
void strbuf_addf(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strbuf_add_visible(struct strbuf *b, const char *text, const char *keep);
void strbuf_drop_front(struct strbuf *b, size_t n);
char *strbuf_take(struct strbuf *b);
const char *strbuf_cstr(const struct strbuf *b);

/**
 * str_eq() - Are they the same; does @s start or end with the other; is it NULL or ""
 * Return: the answer
 */
bool str_eq(const char *a, const char *b); /* NULL equals only NULL */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
bool str_has_word(const char *words, const char *separators, const char *word); /* as a whole, between any of the separators */
bool str_is_empty(const char *s); /* NULL or "" */

/**
 * str_to_u64() - Strict decimal: the whole string, no sign, space or overflow
 * Return: true and *ret written, or false
 */
bool str_to_u64(const char *s, uint64_t *ret);
bool str_to_i64(const char *s, int64_t *ret); /* an optional '-' */

/**
 * str_hex() - Lower-case hex of n bytes into out[2n+1]; str_is_hex() checks a text
 * Return: str_is_hex() whether
 */
void str_hex(const void *bytes, size_t n, char *out);
bool str_is_hex(const char *s, size_t n); /* exactly n lower-case hex digits, then NUL */

/**
 * str_utf8_length() - The first character of the n > 0 bytes at p (RFC 3629: no overlong forms, no surrogates)
 * Return: its length in bytes, 0 when it is none
 */
size_t str_utf8_length(const unsigned char *p, size_t n);

/**
 * str_base64_decode() - Decode base64 text (standard or URL alphabet, padding optional)
 * Return: owned bytes, or NULL when malformed
 */
void *str_base64_decode(const char *s, size_t n, size_t *ret_n);
