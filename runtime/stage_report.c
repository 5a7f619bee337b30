/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a child between clone and exec tells its parent: one message, one system call, then the end.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/stages.h"

/* Append, cut where it is full. Return: the new length */
static size_t stage_append(char *msg, size_t size, size_t len, const char *text)
{
	size_t n = strnlen(text, size - 1 - len);

	memcpy(msg + len, text, n);
	msg[len + n] = '\0';
	return len + n;
}

static _Noreturn void stage_tell(const struct stage_ctx *c, struct stage_msg *m, const char *what,
				 va_list parts)
{
	size_t len = 0;

	m->kind = STAGE_MSG_FAILED;
	m->stage = c->at;
	for (const char *part = what; part != NULL; part = va_arg(parts, const char *))
		len = stage_append(m->err.msg, sizeof(m->err.msg), len, part);
	/* When this fails the reader is gone, and with it everybody who would want to know. write: it may be a FIFO */
	(void)!write(c->report_fd, m, sizeof(*m));
	_exit(m->exit_code);
}

void stage_die(const struct stage_ctx *c, const char *what, ...)
{
	struct stage_msg m = { .exit_code = 125, .err.sys = errno };
	va_list parts;

	va_start(parts, what);
	stage_tell(c, &m, what, parts);
}

void stage_refuse(const struct stage_ctx *c, enum err_kind kind, int exit_code, int sys,
		  const char *what, ...)
{
	struct stage_msg m = { .exit_code = exit_code, .err = { .kind = kind, .sys = sys } };
	va_list parts;

	va_start(parts, what);
	stage_tell(c, &m, what, parts);
}

void stage_enter(struct stage_ctx *c, enum stage at)
{
	if (at <= c->at)
		stage_refuse(c, ERR_INTERNAL, 125, 0, "stages out of order", NULL);
	c->at = at;
}

/* Return: 0, or -1 with errno */
static int stage_send_fd(const struct stage_ctx *c, uint32_t kind, int fd)
{
	struct stage_msg m = { .kind = kind, .stage = c->at };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec data = { .iov_base = &m, .iov_len = sizeof(m) };
	struct msghdr msg = { .msg_iov = &data,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control.room) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&msg);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(int));
	return sendmsg(c->report_fd, &msg, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

void stage_send_pty(const struct stage_ctx *c, int master_fd)
{
	if (stage_send_fd(c, STAGE_MSG_PTY, master_fd) < 0)
		stage_die(c, "hand the terminal over", NULL);
}

void stage_send_listener(struct stage_ctx *c, int listener_fd, bool by_number)
{
	struct stage_msg m = { .kind = STAGE_MSG_LISTENER, .stage = c->at, .number = listener_fd };

	if (by_number ? write(c->report_fd, &m, sizeof(m)) != sizeof(m) : stage_send_fd(c, STAGE_MSG_LISTENER, listener_fd) < 0)
		stage_die(c, "hand the seccomp listener over", NULL);
	c->has_told_listener = true;
	c->listener_fd = by_number ? listener_fd : -1;
	/* Whoever sees us in the container must not get to answer for the agent */
	if (!by_number)
		close(listener_fd);
}
