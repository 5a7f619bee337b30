/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for a container: not-running, next-exit, removed. A registration is called once, never
 * from inside container_wait(), and belongs to its maker until then.
 */
#include <stdlib.h>

#include "base/own.h"
#include "daemon/engine/container_impl.h"

struct wait_reg {
	struct wait_reg *next;
	struct container *c; /* NULL: out of the list, about to be called or cancelled */
	enum wait_condition cond;
	void (*fn)(void *ctx, int32_t exit_code, const char *error);
	void *ctx;
	int32_t exit_code;
	bool is_cancelled;
};

static void reg_unlink(struct wait_reg *w)
{
	if (!w->c)
		return;
	for (struct wait_reg **at = &w->c->priv->waits; *at; at = &(*at)->next) {
		if (*at != w)
			continue;
		*at = w->next;
		break;
	}
	w->c = NULL;
}

static void reg_call_later(void *ctx)
{
	struct wait_reg *w = ctx;

	if (!w->is_cancelled)
		w->fn(w->ctx, w->exit_code, NULL);
	free(w);
}

static bool is_over(const struct container *c)
{
	return c->state == CT_CREATED || c->state == CT_EXITED || c->state == CT_REMOVING ||
	       c->state == CT_DEAD;
}

struct wait_reg *container_wait(struct container *c, enum wait_condition cond,
				void (*fn)(void *ctx, int32_t exit_code, const char *error),
				void *ctx)
{
	struct wait_reg *w = xcalloc(1, sizeof *w);

	*w = (struct wait_reg){ .cond = cond, .fn = fn, .ctx = ctx, .exit_code = c->exit_code };
	if (cond == WAIT_NOT_RUNNING && is_over(c)) {
		loop_defer(c->eng->loop, reg_call_later, w);
		return w;
	}
	w->c = c;
	w->next = c->priv->waits;
	c->priv->waits = w;
	return w;
}

void container_wait_cancel(struct wait_reg *w)
{
	if (!w)
		return;
	if (!w->c) { /* reg_call_later() is under way and frees it */
		w->is_cancelled = true;
		return;
	}
	reg_unlink(w);
	free(w);
}

void container_wake(struct container *c, bool is_removed)
{
	struct wait_reg *next;

	for (struct wait_reg *w = c->priv->waits; w; w = next) {
		next = w->next;
		if (!is_removed && w->cond == WAIT_REMOVED)
			continue;
		reg_unlink(w);
		w->exit_code = c->exit_code;
		loop_defer(c->eng->loop, reg_call_later, w);
	}
}

void container_drop_waits(struct container *c)
{
	while (c->priv->waits) {
		struct wait_reg *w = c->priv->waits;

		reg_unlink(w);
		free(w);
	}
}
