/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logging to one descriptor, text or JSON lines. Borders log (request handlers, main, loop callbacks);
 * library functions return errors. One line is one write(2). Thread-safe; keeps errno. Not for use after
 * clone in stages.
 */
#pragma once

#include <stdbool.h>

enum log_level { LOG_LVL_ERR, LOG_LVL_WARN, LOG_LVL_INFO, LOG_LVL_DEBUG };

/**
 * log_init() - What to write where; before that, text goes to standard error
 * @program: keeps
 * @fd:      borrows; stays open as long as the process logs
 * @is_json: one JSON object a line
 *
 * Before other threads start. Return: nothing
 */
void log_init(const char *program, int fd, enum log_level max_level, bool is_json);
void log_set_level(enum log_level max_level); /* from any thread */

/**
 * log_level_parse() - "error", "warn", "info" or "debug"
 * Return: true, or false when it is none of them
 */
bool log_level_parse(const char *name, enum log_level *ret_level);

/**
 * log_field() - Set a field of this thread's current operation, which every line carries
 * @key:   at most 15 characters, at most 6 keys at a time
 * @value: copied, cut at 143 characters; NULL clears
 *
 * Return: nothing
 */
void log_field(const char *key, const char *value);

#define log_err(...)   log_write_(LOG_LVL_ERR, __VA_ARGS__)
#define log_warn(...)  log_write_(LOG_LVL_WARN, __VA_ARGS__)
#define log_info(...)  log_write_(LOG_LVL_INFO, __VA_ARGS__)
#define log_debug(...) log_write_(LOG_LVL_DEBUG, __VA_ARGS__)
void log_write_(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
