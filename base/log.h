/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logging to one descriptor, text or JSON lines. Borders log (request handlers, main, loop callbacks);
 * library functions return errors. One line is one write(2). Thread-safe; keeps errno. Not for use after
 * clone in stages.
 */
#pragma once

#include <stdbool.h>

enum log_level { LOG_LVL_ERR, LOG_LVL_WARN, LOG_LVL_INFO, LOG_LVL_DEBUG };

/* What to write where. @program is kept (static string). @is_json: one JSON object a line. */
void log_init(const char *program, int fd, enum log_level max_level, bool is_json);
void log_set_level(enum log_level max_level);
bool log_level_parse(const char *name, enum log_level *ret_level);   /* error warn info debug */

/* Fields of the current operation of this thread, copied; NULL clears */
void log_field(const char *key, const char *value);

#define log_err(...)   log_write_(LOG_LVL_ERR, __VA_ARGS__)
#define log_warn(...)  log_write_(LOG_LVL_WARN, __VA_ARGS__)
#define log_info(...)  log_write_(LOG_LVL_INFO, __VA_ARGS__)
#define log_debug(...) log_write_(LOG_LVL_DEBUG, __VA_ARGS__)
void log_write_(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
