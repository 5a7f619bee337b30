/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/rubbish.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "daemon/engine/engine_impl.h"
#include "daemon/engine/later.h"

#define WAIT_FIRST_MS 500
#define WAIT_MAX_MS   60000

struct junk {
	struct junk *next;
	char name[96];
};

struct rubbish {
	struct engine *eng;
	struct loop_timer *timer;
	struct junk *first; /* waiting */
	uint64_t wait_ms;
	bool is_away; /* a worker is at it */
};

/* What the worker gets, and gives back less of. */
struct emptying {
	struct engine *eng;
	int data_root_fd;
	struct junk *first;
	struct err err;
};

static void junk_free(struct junk *j)
{
	while (j) {
		struct junk *next = j->next;

		free(j);
		j = next;
	}
}

static void emptying_drop(void *ctx)
{
	struct emptying *m = ctx;

	junk_free(m->first);
	free(m);
}

static void empty_work(void *ctx)
{
	struct emptying *m = ctx;
	struct junk **at = &m->first;

	while (*at) {
		struct junk *j = *at;

		if (path_remove_tree(m->data_root_fd, j->name, &m->err) < 0) {
			at = &j->next;
			continue;
		}
		*at = j->next;
		free(j);
	}
}

static void wait_again(struct rubbish *r)
{
	if (!r->first || r->is_away)
		return;
	loop_timer_start(r->timer, r->wait_ms, 0);
	r->wait_ms = r->wait_ms * 2 > WAIT_MAX_MS ? WAIT_MAX_MS : r->wait_ms * 2;
}

static void empty_done(void *ctx)
{
	struct emptying *m = ctx;
	struct rubbish *r = m->eng->rubbish;
	struct junk **last = &m->first;

	if (m->first)
		log_warn("%s, trying again", m->err.msg);
	while (*last)
		last = &(*last)->next;
	*last = r->first;
	r->first = TAKE_PTR(m->first);
	r->is_away = false;
	if (!r->first)
		r->wait_ms = WAIT_FIRST_MS;
	wait_again(r);
	free(m);
}

static void on_timer(void *ctx)
{
	struct rubbish *r = ctx;
	struct emptying *m = xcalloc(1, sizeof *m);

	*m = (struct emptying){ .eng = r->eng, .data_root_fd = r->eng->cfg.data_root_fd };
	m->first = TAKE_PTR(r->first);
	r->is_away = true;
	later_work(r->eng, LOOP_JOB_LONG, empty_work, empty_done, emptying_drop, m);
}

void rubbish_add(struct engine *eng, const char *name)
{
	struct rubbish *r = eng->rubbish;
	struct junk *j;

	if (str_is_empty(name))
		return;
	BUG(!str_starts(name, "tmp/"), "'%s' is not in tmp/", name);
	if (!r) {
		r = eng->rubbish = xcalloc(1, sizeof *r);
		*r = (struct rubbish){ .eng = eng, .wait_ms = WAIT_FIRST_MS };
		r->timer = loop_timer_new(eng->loop, "rubbish", on_timer, r);
	}
	j = xcalloc(1, sizeof *j);
	snprintf(j->name, sizeof j->name, "%s", name);
	j->next = r->first;
	r->first = j;
	wait_again(r);
}

void rubbish_free(struct rubbish *r)
{
	if (!r)
		return;
	loop_timer_free(TAKE_PTR(r->timer));
	junk_free(r->first);
	free(r);
}
