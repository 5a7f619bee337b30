/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/logfile.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"

/* A line of the monitor holds at most 16 KiB of output, six bytes each when all of it is escaped. */
enum { LINE_MAX_BYTES = 128 << 10 };

struct logfile {
	int fd;
	off_t at;              /* of what follows the buffer */
	struct strbuf buf;     /* read, not handed on */
	bool is_skipping;      /* inside a line that is longer than LINE_MAX_BYTES */
};

/*
 * The lines have one shape, which the monitor writes, and may hold \\u0000, which a C string cannot: so the
 * text is unescaped here, in place, by length. A line of another shape is skipped.
 */
struct scan { char *p, *end; };

static bool scan_lit(struct scan *s, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, text, n) != 0)
		return false;
	s->p += n;
	return true;
}

static bool scan_hex4(struct scan *s, unsigned *ret)
{
	unsigned v = 0;

	if (s->end - s->p < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = *s->p++;

		if (c >= '0' && c <= '9')
			v = v << 4 | (unsigned)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			v = v << 4 | (unsigned)((c | 32) - 'a' + 10);
		else
			return false;
	}
	*ret = v;
	return true;
}

static char *put_utf8(char *out, unsigned c)
{
	if (c < 0x80) {
		*out++ = (char)c;
	} else if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
		*out++ = (char)(0x80 | (c & 63));
	} else if (c < 0x10000) {
		*out++ = (char)(0xe0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 63));
		*out++ = (char)(0x80 | (c & 63));
	} else {
		*out++ = (char)(0xf0 | c >> 18);
		*out++ = (char)(0x80 | (c >> 12 & 63));
		*out++ = (char)(0x80 | (c >> 6 & 63));
		*out++ = (char)(0x80 | (c & 63));
	}
	return out;
}

static bool scan_unicode(struct scan *s, char **out)
{
	unsigned c, low;

	if (!scan_hex4(s, &c))
		return false;
	if (c >= 0xd800 && c < 0xdc00) {
		if (!scan_lit(s, "\\u") || !scan_hex4(s, &low) || low < 0xdc00 || low > 0xdfff)
			return false;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	*out = put_utf8(*out, c);
	return true;
}

/* The rest of a string whose opening quote is behind us, unescaped in place (never longer than its escaped form). */
static bool scan_string(struct scan *s, const char **ret, size_t *ret_n)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	char *start = s->p, *out = s->p;

	while (s->p < s->end && *s->p != '"') {
		const char *known;

		if (*s->p != '\\') {
			*out++ = *s->p++;
			continue;
		}
		if (++s->p >= s->end)
			return false;
		if (*s->p == 'u') {
			s->p++;
			if (!scan_unicode(s, &out))
				return false;
			continue;
		}
		known = memchr(from, *s->p, sizeof(from) - 1);
		if (!known)
			return false;
		*out++ = to[known - from];
		s->p++;
	}
	if (!scan_lit(s, "\""))
		return false;
	*ret = start;
	*ret_n = (size_t)(out - start);
	return true;
}

static bool scan_entry(char *text, size_t n, char time[CLOCK_TEXT_MAX], struct log_entry *entry)
{
	struct scan s = { text, text + n };
	const char *stream, *when;
	size_t n_stream, n_when;

	if (!scan_lit(&s, "{\"log\":\"") || !scan_string(&s, &entry->text, &entry->n_text) ||
	    !scan_lit(&s, ",\"stream\":\"") || !scan_string(&s, &stream, &n_stream) ||
	    !scan_lit(&s, ",\"time\":\"") || !scan_string(&s, &when, &n_when) || n_when >= CLOCK_TEXT_MAX)
		return false;
	entry->is_stderr = n_stream == 6 && memcmp(stream, "stderr", 6) == 0;
	memcpy(time, when, n_when);
	time[n_when] = '\0';
	return clock_parse(time, &entry->time_ns);
}

int logfile_open(const char *path, struct logfile **ret, struct err *e)
{
	struct logfile *l;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return err_sys(e, "open log '%s'", path);
	l = xcalloc(1, sizeof(*l));
	l->fd = fd;
	*ret = l;
	return 0;
}

void logfile_free(struct logfile *l)
{
	if (!l)
		return;
	close_fd(&l->fd);
	strbuf_done(&l->buf);
	free(l);
}

int logfile_seek_tail(struct logfile *l, uint64_t n_lines, struct err *e)
{
	AUTO_FREE char *block = xmalloc(LOGFILE_CHUNK_BYTES);
	uint64_t n_seen = 0;
	struct stat st;
	off_t at;

	if (fstat(l->fd, &st) < 0)
		return err_sys(e, "stat log");
	strbuf_reset(&l->buf);
	l->is_skipping = false;
	/* The end of the n+1-th line from behind is where the tail begins. */
	for (at = st.st_size; at > 0;) {
		size_t want = at < (off_t)LOGFILE_CHUNK_BYTES ? (size_t)at : LOGFILE_CHUNK_BYTES;
		ssize_t n = pread(l->fd, block, want, at - (off_t)want);

		if (n != (ssize_t)want)
			return err_sys(e, "read log");
		for (size_t i = want; i > 0; i--) {
			if (block[i - 1] != '\n' || at - (off_t)want + (off_t)i == st.st_size)
				continue;
			if (++n_seen >= n_lines && n_lines > 0) {
				l->at = at - (off_t)want + (off_t)i;
				return 0;
			}
		}
		at -= (off_t)want;
	}
	l->at = n_lines ? 0 : st.st_size;
	return 0;
}

/* Hand on the whole lines of the buffer. Returns false when the callback wants no more. */
static bool hand_on_lines(struct logfile *l, log_entry_fn fn, void *ctx)
{
	char time[CLOCK_TEXT_MAX];
	bool wants_more = true;
	size_t used = 0;
	char *end;

	while (wants_more && (end = memchr(l->buf.data + used, '\n', l->buf.len - used))) {
		size_t n = (size_t)(end - (l->buf.data + used));
		struct log_entry entry = {0};

		if (!l->is_skipping && scan_entry(l->buf.data + used, n, time, &entry))
			wants_more = fn(ctx, &entry);
		l->is_skipping = false;
		used += n + 1;
	}
	strbuf_drop_front(&l->buf, used);
	return wants_more;
}

int logfile_read(struct logfile *l, log_entry_fn fn, void *ctx, bool *ret_more, struct err *e)
{
	ssize_t n;

	strbuf_reserve(&l->buf, LOGFILE_CHUNK_BYTES);
	n = pread(l->fd, l->buf.data + l->buf.len, LOGFILE_CHUNK_BYTES, l->at);
	if (n < 0)
		return err_sys(e, "read log");
	l->at += n;
	l->buf.len += (size_t)n;
	*ret_more = n > 0 && hand_on_lines(l, fn, ctx);
	if (l->buf.len > LINE_MAX_BYTES) {
		strbuf_reset(&l->buf);
		l->is_skipping = true;
	}
	return 0;
}
