/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/own.h"
#include "oci/runtime_config.h"
#include "runtime/front/instance.h"
#include "runtime/seccomp.h"

#define SEND_TIMEOUT_SEC 10

int agent_connect(const struct oci_config *config, struct agent *a, struct err *e)
{
	const struct oci_seccomp *s = config->linux_ != NULL ? config->linux_->seccomp : NULL;
	struct timeval limit = { .tv_sec = SEND_TIMEOUT_SEC };
	bool is_wanted = false;

	if (seccomp_wants_listener(s, &is_wanted, e) < 0)
		return -1;
	if (!is_wanted)
		return 0;
	if (fd_connect_unix(AT_FDCWD, s->listener_path, SOCK_STREAM | SOCK_NONBLOCK, &a->sock, e) < 0)
		return err_wrap(e, "linux.seccomp.listenerPath");
	if (fd_set_nonblock(a->sock, false) < 0 || setsockopt(a->sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return err_sys(e, "linux.seccomp.listenerPath: set up the connection");
	a->metadata = s->listener_metadata;
	return 0;
}

/* The specification's container process state. */
static void put_message(const struct agent *a, pid_t pid, struct strbuf *out)
{
	struct jw w;

	jw_init(&w, out);
	jw_obj(&w, NULL);
	jw_str(&w, "ociVersion", OCI_RUNTIME_VERSION);
	jw_arr(&w, "fds");
	jw_str(&w, NULL, "seccompFd");
	jw_arr_end(&w);
	jw_i64(&w, "pid", pid);
	if (!str_is_empty(a->metadata))
		jw_str(&w, "metadata", a->metadata);
	jw_obj(&w, "state");
	instance_put_state(&w, a->record, a->status);
	jw_i64(&w, "pid", a->container != 0 ? a->container : pid);
	jw_obj_end(&w);
	jw_obj_end(&w);
}

/* The descriptor goes with the first bytes. */
static int send_all(int sock, const struct strbuf *b, int fd, struct err *e)
{
	size_t at = 0;

	while (at < b->len) {
		ssize_t n = fd_send_msg(sock, b->data + at, b->len - at, &fd, at == 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return err_set(e, ERR_TIMEOUT, "linux.seccomp.listenerPath: nobody reads what is sent there, in %d seconds", SEND_TIMEOUT_SEC);
		if (n < 0)
			return err_sys(e, "linux.seccomp.listenerPath: send the listener");
		at += (size_t)n;
	}
	return 0;
}

static int take(void *ctx, pid_t pid, int fd, struct err *e)
{
	AUTO_STRBUF struct strbuf message = { 0 };
	struct agent *a = ctx;
	int done;

	put_message(a, pid, &message);
	done = send_all(a->sock, &message, fd, e);
	/* One message a connection */
	close_fd(&a->sock);
	return done;
}

struct listener_taker agent_taker(struct agent *a)
{
	return (struct listener_taker){ .take = a->sock >= 0 ? take : NULL, .ctx = a };
}

void agent_done(struct agent *a)
{
	close_fd(&a->sock);
}
