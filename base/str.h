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
	char  *data;   /* owned; NULL when nothing was ever appended */
	size_t len;
	size_t cap;
};
#define AUTO_STRBUF __attribute__((cleanup(strbuf_done)))

void  strbuf_done(struct strbuf *b);
void  strbuf_reset(struct strbuf *b);                               /* len 0, memory kept */
void  strbuf_reserve(struct strbuf *b, size_t extra);
void  strbuf_add(struct strbuf *b, const void *data, size_t n);
void  strbuf_adds(struct strbuf *b, const char *s);
void  strbuf_addc(struct strbuf *b, char c);
void  strbuf_addf(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void  strbuf_drop_front(struct strbuf *b, size_t n);                /* remove n consumed bytes */
char *strbuf_take(struct strbuf *b);                                /* returns owned, never NULL; b is empty again */
const char *strbuf_cstr(const struct strbuf *b);                    /* "" when empty */

bool str_eq(const char *a, const char *b);                          /* NULL equals only NULL */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
bool str_is_empty(const char *s);                                   /* NULL or "" */

/* Strict decimal: the whole string, no sign, space or overflow. Return: true and *ret written, or false */
bool str_to_u64(const char *s, uint64_t *ret);
bool str_to_i64(const char *s, int64_t *ret);                       /* an optional '-' */

/* Lower-case hex of n bytes into out[2n+1] */
void str_hex(const void *bytes, size_t n, char *out);
bool str_is_hex(const char *s, size_t n);                           /* exactly n lower-case hex digits, then NUL */

/* A copy of base64 text (standard or URL alphabet, padding optional), decoded. Return: owned bytes, or NULL when malformed */
void *str_base64_decode(const char *s, size_t n, size_t *ret_n);
