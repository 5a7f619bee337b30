/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * The end of a run is told by the monitor (EXITED). When the monitor has died, by the exit record
 * that the launcher writes, after init's pidfd became readable or the launcher said so; when that is
 * dead, too, by the kernel through the pidfd (Linux 6.15); when nobody can tell, the code is 255.
 *
 * Then: commit → events, waiters, RELEASE → the monitor closes its clients and goes → settled. Only
 * there is decided what comes next: removal, a start that was asked for, the restart policy's
 * timer, --rm.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/own.h"
#include "daemon/engine/container_impl.h"
#include "daemon/engine/health.h"
#include "daemon/engine/launcher.h"
#include "daemon/engine/restart.h"

#define RECORD_RETRY_MS      20
#define RECORD_RETRIES       250 /* 5 s: the launcher writes it as soon as it sees the end */
#define RECORD_RETRIES_START 50  /* 1 s: nothing may have been started at all */
#define RECORD_RETRIES_ASKED 2
#define RECORD_RETRIES_DEAD  1500 /* 30 s: whoever inherited it (the host's PID 1) has not reaped it yet, and the kernel tells only then */
#define RELEASE_WAIT_MS      3000
#define RECONNECTS_MAX       8 /* in one run */
#define POLICY_STARTS_MAX    16 /* at a time: a boot with many containers stays usable */
#define POLICY_RETRY_MS      10

/* ---- after the end ---- */

static void restart_now(void *ctx)
{
	struct container *c = ctx;

	if (c->state != CT_RESTARTING || c->priv->is_settling)
		return;
	if (c->eng->n_policy_starts < POLICY_STARTS_MAX)
		container_begin(c, true);
	else
		container_start_after(c, POLICY_RETRY_MS);
}

void container_start_after(struct container *c, uint64_t ms)
{
	struct container_priv *p = c->priv;

	if (!p->restart_timer)
		p->restart_timer = loop_timer_new(c->eng->loop, "restart backoff", restart_now, c);
	loop_timer_start(p->restart_timer, ms, 0);
}

void container_refuse_starts(struct container *c)
{
	struct err e = { 0 };

	if (!c->priv->starts && !c->priv->restarts)
		return;
	err_set(&e, ERR_CONFLICT, "container %s was stopped or removed meanwhile", c->id);
	call_answer(&c->priv->starts, &e, false);
	call_answer(&c->priv->restarts, &e, false);
}

struct clean_call {
	struct container *c;
	engine_done_fn then;
};

static void cleaned(void *ctx, const struct err *err)
{
	struct clean_call call = *(struct clean_call *)ctx;

	free(ctx);
	if (err->kind != ERR_NONE)
		log_warn("%s, ignoring", err->msg);
	if (call.then)
		call.then(call.c, err);
}

void container_clean(struct container *c, engine_done_fn then)
{
	struct clean_call *call = xcalloc(1, sizeof *call);
	AUTO_ARENA struct arena *a = arena_new();

	*call = (struct clean_call){ .c = c, .then = then };
	c->priv->needs_clean = false;
	launcher_clean(c->eng->launcher, c->id,
		       bundle_cgroup_path(c->opt->host, container_cgroup_base(c), c->id, a), cleaned, call);
}

static void settle(struct container *c)
{
	struct container_priv *p = c->priv;

	p->is_settling = false;
	loop_timer_free(TAKE_PTR(p->record_timer));
	if (p->launcher_generation != launcher_generation(c->eng->launcher) ||
	    !launcher_is_up(c->eng->launcher))
		p->needs_clean = true;
	/* Before a next launch, which goes the same way; a removal waits for the answer. */
	if (p->needs_clean && !p->wants_removal)
		container_clean(c, NULL);
	if (p->wants_removal) {
		container_cancel_backoff(c);
		container_begin_removal(c);
	} else if (p->wants_start && !c->eng->is_stopping) {
		container_begin(c, false);
	} else if (c->state == CT_RESTARTING) {
		container_start_after(c, p->backoff_ms);
	} else if (c->opt->host->auto_remove) {
		container_begin_removal(c);
	} else {
		container_refuse_starts(c);
	}
}

void container_try_settle(struct container *c)
{
	if (c->priv->is_settling && c->priv->is_end_committed && !c->priv->monitor)
		settle(c);
}

static void release_timed_out(void *ctx)
{
	struct container *c = ctx;

	log_warn("container '%s': its monitor does not go after its release", c->name);
	monitor_free(TAKE_PTR(c->priv->monitor));
	container_try_settle(c);
}

static void release(struct container *c)
{
	struct container_priv *p = c->priv;

	if (!p->monitor)
		return;
	monitor_release(p->monitor);
	loop_timer_free(TAKE_PTR(p->record_timer));
	p->record_timer = loop_timer_new(c->eng->loop, "monitor release", release_timed_out, c);
	loop_timer_start(p->record_timer, RELEASE_WAIT_MS, 0);
}

void container_end_committed(struct container *c)
{
	c->priv->is_end_committed = true;
	release(c);
	container_try_settle(c);
}

/* ---- the end ---- */

bool container_policy_decide(struct container *c)
{
	const struct restart_facts facts = {
		.exit_code = c->exit_code,
		.restart_count = c->restart_count,
		.was_stopped_by_hand = c->was_stopped_by_hand,
		.has_started_once = c->has_started_once,
	};
	const struct opt_restart_policy *policy = c->opt->host->restart_policy;

	if (c->priv->wants_removal || c->priv->wants_start || c->eng->is_stopping)
		return false;
	if (restart_after_exit(policy, &facts))
		return true;
	/* Ended on its own account. A failure that has used up its tries is still missed. */
	if (restart_mode(policy) != RESTART_ON_FAILURE || c->exit_code == 0)
		c->wants_running = false;
	return false;
}

void container_policy_restart(struct container *c, int64_t uptime_ns)
{
	struct err e = { 0 };

	c->priv->backoff_ms = restart_backoff_ms(c->priv->backoff_ms, uptime_ns);
	c->restart_count++;
	if (container_apply(c, EV_RESTART, NULL, &e) < 0)
		log_err("container '%s': %s", c->name, e.msg);
}

static void publish_end(struct container *c)
{
	char code[16], duration[24];
	int64_t ran_ns = c->finished_wall_ns - c->started_wall_ns;

	snprintf(code, sizeof code, "%d", c->exit_code);
	snprintf(duration, sizeof duration, "%lld", (long long)(ran_ns / CLOCK_NS_PER_SEC));
	if (c->is_oom_killed)
		container_event(c, "oom", NULL, NULL);
	container_event2(c, "die", "execDuration", duration, "exitCode", code);
}

static void exit_committed(void *ctx, const struct err *err)
{
	struct container *c = ctx;

	(void)err; /* logged; the record on disk still has it */
	publish_end(c);
	container_wake(c, false);
	if (c->priv->is_stopping)
		container_event(c, "stop", NULL, NULL);
	container_stop_over(c);
	container_end_committed(c);
}

static void forget_init(struct container *c)
{
	loop_watch_free(TAKE_PTR(c->priv->pidfd_watch));
	close_fd(&c->pidfd);
	c->pid = 0;
	c->is_degraded = false;
}

void container_on_exited(struct container *c, const struct exit_record *rec)
{
	struct container_priv *p = c->priv;
	struct err e = { 0 };
	bool wants_restart;

	if (!ct_is_live(c->state))
		return;
	/* Nobody told us that it had started: whoever waits for that is answered first. */
	if (c->state == CT_STARTING)
		container_on_started(c, rec, -1);
	c->exit_code = rec->code;
	c->finished_wall_ns = rec->finished_wall_ns ? rec->finished_wall_ns : clock_wall_ns();
	c->is_oom_killed = rec->is_oom_killed;
	forget_init(c);
	health_end(c);
	exec_forget(c, false);
	p->is_settling = true;
	p->is_end_committed = false;
	wants_restart = container_policy_decide(c);
	if (container_apply(c, EV_EXITED, exit_committed, &e) < 0)
		log_err("container '%s': %s", c->name, e.msg);
	if (wants_restart)
		container_policy_restart(c, c->finished_wall_ns - c->started_wall_ns);
}

/* ---- without a monitor ---- */

void container_record_read(const struct container *c, struct exit_record *ret)
{
	char rel[CONTAINER_REL_MAX], path[CONTAINER_REL_MAX + 8];
	AUTO_CLOSE int fd = -1;

	memset(ret, 0, sizeof *ret);
	container_rel_dir(c->id, rel);
	snprintf(path, sizeof path, "%s/exit", rel);
	fd = openat(c->eng->cfg.data_root_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || exitrec_read(fd, ret, ERR_IGNORED) < 0)
		ret->phase = EXIT_NONE;
	/* A start clears the record; cut off before that, the end of the run before is still there. */
	if (c->state == CT_STARTING && c->started_wall_ns != 0 &&
	    ret->started_wall_ns == c->started_wall_ns)
		ret->phase = EXIT_NONE;
}

/* Whoever reaps writes the record first: what the kernel knows and the record does not was reaped by a stranger. */
static void find_end(const struct container *c, struct exit_record *rec)
{
	struct exit_record by_kernel = { 0 };
	bool is_reaped = c->pidfd >= 0 && exitrec_ask_kernel(c->pidfd, &by_kernel);

	container_record_read(c, rec);
	if (rec->phase != EXIT_DONE && is_reaped)
		*rec = by_kernel;
}

/* The launcher has the last word on a start of which nothing is seen: it knows whether a monitor is still at it. */
static void start_looked_for(void *ctx, const struct err *err)
{
	struct container *c = ctx;
	struct err e = { 0 };

	c->priv->is_looked_for = false;
	if (c->state != CT_STARTING || c->priv->monitor)
		return;
	if (err->kind == ERR_CONFLICT) {
		c->priv->n_record_reads = 0;
		container_read_record(c);
		return;
	}
	if (err->kind == ERR_NONE && container_launch_again(c))
		return;
	err_set(&e, ERR_SYSTEM, "its monitor was not made, or died before it told anything");
	container_on_failed(c, 125, &e);
}

static void on_lost(struct container *c)
{
	struct exit_record rec = { .phase = EXIT_DONE, .code = CONTAINER_LOST_CODE };

	if (c->state == CT_STARTING) {
		if (!c->priv->is_looked_for)
			container_clean(c, start_looked_for);
		c->priv->is_looked_for = true;
		return;
	}
	c->priv->needs_clean = true;
	log_warn("container '%s' has ended, and nobody knows how", c->name);
	container_on_exited(c, &rec);
}

/* Return: true when init was found running */
static bool take_over_init(struct container *c, const struct exit_record *rec)
{
	int pidfd = pidfd_open(rec->pid, 0);

	if (pidfd < 0)
		return false;
	if (!exitrec_is_alive(rec)) { /* the pid was another's by then */
		close_fd(&pidfd);
		return false;
	}
	container_on_started(c, rec, pidfd);
	container_watch_degraded(c);
	return true;
}

/* A monitor that an earlier kilnd asked for may only now have begun to listen. Return: true when it is there */
static bool find_monitor(struct container *c)
{
	char rel[CONTAINER_REL_MAX];
	int fd = -1;

	container_rel_socket(c->id, rel);
	if (fd_connect_unix(c->eng->cfg.exec_root_fd, rel, SOCK_SEQPACKET, &fd, ERR_IGNORED) < 0)
		return false;
	c->priv->monitor = monitor_new(c->eng->loop, fd, &container_monitor_handlers, c);
	monitor_ask_status(c->priv->monitor);
	container_attach_flush(c);
	return true;
}

/* A start: the record is read before the socket is tried, so a record without a listener means a dead monitor. */
static bool find_start(struct container *c, const struct exit_record *rec)
{
	if (find_monitor(c))
		return true;
	return rec->phase == EXIT_RUNNING && exitrec_is_alive(rec) && take_over_init(c, rec);
}

static void record_tick(void *ctx)
{
	container_read_record(ctx);
}

/* The launcher that was asked for this start still answers: it knows more than the record, and can be asked at once. */
static bool has_its_launcher(const struct container *c)
{
	return launcher_is_up(c->eng->launcher) &&
	       c->priv->launcher_generation == launcher_generation(c->eng->launcher);
}

/* Is it still there for its parent, who is no monitor that stands still? */
static bool is_unreaped(const struct container *c)
{
	return !c->priv->monitor && c->pidfd >= 0 && pidfd_send_signal(c->pidfd, 0, NULL, 0) == 0;
}

static unsigned reads_max(const struct container *c, bool was_unreaped)
{
	if (c->state != CT_STARTING)
		return was_unreaped ? RECORD_RETRIES_DEAD : RECORD_RETRIES;
	return has_its_launcher(c) ? RECORD_RETRIES_ASKED : RECORD_RETRIES_START;
}

void container_read_record(struct container *c)
{
	struct container_priv *p = c->priv;
	struct exit_record rec;
	bool was_unreaped;

	/* Degraded with a monitor: it stands still. */
	if (!ct_is_live(c->state) || (p->monitor && !c->is_degraded) || p->is_opening)
		return;
	was_unreaped = is_unreaped(c); /* before the kernel is asked: reaped in between, it is asked once more */
	find_end(c, &rec);
	if (c->state == CT_STARTING && find_start(c, &rec))
		return;
	if (rec.phase == EXIT_DONE) {
		container_on_exited(c, &rec);
		return;
	}
	if (++p->n_record_reads > reads_max(c, was_unreaped)) {
		on_lost(c);
		return;
	}
	if (!p->record_timer)
		p->record_timer = loop_timer_new(c->eng->loop, "exit record", record_tick, c);
	loop_timer_start(p->record_timer, RECORD_RETRY_MS, 0);
}

static void on_init_ended(void *ctx, unsigned events)
{
	struct container *c = ctx;

	(void)events;
	loop_watch_free(TAKE_PTR(c->priv->pidfd_watch));
	c->priv->n_record_reads = 0;
	container_read_record(c);
}

/* Nobody listens there any more, and a launcher that could remove it may be dead, too. */
static void remove_socket(const struct container *c)
{
	char rel[CONTAINER_REL_MAX];

	container_rel_socket(c->id, rel);
	unlinkat(c->eng->cfg.exec_root_fd, rel, 0);
}

void container_watch_degraded(struct container *c)
{
	if (!c->priv->monitor)
		remove_socket(c);
	if (c->priv->pidfd_watch)
		return;
	c->is_degraded = true;
	c->priv->needs_clean = true;
	c->priv->pidfd_watch = loop_watch_new(c->eng->loop, "init of a container", c->pidfd,
					      LOOP_READ, on_init_ended, c);
}

void container_watch_over(struct container *c)
{
	if (!c->priv->pidfd_watch)
		return;
	loop_watch_free(TAKE_PTR(c->priv->pidfd_watch));
	c->is_degraded = false;
	c->priv->needs_clean = false;
}

/* It may have lost no more than its connection: then it still listens, and what was said meanwhile is said again. */
static bool monitor_is_back(struct container *c)
{
	return c->priv->n_reconnects++ < RECONNECTS_MAX && find_monitor(c);
}

void container_on_monitor_gone(struct container *c)
{
	struct container_priv *p = c->priv;

	monitor_free(TAKE_PTR(p->monitor));
	if (p->is_settling) {
		if (monitor_is_back(c) && p->is_end_committed)
			release(c);
		container_try_settle(c);
		return;
	}
	if (!ct_is_live(c->state))
		return;
	if (c->state == CT_STARTING) {
		p->n_record_reads = 0;
		container_read_record(c);
		return;
	}
	if (monitor_is_back(c))
		return;
	log_warn("container '%s': its monitor died; it runs on, without log and attach", c->name);
	container_watch_degraded(c);
}
