/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's log as docker's json-file driver writes it: one JSON object a line.
 *
 *	{"log":"hello\n","stream":"stdout","time":"2024-05-01T10:00:00.123456789Z"}
 *
 * A line longer than JSONLOG_PART_BYTES becomes several objects, of which only the last one's "log" ends in
 * "\n"; a cut never goes through a character. Bytes that are not UTF-8 become U+FFFD. The last line without a
 * newline is written at the stream's end. Appends with one write(2) a batch; on a full disk whole lines are
 * dropped (counted), never torn, and nothing blocks. Not thread-safe.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define JSONLOG_PART_BYTES 16384

enum jsonlog_stream { JSONLOG_STDOUT, JSONLOG_STDERR, JSONLOG_STREAMS_ };

struct jsonlog {
	int fd;                                        /* owned, O_APPEND; -1: no log, everything is a no-op */
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
 * @text: @n bytes, any; escaped as Go's encoder does, which is what docker writes
 * @time: RFC3339 text
 * Return: nothing
 */
void jsonlog_encode(struct strbuf *out, const char *text, size_t n, enum jsonlog_stream stream, const char *time);
