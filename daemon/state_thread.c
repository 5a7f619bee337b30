/* SPDX-License-Identifier: Apache-2.0 */
/* The state thread: takes waiting batches, commits them together, tells the loop. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/own.h"
#include "daemon/state_priv.h"

static int step_once(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);
	int sys = errno;

	sqlite3_reset(st);
	errno = sys;
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static int run_op(struct state *s, const struct op *o)
{
	sqlite3_stmt *st = s->ops[o->kind];
	int rc;

	for (int i = 0; i < o->n_text; i++)
		sqlite3_bind_text(st, i + 1, o->text[i], -1, SQLITE_STATIC);
	if (o->has_number)
		sqlite3_bind_int64(st, o->n_text + 1, o->number);
	rc = step_once(st);
	sqlite3_clear_bindings(st);
	return rc;
}

/* In a savepoint of its own: what fails is undone without the others. */
static int run_batch(struct state *s, struct state_batch *b)
{
	int rc = step_once(s->savepoint);

	for (const struct op *o = b->first; o && rc == SQLITE_OK; o = o->next)
		rc = run_op(s, o);
	if (rc != SQLITE_OK) {
		err_sqlite(&b->err, s->db, "write the state");
		if (rc == SQLITE_FULL || sqlite3_get_autocommit(s->db))
			return SQLITE_FULL;   /* the whole transaction is lost */
		step_once(s->rollback_to);
	} else {
		b->err = (struct err){ 0 };
	}
	return step_once(s->release) == SQLITE_OK ? SQLITE_OK : SQLITE_FULL;
}

/* Outside a transaction: SQLite ignores the change within one. */
static void set_sync(struct state *s, bool is_full)
{
	if (s->is_full_sync == is_full)
		return;
	if (sqlite3_exec(s->db, is_full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", NULL, NULL, NULL) ==
	    SQLITE_OK)
		s->is_full_sync = is_full;
}

static int try_transaction(struct state *s, struct state_batch *first, struct err *e)
{
	int rc = step_once(s->begin);

	for (struct state_batch *b = first; b && rc == SQLITE_OK; b = b->next) {
		if (!b->is_refused)
			rc = run_batch(s, b);
	}
	if (rc == SQLITE_OK)
		rc = step_once(s->commit);
	if (rc == SQLITE_OK)
		return 0;
	err_sqlite(e, s->db, "commit the state");
	if (!sqlite3_get_autocommit(s->db))
		step_once(s->rollback);
	return -1;
}

/* What the ballast is for: removals, and what is told of a container's life (its exit) */
static bool may_use_ballast(const struct state_batch *b)
{
	for (const struct op *o = b->first; o; o = o->next) {
		if (o->kind == OP_DEL_CONTAINER || o->kind == OP_DEL_IMAGE || o->kind == OP_DEL_TAG ||
		    o->kind == OP_DEL_LAYER || o->kind == OP_PUT_CONTAINER_RUNTIME)
			return true;
	}
	return false;
}

/* The transaction failed: once more, with the ballast's room, for those that may have it. Return: 0, or -1 with @e set */
static int retry(struct state *s, struct state_batch *first, struct err *e)
{
	struct err why = *e;
	size_t n = 0;

	for (struct state_batch *b = first; b; b = b->next) {
		b->is_refused = !may_use_ballast(b);
		if (b->is_refused)
			b->err = why;
		else
			n++;
	}
	if (n == 0 || !state_ballast_give(s))
		return -1;
	log_warn("%s: trying once more with the ballast", why.msg);
	sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	return try_transaction(s, first, e);
}

static void commit_all(struct state *s, struct state_batch *first)
{
	struct err e = { 0 };
	bool is_durable = false;
	int rc;

	for (struct state_batch *b = first; b; b = b->next)
		is_durable |= (b->flags & STATE_DURABLE) != 0;

	pthread_mutex_lock(&s->db_lock);
	set_sync(s, is_durable);
	rc = try_transaction(s, first, &e);
	if (rc < 0)
		rc = retry(s, first, &e);
	else if (!s->has_ballast)
		state_ballast_make(s);
	pthread_mutex_unlock(&s->db_lock);

	for (struct state_batch *b = first; rc < 0 && b; b = b->next)
		b->err = e;
}

/* On the loop thread */
static void tell(void *ctx)
{
	struct state_batch *b = ctx;

	while (b) {
		struct state_batch *next = b->next;

		if (b->done)
			b->done(b->ctx, &b->err);
		else if (b->err.kind != ERR_NONE)
			log_err("%s", b->err.msg);
		arena_free(b->arena);
		free(b);
		b = next;
	}
}

static void *thread_main(void *ctx)
{
	struct state *s = ctx;

	pthread_mutex_lock(&s->lock);
	while (s->first || !s->is_ending) {
		struct state_batch *taken = s->first;

		if (!taken) {
			pthread_cond_wait(&s->wake, &s->lock);
			continue;
		}
		s->first = s->last = NULL;
		s->is_busy = true;
		pthread_mutex_unlock(&s->lock);
		commit_all(s, taken);
		loop_post(s->l, tell, taken);
		pthread_mutex_lock(&s->lock);
		s->is_busy = false;
		pthread_cond_broadcast(&s->idle);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

int state_thread_start(struct state *s, struct err *e)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&s->thread, NULL, thread_main, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0)
		return err_set(e, ERR_SYSTEM, "start the state thread");
	s->has_thread = true;
	return 0;
}

void state_thread_stop(struct state *s)
{
	if (!s->has_thread)
		return;
	pthread_mutex_lock(&s->lock);
	s->is_ending = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	s->has_thread = false;
}

void state_drain(struct state *s)
{
	pthread_mutex_lock(&s->lock);
	while (s->first || s->is_busy)
		pthread_cond_wait(&s->idle, &s->lock);
	pthread_mutex_unlock(&s->lock);
}
