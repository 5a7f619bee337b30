/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values as people write them: sizes, durations, decimals. Strict: the whole text, no overflow. Pure.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"

/**
 * value_bytes() - "64m", "1.5g", "10kB", "1GiB", "4096", and "-1": units of 1024, however they are spelled
 * @e: ERR_INVALID "invalid size: 'x'"
 * Return: 0, or -1 with @e set
 */
int value_bytes(const char *text, int64_t *ret, struct err *e);

/**
 * value_duration() - "1m30s", "1.5h", "200ms", "0": Go's durations, in nanoseconds
 * @e: ERR_INVALID
 * Return: 0, or -1 with @e set
 */
int value_duration(const char *text, int64_t *ret_ns, struct err *e);

/**
 * value_decimal() - "1.5" in billionths
 * @e: ERR_INVALID also more than nine digits behind the point
 * Return: 0, or -1 with @e set
 */
int value_decimal(const char *text, int64_t *ret, struct err *e);
