/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What base/json.c does to a text before jansson sees it, and how it tells where in the text something is.
 *
 * jansson refuses integers outside int64. The scan replaces each by a string of the same length,
 * "\u0000<offset>", so that every position in the text stays right; the digits are read from the original
 * text at that offset. Strings with NUL are refused here, so nobody else can write such a mark; and a NUL anywhere
 * else, which jansson (2.14) passes over where it ends a number or a literal.
 * Private to base/json*.c. Pure; thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/**
 * json_scan() - Check nesting and NUL, and mark the integers that do not fit int64
 * @text:       borrows; need not be valid JSON, which is jansson's to say
 * @ret_marked: the text with marks, owned, of the same length; NULL where nothing had to be marked
 * @e:          ERR_INVALID with line, column and path
 *
 * Return: 0, or -1 with @e set
 */
int json_scan(const char *text, size_t n, char **ret_marked, struct err *e);

/**
 * json_mark_offset() - Read a mark
 * @s, @n: a decoded string
 * Return: true and *ret_offset of the integer in the original text, or false when it is no mark
 */
bool json_mark_offset(const char *s, size_t n, size_t *ret_offset);

/**
 * json_err_at() - Say that the text is wrong at an offset
 *
 * Fills @e with ERR_INVALID and "line 3, column 7, at process.args[1]: <what>".
 *
 * Return: -1, always
 */
int json_err_at(const char *text, size_t n, size_t offset, const char *what, struct err *e);
