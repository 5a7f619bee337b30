/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running probes: one timer and at most one probe for each container that runs and has a check. A
 * probe's time-out is the monitor's business; the timer here only watches that an answer comes at
 * all.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "daemon/engine/container_impl.h"
#include "daemon/engine/exec_run.h"
#include "daemon/engine/health.h"
#include "daemon/engine/names.h"

#define ANSWER_GRACE_MS 5000 /* beyond the time-out: then the monitor is taken for stuck */

struct health_run {
	struct container *c;
	struct loop_timer *timer; /* the next probe, or the end of patience with this one */
	struct exec_run *probe;   /* NULL between probes */
	bool is_late;             /* it was given up, but its monitor is still there: no other is begun beside it */
	int64_t probe_started_wall_ns;
};

static void wait_for_next(struct health_run *h)
{
	const struct container *c = h->c;
	int64_t delay_ns =
		health_delay_ns(&c->healthcheck, c->health, clock_wall_ns() - c->started_wall_ns);
	int64_t ms = delay_ns / 1000000;

	loop_timer_start(h->timer, ms > 0 ? (uint64_t)ms : 1, 0);
}

static void restarted(void *ctx, const struct err *err)
{
	(void)ctx;
	if (err->kind != ERR_NONE)
		log_warn("restart an unhealthy container: %s", err->msg);
}

static void act(struct container *c)
{
	enum health_action action = HEALTH_DO_NOTHING;
	struct err e = { 0 };

	health_action_of(c->opt, &action, ERR_IGNORED);
	if (action == HEALTH_DO_NOTHING || c->priv->is_stopping)
		return;
	log_warn("container '%s' is unhealthy: %s", c->name,
		 action == HEALTH_DO_KILL ? "killing it" : "restarting it");
	c->priv->is_health_restart = action == HEALTH_DO_RESTART;
	if (action == HEALTH_DO_RESTART)
		container_restart(c, 0, INT64_MIN, restarted, NULL);
	else if (container_signal(c, SIGKILL, &e) < 0) /* not by hand: the restart policy goes on */
		log_warn("container '%s': %s", c->name, e.msg);
}

static void take(struct health_run *h, const struct health_result *r)
{
	struct container *c = h->c;
	char action[40];

	if (!h->is_late)
		exec_run_abandon(TAKE_PTR(h->probe));
	wait_for_next(h);
	if (!health_take(c, r))
		return;
	container_save(c, NULL);
	snprintf(action, sizeof action, "health_status: %s", health_state_name(c->health));
	container_event(c, action, NULL, NULL);
	if (c->health == HEALTH_UNHEALTHY)
		act(c); /* may end this container's health */
}

static void result_begin(const struct health_run *h, int32_t exit_code, struct health_result *r)
{
	memset(r, 0, sizeof *r);
	r->start_wall_ns = h->probe_started_wall_ns;
	r->end_wall_ns = clock_wall_ns();
	r->exit_code = exit_code;
}

static void take_text(struct health_run *h, const char *text)
{
	struct health_result r;

	result_begin(h, -1, &r);
	snprintf(r.output, sizeof r.output, "%s", text);
	take(h, &r);
}

static void take_timeout(struct health_run *h, const struct msg_exited *m)
{
	char duration[40], text[HEALTH_OUTPUT_MAX];
	int n_captured = m ? (int)m->n_captured : 0;

	health_duration(h->c->healthcheck.timeout_ns, duration);
	snprintf(text, sizeof text, "Health check exceeded timeout (%s)%s%.*s", duration,
		 n_captured ? ": " : "", n_captured, n_captured ? m->captured : "");
	take_text(h, text);
}

/* ---- how the probe goes ---- */

/* What has been told as failed is not told again. Return: true when it was */
static bool end_late(struct health_run *h)
{
	if (!h->is_late)
		return false;
	h->is_late = false;
	exec_run_abandon(TAKE_PTR(h->probe));
	return true;
}

static void probe_started(void *ctx, int32_t pid)
{
	(void)ctx;
	(void)pid;
}

static void probe_failed(void *ctx, int32_t exit_code, const struct err *why)
{
	char text[HEALTH_OUTPUT_MAX];

	(void)exit_code;
	if (end_late(ctx))
		return;
	snprintf(text, sizeof text, "OCI runtime exec failed: exec failed: %s", why->msg);
	take_text(ctx, text);
}

static void probe_exited(void *ctx, const struct msg_exited *m)
{
	struct health_run *h = ctx;
	struct health_result r;
	size_t n = m->n_captured < sizeof r.output ? m->n_captured : sizeof r.output - 1;

	if (end_late(h))
		return;
	if (m->is_timed_out) {
		take_timeout(h, m);
		return;
	}
	result_begin(h, m->record.code, &r);
	memcpy(r.output, m->captured, n);
	take(h, &r);
}

static void probe_lost(void *ctx)
{
	if (end_late(ctx))
		return;
	take_text(ctx, "the monitor of the health check died");
}

static const struct exec_run_handlers probe_handlers = {
	.started = probe_started,
	.failed = probe_failed,
	.exited = probe_exited,
	.lost = probe_lost,
};

/* ---- beginning one ---- */

static int begin_probe(struct health_run *h, struct err *e)
{
	const struct opt_healthcheck *hc = &h->c->healthcheck;
	AUTO_ARENA struct arena *a = arena_new();
	const struct str_list args = health_args(h->c->opt, hc, a);
	const struct str_list no_env = { 0 };
	char id[65];
	const struct bundle_exec_input in = {
		.id = name_random_id(id),
		.cmd = &args,
		.env = &no_env,
		.user = "",
		.working_dir = "",
		.capture_bytes = HEALTH_OUTPUT_MAX,
		.timeout_ms = (uint64_t)(hc->timeout_ns + 999999) / 1000000,
	};

	if (args.n == 0)
		return err_set(e, ERR_INVALID, "Unknown healthcheck type '%s' (expected 'CMD')",
			       hc->test.v[0]);
	return exec_run_begin(h->c, &in, NULL, &probe_handlers, h, &h->probe, e);
}

static void on_timer(void *ctx)
{
	struct health_run *h = ctx;
	struct err e = { 0 };

	if (h->probe) {
		h->is_late = true;
		take_timeout(h, NULL);
		return;
	}
	if (h->c->state != CT_RUNNING) { /* frozen: it cannot answer, and need not */
		wait_for_next(h);
		return;
	}
	h->probe_started_wall_ns = clock_wall_ns();
	loop_timer_start(h->timer,
			 (uint64_t)(h->c->healthcheck.timeout_ns / 1000000) + ANSWER_GRACE_MS, 0);
	if (begin_probe(h, &e) < 0)
		take_text(h, e.msg);
}

void health_begin(struct container *c, bool keep)
{
	struct health_run *h;

	if (!c->has_healthcheck)
		return;
	BUG(c->priv->health, "container '%s' is watched already", c->name);
	if (!keep || c->health == HEALTH_NONE) {
		c->health = HEALTH_STARTING;
		c->health_failing_streak = 0;
		c->n_health_log = 0;
	}
	h = xcalloc(1, sizeof *h);
	h->c = c;
	h->timer = loop_timer_new(c->eng->loop, "health check", on_timer, h);
	c->priv->health = h;
	wait_for_next(h);
}

void health_end(struct container *c)
{
	struct health_run *h = TAKE_PTR(c->priv->health);

	if (!h)
		return;
	loop_timer_free(h->timer);
	exec_run_abandon(h->probe);
	free(h);
	c->health = HEALTH_UNHEALTHY; /* as docker says of what does not run */
}
