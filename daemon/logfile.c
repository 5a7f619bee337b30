/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/logfile.h"

#include <errno.h>
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

/* Files that are kept open for a reader though newer ones have come, beyond those that have a name */
enum { SPARE_FILES = 2 };

/*
 * Files are opened from the newest to the oldest: one that is renamed meanwhile moves towards what we have not looked at
 * yet, so it may be seen twice (and is known by its inode, which is nobody else's while we have it open), but none is
 * missed. A file that has a successor is written no more: once that is known, its end is its end.
 */
struct logfile {
	char *path;
	unsigned n_files;      /* names to look at: path, path.1 … */
	int *fds;              /* owned, the oldest first: the first is being read */
	size_t n_fds, max_fds;
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

/* An object of strings; handed on as it is. */
static bool scan_attrs(struct scan *s, struct log_entry *entry)
{
	char *start;

	if (!scan_lit(s, ",\"attrs\":"))
		return true;
	start = s->p;
	if (!scan_lit(s, "{"))
		return false;
	while (s->p < s->end && *s->p != '}') {
		if (*s->p != '"') {
			s->p++;
			continue;
		}
		for (s->p++; s->p < s->end && *s->p != '"'; s->p++)
			s->p += *s->p == '\\' && s->end - s->p > 1;
		s->p += s->p < s->end;
	}
	if (!scan_lit(s, "}"))
		return false;
	entry->attrs = start;
	entry->n_attrs = (size_t)(s->p - start);
	return true;
}

static bool scan_entry(char *text, size_t n, char time[CLOCK_TEXT_MAX], struct log_entry *entry)
{
	struct scan s = { text, text + n };
	const char *stream, *when;
	size_t n_stream, n_when;

	if (!scan_lit(&s, "{\"log\":\"") || !scan_string(&s, &entry->text, &entry->n_text) ||
	    !scan_lit(&s, ",\"stream\":\"") || !scan_string(&s, &stream, &n_stream) || !scan_attrs(&s, entry) ||
	    !scan_lit(&s, ",\"time\":\"") || !scan_string(&s, &when, &n_when) || n_when >= CLOCK_TEXT_MAX)
		return false;
	entry->is_stderr = n_stream == 6 && memcmp(stream, "stderr", 6) == 0;
	memcpy(time, when, n_when);
	time[n_when] = '\0';
	return clock_parse(time, &entry->time_ns);
}

/* --- the files --------------------------------------------------------------------------------------- */

static void close_files(struct logfile *l)
{
	while (l->n_fds > 0)
		close_fd(&l->fds[--l->n_fds]);
}

static void drop_oldest(struct logfile *l, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close_fd(&l->fds[i]);
	l->n_fds -= n;
	memmove(l->fds, l->fds + n, l->n_fds * sizeof(*l->fds));
}

static bool is_same(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* The i-th name; -1 with errno */
static int open_number(const struct logfile *l, unsigned i)
{
	AUTO_FREE char *name = i == 0 ? xstrdup(l->path) : xasprintf("%s.%u", l->path, i);

	return open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

/* Open what is newer than the newest we have, or all. */
static int collect(struct logfile *l, struct err *e)
{
	size_t n_old = l->n_fds, n = n_old;
	bool is_known = false;

	for (unsigned i = 0; i < l->n_files && n < l->max_fds && !is_known; i++) {
		int fd = open_number(l, i);

		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0) {
			err_sys(e, "open log '%s' (%u)", l->path, i);
			while (n > n_old)
				close_fd(&l->fds[--n]);
			return -1;
		}
		is_known = n_old > 0 && is_same(fd, l->fds[n_old - 1]);
		if (is_known || (n > n_old && is_same(fd, l->fds[n - 1])))
			close_fd(&fd);
		else
			l->fds[n++] = fd;
	}
	for (size_t a = n_old, b = n; a + 1 < b; a++, b--) {
		int fd = l->fds[a];

		l->fds[a] = l->fds[b - 1];
		l->fds[b - 1] = fd;
	}
	l->n_fds = n;
	return 0;
}

int logfile_open(const char *path, unsigned n_files, struct logfile **ret, struct err *e)
{
	struct logfile *l = xcalloc(1, sizeof(*l));

	l->path = xstrdup(path);
	l->n_files = n_files;
	l->max_fds = n_files + SPARE_FILES;
	l->fds = xcalloc(l->max_fds, sizeof(*l->fds));
	if (collect(l, e) < 0 || (l->n_fds == 0 && err_set(e, ERR_NOT_FOUND, "open log '%s': there is none yet", path) < 0)) {
		logfile_free(l);
		return -1;
	}
	*ret = l;
	return 0;
}

void logfile_free(struct logfile *l)
{
	if (!l)
		return;
	close_files(l);
	free(l->fds);
	free(l->path);
	strbuf_done(&l->buf);
	free(l);
}

void logfile_keep_up(struct logfile *l)
{
	struct stat newest, named;

	if (l->n_fds == l->max_fds || fstat(l->fds[l->n_fds - 1], &newest) < 0)
		return;
	if (stat(l->path, &named) == 0 && named.st_ino == newest.st_ino && named.st_dev == newest.st_dev)
		return;
	collect(l, ERR_IGNORED);
}

/* --- the tail ---------------------------------------------------------------------------------------- */

struct tail {
	uint64_t n_wanted, n_seen;   /* ends of lines, from behind; the last byte of all is none */
	bool is_inside;              /* something has been behind */
	char *block;
};

/* Return: true and the position, false when the file has not enough; -1 in @ret_at: it could not be read */
static bool tail_in(int fd, struct tail *t, off_t *ret_at)
{
	struct stat st;
	off_t at;

	*ret_at = -1;
	if (fstat(fd, &st) < 0)
		return false;
	for (at = st.st_size; at > 0;) {
		size_t want = at < (off_t)LOGFILE_CHUNK_BYTES ? (size_t)at : LOGFILE_CHUNK_BYTES;

		at -= (off_t)want;
		if (pread(fd, t->block, want, at) != (ssize_t)want)
			return false;
		for (size_t i = want; i > 0; i--) {
			if (t->block[i - 1] == '\n' && t->is_inside && ++t->n_seen == t->n_wanted) {
				*ret_at = at + (off_t)i;
				return true;
			}
			t->is_inside = true;
		}
	}
	*ret_at = 0;
	return false;
}

int logfile_seek_tail(struct logfile *l, uint64_t n_lines, struct err *e)
{
	AUTO_FREE char *block = xmalloc(LOGFILE_CHUNK_BYTES);
	struct tail t = { .n_wanted = n_lines, .block = block };
	struct stat st;
	size_t i;

	close_files(l);
	if (collect(l, e) < 0)
		return -1;
	strbuf_reset(&l->buf);
	l->is_skipping = false;
	l->at = 0;
	if (l->n_fds == 0)
		return err_set(e, ERR_NOT_FOUND, "open log '%s': there is none any more", l->path);
	if (n_lines == 0) {
		drop_oldest(l, l->n_fds - 1);
		if (fstat(l->fds[0], &st) == 0)
			l->at = st.st_size;
		return 0;
	}
	for (i = l->n_fds; i-- > 0;) {
		if (tail_in(l->fds[i], &t, &l->at))
			break;
		if (l->at < 0)
			return err_sys(e, "read log '%s'", l->path);
	}
	if (i < l->n_fds)
		drop_oldest(l, i);
	return 0;
}

/* --- reading ----------------------------------------------------------------------------------------- */

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

/* Nothing more in the first file. Return: true when there may be in another one, or it has got a successor meanwhile */
static bool next_file(struct logfile *l)
{
	if (l->n_fds == 1) {
		logfile_keep_up(l);
		return l->n_fds > 1;   /* and now look once more: it may have been written to before */
	}
	drop_oldest(l, 1);
	l->at = 0;
	strbuf_reset(&l->buf);
	l->is_skipping = false;
	return true;
}

int logfile_read(struct logfile *l, log_entry_fn fn, void *ctx, bool *ret_more, struct err *e)
{
	ssize_t n;

	strbuf_reserve(&l->buf, LOGFILE_CHUNK_BYTES);
	n = pread(l->fds[0], l->buf.data + l->buf.len, LOGFILE_CHUNK_BYTES, l->at);
	if (n < 0)
		return err_sys(e, "read log '%s'", l->path);
	l->at += n;
	l->buf.len += (size_t)n;
	*ret_more = n > 0 ? hand_on_lines(l, fn, ctx) : next_file(l);
	if (l->buf.len > LINE_MAX_BYTES) {
		strbuf_reset(&l->buf);
		l->is_skipping = true;
	}
	return 0;
}
