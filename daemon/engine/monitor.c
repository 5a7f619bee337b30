/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/monitor.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/own.h"
#include "daemon/engine/wire.h"

struct monitor {
	struct wire *wire;
	const struct monitor_handlers *handlers;
	void *ctx;
	bool has_started, has_ended;
};

/* STATUS is what a monitor says that was there before us: it may tell a start, an end, or that it is still at it. */
static void on_started(struct monitor *m, const struct msg_status *msg, int *fds, size_t n_fds)
{
	if (m->has_started || m->has_ended || msg->record.phase != EXIT_RUNNING || n_fds < 1)
		return;
	m->has_started = true;
	m->handlers->started(m->ctx, &msg->record, TAKE_FD(fds[0]));
}

static void on_ended(struct monitor *m, const struct msg_head *head)
{
	const void *msg = head;

	if (m->has_ended)
		return;
	m->has_ended = true;
	if (head->type == MSG_FAILED)
		m->handlers->failed(m->ctx, msg);
	else
		m->handlers->exited(m->ctx, msg);
}

static void on_message(void *ctx, const struct msg_head *head, int *fds, size_t n_fds)
{
	struct monitor *m = ctx;
	const void *msg = head;

	switch ((enum msg_type)head->type) {
	case MSG_STATUS:
		if (head->bytes < sizeof(struct msg_status))
			return;
		on_started(m, msg, fds, n_fds);
		break;
	case MSG_STARTED:
		on_started(m, msg, fds, n_fds);
		break;
	case MSG_FAILED:
	case MSG_EXITED:
		on_ended(m, head);
		break;
	case MSG_DETACHED:
		if (m->handlers->detached)
			m->handlers->detached(m->ctx);
		break;
	default:
		log_warn("a monitor sent message %u, which it may not, ignoring", head->type);
	}
}

static void on_end(void *ctx)
{
	struct monitor *m = ctx;

	m->handlers->gone(m->ctx);
}

struct monitor *monitor_new(struct loop *l, int fd, const struct monitor_handlers *h, void *ctx)
{
	struct monitor *m = xcalloc(1, sizeof *m);

	*m = (struct monitor){ .handlers = h, .ctx = ctx };
	m->wire = wire_new(l, "monitor", fd, on_message, on_end, m);
	return m;
}

void monitor_free(struct monitor *m)
{
	if (!m)
		return;
	wire_free(TAKE_PTR(m->wire));
	free(m);
}

void monitor_attach(struct monitor *m, const struct monitor_attach *a)
{
	union {
		struct msg_attach msg;
		char bytes[sizeof(struct msg_attach) + ATTACH_PREFIX_MAX];
	} buf = { .msg = { .flags = a->flags } };
	size_t n_prefix = a->n_prefix;
	size_t n;

	BUG(n_prefix > ATTACH_PREFIX_MAX, "%zu bytes before an attach", n_prefix);
	n = offsetof(struct msg_attach, prefix) + n_prefix;
	wire_head(&buf.msg.head, MSG_ATTACH, n);
	buf.msg.n_prefix = (uint32_t)n_prefix;
	if (a->detach_keys)
		snprintf(buf.msg.detach_keys, sizeof buf.msg.detach_keys, "%s", a->detach_keys);
	if (n_prefix)
		memcpy(buf.bytes + offsetof(struct msg_attach, prefix), a->prefix, n_prefix);
	wire_send(m->wire, &buf, n, &a->fd, 1);
}

void monitor_resize(struct monitor *m, uint16_t height, uint16_t width)
{
	struct msg_resize msg = { .height = height, .width = width };

	wire_head(&msg.head, MSG_RESIZE, sizeof msg);
	wire_send(m->wire, &msg, sizeof msg, NULL, 0);
}

static void send_head(struct monitor *m, enum msg_type type)
{
	struct msg_head msg;

	wire_head(&msg, type, sizeof msg);
	wire_send(m->wire, &msg, sizeof msg, NULL, 0);
}

void monitor_ask_status(struct monitor *m)
{
	send_head(m, MSG_STATUS);
}

void monitor_release(struct monitor *m)
{
	send_head(m, MSG_RELEASE);
}
