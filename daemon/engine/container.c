/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers in memory: the list, finding, one step of the lifecycle, events, and calls that wait.
 */
#include "daemon/engine/container.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "daemon/engine/container_impl.h"
#include "daemon/engine/container_record.h"
#include "daemon/engine/health.h"
#include "daemon/engine/later.h"

/* ---- making and freeing ---- */

const char *container_cgroup_base(const struct container *c)
{
	return c->priv->cgroup_base ? c->priv->cgroup_base : c->eng->cfg.cgroup_parent;
}

void container_rel_dir(const char *id, char out[CONTAINER_REL_MAX])
{
	snprintf(out, CONTAINER_REL_MAX, "containers/%s", id);
}

void container_rel_socket(const char *id, char out[CONTAINER_REL_MAX])
{
	snprintf(out, CONTAINER_REL_MAX, "c/%s.sock", id);
}

static void set_args(struct container *c, struct arena *a)
{
	struct str_list all = { 0 };

	c->path = "";
	if (bundle_args(c->opt, a, &all, ERR_IGNORED) < 0 || all.n == 0)
		return;
	c->path = all.v[0];
	c->args = (struct str_list){ .v = all.v + 1, .n = all.n - 1 };
}

static void set_places(struct container *c, struct arena *a)
{
	char rel[CONTAINER_REL_MAX];

	container_rel_dir(c->id, rel);
	c->dir = arena_printf(a, "%s/%s", c->eng->cfg.data_root, rel);
	container_place_log(c, a);
}

struct container *container_new(struct engine *eng, struct arena *arena, const char *id,
				const char *name, const char *image_id,
				struct container_options *opt, int64_t created_wall_ns)
{
	struct container *c = arena_new_obj(arena, struct container);

	*c = (struct container){
		.eng = eng, .opt = opt, .created_wall_ns = created_wall_ns, .pidfd = -1
	};
	c->id = arena_strdup(arena, id);
	c->name = arena_strdup(arena, name);
	c->image_id = arena_strdup(arena, image_id);
	c->state = CT_CREATED;
	c->has_healthcheck = health_check_of(opt, &c->healthcheck);
	set_args(c, arena);
	set_places(c, arena);
	c->priv = arena_new_obj(arena, struct container_priv);
	c->priv->arena = arena;
	return c;
}

void container_free(struct container *c)
{
	struct container_priv *p;

	if (!c)
		return;
	p = c->priv;
	health_end(c);
	container_attach_drop(c);
	container_replay_drop(c);
	container_drop_waits(c);
	monitor_free(TAKE_PTR(p->monitor));
	free(TAKE_PTR(p->cgroup_base));
	loop_watch_free(TAKE_PTR(p->pidfd_watch));
	loop_timer_free(TAKE_PTR(p->stop_timer));
	loop_timer_free(TAKE_PTR(p->restart_timer));
	loop_timer_free(TAKE_PTR(p->record_timer));
	close_fd(&c->pidfd);
	free(TAKE_PTR(c->health_log));
	arena_free(p->arena);
}

static int compare_ids(const void *a, const void *b)
{
	return strcmp(((const struct container *)a)->id, ((const struct container *)b)->id);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct container *)a)->name, ((const struct container *)b)->name);
}

void container_link(struct container *c)
{
	struct engine *eng = c->eng;
	struct container **by_id = tsearch(c, &eng->by_id, compare_ids), **by_name = tsearch(c, &eng->by_name, compare_names);

	BUG(!by_id || !by_name, "out of memory");
	BUG(*by_id != c || *by_name != c, "container '%s' is there twice", c->name);
	c->priv->prev = eng->last;
	*(eng->last ? &eng->last->priv->next : &eng->first) = c;
	eng->last = c;
}

void container_unlink(struct container *c)
{
	struct container *next = TAKE_PTR(c->priv->next), *prev = TAKE_PTR(c->priv->prev);
	struct engine *eng = c->eng;

	BUG(!tdelete(c, &eng->by_id, compare_ids) || !tdelete(c, &eng->by_name, compare_names), "container '%s' is not there", c->name);
	*(prev ? &prev->priv->next : &eng->first) = next;
	*(next ? &next->priv->prev : &eng->last) = prev;
}

/* ---- finding ---- */

struct container *container_first(struct engine *eng)
{
	return eng->first;
}

struct container *container_next(struct engine *eng, struct container *c)
{
	(void)eng;
	return c->priv->next;
}

struct container *container_by_name(struct engine *eng, const char *name)
{
	const struct container key = { .name = name };
	struct container **found = tfind(&key, &eng->by_name, compare_names);

	return found ? *found : NULL;
}

static struct container *by_id(struct engine *eng, const char *id)
{
	const struct container key = { .id = id };
	struct container **found = tfind(&key, &eng->by_id, compare_ids);

	return found ? *found : NULL;
}

/* Return: how many containers have an ID that begins so; the last of them in *ret */
static size_t by_prefix(struct engine *eng, const char *prefix, struct container **ret)
{
	size_t n = 0, n_prefix = strlen(prefix);

	for (struct container *c = eng->first; c; c = c->priv->next) {
		if (strncmp(c->id, prefix, n_prefix) != 0)
			continue;
		*ret = c;
		n++;
	}
	return n;
}

int container_find(struct engine *eng, const char *ref, struct container **ret, struct err *e)
{
	struct container *c = NULL;
	size_t n;

	if (!*ref)
		return err_set(e, ERR_INVALID, "container name or ID is empty");
	c = by_id(eng, ref);
	if (!c)
		c = container_by_name(eng, ref[0] == '/' ? ref + 1 : ref);
	if (c) {
		*ret = c;
		return 0;
	}
	n = by_prefix(eng, ref, &c);
	if (n > 1)
		return err_set(e, ERR_INVALID, "multiple IDs found with provided prefix: %.128s",
			       ref);
	if (n == 0)
		return err_set(e, ERR_NOT_FOUND, "No such container: %.256s", ref);
	*ret = c;
	return 0;
}

/* ---- the lifecycle ---- */

static void set_state(struct container *c, enum ct_state next)
{
	if (next != CT_STARTING)
		c->is_restarting = next == CT_RESTARTING;
	c->state = next;
	c->is_paused = next == CT_PAUSED;
	c->is_removing = next == CT_REMOVING;
	c->is_dead = next == CT_DEAD;
}

/* What a commit carries to its end: the storage's health is told by the last one. */
struct saving {
	struct container *c;
	state_done_fn then;
	struct call *answers;
};

static void on_saved(void *ctx, const struct err *err)
{
	struct saving *s = ctx;
	struct container *c = s->c;
	state_done_fn then = s->then;
	struct call *answers = s->answers;
	const struct err none = { 0 };

	free(s);
	c->eng->has_commit_failed = err->kind != ERR_NONE;
	if (err->kind != ERR_NONE)
		log_err("container '%s': commit its state: %s", c->name, err->msg);
	if (then)
		then(c, err);
	call_answer(&answers, &none, true); /* a lost store is logged, and costs no container */
}

static void save(struct container *c, state_done_fn then, struct call *answers)
{
	AUTO_STRBUF struct strbuf text = { 0 };
	struct state_batch *b = state_batch_new(c->eng->state);
	struct saving *s = xcalloc(1, sizeof *s);
	const struct record_intent intent = {
		.backoff_ms = c->priv->backoff_ms,
		.is_stopping = c->priv->is_stopping,
		.wants_start = c->priv->wants_start,
		.cgroup_base = c->priv->cgroup_base,
	};

	*s = (struct saving){ .c = c, .then = then, .answers = answers };
	container_record_emit(c, &intent, &text);
	state_put_container_runtime(b, c->id, strbuf_cstr(&text));
	later_commit(c->eng, b, on_saved, free, s);
}

void container_save(struct container *c, state_done_fn then)
{
	save(c, then, NULL);
}

void container_save_and_answer(struct container *c, struct call *answers)
{
	save(c, NULL, answers);
}

int container_apply(struct container *c, enum ct_event ev, state_done_fn then, struct err *e)
{
	enum ct_state next;

	if (ct_next(c->state, ev, &next, e) < 0)
		return -1;
	log_debug("container '%s': %s -> %s", c->name, ct_state_name(c->state), ct_state_name(next));
	set_state(c, next);
	container_save(c, then);
	return 0;
}

const char *container_state_name(const struct container *c)
{
	switch (c->state) {
	case CT_STARTING:
	case CT_EXITED:
		if (c->is_restarting)
			return "restarting";
		/* As docker: what never ran is still only created, also after a start that failed. */
		return c->started_wall_ns == 0 ? "created" : "exited";
	case CT_STANDBY:
		return "paused";
	default:
		return ct_state_name(c->state);
	}
}

/* ---- events ---- */

void container_event2(struct container *c, const char *action, const char *k1, const char *v1,
		      const char *k2, const char *v2)
{
	const struct str_map *labels = &c->opt->config->labels;
	struct str_pair *attrs = xcalloc(labels->n + 4, sizeof *attrs);
	struct event ev = {
		.type = "container", .action = action, .id = c->id, .from = c->opt->config->image
	};
	size_t n = 0;

	for (size_t i = 0; i < labels->n; i++)
		attrs[n++] = labels->v[i];
	attrs[n++] = (struct str_pair){ (char *)"image", c->opt->config->image };
	attrs[n++] = (struct str_pair){ (char *)"name", (char *)(uintptr_t)c->name };
	if (k1)
		attrs[n++] = (struct str_pair){ (char *)(uintptr_t)k1, (char *)(uintptr_t)v1 };
	if (k2)
		attrs[n++] = (struct str_pair){ (char *)(uintptr_t)k2, (char *)(uintptr_t)v2 };
	ev.attributes = (struct str_map){ .v = attrs, .n = n };
	events_publish(c->eng->events, &ev);
	free(attrs);
}

void container_event(struct container *c, const char *action, const char *key, const char *value)
{
	container_event2(c, action, key, value, NULL, NULL);
}

/* ---- calls that wait ---- */

static void call_add(struct call **list, const struct call *what)
{
	struct call *call = xmalloc(sizeof *call);

	*call = *what;
	while (*list)
		list = &(*list)->next;
	*list = call;
}

void call_add_changed(struct call **list, container_changed_fn fn, void *ctx)
{
	if (fn)
		call_add(list, &(struct call){ .changed = fn, .ctx = ctx });
}

void call_add_done(struct call **list, engine_done_fn fn, void *ctx)
{
	if (fn)
		call_add(list, &(struct call){ .done = fn, .ctx = ctx });
}

void call_answer(struct call **list, const struct err *err, bool changed)
{
	struct call *call = TAKE_PTR(*list);

	while (call) {
		struct call *next = call->next;

		if (call->changed)
			call->changed(call->ctx, err, changed);
		else
			call->done(call->ctx, err);
		free(call);
		call = next;
	}
}
