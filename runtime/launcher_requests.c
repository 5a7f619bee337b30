/* SPDX-License-Identifier: Apache-2.0 */
/* What kilnd asks of the launcher. The table at the end of the file is what it may ask; the default is refuse. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defence.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "runtime/launcher_parts.h"

/* One message of kilnd with its descriptors, which close unless taken. */
struct request {
	union {
		struct msg_head head;
		struct msg_launch launch;
		struct msg_clean clean;
		struct msg_log log;
		char bytes[PROTO_MAX_BYTES];
	};
	size_t n;
	int fds[FD_MSG_MAX];
	size_t n_fds;
};

/* --- telling kilnd --------------------------------------------------------------------------------- */

void launcher_drop_kilnd(struct launcher *l)
{
	close_fd(&l->kilnd_fd);
	l->has_hello = false;
}

/* A kilnd that does not read is as good as gone: it learns all of it again when it comes back. */
void launcher_tell(struct launcher *l, const void *msg, size_t n, int fd)
{
	if (l->kilnd_fd < 0 || !l->has_hello)
		return;
	if (fd_send_msg(l->kilnd_fd, msg, n, &fd, fd >= 0) < 0) {
		log_warn("launcher: tell kilnd: %s, dropping the connection", strerror(errno));
		launcher_drop_kilnd(l);
	}
}

void launcher_tell_orphan(struct launcher *l, const struct slot *s, enum msg_type type)
{
	struct msg_orphan msg = { .head = proto_head(type, sizeof msg), .pid = s->page->marks.init };
	AUTO_CLOSE int pidfd = -1;

	memcpy(msg.id, s->id, sizeof msg.id);
	if (type == MSG_ORPHAN)
		pidfd = (int)syscall(SYS_pidfd_open, s->page->marks.init, 0);
	launcher_tell(l, &msg, sizeof msg, pidfd);
}

/* --- launches -------------------------------------------------------------------------------------- */

static void refuse_launch(struct request *r, const struct err *e)
{
	struct msg_failed msg = { .head = proto_head(MSG_FAILED, sizeof msg), .exit_code = 125, .err = *e };

	if (r->n_fds > 2)
		fd_send_msg(r->fds[2], &msg, sizeof msg, NULL, 0);
}

static int start_monitor(struct launcher *l, struct request *r, struct err *e)
{
	bool is_exec = r->head.type == MSG_EXEC;
	struct order o = { .is_exec = is_exec };
	int record_fd;
	size_t index;
	pid_t pid;

	if (r->n_fds < 3 || (is_exec && r->n_fds != 4))
		return err_set(e, ERR_INVALID, "launch: %zu descriptors", r->n_fds);
	if (!str_is_hex(r->launch.id, PROTO_ID_LEN))
		return err_set(e, ERR_INVALID, "launch: malformed id");
	if (l->is_ending)
		return err_set(e, ERR_CONFLICT, "launch: this launcher is being replaced");
	if (!is_exec && slots_is_running(&l->slots, r->launch.id))
		return err_set(e, ERR_CONFLICT, "launch: container '%s' is running", r->launch.id);
	record_fd = fcntl(r->fds[1], F_DUPFD_CLOEXEC, 3);
	if (record_fd < 0)
		return err_sys(e, "launch: keep the exit record");
	record_fd = launcher_keep_high(record_fd);
	if (slots_take(&l->slots, r->launch.id, is_exec, record_fd, &index, e) < 0)
		return -1;
	o.slot = (uint32_t)index;
	o.clears_group = !is_exec && launcher_is_unclean(l, r->launch.id);
	memcpy(o.id, r->launch.id, sizeof o.id);
	pid = launcher_fork_monitor(l, &o, r->fds, r->n_fds);
	if (pid < 0) {
		err_sys(e, "launch: fork a monitor");
		slots_free(&l->slots, &l->slots.v[index]);
		return -1;
	}
	l->slots.v[index].monitor = pid;
	l->newest = index;
	l->newest_ns = clock_mono_ns();
	if (!is_exec)
		launcher_clean_is_others(l, r->launch.id);
	return 0;
}

static int on_launch(struct launcher *l, struct request *r, struct err *e)
{
	struct err why = { 0 };

	(void)e;
	/* What the previous monitor of this container asked for before it told kilnd of the end is done first. */
	launcher_read_pokes(l);
	if (start_monitor(l, r, &why) < 0) {
		log_warn("launcher: '%s': %s", r->launch.id, why.msg);
		refuse_launch(r, &why);
	}
	return 0;
}

/* --- other requests -------------------------------------------------------------------------------- */

static int on_hello(struct launcher *l, struct request *r, struct err *e)
{
	struct msg_hello msg = { .head = proto_head(MSG_HELLO, sizeof msg) };
	struct stat root = { 0 };

	(void)r;
	(void)e;
	l->has_hello = true;
	/* One that cannot be seen any more is nobody's. */
	(void)stat(l->data_root, &root);
	proto_build(&root, l->stems.max, msg.build);
	launcher_tell(l, &msg, sizeof msg, -1);
	for (size_t i = 0; i < l->slots.n; i++) {
		if (l->slots.v[i].in_use && l->slots.v[i].is_orphan)
			launcher_tell_orphan(l, &l->slots.v[i], MSG_ORPHAN);
	}
	return 0;
}

/* Return: is it running? Whoever asks looks into its record next. */
static bool is_running(struct launcher *l, const char *id)
{
	for (size_t i = 0; i < l->slots.n; i++) {
		struct slot *s = &l->slots.v[i];

		if (s->in_use && !s->is_exec && str_eq(s->id, id))
			launcher_note_orphan(s);
	}
	return slots_is_running(&l->slots, id);
}

static int on_clean(struct launcher *l, struct request *r, struct err *e)
{
	struct msg_clean msg = r->clean;

	(void)e;
	launcher_read_pokes(l);
	msg.head = proto_head(MSG_CLEANED, sizeof msg);
	memset(&msg.err, 0, sizeof msg.err);
	if (!launcher_is_group_of(msg.cgroup_path, sizeof msg.cgroup_path, msg.id))
		err_set(&msg.err, ERR_INVALID, "clean: '%s' is no group of '%s'", msg.cgroup_path, msg.id);
	else if (is_running(l, msg.id))
		err_set(&msg.err, ERR_CONFLICT, "clean: container '%s' is running", msg.id);
	if (msg.err.kind != ERR_NONE)
		launcher_tell(l, &msg, sizeof msg, -1);
	else
		launcher_clean(l, msg.id, msg.cgroup_path, true);
	return 0;
}

/* The next launcher can bind the name as soon as kilnd reads the end of this connection. */
void launcher_end(struct launcher *l)
{
	AUTO_FREE char *path = xasprintf("%s/" LAUNCHER_SOCKET_DIR "/" LAUNCHER_SOCKET_NAME, l->exec_root);

	if (l->is_ending)
		return;
	l->is_ending = true;
	stems_drop(&l->stems);
	if (l->listen_fd >= 0)
		unlink(path);
	close_fd(&l->listen_fd);
	launcher_drop_kilnd(l);
	log_info("launcher: ending, %zu monitors left", l->slots.n_in_use);
}

static int on_shutdown(struct launcher *l, struct request *r, struct err *e)
{
	(void)r;
	(void)e;
	launcher_end(l);
	return 0;
}

static int on_log(struct launcher *l, struct request *r, struct err *e)
{
	if (r->log.level > LOG_LVL_DEBUG)
		return err_set(e, ERR_INVALID, "there is no log level %u", r->log.level);
	if (r->log.level == l->log_level && (r->log.is_json != 0) == l->log_is_json)
		return 0;
	l->log_level = r->log.level;
	l->log_is_json = r->log.is_json != 0;
	log_set_level(l->log_level);
	log_set_json(l->log_is_json);
	stems_renew(&l->stems);   /* they log as the launcher did when they were forked */
	return 0;
}

/* What kilnd may ask. */
static const struct {
	bool before_hello;
	int (*handle)(struct launcher *l, struct request *r, struct err *e);
} requests[MSG_TYPES_] = {
	[MSG_HELLO] = { true, on_hello },
	[MSG_LAUNCH] = { false, on_launch },
	[MSG_EXEC] = { false, on_launch },
	[MSG_CLEAN] = { false, on_clean },
	[MSG_SHUTDOWN] = { false, on_shutdown },
	[MSG_LOG] = { false, on_log },
};

static int handle(struct launcher *l, struct request *r, struct err *e)
{
	int type = proto_check(r->bytes, r->n, e);

	if (type < 0)
		return -1;
	if (!requests[type].handle || requests[type].before_hello == l->has_hello)
		return err_set(e, ERR_INVALID, "message of type %d is not allowed here", type);
	return requests[type].handle(l, r, e);
}

void launcher_read_kilnd(struct launcher *l)
{
	static struct request r;
	struct err e = { 0 };
	ssize_t n;

	r.n_fds = 0;
	n = fd_recv_msg(l->kilnd_fd, r.bytes, sizeof r.bytes, r.fds, FD_MSG_MAX, &r.n_fds);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		if (n < 0)
			log_warn("launcher: read from kilnd: %s, dropping the connection", strerror(errno));
		launcher_drop_kilnd(l);
		return;
	}
	r.n = (size_t)n;
	if (handle(l, &r, &e) < 0) {
		log_warn("launcher: %s, dropping the connection", e.msg);
		launcher_drop_kilnd(l);
	}
	for (size_t i = 0; i < r.n_fds; i++)
		close_fd(&r.fds[i]);
}

void launcher_accept(struct launcher *l)
{
	AUTO_CLOSE int fd = accept4(l->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t n = sizeof peer;

	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0 || DEFENCE(PEER_IS_ROOT, peer.uid != 0, false)) {
		log_warn("launcher: refused a connection of user %d", (int)peer.uid);
		return;
	}
	launcher_drop_kilnd(l);
	l->kilnd_fd = TAKE_FD(fd);
}
