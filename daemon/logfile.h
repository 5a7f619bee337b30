/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a container's json-file log: {"log":"text\n","stream":"stdout","time":"…"} a line, through all of the files
 * that rotation has made of it (runtime/jsonlog_rotate.c), also while it goes on.
 *
 * A reader owns its descriptors and position. Reading is bounded work on a file in the page cache: each call
 * takes at most LOGFILE_CHUNK_BYTES. A line without its end (the monitor is writing it) is left for the next call.
 * Not thread-safe per reader; no allocation beyond its buffer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define LOGFILE_CHUNK_BYTES (64u << 10)

struct logfile;

struct log_entry {
	const char *text;        /* borrowed during the callback; with its "\n", or without when it is part of a longer line */
	size_t n_text;
	bool is_stderr;
	const char *attrs;       /* borrowed: JSON text of an object, n_attrs bytes; NULL: none */
	size_t n_attrs;
	int64_t time_ns;
};
/* Return: false to stop reading */
typedef bool (*log_entry_fn)(void *ctx, const struct log_entry *entry);

/**
 * logfile_open() - Open a log for reading from its beginning
 * @path:    of the file that is written
 * @n_files: it is kept in so many: @path, @path.1 and so on, the oldest last
 * @e:       ERR_NOT_FOUND there is none yet
 * Return: 0, or -1 with @e set
 */
int logfile_open(const char *path, unsigned n_files, struct logfile **ret, struct err *e);
void logfile_free(struct logfile *l);

/**
 * logfile_seek_tail() - Put the position before the last @n_lines entries
 * Return: 0, or -1 with @e set
 */
int logfile_seek_tail(struct logfile *l, uint64_t n_lines, struct err *e);

/**
 * logfile_keep_up() - Open what has come by rotation, before it goes by rotation; bounded
 * Return: nothing
 */
void logfile_keep_up(struct logfile *l);

/**
 * logfile_read() - Hand on the entries of the next chunk
 * @ret_more: false when the end was reached (for now)
 * @e:        ERR_SYSTEM; a line that is no entry is skipped
 * Return: 0, or -1 with @e set
 */
int logfile_read(struct logfile *l, log_entry_fn fn, void *ctx, bool *ret_more, struct err *e);
