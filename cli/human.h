/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers, times and texts as docker's tables show them. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define HUMAN_MAX 32

/**
 * human_size() - "12.3MB": units of 1000, @digits significant ones
 * Return: @out
 */
const char *human_size(double bytes, int digits, char out[HUMAN_MAX]);

/**
 * human_bytes() - "1.5GiB": units of 1024, four significant digits
 * Return: @out
 */
const char *human_bytes(double bytes, char out[HUMAN_MAX]);

/**
 * human_ago() - "About a minute ago", from unix seconds to now
 * Return: @out
 */
const char *human_ago(int64_t then_s, int64_t now_s, char out[HUMAN_MAX + 8]);

/**
 * human_date() - "2026-01-02 03:04:05 +0000 UTC": local time as Go prints it
 * Return: @out
 */
const char *human_date(int64_t then_s, char out[64]);

/**
 * human_ellipsis() - Append at most @max characters; where more were, the last is "…"
 * Return: nothing
 */
void human_ellipsis(struct strbuf *out, const char *text, size_t max);

/**
 * human_quote() - Append a text in quotes, escaped as Go does
 * Return: nothing
 */
void human_quote(struct strbuf *out, const char *text);

/**
 * human_width() - How many columns a text takes: its UTF-8 characters
 * Return: the number
 */
size_t human_width(const char *text);
