/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * Before the loop runs: all rows become containers; every monitor socket of a container is
 * connected and asked for its status; the first answers are awaited together, for at most
 * ASK_WAIT_MS. What a monitor says counts most, then the exit record on disk, then the kernel (is
 * that very process alive, in that very cgroup?). A monitor that has nothing to tell yet is kept
 * and heard later, on the loop, as always.
 */
#include "daemon/engine/adopt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/own.h"
#include "daemon/engine/container_record.h"
#include "daemon/engine/health.h"
#include "daemon/engine/image.h"
#include "daemon/engine/restart.h"
#include "daemon/engine/wire.h"

#define ASK_WAIT_MS     300   /* clients wait: whoever needs longer is heard on the loop */
#define CGROUP_TEXT_MAX 65536

/* ---- the decision ---- */

enum adopt_verdict adopt_decide(const struct adopt_facts *f)
{
	if (f->has_monitor) {
		switch (f->phase) {
		case EXIT_NONE:
			return ADOPT_STARTING;
		case EXIT_RUNNING:
			return ADOPT_RUNNING;
		case EXIT_DONE:
			return ADOPT_EXITED;
		}
	}
	if (f->phase == EXIT_DONE)
		return ADOPT_EXITED;
	if (f->phase == EXIT_RUNNING && f->is_alive)
		return ADOPT_DEGRADED;
	return f->was_starting ? ADOPT_STARTING : ADOPT_LOST;
}

/* Lines "N:controllers:/parent/<id>[/below]": the name must be a whole component. Return: where it is, or NULL */
static const char *find_group(const char *text, const char *id)
{
	size_t n_id = strlen(id);

	for (const char *at = strstr(text, id); at; at = strstr(at + 1, id)) {
		if (at > text && at[-1] == '/' &&
		    (at[n_id] == '\0' || at[n_id] == '\n' || at[n_id] == '/'))
			return at;
	}
	return NULL;
}

bool adopt_is_in_cgroup(const char *text, const char *id)
{
	return find_group(text, id) != NULL;
}

char *adopt_group_above(const char *text, const char *id)
{
	const char *end = find_group(text, id), *begin = end;

	while (begin && begin > text && begin[-1] != ':' && begin[-1] != '\n')
		begin--;
	return begin && end - begin > 1 ? xasprintf("%.*s", (int)(end - begin - 1), begin) : NULL;
}

/* ---- asking monitors ---- */

struct asked {
	struct container *c;
	int fd;    /* owned; -1: there is no monitor */
	int pidfd; /* owned; came with the status */
	bool has_answer;
	union {
		struct msg_head head;
		struct msg_status status;
		struct msg_exited exited;
		struct msg_failed failed;
		char bytes[PROTO_MAX_BYTES];
	} msg;
};

static void ask(struct asked *a)
{
	struct msg_head msg;
	char rel[CONTAINER_REL_MAX];

	a->fd = a->pidfd = -1;
	container_rel_socket(a->c->id, rel);
	if (fd_connect_unix(a->c->eng->cfg.exec_root_fd, rel, SOCK_SEQPACKET, &a->fd, ERR_IGNORED) <
	    0)
		return;
	wire_head(&msg, MSG_STATUS, sizeof msg);
	if (fd_send_msg(a->fd, &msg, sizeof msg, NULL, 0) < 0)
		close_fd(&a->fd);
}

static void take_answer(struct asked *a)
{
	size_t n_fds = 0;
	ssize_t n = fd_recv_msg(a->fd, a->msg.bytes, sizeof a->msg.bytes, &a->pidfd, 1, &n_fds);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || proto_check(a->msg.bytes, (size_t)n, ERR_IGNORED) < 0)
		close_fd(&a->fd);
	else
		a->has_answer = true;
}

/* Return: true when somebody is still to be heard */
static bool await_some(struct asked *all, size_t n, int wait_ms)
{
	struct pollfd *set = xcalloc(n + 1, sizeof *set);
	size_t n_open = 0;

	for (size_t i = 0; i < n; i++) {
		set[i] = (struct pollfd){ .fd = all[i].has_answer ? -1 : all[i].fd,
					  .events = POLLIN };
		n_open += set[i].fd >= 0;
	}
	if (n_open > 0 && poll(set, n, wait_ms) > 0) {
		for (size_t i = 0; i < n; i++) {
			if (set[i].revents)
				take_answer(&all[i]);
		}
	}
	free(set);
	return n_open > 0;
}

static void await_answers(struct asked *all, size_t n)
{
	int64_t until_ns = clock_mono_ns() + (int64_t)ASK_WAIT_MS * 1000000;

	for (;;) {
		int64_t left_ms = (until_ns - clock_mono_ns()) / 1000000;

		if (left_ms <= 0 || !await_some(all, n, (int)left_ms))
			return;
	}
}

/* ---- acting on the verdict ---- */

/* Return: owned; "" when it is gone */
static char *groups_of(pid_t pid)
{
	char *text = NULL;
	char path[40];

	snprintf(path, sizeof path, "/proc/%d/cgroup", pid);
	return file_read(AT_FDCWD, path, CGROUP_TEXT_MAX, &text, NULL, ERR_IGNORED) == 0 ? text : xstrdup("");
}

static bool is_alive_here(const struct container *c, const struct exit_record *rec)
{
	AUTO_FREE char *text = NULL;

	if (!exitrec_is_alive(rec))
		return false;
	text = groups_of(rec->pid);
	return adopt_is_in_cgroup(text, c->id);
}

/* A Kiln that kept no record of it may have run it elsewhere than this one would: /kiln, before there was a scope. */
static void learn_group(struct container *c, pid_t pid)
{
	AUTO_FREE char *text = NULL;

	if (c->priv->cgroup_base)
		return;
	text = groups_of(pid);
	c->priv->cgroup_base = adopt_group_above(text, c->id);
}

static void keep_monitor(struct asked *a)
{
	if (a->fd < 0)
		return;
	a->c->priv->monitor =
		monitor_new(a->c->eng->loop, TAKE_FD(a->fd), &container_monitor_handlers, a->c);
}

static void adopt_running(struct container *c, const struct exit_record *rec, int pidfd)
{
	learn_group(c, rec->pid);
	if (c->state == CT_STARTING) {
		container_on_started(c, rec, pidfd);
		return;
	}
	c->pid = rec->pid;
	c->pidfd = pidfd;
	c->started_wall_ns = rec->started_wall_ns;
	c->n_health_log = 0;
	health_begin(c, true);
}

static void adopt_degraded(struct container *c, const struct exit_record *rec)
{
	int pidfd = -1;

	if (c->state == CT_STARTING) { /* its monitor may have begun to listen since it was asked */
		container_read_record(c);
		return;
	}
	pidfd = pidfd_open(rec->pid, 0);
	if (pidfd >= 0 && is_alive_here(c, rec)) {
		adopt_running(c, rec, pidfd);
		container_watch_degraded(c);
		return;
	}
	close_fd(&pidfd);
	container_read_record(c); /* it has ended just now */
}

static void adopt_lost(struct container *c)
{
	const struct exit_record rec = { .phase = EXIT_DONE, .code = CONTAINER_LOST_CODE };

	c->priv->needs_clean = true;
	container_on_exited(c, &rec);
}

/* The monitor said it before it could be asked: an end. */
static bool take_early_end(struct asked *a)
{
	struct container *c = a->c;

	if (!a->has_answer || (a->msg.head.type != MSG_EXITED && a->msg.head.type != MSG_FAILED))
		return false;
	keep_monitor(a);
	if (a->msg.head.type == MSG_EXITED)
		container_on_exited(c, &a->msg.exited.record);
	else if (c->state == CT_STARTING)
		container_on_failed(c, a->msg.failed.exit_code, &a->msg.failed.err);
	return true;
}

static void find_facts(struct asked *a, struct exit_record *rec, struct adopt_facts *f)
{
	const struct container *c = a->c;

	memset(f, 0, sizeof *f);
	if (a->has_answer && a->msg.head.bytes >= sizeof a->msg.status) {
		*rec = a->msg.status.record;
		f->has_monitor = true;
		f->phase = rec->phase;
		return;
	}
	container_record_read(c, rec);
	f->is_alive = is_alive_here(c, rec);
	/* Its end is written before it is reaped: whoever ended in between has it in the record now. */
	if (!f->is_alive)
		container_record_read(c, rec);
	f->phase = rec->phase;
	f->was_starting = c->state == CT_STARTING;
}

static void adopt_live(struct asked *a)
{
	struct container *c = a->c;
	struct exit_record rec = { 0 };
	struct adopt_facts facts;

	c->priv->is_policy_start =
		c->state == CT_STARTING; /* whoever asked for it is not waiting any more */
	if (take_early_end(a))
		return;
	find_facts(a, &rec, &facts);
	keep_monitor(a); /* also one that does not answer now: it is to be released some day */
	switch (adopt_decide(&facts)) {
	case ADOPT_RUNNING:
		if (a->pidfd >= 0) /* else it has ended just now, and the monitor will tell */
			adopt_running(c, &rec, TAKE_FD(a->pidfd));
		break;
	case ADOPT_STARTING:
		if (!facts.has_monitor)
			container_read_record(c);
		break;
	case ADOPT_DEGRADED:
		adopt_degraded(c, &rec);
		break;
	case ADOPT_EXITED:
		/* Its monitor still reads the rest of the output, and will tell the end. */
		if (!facts.has_monitor)
			container_on_exited(c, &rec);
		break;
	case ADOPT_LOST:
		adopt_lost(c);
		break;
	}
}

/* A stop that the kilnd before had in hand, with the time-out that is the container's own: nobody waits any more. */
static void go_on_stopping(struct container *c)
{
	if (!c->priv->is_stopping || !ct_is_live(c->state))
		return;
	c->priv->is_stopping = false;
	container_stop_live(c, 0, INT64_MIN);
}

/* Its end was committed, but its monitor was not released: the next run waits for that. */
static void release_first(struct asked *a)
{
	struct container_priv *p = a->c->priv;

	p->is_settling = true;
	p->is_end_committed = true;
	keep_monitor(a);
	container_end_committed(
		a->c); /* not only when it answers: one that stands still is not waited for for ever */
}

static void adopt_idle(struct asked *a)
{
	struct container *c = a->c;
	const struct restart_facts facts = {
		.exit_code = c->exit_code,
		.restart_count = c->restart_count,
		.was_stopped_by_hand = c->was_stopped_by_hand,
		.has_started_once = c->has_started_once,
	};
	bool has_monitor = a->fd >= 0;

	if (has_monitor)
		release_first(a);
	if (c->state == CT_REMOVING) {
		c->priv->wants_removal = has_monitor;
		if (!has_monitor)
			container_begin_removal(c);
	} else if (c->eng->is_stopping) {
		return;
	} else if (c->state == CT_EXITED && c->priv->wants_start) {
		if (!has_monitor)
			container_begin(c, true);
	} else if (c->state == CT_RESTARTING) {
		if (!has_monitor)
			container_start_after(c, 0);
	} else if (c->state == CT_EXITED && restart_at_boot(c->opt->host->restart_policy, &facts)) {
		c->was_stopped_by_hand = false;
		c->wants_running = true;
		container_apply(c, EV_RESTART, NULL, ERR_IGNORED);
		c->priv->backoff_ms = 0;
		if (!has_monitor)
			container_start_after(c, 0);
	} else if (c->state == CT_EXITED && c->opt->host->auto_remove && !has_monitor) {
		container_begin_removal(c);
	}
}

static void adopt_each(struct engine *eng)
{
	struct asked *all;
	size_t n = 0, i = 0;

	for (struct container *c = eng->first; c; c = c->priv->next)
		n++;
	all = xcalloc(n + 1, sizeof *all);
	for (struct container *c = eng->first; c; c = c->priv->next) {
		all[i].c = c;
		ask(&all[i++]);
	}
	await_answers(all, n);
	for (i = 0; i < n; i++) {
		if (ct_is_live(all[i].c->state)) {
			adopt_live(&all[i]);
			go_on_stopping(all[i].c);
		} else {
			adopt_idle(&all[i]);
		}
		close_fd(&all[i].fd);
		close_fd(&all[i].pidfd);
	}
	free(all);
}

/* ---- the rows ---- */

static int load_row(struct engine *eng, const struct state_container *row, struct err *e)
{
	struct arena *a = arena_new();
	struct record_intent intent;
	struct container *c;
	void *opt;

	if (json_decode(row->options, strlen(row->options), &container_options_schema, a, NULL,
			NULL, &opt, e) < 0 ||
	    !((struct container_options *)opt)->config || !((struct container_options *)opt)->host) {
		arena_free(a);
		return e->kind ? -1 : err_set(e, ERR_INVALID, "options are incomplete");
	}
	c = container_new(eng, a, row->id, row->name, row->image_id, opt, row->created_wall_ns);
	if (container_record_parse(row->runtime, c, &intent, e) < 0) {
		container_free(c);
		return -1;
	}
	c->priv->backoff_ms = intent.backoff_ms;
	c->priv->cgroup_base = intent.cgroup_base;
	c->priv->wants_start = intent.wants_start;
	c->priv->is_stopping = intent.is_stopping && ct_is_live(c->state);
	c->is_restarting = c->state == CT_RESTARTING;
	c->is_removing = c->state == CT_REMOVING;
	c->is_dead = c->state == CT_DEAD;
	c->image = image_by_id(eng, row->image_id);
	image_ref(c->image);
	container_link(c);
	return 0;
}

static void on_row(void *ctx, const struct state_container *row)
{
	struct engine *eng = ctx;
	struct err e = { 0 };

	if (load_row(eng, row, &e) < 0) {
		eng->has_unreadable_rows = true;
		log_err("container %.12s cannot be loaded, leaving it alone: %s", row->id, e.msg);
	}
}

int adopt_all(struct engine *eng, struct err *e)
{
	if (state_each_container(eng->state, on_row, eng, e) < 0)
		return err_wrap(e, "load containers");
	adopt_each(eng);
	return 0;
}
