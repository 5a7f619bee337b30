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
#include "base/scopename.h"
#include "base/spawn.h"
#include "daemon/engine/wire.h"

#define SOCKET_NAME   "l/launcher.sock"
#define TICK_FIRST_MS 5
#define TICK_MAX_MS   1000
#define SPAWN_WAIT_MS 5000  /* a child that does not listen by then is started again */
#define SCOPE_WAIT_MS 12000 /* … with what systemd may take, which the launcher itself bounds */
#define HELLO_WAIT_MS 8000  /* one that does not answer a greeting by then hangs, and is killed */
#define WAIT_MAX_MS   15000 /* how long a launch waits for a launcher */
#define CLEAN_WAIT_MS 6500  /* how long a removal does: it itself gives up after five seconds */
#define GROUPS_MAX_BYTES 65536
#define STEADY_MS     1000 /* a connection that lived so long is not one of a launcher that drops us at once */

struct parked {
	struct parked *next;
	struct msg_launch msg;
	int64_t until_ms;
	size_t n_fds;
	int fds[FD_MSG_MAX];
};

struct cleaning {
	struct cleaning *next;
	int64_t until_ms;
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
	int64_t spawned_ms, greeted_ms, up_ms;
	char build[PROTO_BUILD_MAX]; /* what ours has to say */
	struct loop_timer *timer;
	uint64_t tick_ms;
	struct msg_log log; /* how it is to log; head.bytes 0: as it was started */
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

/* Is it to be in a scope of systemd's? */
static bool wants_scope(const struct launcher *la)
{
	return scopename_is_scope(la->cfg->cgroup_parent) && scopename_is_systemd();
}

static int start_child(struct launcher *la, struct err *e)
{
	AUTO_CLOSE int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	AUTO_FREE char *n_stems = xasprintf("%lld", (long long)la->cfg->stems);
	const char *argv[] = {
		"kiln-runtime", "launcher",         "--data-root", la->cfg->data_root,
		"--exec-root",  la->cfg->exec_root, "--log-level", la->cfg->log_level,
		"--log-format", la->cfg->log_format, "--stems", n_stems, NULL, NULL, NULL
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
	if (wants_scope(la)) {
		argv[12] = "--scope";
		argv[13] = la->cfg->cgroup_parent;
	}
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
	c->until_ms = loop_now_ms(la->loop) + CLEAN_WAIT_MS;
	c->next = la->cleanings;
	la->cleanings = c;
	if (la->is_up)
		wire_send(la->wire, &c->msg, sizeof c->msg, NULL, 0);
	if (la->is_up)   /* else it runs anyway */
		loop_timer_start(la->timer, TICK_MAX_MS, 0);
}

/* The group stays; the next launcher, or the next kilnd, sweeps it. */
static void cleanings_expire(struct launcher *la)
{
	const int64_t now_ms = loop_now_ms(la->loop);
	struct cleaning **at = &la->cleanings;

	while (*at) {
		struct cleaning *c = *at;
		struct err e = { 0 };

		if (c->until_ms > now_ms) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		err_set(&e, ERR_TIMEOUT, "remove control group '%s': no launcher has answered within %.1f s",
			c->msg.cgroup_path, CLEAN_WAIT_MS / 1000.0);
		c->done(c->ctx, &e);
		free(c);
		at = &la->cleanings;   /* who was told may have asked for more */
	}
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

static void send_log(struct launcher *la)
{
	if (la->log.head.bytes != 0)
		wire_send(la->wire, &la->log, sizeof la->log, NULL, 0);
}

void launcher_set_log(struct launcher *la, enum log_level level, bool is_json)
{
	la->log = (struct msg_log){ .level = (uint8_t)level, .is_json = is_json };
	wire_head(&la->log.head, MSG_LOG, sizeof la->log);
	if (la->is_up)
		send_log(la);
}

static void disconnect(struct launcher *la)
{
	wire_free(TAKE_PTR(la->wire));
	if (la->is_up && loop_now_ms(la->loop) - la->up_ms >= STEADY_MS)
		la->tick_ms = TICK_FIRST_MS;
	la->is_up = false;
	tick_later(la);
}

static void on_end(void *ctx)
{
	struct launcher *la = ctx;

	log_warn("the launcher is gone; connecting again");
	disconnect(la);
}

static void check_scope(struct launcher *la)
{
	AUTO_FREE char *path = xasprintf("/proc/%d/cgroup", la->peer_pid);
	AUTO_FREE char *text = NULL;

	if (!wants_scope(la))
		return;
	if (file_read(AT_FDCWD, path, GROUPS_MAX_BYTES, &text, NULL, ERR_IGNORED) < 0 ||
	    !scopename_has_process(text, la->cfg->cgroup_parent))
		la->handlers->unscoped(la->ctx);
}

static void on_hello(struct launcher *la, const struct msg_hello *m)
{
	struct msg_head bye;

	if (strncmp(m->build, la->build, sizeof la->build) != 0) {
		log_info("launcher is build '%.63s', we are '%s': replacing it", m->build, la->build);
		wire_head(&bye, MSG_SHUTDOWN, sizeof bye);
		wire_send(la->wire, &bye, sizeof bye, NULL, 0);
		return; /* it closes the connection and no longer listens */
	}
	check_scope(la);
	la->is_up = true;
	la->up_ms = loop_now_ms(la->loop);
	loop_timer_stop(la->timer);
	send_log(la); /* it may be of a kilnd before us, or older than a reload */
	if (la->cleanings)
		loop_timer_start(la->timer, TICK_MAX_MS, 0);
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
	struct msg_hello hello = { 0 };

	if (fd_connect_unix(la->cfg->exec_root_fd, SOCKET_NAME, SOCK_SEQPACKET, &fd, e) < 0)
		return -1;
	if (check_peer(la, fd, e) < 0)
		return -1;
	wire_head(&hello.head, MSG_HELLO, sizeof hello);
	memcpy(hello.build, la->build, sizeof hello.build);
	la->wire = wire_new(la->loop, "launcher", TAKE_FD(fd), on_message, on_end, la);
	la->greeted_ms = loop_now_ms(la->loop);
	wire_send(la->wire, &hello, sizeof hello, NULL, 0);
	return 0;
}

/* Whoever holds the socket is the launcher: its credentials are of when it began to listen, and it is still connected. */
static void kill_hung(struct launcher *la)
{
	AUTO_CLOSE int pidfd = pidfd_open(la->peer_pid, 0);

	log_err("launcher %d does not answer; killing it. Containers run on", la->peer_pid);
	if (pidfd < 0 || pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0)
		log_warn("kill launcher %d: %s", la->peer_pid, strerror(errno));
	disconnect(la);
}

/* The timer runs on until the greeting is answered, so that parked launches expire. */
static void connect_or_start(struct launcher *la)
{
	struct err e = { 0 };

	tick_later(la);
	if (la->wire && loop_now_ms(la->loop) - la->greeted_ms > HELLO_WAIT_MS)
		kill_hung(la);
	if (la->wire || greet(la, &e) == 0)
		return;
	if (la->pid > 0 && loop_now_ms(la->loop) - la->spawned_ms < (wants_scope(la) ? SCOPE_WAIT_MS : SPAWN_WAIT_MS))
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
	cleanings_expire(la);
	if (!la->is_up)
		connect_or_start(la);
	else if (la->cleanings)
		loop_timer_start(la->timer, TICK_MAX_MS, 0);
}

struct launcher *launcher_new(const struct engine_config *cfg, struct loop *l,
			      const struct launcher_handlers *h, void *ctx)
{
	struct launcher *la = xcalloc(1, sizeof *la);
	struct stat root = { 0 };

	*la = (struct launcher){ .cfg = cfg, .loop = l, .handlers = h, .ctx = ctx, .pidfd = -1 };
	(void)fstat(cfg->data_root_fd, &root);
	proto_build(&root, (size_t)cfg->stems, la->build);
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
