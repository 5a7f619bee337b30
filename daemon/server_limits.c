/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is let in when there are many connections, and what all of them may hold in memory.
 *
 * Most of the connections may be anybody's. The rest, and the last descriptors, are for processes that have few of them, so that
 * one that leaks its connections, or means harm, keeps nobody else from stopping it. Before one is turned away the connection
 * that has been idle for longest is closed: that costs its client nothing but a new one.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "daemon/server_priv.h"

#define RESERVE_PART     8        /* of the connections, this part is not for processes that have many */
#define FEW_CONNS        8

static bool is_idle(const struct conn *c)
{
	return c->state == CONN_HEAD && !c->is_closed && !c->req && !c->is_head_timed && c->in.len == 0 && conn_backlog(c) == 0;
}

bool limits_close_idle(struct server *s)
{
	struct conn *oldest = NULL;

	for (struct conn *c = s->conns; c; c = c->next) {
		if (is_idle(c) && (!oldest || c->idle_since_ms < oldest->idle_since_ms))
			oldest = c;
	}
	if (!oldest || loop_now_ms(s->l) - oldest->idle_since_ms < s->idle_spared_ms)
		return false;
	conn_close(oldest);
	return true;
}

static bool has_few(const struct server *s, int fd)
{
	struct ucred peer = { .pid = 0, .uid = (uid_t)-1 };
	socklen_t len = sizeof(peer);
	size_t n = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	for (const struct conn *c = s->conns; c && n < FEW_CONNS; c = c->next)
		n += c->peer.pid == peer.pid && c->peer.uid == peer.uid;
	return n < FEW_CONNS;
}

static void turn_away(int fd)
{
	static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
				     "Connection: close\r\nContent-Length: 88\r\n\r\n"
				     "{\"message\":\"too many connections: close some of those that this process has, try again\"}\n";

	if (send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("turn away a connection: %m");
	close_fd(&fd);
}

bool limits_admit(struct server *s, int fd)
{
	bool is_tight = s->n_conns >= s->max_conns - s->max_conns / RESERVE_PART || !fd_leaves_spare(fd);

	if (!is_tight || limits_close_idle(s) || has_few(s, fd))
		return true;
	server_complain(s);
	turn_away(fd);
	return false;
}

/* ---- memory ---- */

static void drop_largest(struct server *s)
{
	struct conn *largest = NULL;

	for (struct conn *c = s->conns; c; c = c->next) {
		if (!largest || conn_backlog(c) > conn_backlog(largest))
			largest = c;
	}
	if (!largest)
		return;
	log_warn("%zu bytes wait for clients that do not read: the connection of process %d, which has the most of them, is closed",
		 s->n_out_bytes, (int)largest->peer.pid);
	conn_drop_output(largest);
}

void limits_out(struct server *s)
{
	if (s->n_out_bytes > s->max_out_bytes)
		drop_largest(s);
}

bool limits_body(struct conn *c, size_t n)
{
	if (c->s->n_body_bytes + n > c->s->max_body_bytes)
		return false;
	c->s->n_body_bytes += n;
	c->n_body_bytes += n;
	return true;
}

void limits_body_over(struct conn *c)
{
	c->s->n_body_bytes -= c->n_body_bytes;
	c->n_body_bytes = 0;
}
