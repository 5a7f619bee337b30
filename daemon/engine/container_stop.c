/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stopping is an intent: what is desired is committed, the signal is sent by pidfd, and a timer
 * sends SIGKILL. The end itself is container_end.c's. Concurrent stops share one: the earliest
 * deadline counts.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/signame.h"
#include "daemon/engine/container_impl.h"

#define DEFAULT_TIMEOUT_SEC 10
#define KILL_WAIT_MS        30000 /* after SIGKILL; longer means that the kernel cannot end it */
#define KILL_RETRY_MS       200   /* when it could not be sent */

static const struct err no_error;

int container_stop_signal(const struct container *c)
{
	const char *name = c->opt->config->stop_signal;
	int signo = str_is_empty(name) ? -1 : signame_parse(name);

	return signo > 0 ? signo : SIGTERM;
}

static int not_running(const struct container *c, struct err *e)
{
	return err_set(e, ERR_CONFLICT, "Cannot kill container: %s: Container %s is not running",
		       c->name, c->id);
}

int container_signal(struct container *c, int signo, struct err *e)
{
	char number[8];

	if (c->pidfd < 0)
		return not_running(c, e);
	if (pidfd_send_signal(c->pidfd, signo, NULL, 0) < 0) {
		if (errno == ESRCH)
			return not_running(c, e);
		return err_sys(e, "send signal %d to container %s", signo, c->id);
	}
	snprintf(number, sizeof number, "%d", signo);
	container_event(c, "kill", "signal", number);
	return 0;
}

/* ---- a stop under way ---- */

static void kill_now(struct container *c);

static void on_stop_timer(void *ctx)
{
	struct container *c = ctx;
	struct container_priv *p = c->priv;
	struct err e = { 0 };

	if (!p->is_stopping)
		return;
	if (p->was_stop_killed) {
		p->is_stop_vain = true;
		err_set(&e, ERR_SYSTEM, "container %s: it did not end within %d s of SIGKILL",
			c->id, KILL_WAIT_MS / 1000);
		call_answer(&p->stops, &e, false);
		call_answer(&p->removes, &e, false);
		return;
	}
	kill_now(c);
}

static void start_timer(struct container *c, int64_t ms)
{
	struct container_priv *p = c->priv;

	if (!p->stop_timer)
		p->stop_timer = loop_timer_new(c->eng->loop, "stop", on_stop_timer, c);
	loop_timer_start(p->stop_timer, (uint64_t)ms, 0);
}

/* It may have ended just now: that is told elsewhere. */
static void kill_now(struct container *c)
{
	struct container_priv *p = c->priv;
	struct err e = { 0 };

	p->was_stop_killed = container_signal(c, SIGKILL, &e) == 0 || e.kind == ERR_CONFLICT;
	if (!p->was_stop_killed)
		log_warn("%s, trying again", e.msg);
	start_timer(c, p->was_stop_killed ? KILL_WAIT_MS : KILL_RETRY_MS);
}

static void arm(struct container *c, int64_t timeout_sec)
{
	struct container_priv *p = c->priv;
	int64_t now_ms = loop_now_ms(c->eng->loop);
	int64_t until_ms;

	if (timeout_sec < 0 || timeout_sec > INT64_MAX / 2000)
		return;
	until_ms = now_ms + timeout_sec * 1000;
	if (until_ms >= p->stop_until_ms || p->was_stop_killed)
		return;
	p->stop_until_ms = until_ms;
	start_timer(c, until_ms - now_ms);
}

/* What was desired is committed: act on it. */
static void stop_committed(void *ctx, const struct err *err)
{
	struct container *c = ctx;

	(void)err; /* logged; the stop goes on, a reboot may start it again */
	container_stop_resume(c);
}

void container_stop_resume(struct container *c)
{
	struct container_priv *p = c->priv;
	int signo = p->was_stop_killed ? SIGKILL : p->stop_signo;

	if (!p->is_stopping || c->pidfd < 0 || p->stop_sent_signo == signo)
		return;
	p->stop_sent_signo = signo;
	if (signo == SIGKILL) {
		p->stop_until_ms = INT64_MIN;
		kill_now(c);
	} else {
		container_signal(c, signo, ERR_IGNORED); /* it may have ended just now */
	}
}

void container_stop_live(struct container *c, int signo, int64_t timeout_sec)
{
	struct container_priv *p = c->priv;
	const struct opt_i64 *own = &c->opt->config->stop_timeout_sec;
	bool is_new = !p->is_stopping;
	int wanted = signo > 0 ? signo : container_stop_signal(c);

	if (timeout_sec == INT64_MIN)
		timeout_sec = own->set ? own->v : DEFAULT_TIMEOUT_SEC;
	if (is_new) {
		p->is_stopping = true;
		p->was_stop_killed = false;
		p->stop_sent_signo = 0;
		p->stop_until_ms = INT64_MAX;
	}
	if (is_new || wanted != p->stop_signo) {
		p->stop_signo = wanted;
		container_apply(c, EV_STOP, stop_committed, ERR_IGNORED);
	}
	/* Whoever asks once more after the wait was in vain waits again. */
	if (p->is_stop_vain && !is_new)
		kill_now(c);
	p->is_stop_vain = false;
	arm(c, timeout_sec);
}

void container_stop_over(struct container *c)
{
	struct container_priv *p = c->priv;

	p->is_stopping = false;
	loop_timer_free(TAKE_PTR(p->stop_timer));
	call_answer(&p->stops, &no_error, true);
}

static void backoff_cancelled(void *ctx, const struct err *err)
{
	struct container *c = ctx;

	container_event(c, "stop", NULL, NULL);
	container_wake(c, false);
	call_answer(&c->priv->stops, err, true);
	if (c->opt->host->auto_remove && !c->priv->is_settling && c->state == CT_EXITED)
		container_begin_removal(c);
}

void container_cancel_backoff(struct container *c)
{
	if (c->state != CT_RESTARTING)
		return;
	loop_timer_free(TAKE_PTR(c->priv->restart_timer));
	container_apply(c, EV_STOP, backoff_cancelled, ERR_IGNORED);
}

static void stopped_by_hand(struct container *c)
{
	c->was_stopped_by_hand = true;
	c->wants_running = false;
}

/* ---- the requests ---- */

void container_stop(struct container *c, int signo, int64_t timeout_sec, container_changed_fn done,
		    void *ctx)
{
	struct container_priv *p = c->priv;
	struct call *answers = NULL;

	if (!ct_is_live(c->state) && c->state != CT_RESTARTING && !p->wants_start) {
		done(ctx, &no_error, false);
		return;
	}
	stopped_by_hand(c);
	p->is_health_restart = false;
	p->wants_start = false; /* a restart under way stops half-way */
	if (c->state == CT_RESTARTING) {
		call_add_changed(&p->stops, done, ctx);
		container_cancel_backoff(c);
	} else if (ct_is_live(c->state)) {
		call_add_changed(&p->stops, done, ctx);
		container_stop_live(c, signo, timeout_sec);
	} else {
		call_add_changed(&answers, done, ctx);
		container_save_and_answer(c, answers);
	}
}

void container_restart(struct container *c, int signo, int64_t timeout_sec, engine_done_fn done,
		       void *ctx)
{
	struct container_priv *p = c->priv;
	struct err e = { 0 };

	if (c->is_removing || c->is_dead || p->wants_removal) {
		err_set(&e, ERR_CONFLICT, "container is marked for removal and cannot be started");
		done(ctx, &e);
		return;
	}
	call_add_done(&p->restarts, done, ctx);
	if (ct_is_live(c->state)) {
		p->wants_start = true;
		container_stop_live(c, signo, timeout_sec);
		return;
	}
	loop_timer_free(TAKE_PTR(p->restart_timer));
	if (p->is_settling)
		p->wants_start = true;
	else
		container_begin(c, false);
}

int container_kill(struct container *c, int signo, engine_done_fn done, void *ctx, struct err *e)
{
	bool is_final = signo == SIGKILL || signo == container_stop_signal(c);
	struct call *answers = NULL;

	if (c->state != CT_RESTARTING) {
		if (!ct_is_live(c->state) || c->state == CT_STARTING)
			return not_running(c, e);
		if (container_signal(c, signo, e) < 0)
			return -1;
	}
	call_add_done(&answers, done, ctx);
	if (!is_final) {
		call_answer(&answers, &no_error, true);
		return 0;
	}
	/* Known here before its end is, whose policy must not restart it. */
	stopped_by_hand(c);
	container_cancel_backoff(c);
	container_save_and_answer(c, answers);
	return 0;
}
