/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/client.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "runtime/proto.h"

#define FRAME_HEAD_BYTES 8

struct client *client_new(int fd, unsigned flags, const char *keys)
{
	struct client *c = xcalloc(1, sizeof *c);

	c->fd = fd;
	c->flags = flags;
	c->is_input_open = (flags & ATTACH_STDIN) != 0;
	c->poll_index = -1;
	detach_init(&c->detach, keys);
	fd_set_nonblock(fd, true);
	return c;
}

static bool wants(const struct client *c, enum client_stream stream)
{
	return c->flags & (stream == CLIENT_STDOUT ? ATTACH_STDOUT : ATTACH_STDERR);
}

/* Return: bytes taken, 0 when it takes none now, -1 when the client is gone */
static ssize_t write_now(int fd, struct iovec *iov, int n_iov)
{
	ssize_t n;

	do
		n = writev(fd, iov, n_iov);
	while (n < 0 && errno == EINTR);
	return n < 0 && errno == EAGAIN ? 0 : n;
}

void client_send(struct client *c, enum client_stream stream, const void *data, size_t n, int64_t now_ns)
{
	unsigned char head[FRAME_HEAD_BYTES] = {
		stream, 0, 0, 0, (unsigned char)(n >> 24), (unsigned char)(n >> 16),
		(unsigned char)(n >> 8), (unsigned char)n,
	};
	struct iovec iov[2] = {
		{ .iov_base = head, .iov_len = c->flags & ATTACH_MUX ? sizeof head : 0 },
		{ .iov_base = (void *)data, .iov_len = n },
	};
	ssize_t sent = 0;

	if (c->fd < 0 || !wants(c, stream))
		return;
	if (bytequeue_len(&c->out) == 0) {
		c->moved_ns = now_ns;
		sent = write_now(c->fd, iov, 2);
		if (sent < 0) {
			client_close(c);
			return;
		}
	}
	for (int i = 0; i < 2; i++) {
		size_t skip = (size_t)sent < iov[i].iov_len ? (size_t)sent : iov[i].iov_len;

		sent -= (ssize_t)skip;
		bytequeue_add(&c->out, (char *)iov[i].iov_base + skip, iov[i].iov_len - skip);
	}
}

void client_flush(struct client *c, int64_t now_ns)
{
	ssize_t n;

	if (c->fd < 0)
		return;
	n = bytequeue_write(&c->out, c->fd);
	if (n < 0)
		client_close(c);
	else if (n > 0)
		c->moved_ns = now_ns;
}

void client_close(struct client *c)
{
	char junk[4096];

	bytequeue_done(&c->out);
	if (c->fd < 0)
		return;
	shutdown(c->fd, SHUT_RDWR);
	while (read(c->fd, junk, sizeof junk) > 0)
		;
	close_fd(&c->fd);
}

void client_free(struct client *c)
{
	if (!c)
		return;
	client_close(c);
	free(c);
}
