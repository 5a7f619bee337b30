/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor and kilnd. The table at the end is what kilnd may ask; the default is refuse. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/own.h"
#include "runtime/monitor_parts.h"

/* One message of kilnd with its descriptors, which close unless taken. */
struct question {
	size_t n;
	int fds[2];
	size_t n_fds;
	union {
		struct msg_head head;
		struct msg_attach attach;
		struct msg_resize resize;
		char bytes[PROTO_MAX_BYTES];
	};
};

static void drop_kilnd(struct monitor *m)
{
	close_fd(&m->control_fd);
	m->news &= ~(unsigned)NEWS_STATUS;
	m->n_detached = 0;
}

/* --- telling --------------------------------------------------------------------------------------- */

/* Return: false when it cannot be sent now */
static bool send_msg(struct monitor *m, const void *msg, size_t n, int fd)
{
	if (fd_send_msg(m->control_fd, msg, n, &fd, fd >= 0) >= 0)
		return true;
	if (errno != EAGAIN) {
		monitor_read_kilnd(m);   /* it has gone, but may have said something before: that we are released */
		drop_kilnd(m);
	}
	return false;
}

static bool send_status(struct monitor *m, enum msg_type type)
{
	struct msg_status msg = {
		.head = proto_head(type, sizeof msg), .record = m->record, .tty = m->is_tty,
		.stdin_open = streams_has_stdin(m->streams),
	};

	return send_msg(m, &msg, sizeof msg, m->pid > 0 ? m->pidfd : -1);
}

static bool send_exited(struct monitor *m)
{
	const struct strbuf *captured = streams_captured(m->streams);
	union {
		struct msg_exited msg;
		char bytes[sizeof(struct msg_exited) + MSG_CAPTURE_MAX];
	} u = { 0 };
	size_t n = offsetof(struct msg_exited, captured) + captured->len;

	BUG(captured->len > MSG_CAPTURE_MAX, "more is captured than a message holds");
	u.msg.head = proto_head(MSG_EXITED, n);
	u.msg.record = m->record;
	u.msg.n_captured = (uint32_t)captured->len;
	u.msg.is_timed_out = m->is_timed_out;
	if (captured->len > 0)
		memcpy(u.msg.captured, captured->data, captured->len);
	return send_msg(m, &u, n, -1);
}

static bool send_detached(struct monitor *m)
{
	struct msg_head msg = proto_head(MSG_DETACHED, sizeof msg);

	return send_msg(m, &msg, sizeof msg, -1);
}

static bool send_one(struct monitor *m, enum news what)
{
	switch (what) {
	case NEWS_STARTED: return send_status(m, MSG_STARTED);
	case NEWS_STATUS: return send_status(m, MSG_STATUS);
	case NEWS_EXITED: return send_exited(m);
	case NEWS_FAILED: return send_msg(m, &m->failure, sizeof m->failure, -1);
	}
	return true;
}

void monitor_send_news(struct monitor *m)
{
	static const enum news order[] = { NEWS_STARTED, NEWS_FAILED, NEWS_STATUS, NEWS_EXITED };

	for (size_t i = 0; i < ARRAY_SIZE(order) && m->control_fd >= 0; i++) {
		if (!(m->news & order[i]))
			continue;
		if (!send_one(m, order[i]))
			return;
		m->news &= ~(unsigned)order[i];
	}
	while (m->control_fd >= 0 && m->n_detached > 0 && send_detached(m))
		m->n_detached--;
}

/* --- listening ------------------------------------------------------------------------------------- */

static int on_status(struct monitor *m, struct question *q, struct err *e)
{
	(void)q;
	(void)e;
	m->news |= NEWS_STATUS;
	return 0;
}

static int on_attach(struct monitor *m, struct question *q, struct err *e)
{
	struct err why = { 0 };

	if (q->n_fds != 1)
		return err_set(e, ERR_INVALID, "attach: %zu descriptors", q->n_fds);
	if (streams_attach(m->streams, TAKE_FD(q->fds[0]), q->attach.flags, q->attach.detach_keys,
			   q->attach.prefix, q->attach.n_prefix, &why) < 0)
		log_warn("monitor: %s", why.msg);
	return 0;
}

static int on_resize(struct monitor *m, struct question *q, struct err *e)
{
	(void)e;
	streams_resize(m->streams, q->resize.height, q->resize.width);
	return 0;
}

static int on_release(struct monitor *m, struct question *q, struct err *e)
{
	(void)q;
	m->is_given_up = !m->is_reported;
	if (m->is_given_up)
		return err_set(e, ERR_INVALID, "release of a program whose end was not told");
	m->is_released = true;
	close_fd(&m->listen_fd);
	return 0;
}

static int (*const questions[MSG_TYPES_])(struct monitor *m, struct question *q, struct err *e) = {
	[MSG_STATUS] = on_status,
	[MSG_ATTACH] = on_attach,
	[MSG_RESIZE] = on_resize,
	[MSG_RELEASE] = on_release,
};

static int handle(struct monitor *m, struct question *q, struct err *e)
{
	int type = proto_check(q->bytes, q->n, e);

	if (type < 0)
		return -1;
	if (!questions[type])
		return err_set(e, ERR_INVALID, "message of type %d is not for a monitor", type);
	return questions[type](m, q, e);
}

/* Return: false when there is nothing more to read */
static bool read_one(struct monitor *m)
{
	struct question q = { .n = 0, .n_fds = 0 };
	struct err e = { 0 };
	ssize_t n = fd_recv_msg(m->control_fd, q.bytes, sizeof q.bytes, q.fds, ARRAY_SIZE(q.fds), &q.n_fds);

	if (n < 0 && errno == EAGAIN)
		return false;
	q.n = n > 0 ? (size_t)n : 0;
	if (n <= 0 || handle(m, &q, &e) < 0) {
		if (n > 0)
			log_warn("monitor: %s, dropping the connection", e.msg);
		drop_kilnd(m);
	}
	for (size_t i = 0; i < q.n_fds; i++)
		close_fd(&q.fds[i]);
	return m->control_fd >= 0;
}

void monitor_read_kilnd(struct monitor *m)
{
	while (m->control_fd >= 0 && read_one(m))
		;
}

void monitor_accept(struct monitor *m)
{
	AUTO_CLOSE int fd = accept4(m->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t n = sizeof peer;

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0 || peer.uid != 0)
		return;
	drop_kilnd(m);
	m->control_fd = TAKE_FD(fd);
	m->is_given_up = false;
	m->news &= ~(unsigned)NEWS_STARTED;   /* the new one asks by itself */
	if (m->is_reported)
		m->news |= m->has_failed ? NEWS_FAILED : NEWS_EXITED;
}
