/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time as numbers. Wall-clock times are nanoseconds since the epoch (UTC), 0 meaning "never". Thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_NS_PER_SEC 1000000000LL
#define CLOCK_TEXT_MAX   40

int64_t clock_wall_ns(void); /* CLOCK_REALTIME */
int64_t clock_mono_ns(void); /* CLOCK_MONOTONIC */

/**
 * clock_rfc3339() - RFC3339Nano UTC as docker prints it: trailing zeros of the fraction trimmed;
 *                   0 is "0001-01-01T00:00:00Z". _fixed has always nine digits of fraction (log timestamps)
 * Return: @out
 */
const char *clock_rfc3339(int64_t wall_ns, char out[CLOCK_TEXT_MAX]);
const char *clock_rfc3339_fixed(int64_t wall_ns, char out[CLOCK_TEXT_MAX]);

/**
 * clock_parse() - RFC3339 with optional fraction and offset, or unix seconds[.fraction]
 * Return: true and *ret_ns written, or false
 */
bool clock_parse(const char *text, int64_t *ret_ns);

/**
 * clock_from_s() - Seconds since the epoch as nanoseconds; what is out of their range is its end
 * Return: nanoseconds
 */
int64_t clock_from_s(int64_t s);

#define CLOCK_SPAN_MAX 32

/**
 * clock_span() - A span of time in docker's words: "Less than a second", "About a minute", "3 hours"
 * Return: @out
 */
const char *clock_span(int64_t ns, char out[CLOCK_SPAN_MAX]);
