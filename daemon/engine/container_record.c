/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/container_record.h"

#include <stdio.h>
#include <string.h>

#include "base/own.h"

struct record {
	char *state;
	bool wants_running, wants_start, is_stopping;
	bool was_stopped_by_hand, has_started_once, is_oom_killed;
	int64_t exit_code;
	char *error;
	int64_t started_wall_ns, finished_wall_ns;
	int64_t restart_count;
	uint64_t backoff_ms;
	int64_t health, health_failing_streak; /* health: enum health_state */
	char *cgroup_base;
};

static const struct jfield record_fields[] = {
	J_STRING(struct record, state, "state", J_REQUIRED),
	J_BOOLEAN(struct record, wants_running, "wantsRunning", J_OMIT_EMPTY),
	J_BOOLEAN(struct record, wants_start, "wantsStart", J_OMIT_EMPTY),
	J_BOOLEAN(struct record, is_stopping, "stopping", J_OMIT_EMPTY),
	J_BOOLEAN(struct record, was_stopped_by_hand, "stoppedByHand", J_OMIT_EMPTY),
	J_BOOLEAN(struct record, has_started_once, "startedOnce", J_OMIT_EMPTY),
	J_BOOLEAN(struct record, is_oom_killed, "oomKilled", J_OMIT_EMPTY),
	J_I64(struct record, exit_code, "exitCode", J_OMIT_EMPTY),
	J_STRING(struct record, error, "error", J_OMIT_EMPTY),
	J_I64(struct record, started_wall_ns, "startedAt", J_OMIT_EMPTY),
	J_I64(struct record, finished_wall_ns, "finishedAt", J_OMIT_EMPTY),
	J_I64(struct record, restart_count, "restartCount", J_OMIT_EMPTY),
	J_U64(struct record, backoff_ms, "backoffMs", J_OMIT_EMPTY),
	J_I64(struct record, health, "health", J_OMIT_EMPTY),
	J_I64(struct record, health_failing_streak, "failingStreak", J_OMIT_EMPTY),
	J_STRING(struct record, cgroup_base, "cgroupBase", J_OMIT_EMPTY),
};
static const struct jschema record_schema =
	J_SCHEMA(struct record, "container record", record_fields);

void container_record_emit(const struct container *c, const struct record_intent *intent,
			   struct strbuf *out)
{
	const struct record r = {
		.state = (char *)(uintptr_t)ct_state_name(c->state),
		.wants_running = c->wants_running,
		.wants_start = intent->wants_start,
		.is_stopping = intent->is_stopping,
		.was_stopped_by_hand = c->was_stopped_by_hand,
		.has_started_once = c->has_started_once,
		.is_oom_killed = c->is_oom_killed,
		.exit_code = c->exit_code,
		.error = (char *)(uintptr_t)c->error,
		.started_wall_ns = c->started_wall_ns,
		.finished_wall_ns = c->finished_wall_ns,
		.restart_count = c->restart_count,
		.backoff_ms = intent->backoff_ms,
		.health = c->health,
		.health_failing_streak = c->health_failing_streak,
		.cgroup_base = (char *)(uintptr_t)intent->cgroup_base,
	};

	json_emit(&record_schema, &r, out);
}

int container_record_parse(const char *text, struct container *c, struct record_intent *ret,
			   struct err *e)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct record *r;
	void *obj;

	if (json_decode(text, strlen(text), &record_schema, a, NULL, NULL, &obj, e) < 0)
		return err_wrap(e, "record of container '%.12s'", c->id);
	r = obj;
	if (!ct_state_parse(r->state, &c->state))
		return err_set(e, ERR_INVALID, "record of container '%.12s': state '%.32s' is none",
			       c->id, r->state);
	c->wants_running = r->wants_running;
	c->was_stopped_by_hand = r->was_stopped_by_hand;
	c->has_started_once = r->has_started_once;
	c->is_oom_killed = r->is_oom_killed;
	c->exit_code = (int32_t)r->exit_code;
	snprintf(c->error, sizeof c->error, "%s", r->error ? r->error : "");
	c->started_wall_ns = r->started_wall_ns;
	c->finished_wall_ns = r->finished_wall_ns;
	c->restart_count = (int32_t)r->restart_count;
	if (r->health >= HEALTH_NONE && r->health <= HEALTH_UNHEALTHY)
		c->health = (enum health_state)r->health;
	c->health_failing_streak = (int32_t)r->health_failing_streak;
	*ret = (struct record_intent){
		.backoff_ms = r->backoff_ms,
		.is_stopping = r->is_stopping,
		.wants_start = r->wants_start,
		.cgroup_base = r->cgroup_base && r->cgroup_base[0] == '/' ? xstrdup(r->cgroup_base) : NULL,
	};
	return 0;
}
