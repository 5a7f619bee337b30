/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/exec_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/own.h"
#include "daemon/engine/host_facts.h"
#include "daemon/engine/later.h"
#include "daemon/engine/launcher.h"

#define EXEC_FDS       4 /* document, exit record, control socket, the container */
#define RECORD_TICK_MS 50
#define RECONNECTS_MAX 8
#define RECORD_TICKS   40 /* 2 s without a living process and without a record: lost */

struct exec_run {
	struct exec_run *next;
	struct engine *eng;
	char id[65];
	const struct exec_run_handlers *handlers; /* NULL: abandoned */
	void *ctx;
	struct monitor *monitor;  /* NULL: gone */
	int pidfd;                /* owned; of the program, from its start on; -1 */
	struct loop_timer *timer; /* reads the record when the monitor has died */
	unsigned n_ticks;
	unsigned n_reconnects;
	bool has_started, is_over;
};

static void rel_name(const char *id, const char *ending, char out[CONTAINER_REL_MAX])
{
	snprintf(out, CONTAINER_REL_MAX, "x/%s.%s", id, ending);
}

void exec_run_sweep(struct engine *eng, const char *id)
{
	static const char *const endings[] = { "exit", "json", "sock" };
	char name[CONTAINER_REL_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		rel_name(id, endings[i], name);
		unlinkat(eng->cfg.exec_root_fd, name, 0);
	}
}

static void run_free(struct exec_run *x)
{
	for (struct exec_run **at = &x->eng->first_run; *at; at = &(*at)->next) {
		if (*at != x)
			continue;
		*at = x->next;
		break;
	}
	monitor_free(TAKE_PTR(x->monitor));
	loop_timer_free(TAKE_PTR(x->timer));
	close_fd(&x->pidfd);
	free(x);
}

/* After its end was told: freed when the owner has let go and the monitor is gone. */
static void run_try_free(struct exec_run *x)
{
	if (!x->is_over || x->handlers || x->monitor)
		return;
	exec_run_sweep(x->eng, x->id);
	run_free(x);
}

/* ---- what the monitor tells ---- */

static void on_started(void *ctx, const struct exit_record *rec, int pidfd)
{
	struct exec_run *x = ctx;

	close_fd(&x->pidfd);
	x->pidfd = pidfd;
	if (x->handlers && !x->has_started)
		x->handlers->started(x->ctx, rec->pid);
	x->has_started = true;
}

/* Owners may abandon inside the call: the run itself is freed only by run_try_free(). */
static void on_failed(void *ctx, const struct msg_failed *m)
{
	struct exec_run *x = ctx;

	if (x->is_over)
		return;
	if (x->handlers)
		x->handlers->failed(x->ctx, m->exit_code, &m->err);
	x->is_over = true;
	if (x->monitor)
		monitor_release(x->monitor);
}

static void on_exited(void *ctx, const struct msg_exited *m)
{
	struct exec_run *x = ctx;

	if (x->is_over)
		return;
	if (x->handlers)
		x->handlers->exited(x->ctx, m);
	x->is_over = true;
	if (x->monitor)
		monitor_release(x->monitor);
}

static void record_read(const struct exec_run *x, struct exit_record *ret)
{
	char name[CONTAINER_REL_MAX];
	AUTO_CLOSE int fd = -1;

	memset(ret, 0, sizeof *ret);
	rel_name(x->id, "exit", name);
	fd = openat(x->eng->cfg.exec_root_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || exitrec_read(fd, ret, ERR_IGNORED) < 0)
		ret->phase = EXIT_NONE;
}

static void run_lost(struct exec_run *x)
{
	if (x->handlers)
		x->handlers->lost(x->ctx);
	x->is_over = true;
	run_try_free(x);
}

static void record_tick(void *ctx)
{
	struct exec_run *x = ctx;
	struct exit_record by_kernel = { 0 };
	struct msg_exited m = { 0 };
	bool is_reaped;

	/* The kernel first: whoever reaps has written the record by then, if he is one of ours. */
	is_reaped = x->pidfd >= 0 && exitrec_ask_kernel(x->pidfd, &by_kernel);
	record_read(x, &m.record);
	if (m.record.phase != EXIT_DONE && is_reaped)
		m.record = by_kernel;
	if (m.record.phase == EXIT_DONE) {
		on_exited(x, &m);
		run_try_free(x);
		return;
	}
	if (m.record.phase == EXIT_RUNNING && exitrec_is_alive(&m.record))
		x->n_ticks = 0;
	if (++x->n_ticks > RECORD_TICKS)
		run_lost(x);
	else
		loop_timer_start(x->timer, RECORD_TICK_MS, 0);
}

static const struct monitor_handlers run_monitor_handlers;

/* It may have lost no more than its connection: then it still listens. */
static bool is_back(struct exec_run *x)
{
	char name[CONTAINER_REL_MAX];
	int fd = -1;

	rel_name(x->id, "sock", name);
	if (x->n_reconnects++ >= RECONNECTS_MAX ||
	    fd_connect_unix(x->eng->cfg.exec_root_fd, name, SOCK_SEQPACKET, &fd, ERR_IGNORED) < 0)
		return false;
	x->monitor = monitor_new(x->eng->loop, fd, &run_monitor_handlers, x);
	if (x->is_over)
		monitor_release(x->monitor);
	else
		monitor_ask_status(x->monitor);
	return true;
}

static void on_gone(void *ctx)
{
	struct exec_run *x = ctx;

	monitor_free(TAKE_PTR(x->monitor));
	if (is_back(x))
		return;
	if (x->is_over) {
		run_try_free(x);
		return;
	}
	x->timer = loop_timer_new(x->eng->loop, "exit record of an exec", record_tick, x);
	loop_timer_start(x->timer, 1, 0);
}

static const struct monitor_handlers run_monitor_handlers = {
	.started = on_started,
	.failed = on_failed,
	.exited = on_exited,
	.gone = on_gone,
};

bool exec_run_orphan_exited(struct engine *eng, const char *id)
{
	for (struct exec_run *x = eng->first_run; x; x = x->next) {
		if (strcmp(x->id, id) != 0)
			continue;
		if (x->timer && !x->is_over)
			loop_timer_start(x->timer, 0, 0);
		return true;
	}
	return false;
}

/* ---- beginning ---- */

static struct exec_run *run_new(struct engine *eng, const char *id, int fd,
				const struct exec_run_handlers *h, void *ctx)
{
	struct exec_run *x = xcalloc(1, sizeof *x);

	*x = (struct exec_run){ .eng = eng, .handlers = h, .ctx = ctx, .next = eng->first_run, .pidfd = -1 };
	snprintf(x->id, sizeof x->id, "%s", id);
	x->monitor = monitor_new(eng->loop, fd, &run_monitor_handlers, x);
	eng->first_run = x;
	return x;
}

struct exec_run *exec_run_adopt(struct engine *eng, const char *id, int fd,
				const struct exec_run_handlers *h, void *ctx)
{
	struct exec_run *x = run_new(eng, id, fd, h, ctx);

	monitor_ask_status(x->monitor);
	return x;
}

static int make_record(struct engine *eng, const char *id, int *ret_fd, struct err *e)
{
	static const char empty[EXIT_RECORD_BYTES];
	char name[CONTAINER_REL_MAX];
	AUTO_CLOSE int fd = -1;

	rel_name(id, "exit", name);
	fd = openat(eng->cfg.exec_root_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "make the exit record '%s'", name);
	if (pwrite(fd, empty, sizeof empty, 0) != sizeof empty) {
		err_sys(e, "make the exit record '%s'", name);
		unlinkat(eng->cfg.exec_root_fd, name, 0);
		return -1;
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int make_document(struct container *c, const struct bundle_exec_input *asked, int *ret_fd,
			 struct err *e)
{
	const struct engine *eng = c->eng;
	const struct options_host facts = host_options(eng);
	const struct bundle_host host = { .hostname = eng->host.hostname, .caps = eng->host.caps, .facts = &facts,
					  .seccomp = eng->set.seccomp };
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_STRBUF struct strbuf text = { 0 };
	struct bundle_exec_input in = *asked;
	char name[CONTAINER_REL_MAX];
	struct exec_spec *spec;

	rel_name(in.id, "sock", name);
	in.container_id = c->id;
	in.options = c->opt;
	in.host = &host;
	in.data_root = eng->cfg.data_root;
	in.cgroup_parent = container_cgroup_base(c);
	in.socket_path = arena_printf(a, "%s/%s", eng->cfg.exec_root, name);
	if (bundle_exec(&in, a, &spec, e) < 0)
		return -1;
	json_emit(&exec_spec_schema, spec, &text);
	if (text.len > LAUNCH_MAX_BYTES)
		return err_set(e, ERR_INVALID, "the exec document is larger than %u bytes",
			       LAUNCH_MAX_BYTES);
	return fd_memfd_sealed("exec", text.data, text.len, ret_fd, e);
}

/* ---- on its way to the launcher ---- */

/* What the program is to be confined by may have been removed since the container began: a worker looks first. */
struct confined {
	struct engine *eng;
	char id[65];
	int fds[EXEC_FDS]; /* owned */
	struct err err;
};

static void confined_work(void *ctx)
{
	struct confined *k = ctx;

	apparmor_ensure(&k->err);
}

static void confined_done(void *ctx)
{
	struct confined *k = ctx;

	/* The launch fails then, and says so to whoever asked */
	if (k->err.kind != ERR_NONE)
		log_warn("%s, going on", k->err.msg);
	launcher_send(k->eng->launcher, MSG_EXEC, k->id, k->fds, EXEC_FDS);
	free(k);
}

static void confined_drop(void *ctx)
{
	struct confined *k = ctx;

	for (size_t i = 0; i < EXEC_FDS; i++)
		close_fd(&k->fds[i]);
	free(k);
}

/* @fds: taken */
static void send_exec(struct container *c, const char *id, const int fds[EXEC_FDS])
{
	struct confined *k;

	if (!str_eq(container_apparmor(c), OPTIONS_APPARMOR_DEFAULT)) {
		launcher_send(c->eng->launcher, MSG_EXEC, id, fds, EXEC_FDS);
		return;
	}
	k = xcalloc(1, sizeof *k);
	k->eng = c->eng;
	snprintf(k->id, sizeof k->id, "%s", id);
	memcpy(k->fds, fds, sizeof k->fds);
	later_work(c->eng, LOOP_JOB_SHORT, confined_work, confined_done, confined_drop, k);
}

int exec_run_begin(struct container *c, const struct bundle_exec_input *in,
		   const struct monitor_attach *client, const struct exec_run_handlers *h, void *ctx, struct exec_run **ret,
		   struct err *e)
{
	AUTO_CLOSE int spec_fd = -1, record_fd = -1, pidfd = -1;
	int pair[2] = { -1, -1 };
	int fds[EXEC_FDS];

	if (fd_check_spare(e) < 0 || make_document(c, in, &spec_fd, e) < 0)
		return -1;
	pidfd = fcntl(c->pidfd, F_DUPFD_CLOEXEC, 3);
	if (pidfd < 0)
		return err_sys(e, "container %.12s is not running", c->id);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "make a control socket");
	if (make_record(c->eng, in->id, &record_fd, e) < 0) {
		close_fd(&pair[0]);
		close_fd(&pair[1]);
		return -1;
	}
	fds[0] = TAKE_FD(spec_fd);
	fds[1] = TAKE_FD(record_fd);
	fds[2] = pair[1];
	fds[3] = TAKE_FD(pidfd);
	*ret = run_new(c->eng, in->id, pair[0], h, ctx);
	if (client)
		monitor_attach((*ret)->monitor, client);
	send_exec(c, in->id, fds);
	return 0;
}

void exec_run_resize(struct exec_run *x, uint16_t height, uint16_t width)
{
	if (x->monitor)
		monitor_resize(x->monitor, height, width);
}

/* Freed later from the loop, because it may be called from inside one of the run's own callbacks. */
static void free_later(void *ctx)
{
	run_try_free(ctx);
}

void exec_run_abandon(struct exec_run *x)
{
	if (!x)
		return;
	x->handlers = NULL;
	if (!x->monitor && x->is_over)
		later_defer(x->eng, free_later, x);
}

void exec_run_free_all(struct engine *eng)
{
	while (eng->first_run)
		run_free(eng->first_run);
}

struct exec_run *exec_run_next(struct exec_run *x)
{
	return x->next;
}

const char *exec_run_id(const struct exec_run *x)
{
	return x->id;
}
