/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/jsonlog.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"

/* Written out when it has grown to this; one encoded part may go beyond. */
#define JSONLOG_BATCH_BYTES 32768

void jsonlog_init(struct jsonlog *log, int fd)
{
	*log = (struct jsonlog){ .fd = fd };
}

/* --- text ------------------------------------------------------------------------------------------ */

/* Bytes that stand for themselves: ASCII without controls, quotes, backslash and what Go escapes for HTML. */
static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

/* Length of the UTF-8 sequence that a first byte announces; 0: no first byte. */
static size_t announced_bytes(unsigned char c)
{
	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c < 0xe0)
		return 2;
	if (c >= 0xe0 && c < 0xf0)
		return 3;
	return c >= 0xf0 && c < 0xf5 ? 4 : 0;
}

/* Whether the second byte may follow the first: no overlong forms, no surrogates, nothing above U+10FFFF. */
static bool is_second(unsigned char first, unsigned char second)
{
	unsigned char low = 0x80, high = 0xbf;

	if (first == 0xe0)
		low = 0xa0;
	else if (first == 0xed)
		high = 0x9f;
	else if (first == 0xf0)
		low = 0x90;
	else if (first == 0xf4)
		high = 0x8f;
	return second >= low && second <= high;
}

/* How many of the n bytes are the beginning of a valid sequence: all of it when the return equals *ret_whole. */
static size_t valid_bytes(const char *text, size_t n, size_t *ret_whole)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t whole = announced_bytes(p[0]), i = 1;

	*ret_whole = whole;
	if (whole == 0)
		return 0;
	while (i < whole && i < n && (i == 1 ? is_second(p[0], p[1]) : (p[i] & 0xc0) == 0x80))
		i++;
	return i;
}

static void encode_ascii(struct strbuf *out, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char code[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

	switch (c) {
	case '"': strbuf_add(out, "\\\"", 2); break;
	case '\\': strbuf_add(out, "\\\\", 2); break;
	case '\n': strbuf_add(out, "\\n", 2); break;
	case '\r': strbuf_add(out, "\\r", 2); break;
	case 0x7f: strbuf_addc(out, 0x7f); break;
	default: strbuf_add(out, code, sizeof code); break;
	}
}

/* Return: bytes of text used */
static size_t encode_wide(struct strbuf *out, const char *text, size_t n)
{
	size_t whole, valid = valid_bytes(text, n, &whole);

	if (whole == 0 || valid < whole) {
		strbuf_add(out, "\\ufffd", 6);
		return 1;
	}
	if (whole == 3 && memcmp(text, "\xe2\x80\xa8", 3) == 0)
		strbuf_add(out, "\\u2028", 6);
	else if (whole == 3 && memcmp(text, "\xe2\x80\xa9", 3) == 0)
		strbuf_add(out, "\\u2029", 6);
	else
		strbuf_add(out, text, whole);
	return whole;
}

static void encode_text(struct strbuf *out, const char *text, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t run = i;

		while (run < n && is_plain((unsigned char)text[run]))
			run++;
		strbuf_add(out, text + i, run - i);
		i = run;
		if (i == n)
			break;
		if ((unsigned char)text[i] < 0x80)
			encode_ascii(out, (unsigned char)text[i++]);
		else
			i += encode_wide(out, text + i, n - i);
	}
}

void jsonlog_encode(struct strbuf *out, const char *text, size_t n, enum jsonlog_stream stream, const char *time)
{
	strbuf_add(out, "{\"log\":\"", 8);
	encode_text(out, text, n);
	strbuf_adds(out, stream == JSONLOG_STDOUT ? "\",\"stream\":\"stdout\",\"time\":\"" :
						    "\",\"stream\":\"stderr\",\"time\":\"");
	strbuf_adds(out, time);
	strbuf_add(out, "\"}\n", 3);
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
	strbuf_reset(&log->out);
}

static void emit(struct jsonlog *log, enum jsonlog_stream stream, const char *text, size_t n, const char *time)
{
	jsonlog_encode(&log->out, text, n, stream, time);
	if (log->out.len >= JSONLOG_BATCH_BYTES)
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
		if (valid_bytes(text + n - back, back, &whole) == back && whole > back)
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
	strbuf_done(&log->out);
	for (int s = 0; s < JSONLOG_STREAMS_; s++)
		strbuf_done(&log->pending[s]);
}
