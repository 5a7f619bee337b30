/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Points in time as --since and --until take them. Pure, but for the local time zone.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/**
 * since_read() - Append a time as the daemon reads it: of a date, unix seconds, or a span before now
 * @option: "since": what the error is about
 * @text:   NULL: nothing is appended
 * @e:      ERR_INVALID
 * Return: 0, or -1 with @e set
 */
int since_read(const char *option, const char *text, int64_t now_ns, struct strbuf *out, struct err *e);
