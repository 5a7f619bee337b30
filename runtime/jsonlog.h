/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's log as docker's json-file driver writes it: one JSON object a line.
 *
 *	{"log":"hello\n","stream":"stdout","time":"2024-05-01T10:00:00.123456789Z"}
 *
 * A line longer than JSONLOG_PART_BYTES becomes several objects, of which only the last one's "log" ends in
 * "\n"; a cut never goes through a character. Bytes that are not UTF-8 become U+FFFD. The last line without a
 * newline is written at the stream's end. A log that is to be bounded goes on in a new file when it has reached its
 * size (jsonlog_rotate.c). Appends with one write(2) a batch; on a full disk whole lines are
 * dropped (counted), never torn, and nothing blocks. Not thread-safe.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define JSONLOG_PART_BYTES 16384
#define JSONLOG_NAME_MAX   128
#define JSONLOG_MODE       0640
/* Of a file that a rotation makes; what a confined monitor may open */
#define JSONLOG_NEW_FLAGS  (O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW)

enum jsonlog_stream { JSONLOG_STDOUT, JSONLOG_STDERR, JSONLOG_STREAMS_ };

/* How a log is kept bounded. */
struct jsonlog_rotation {
	int dir_fd;                                    /* owned: where the files are; -1 */
	char name[JSONLOG_NAME_MAX];                   /* of the one that is written */
	uint64_t max_bytes;                            /* of one file; 0: it is never rotated */
	unsigned max_files;                            /* with the one that is written */
};

struct jsonlog {
	int fd;                                        /* owned, O_APPEND; -1: no log, everything is a no-op */
	struct jsonlog_rotation rotation;
	uint64_t n_bytes, rotate_bytes;                /* in the file; not more than this before it is rotated */
	size_t batch_bytes;                            /* written out when it has grown to this */
	char *attrs;                                   /* owned: a JSON object for each line; NULL: none */
	struct strbuf pending[JSONLOG_STREAMS_];       /* the begun line of each stream */
	struct strbuf out;                             /* encoded, not yet written */
	uint64_t n_dropped_bytes;                      /* of encoded lines, for want of space */
};

/**
 * jsonlog_init() - Begin to log
 * @fd: takes; -1: no log
 * Return: nothing
 */
void jsonlog_init(struct jsonlog *log, int fd);

/**
 * jsonlog_set_rotation() - Keep the log bounded from now on, in @r->max_files files
 * @r: copied, takes its dir_fd
 * Return: nothing
 */
void jsonlog_set_rotation(struct jsonlog *log, const struct jsonlog_rotation *r);

/**
 * jsonlog_rotate() - Begin a new file; when that fails the old one goes on (for jsonlog.c)
 * Return: nothing
 */
void jsonlog_rotate(struct jsonlog *log);

/**
 * jsonlog_set_attrs() - Give each line from now on an object of attributes
 * @attrs: JSON text of an object; copied
 * Return: nothing
 */
void jsonlog_set_attrs(struct jsonlog *log, const char *attrs);

/**
 * jsonlog_feed() - Log what a stream has produced; whole lines are in the file when it returns
 * @wall_ns: the time of these bytes
 * Return: nothing
 */
void jsonlog_feed(struct jsonlog *log, enum jsonlog_stream stream, const char *data, size_t n, int64_t wall_ns);

/**
 * jsonlog_end() - A stream has ended: write its begun line
 * Return: nothing
 */
void jsonlog_end(struct jsonlog *log, enum jsonlog_stream stream, int64_t wall_ns);

/**
 * jsonlog_relax() - Give back memory that is not needed while nothing comes
 * Return: nothing
 */
void jsonlog_relax(struct jsonlog *log);

/**
 * jsonlog_done() - Close the file and free the memory; begun lines are dropped unless ended
 * Return: nothing
 */
void jsonlog_done(struct jsonlog *log);

/**
 * jsonlog_encode() - One log object with its newline, as text
 * @text:  @n bytes, any; escaped as Go's encoder does, which is what docker writes
 * @attrs: JSON text of an object; NULL: none
 * @time:  RFC3339 text
 * Return: nothing
 */
void jsonlog_encode(struct strbuf *out, const char *text, size_t n, enum jsonlog_stream stream, const char *attrs,
		    const char *time);

/**
 * jsonlog_valid_bytes() - How many of @n bytes are the beginning of one UTF-8 character
 * @ret_whole: how many its first byte announces; 0: it is no first byte
 * Return: the number; all of it has come when it equals *ret_whole
 */
size_t jsonlog_valid_bytes(const char *text, size_t n, size_t *ret_whole);
