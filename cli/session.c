/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/signame.h"
#include "cli/stream.h"
#include "cli/tty.h"
#include "daemon/api.h"

enum { CHUNK_BYTES = 32 << 10 };

static void post(const struct session *s, const char *what)
{
	AUTO_STRBUF struct strbuf body = {0};
	AUTO_STRBUF struct strbuf path = {0};
	int status;

	strbuf_addf(&path, "%s/%s", s->path, what);
	api_request(s->host, "POST", path.data, NULL, &status, &body, ERR_IGNORED);
}

void session_resize(const struct session *s)
{
	uint16_t height, width;
	char what[64];

	if (!s->is_tty || !tty_size(&height, &width))
		return;
	snprintf(what, sizeof(what), "resize?h=%u&w=%u", height, width);
	post(s, what);
}

/* A signal that came to us is the container's. */
static void pass_signals(const struct session *s)
{
	struct signalfd_siginfo info;
	char name[16], what[48];

	while (read(s->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGWINCH) {
			session_resize(s);
			continue;
		}
		snprintf(what, sizeof(what), "kill?signal=%s", signame_text((int)info.ssi_signo, name));
		post(s, what);
	}
}

/* Returns false at the end of standard input. */
static bool pump_input(struct session *s, char *buf)
{
	ssize_t n = read(STDIN_FILENO, buf, CHUNK_BYTES);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n > 0 && fd_write_all(s->fd, buf, (size_t)n, ERR_IGNORED) == 0) {
		s->is_detached = s->is_tty && detach_keys_feed(&s->keys, buf, (size_t)n);
		return true;
	}
	if (n <= 0)
		shutdown(s->fd, SHUT_WR);
	return false;
}

/* Returns 1 to go on, 0 at the end of the stream, -1 with @e set. */
static int pump_output(struct session *s, char *buf, struct err *e)
{
	ssize_t n = read(s->fd, buf, CHUNK_BYTES);

	if (n < 0 && errno == EINTR)
		return 1;
	if (n < 0 && errno != ECONNRESET)
		return err_sys(e, "read the container's output");
	return n > 0 && stream_feed(&s->out, buf, (size_t)n) == 0;
}

int session_pump(struct session *s, const struct strbuf *prefix, struct err *e)
{
	AUTO_FREE char *buf = xmalloc(CHUNK_BYTES);
	struct pollfd fds[] = {
		{ s->fd, POLLIN, 0 },
		{ s->wants_stdin ? STDIN_FILENO : -1, POLLIN, 0 },
		{ s->signal_fd, POLLIN, 0 },
	};
	int status = 1;

	s->out.is_raw = s->is_tty;
	if (!s->wants_stdin)
		shutdown(s->fd, SHUT_WR);
	if (prefix->len && stream_feed(&s->out, prefix->data, prefix->len) < 0)
		return 0;
	while (status > 0 && !s->is_detached) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			return err_sys(e, "wait for the container");
		if (fds[2].revents)
			pass_signals(s);
		if (fds[1].revents && !pump_input(s, buf))
			fds[1].fd = -1;
		if (fds[0].revents)
			status = pump_output(s, buf, e);
	}
	return status < 0 ? -1 : 0;
}
