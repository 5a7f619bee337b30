/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/stream.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

static int put(struct stream *s, int fd, const char *data, size_t n)
{
	if (fd_write_all(fd, data, n, ERR_IGNORED) == 0)
		return 0;
	s->write_errno = errno;
	return -1;
}

int stream_feed(struct stream *s, const char *data, size_t n)
{
	if (s->is_raw)
		return put(s, STDOUT_FILENO, data, n);
	while (n > 0) {
		size_t want = s->n_left ? s->n_left : sizeof(s->head) - s->n_head;
		size_t take = want < n ? want : n;

		if (s->n_left) {
			if (put(s, s->head[0] == 2 ? STDERR_FILENO : STDOUT_FILENO, data, take) < 0)
				return -1;
			s->n_left -= (uint32_t)take;
		} else {
			memcpy(s->head + s->n_head, data, take);
			s->n_head += take;
			if (s->n_head == sizeof(s->head)) {
				if (s->head[0] > 3 || s->head[1] || s->head[2] || s->head[3]) {
					s->is_broken = true;
					return -1;
				}
				s->n_left = (uint32_t)s->head[4] << 24 | (uint32_t)s->head[5] << 16 |
					    (uint32_t)s->head[6] << 8 | s->head[7];
				s->n_head = 0;
			}
		}
		data += take;
		n -= take;
	}
	return 0;
}

int stream_ended(const struct stream *s)
{
	if (s->write_errno == EPIPE) {
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);
	}
	if (s->write_errno)
		fprintf(stderr, "kiln: write standard output: %s\n", strerror(s->write_errno));
	else if (s->is_broken)
		fprintf(stderr, "kiln: the daemon's stream is broken\n");
	else if (s->n_left || s->n_head)
		fprintf(stderr, "kiln: the stream is cut off\n");
	return s->write_errno || s->is_broken || s->n_left || s->n_head ? 1 : 0;
}
