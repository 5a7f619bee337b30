/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * Three things may be there or not: our child (the process that we started, until it is reaped), a
 * connection, and a greeting. tick() is the one place that brings them up, called by a timer that
 * runs while we are not up: connect; if nothing listens and we have no child, start one. A child is
 * the launcher itself: it lives on when kilnd ends, and the next kilnd finds it by its socket.
 */
#include "daemon/engine/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/own.h"
#include "base/spawn.h"
#include "daemon/engine/wire.h"

#define SOCKET_NAME   "l/launcher.sock"
#define TICK_FIRST_MS 5
#define TICK_MAX_MS   1000
#define SPAWN_WAIT_MS 5000  /* a child that does not listen by then is started again */
#define WAIT_MAX_MS   15000 /* how long a launch waits for a launcher */
#define MY_BUILD      KILN_VERSION

struct parked {
	struct parked *next;
	struct msg_launch msg;
	int64_t until_ms;
	size_t n_fds;
	int fds[FD_MSG_MAX];
};

struct cleaning {
	struct cleaning *next;
	struct msg_clean msg;
	engine_done_fn done;
	void *ctx;
};

struct launcher {
	const struct engine_config *cfg;
	struct loop *loop;
	const struct launcher_handlers *handlers;
	void *ctx;
	struct wire *wire;
	bool is_up;     /* greeted */
	pid_t peer_pid; /* of the launcher that we talk, or talked, to */
	unsigned generation, greeted_generation;
	pid_t pid; /* our child; 0: none */
	int pidfd;
	struct loop_watch *child_watch;
	int64_t spawned_ms;
	struct loop_timer *timer;
	uint64_t tick_ms;
	struct parked *parked;
	struct cleaning *cleanings; /* asked, unanswered; asked again over a new connection */
};

static void tick_later(struct launcher *la)
{
	loop_timer_start(la->timer, la->tick_ms, 0);
	la->tick_ms = la->tick_ms * 2 > TICK_MAX_MS ? TICK_MAX_MS : la->tick_ms * 2;
}

/* ---- the process ---- */

static void forget_child(struct launcher *la)
{
	loop_watch_free(TAKE_PTR(la->child_watch));
	close_fd(&la->pidfd);
	la->pid = 0;
}

static void on_child_ended(void *ctx, unsigned events)
{
	struct launcher *la = ctx;
	siginfo_t info = { 0 };

	(void)events;
	if (waitid(P_PIDFD, (id_t)la->pidfd, &info, WEXITED | WNOHANG) < 0 && errno == EINTR)
		return;
	if (info.si_pid == 0 && errno != ECHILD)
		return;
	log_warn("launcher %d ended (%s %d)", la->pid,
		 info.si_code == CLD_EXITED ? "status" : "signal", info.si_status);
	forget_child(la);
	if (!la->wire)
		tick_later(la);
}

static int start_child(struct launcher *la, struct err *e)
{
	AUTO_CLOSE int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	const char *argv[] = {
		"kiln-runtime", "launcher",         "--data-root", la->cfg->data_root,
		"--exec-root",  la->cfg->exec_root, NULL
	};
	const struct spawn_fd fds[] = { { null_fd, 0 }, { null_fd, 1 }, { STDERR_FILENO, 2 } };
	const struct spawn_request req = {
		.path = la->cfg->runtime_path,
		.argv = (char *const *)(uintptr_t)argv,
		.fds = fds,
		.n_fds = ARRAY_SIZE(fds),
	};

	if (null_fd < 0)
		return err_sys(e, "open '/dev/null'");
	if (spawn_exec(&req, &la->pid, &la->pidfd, e) < 0)
		return err_wrap(e, "start the launcher '%s'", la->cfg->runtime_path);
	la->spawned_ms = loop_now_ms(la->loop);
	la->child_watch = loop_watch_new(la->loop, "launcher process", la->pidfd, LOOP_READ,
					 on_child_ended, la);
	log_info("launcher %d started", la->pid);
	return 0;
}

/* ---- launches ---- */

static void parked_free(struct parked *p)
{
	for (size_t i = 0; i < p->n_fds; i++)
		close_fd(&p->fds[i]);
	free(p);
}

static void parked_expire(struct launcher *la)
{
	int64_t now_ms = loop_now_ms(la->loop);

	while (la->parked && la->parked->until_ms <= now_ms) {
		struct parked *p = la->parked;

		la->parked = p->next;
		parked_free(p);
	}
}

static void parked_send(struct launcher *la)
{
	while (la->parked) {
		struct parked *p = la->parked;

		la->parked = p->next;
		wire_send(la->wire, &p->msg, sizeof p->msg, p->fds, p->n_fds);
		free(p);
	}
}

static void park(struct launcher *la, const struct msg_launch *msg, const int *fds, size_t n_fds)
{
	struct parked *p = xcalloc(1, sizeof *p);
	struct parked **at = &la->parked;

	BUG(n_fds > FD_MSG_MAX, "%zu descriptors in one message", n_fds);
	p->msg = *msg;
	p->until_ms = loop_now_ms(la->loop) + WAIT_MAX_MS;
	p->n_fds = n_fds;
	memcpy(p->fds, fds, n_fds * sizeof *fds);
	while (*at)
		at = &(*at)->next;
	*at = p;
}

void launcher_send(struct launcher *la, enum msg_type type, const char *id, const int *fds,
		   size_t n_fds)
{
	struct msg_launch msg = { 0 };

	wire_head(&msg.head, type, sizeof msg);
	memcpy(msg.id, id, PROTO_ID_LEN);
	if (la->is_up)
		wire_send(la->wire, &msg, sizeof msg, fds, n_fds);
	else
		park(la, &msg, fds, n_fds);
}

/* ---- cleaning ---- */

void launcher_clean(struct launcher *la, const char *id, const char *cgroup_path,
		    engine_done_fn done, void *ctx)
{
	struct cleaning *c = xcalloc(1, sizeof *c);

	wire_head(&c->msg.head, MSG_CLEAN, sizeof c->msg);
	memcpy(c->msg.id, id, PROTO_ID_LEN);
	snprintf(c->msg.cgroup_path, sizeof c->msg.cgroup_path, "%s", cgroup_path);
	c->done = done;
	c->ctx = ctx;
	c->next = la->cleanings;
	la->cleanings = c;
	if (la->is_up)
		wire_send(la->wire, &c->msg, sizeof c->msg, NULL, 0);
}

bool launcher_is_cleaning(const struct launcher *la, const char *id)
{
	for (const struct cleaning *c = la->cleanings; c; c = c->next) {
		if (strcmp(c->msg.id, id) == 0)
			return true;
	}
	return false;
}

static void on_cleaned(struct launcher *la, const struct msg_clean *m)
{
	for (struct cleaning **at = &la->cleanings; *at; at = &(*at)->next) {
		struct cleaning *c = *at;

		if (strcmp(c->msg.id, m->id) != 0)
			continue;
		*at = c->next;
		c->done(c->ctx, &m->err);
		free(c);
		return;
	}
}

/* ---- the connection ---- */

static void disconnect(struct launcher *la)
{
	wire_free(TAKE_PTR(la->wire));
	la->is_up = false;
	la->tick_ms = TICK_FIRST_MS;
	tick_later(la);
}

static void on_end(void *ctx)
{
	struct launcher *la = ctx;

	log_warn("the launcher is gone; connecting again");
	disconnect(la);
}

static void on_hello(struct launcher *la, const struct msg_hello *m)
{
	struct msg_head bye;

	if (strncmp(m->build, MY_BUILD, sizeof MY_BUILD) != 0) {
		log_info("launcher is build '%.40s', we are '%s': replacing it", m->build, MY_BUILD);
		wire_head(&bye, MSG_SHUTDOWN, sizeof bye);
		wire_send(la->wire, &bye, sizeof bye, NULL, 0);
		return; /* it closes the connection and no longer listens */
	}
	la->is_up = true;
	la->tick_ms = TICK_FIRST_MS;
	loop_timer_stop(la->timer);
	/* In this order: what is cleaned must not be what is launched right behind it. */
	for (struct cleaning *c = la->cleanings; c; c = c->next)
		wire_send(la->wire, &c->msg, sizeof c->msg, NULL, 0);
	if (la->greeted_generation != 0 && la->greeted_generation != la->generation)
		la->handlers->renewed(la->ctx);
	la->greeted_generation = la->generation;
	parked_send(la);
}

static void on_message(void *ctx, const struct msg_head *head, int *fds, size_t n_fds)
{
	struct launcher *la = ctx;
	const void *m = head;

	(void)fds;
	(void)n_fds;
	switch ((enum msg_type)head->type) {
	case MSG_HELLO:
		on_hello(la, m);
		break;
	case MSG_CLEANED:
		on_cleaned(la, m);
		break;
	case MSG_ORPHAN:
		la->handlers->orphan(la->ctx, ((const struct msg_orphan *)m)->id);
		break;
	case MSG_ORPHAN_EXITED:
		la->handlers->orphan_exited(la->ctx, ((const struct msg_orphan *)m)->id);
		break;
	default:
		log_warn("launcher sent message %u, which it may not; disconnecting", head->type);
		disconnect(la);
	}
}

/* Who it is, and that it is root's. */
static int check_peer(struct launcher *la, int fd, struct err *e)
{
	struct ucred cred = { .uid = (uid_t)-1 };
	socklen_t n = sizeof cred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
		return err_sys(e, "the launcher's socket");
	if (cred.uid != geteuid())
		return err_set(e, ERR_DENIED, "the launcher's socket belongs to another user");
	if (cred.pid != la->peer_pid)
		la->generation++;
	la->peer_pid = cred.pid;
	return 0;
}

static int greet(struct launcher *la, struct err *e)
{
	AUTO_CLOSE int fd = -1;
	struct msg_hello hello = { .build = MY_BUILD };

	if (fd_connect_unix(la->cfg->exec_root_fd, SOCKET_NAME, SOCK_SEQPACKET, &fd, e) < 0)
		return -1;
	if (check_peer(la, fd, e) < 0)
		return -1;
	wire_head(&hello.head, MSG_HELLO, sizeof hello);
	la->wire = wire_new(la->loop, "launcher", TAKE_FD(fd), on_message, on_end, la);
	wire_send(la->wire, &hello, sizeof hello, NULL, 0);
	return 0;
}

/* The timer runs on until the greeting is answered, so that parked launches expire. */
static void connect_or_start(struct launcher *la)
{
	struct err e = { 0 };

	tick_later(la);
	if (la->wire || greet(la, &e) == 0)
		return;
	if (la->pid > 0 && loop_now_ms(la->loop) - la->spawned_ms < SPAWN_WAIT_MS)
		return;
	if (la->pid > 0) {
		log_warn("launcher %d does not listen (%s); killing it", la->pid, e.msg);
		la->spawned_ms = loop_now_ms(la->loop);
		pidfd_send_signal(la->pidfd, SIGKILL, NULL, 0);
		return;
	}
	if (start_child(la, &e) < 0)
		log_err("%s; trying again", e.msg);
}

static void tick(void *ctx)
{
	struct launcher *la = ctx;

	parked_expire(la);
	if (!la->is_up)
		connect_or_start(la);
}

struct launcher *launcher_new(const struct engine_config *cfg, struct loop *l,
			      const struct launcher_handlers *h, void *ctx)
{
	struct launcher *la = xcalloc(1, sizeof *la);

	*la = (struct launcher){ .cfg = cfg, .loop = l, .handlers = h, .ctx = ctx, .pidfd = -1 };
	la->tick_ms = TICK_FIRST_MS;
	la->timer = loop_timer_new(l, "launcher", tick, la);
	connect_or_start(la);
	return la;
}

void launcher_free(struct launcher *la)
{
	if (!la)
		return;
	wire_free(TAKE_PTR(la->wire));
	loop_timer_free(TAKE_PTR(la->timer));
	forget_child(la);
	while (la->parked) {
		struct parked *p = la->parked;

		la->parked = p->next;
		parked_free(p);
	}
	while (la->cleanings) {
		struct cleaning *c = la->cleanings;

		la->cleanings = c->next;
		free(c);
	}
	free(la);
}

bool launcher_is_up(const struct launcher *la)
{
	return la->is_up;
}

unsigned launcher_generation(const struct launcher *la)
{
	return la->generation;
}
