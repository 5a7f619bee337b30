/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/own.h"

#define MESSAGES_PER_CALLBACK 32

struct queued {
	struct queued *next;
	size_t n, n_fds;
	int *fds; /* owned, each owned */
	char data[];
};

struct wire {
	struct loop *loop;
	int fd; /* owned */
	struct loop_watch *watch;
	wire_msg_fn msg;
	wire_end_fn end;
	void *ctx;
	struct queued *first, **last;
	bool is_busy; /* inside a callback: wire_free() only marks */
	bool is_freed, is_dead;
};

static void close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int fd = fds[i];

		close_fd(&fd);
	}
}

static void queue_clear(struct wire *w)
{
	while (w->first) {
		struct queued *q = w->first;

		w->first = q->next;
		close_all(q->fds, q->n_fds);
		free(q->fds);
		free(q);
	}
	w->last = &w->first;
}

void wire_free(struct wire *w)
{
	if (!w)
		return;
	loop_watch_free(TAKE_PTR(w->watch));
	close_fd(&w->fd);
	queue_clear(w);
	w->is_freed = true;
	if (!w->is_busy)
		free(w);
}

static void wire_die(struct wire *w)
{
	if (w->is_dead || w->is_freed)
		return;
	w->is_dead = true;
	loop_watch_free(TAKE_PTR(w->watch));
	queue_clear(w);
	w->end(w->ctx);
}

/* Return: false when there is nothing (more) to read, or the wire is dead or freed. */
static bool receive_one(struct wire *w)
{
	union {
		struct msg_head head;
		char bytes[PROTO_MAX_BYTES];
	} buf;
	int fds[WIRE_MAX_FDS] = { -1, -1, -1, -1 };
	size_t n_fds = 0;
	ssize_t n = fd_recv_msg(w->fd, buf.bytes, sizeof buf.bytes, fds, WIRE_MAX_FDS, &n_fds);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0 || proto_check(buf.bytes, (size_t)n, ERR_IGNORED) < 0) {
		close_all(fds, n_fds);
		wire_die(w);
		return false;
	}
	w->msg(w->ctx, &buf.head, fds, n_fds);
	close_all(fds, n_fds);
	return !w->is_freed && !w->is_dead;
}

/* An error drops the queue and the connection: its end is told by reading, after what the peer said last. */
static void flush(struct wire *w)
{
	while (w->first) {
		struct queued *q = w->first;

		if (fd_send_msg(w->fd, q->data, q->n, q->fds, q->n_fds) < 0) {
			if (errno == EAGAIN || errno == EINTR)
				return;
			queue_clear(w);
			shutdown(w->fd, SHUT_RDWR);
			break;
		}
		w->first = q->next;
		if (!w->first)
			w->last = &w->first;
		close_all(q->fds, q->n_fds);
		free(q->fds);
		free(q);
	}
	loop_watch_set(w->watch, LOOP_READ);
}

static void on_ready(void *ctx, unsigned events)
{
	struct wire *w = ctx;
	bool is_alive = true;

	w->is_busy = true;
	for (int i = 0; is_alive && i < MESSAGES_PER_CALLBACK; i++)
		is_alive = receive_one(w);
	if ((events & LOOP_WRITE) && !w->is_freed && !w->is_dead)
		flush(w);
	w->is_busy = false;
	if (w->is_freed)
		free(w);
}

struct wire *wire_new(struct loop *l, const char *name, int fd, wire_msg_fn msg, wire_end_fn end,
		      void *ctx)
{
	struct wire *w = xcalloc(1, sizeof *w);

	fd_set_nonblock(fd, true);
	*w = (struct wire){ .loop = l, .fd = fd, .msg = msg, .end = end, .ctx = ctx };
	w->last = &w->first;
	w->watch = loop_watch_new(l, name, fd, LOOP_READ, on_ready, w);
	return w;
}

static void enqueue(struct wire *w, const void *msg, size_t n, const int *fds, size_t n_fds)
{
	struct queued *q = xmalloc(sizeof *q + n);

	*q = (struct queued){ .n = n, .n_fds = n_fds, .fds = xcalloc(n_fds + 1, sizeof *fds) };
	memcpy(q->data, msg, n);
	for (size_t i = 0; i < n_fds; i++)
		q->fds[i] = fds[i];
	*w->last = q;
	w->last = &q->next;
	loop_watch_set(w->watch, LOOP_READ | LOOP_WRITE);
}

void wire_send(struct wire *w, const void *msg, size_t n, const int *fds, size_t n_fds)
{
	if (w->is_dead) {
		close_all(fds, n_fds);
		return;
	}
	if (!w->first && fd_send_msg(w->fd, msg, n, fds, n_fds) >= 0) {
		close_all(fds, n_fds);
		return;
	}
	/* A dead peer is told by the watch, from the loop: callers do not expect their own end inside a send. */
	enqueue(w, msg, n, fds, n_fds);
}

void wire_head(struct msg_head *head, enum msg_type type, size_t bytes)
{
	*head = (struct msg_head){ .version = PROTO_VERSION, .type = type, .bytes = (uint32_t)bytes };
}
