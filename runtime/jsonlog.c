/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/jsonlog.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defence.h"
#include "base/own.h"

/* Written out when it has grown to this; one encoded part may go beyond. */
#define JSONLOG_BATCH_BYTES 32768

void jsonlog_init(struct jsonlog *log, int fd)
{
	*log = (struct jsonlog){ .fd = fd, .batch_bytes = JSONLOG_BATCH_BYTES, .rotation = { .dir_fd = -1 } };
}

void jsonlog_set_attrs(struct jsonlog *log, const char *attrs)
{
	free(log->attrs);
	log->attrs = xstrdup(attrs);
}

/* --- the file -------------------------------------------------------------------------------------- */

/* The tail of a line that did not fit is taken back, so that a reader never sees half an object. */
static void cut_torn_line(struct jsonlog *log, size_t n_written)
{
	size_t torn = 0;
	struct stat st;

	while (torn < n_written && log->out.data[n_written - torn - 1] != '\n')
		torn++;
	log->n_dropped_bytes += log->out.len - n_written + torn;
	if (torn == 0 || fstat(log->fd, &st) < 0 || st.st_size < (off_t)torn)
		return;
	if (ftruncate(log->fd, st.st_size - (off_t)torn) < 0)
		log->n_dropped_bytes++;   /* nothing better can be done: the reader skips a line that is no JSON */
}

static void flush(struct jsonlog *log)
{
	size_t done = 0;

	if (DEFENCE(LOG_ROTATED, log->rotation.max_bytes != 0, false) && log->n_bytes > 0 && log->n_bytes + log->out.len > log->rotate_bytes)
		jsonlog_rotate(log);
	while (done < log->out.len) {
		ssize_t n = write(log->fd, log->out.data + done, log->out.len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			cut_torn_line(log, done);
			break;
		}
		done += (size_t)n;
	}
	log->n_bytes += done;
	strbuf_reset(&log->out);
}

static void emit(struct jsonlog *log, enum jsonlog_stream stream, const char *text, size_t n, const char *time)
{
	jsonlog_encode(&log->out, text, n, stream, log->attrs, time);
	if (log->out.len >= log->batch_bytes)
		flush(log);
}

/* --- lines ----------------------------------------------------------------------------------------- */

/* Where to cut a part that is full: before a character whose end has not come. */
static size_t whole_characters(const char *text, size_t n)
{
	for (size_t back = 1; back <= 3 && back < n; back++) {
		size_t whole;

		if ((text[n - back] & 0xc0) == 0x80)
			continue;
		if (jsonlog_valid_bytes(text + n - back, back, &whole) == back && whole > back)
			return n - back;
		break;
	}
	return n;
}

/* The begun line is full: write it as a part, keep what belongs to the next. */
static void emit_part(struct jsonlog *log, enum jsonlog_stream stream, const char *time)
{
	struct strbuf *p = &log->pending[stream];
	size_t n = whole_characters(p->data, p->len);

	emit(log, stream, p->data, n, time);
	strbuf_drop_front(p, n);
}

/* Take as much of a line as fits in a part. Return: bytes used, at least one */
static size_t feed_line(struct jsonlog *log, enum jsonlog_stream stream, const char *data, size_t n,
			bool has_newline, const char *time)
{
	struct strbuf *p = &log->pending[stream];
	size_t room;

	if (p->len == 0 && has_newline && n - 1 < JSONLOG_PART_BYTES) {
		emit(log, stream, data, n, time);
		return n;
	}
	room = JSONLOG_PART_BYTES - p->len;
	if (n - has_newline < room) {
		strbuf_add(p, data, n);
		if (has_newline) {
			emit(log, stream, p->data, p->len, time);
			strbuf_reset(p);
		}
		return n;
	}
	strbuf_add(p, data, room);
	emit_part(log, stream, time);
	return room;
}

void jsonlog_feed(struct jsonlog *log, enum jsonlog_stream stream, const char *data, size_t n, int64_t wall_ns)
{
	char time[CLOCK_TEXT_MAX];

	if (log->fd < 0)
		return;
	clock_rfc3339(wall_ns, time);
	while (n > 0) {
		const char *newline = memchr(data, '\n', n);
		size_t line = newline ? (size_t)(newline - data) + 1 : n;
		size_t used = feed_line(log, stream, data, line, newline != NULL, time);

		data += used;
		n -= used;
	}
	flush(log);
}

void jsonlog_end(struct jsonlog *log, enum jsonlog_stream stream, int64_t wall_ns)
{
	struct strbuf *p = &log->pending[stream];
	char time[CLOCK_TEXT_MAX];

	if (log->fd >= 0 && p->len > 0) {
		emit(log, stream, p->data, p->len, clock_rfc3339(wall_ns, time));
		flush(log);
	}
	strbuf_done(p);
}

void jsonlog_relax(struct jsonlog *log)
{
	strbuf_done(&log->out);
	for (int s = 0; s < JSONLOG_STREAMS_; s++) {
		if (log->pending[s].len == 0)
			strbuf_done(&log->pending[s]);
	}
}

void jsonlog_done(struct jsonlog *log)
{
	close_fd(&log->fd);
	close_fd(&log->rotation.dir_fd);
	free(TAKE_PTR(log->attrs));
	strbuf_done(&log->out);
	for (int s = 0; s < JSONLOG_STREAMS_; s++)
		strbuf_done(&log->pending[s]);
}
