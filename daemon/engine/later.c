/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/later.h"

#include <stdlib.h>

#include "base/own.h"

struct later {
	struct later *next, **prev; /* in the engine's list; prev NULL: the engine is gone */
	loop_fn work, done, drop;
	state_done_fn committed;
	void *ctx;
};

static struct later *later_new(struct engine *eng, loop_fn drop, void *ctx)
{
	struct later *l = xcalloc(1, sizeof *l);

	*l = (struct later){ .next = eng->laters, .prev = &eng->laters, .drop = drop, .ctx = ctx };
	if (l->next)
		l->next->prev = &l->next;
	eng->laters = l;
	return l;
}

/* Out of the list and freed. Return: true when the engine is there to hear it */
static bool later_take(struct later *l, struct later *ret)
{
	*ret = *l;
	if (l->prev) {
		*l->prev = l->next;
		if (l->next)
			l->next->prev = l->prev;
	}
	free(l);
	if (!ret->prev && ret->drop)
		ret->drop(ret->ctx);
	return ret->prev != NULL;
}

void later_forget(struct engine *eng)
{
	for (struct later *l = TAKE_PTR(eng->laters); l; l = l->next)
		l->prev = NULL;
}

static void on_work(void *ctx)
{
	struct later *l = ctx;

	l->work(l->ctx);
}

static void on_done(void *ctx)
{
	struct later l;

	if (later_take(ctx, &l))
		l.done(l.ctx);
}

void later_work(struct engine *eng, enum loop_job_class class, loop_fn work, loop_fn done,
		loop_fn drop, void *ctx)
{
	struct later *l = later_new(eng, drop, ctx);

	l->work = work;
	l->done = done;
	loop_work(eng->loop, class, on_work, on_done, l);
}

static void on_committed(void *ctx, const struct err *err)
{
	struct later l;

	if (later_take(ctx, &l) && l.committed)
		l.committed(l.ctx, err);
}

void later_commit(struct engine *eng, struct state_batch *b, state_done_fn done, loop_fn drop,
		  void *ctx)
{
	struct later *l = later_new(eng, drop, ctx);

	l->committed = done;
	state_commit(b, 0, on_committed, l);
}

void later_defer(struct engine *eng, loop_fn fn, void *ctx)
{
	struct later *l = later_new(eng, NULL, ctx);

	l->done = fn;
	loop_defer(eng->loop, on_done, l);
}
