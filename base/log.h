/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logging to one descriptor, text or JSON lines. Borders log (request handlers, main, loop callbacks);
 * library functions return errors. One line is one write(2). Thread-safe; keeps errno. Not for use after
 * clone in stages. A descriptor that is the journal's (JOURNAL_STREAM) gets "<N>" before each line, and no time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

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
void log_set_json(bool is_json);              /* from any thread */
void log_set_logfmt(void);                    /* time="…" level=error msg="…", as runc's text; before other threads start */

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

/* A field of one line: a text, or where that is NULL a number */
struct log_pair {
	const char *key;
	const char *text;
	int64_t number;
};

/**
 * log_pairs() - Write a line with fields of its own, whatever the level that is logged
 *
 * As text each value of text is in double quotes, with a backslash before those within it. Texts must be printable already:
 * see log_printable().
 *
 * Return: nothing
 */
void log_pairs(enum log_level level, const char *message, const struct log_pair *pairs, size_t n);

/**
 * log_pairs_json() - The same as one JSON line, appended to @out
 * Return: nothing
 */
void log_pairs_json(struct strbuf *out, enum log_level level, const char *message, const struct log_pair *pairs, size_t n);

/**
 * log_printable() - Append text from outside so that it cannot forge lines or move a terminal's cursor
 * @max: bytes of @text, beyond which it is cut, with "..."
 *
 * All but printable ASCII becomes \xNN, and a backslash becomes two.
 *
 * Return: nothing
 */
void log_printable(struct strbuf *out, const char *text, size_t max);

#define log_err(...)   log_write_(LOG_LVL_ERR, __VA_ARGS__)
#define log_warn(...)  log_write_(LOG_LVL_WARN, __VA_ARGS__)
#define log_info(...)  log_write_(LOG_LVL_INFO, __VA_ARGS__)
#define log_debug(...) log_write_(LOG_LVL_DEBUG, __VA_ARGS__)
void log_write_(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
