/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the state store share. Nobody else includes this.
 *
 * Theory of operation. One thread owns all writing. It takes whatever batches wait, runs each inside a savepoint of one
 * transaction, and commits once: a failing batch is undone alone, and many waiting callers share one commit. The
 * results go back to the loop in the order of the calls. Reading happens at start only, under the same lock.
 */
#pragma once

#include <pthread.h>
#include <sqlite3.h>

#include "base/arena.h"
#include "daemon/state.h"

/* One row per kind of write: the statement, and how its arguments are bound. */
enum op_kind {
	OP_PUT_CONTAINER, OP_PUT_CONTAINER_RUNTIME, OP_DEL_CONTAINER,
	OP_PUT_IMAGE, OP_DEL_IMAGE,
	OP_PUT_TAG, OP_DEL_TAG,
	OP_PUT_LAYER, OP_DEL_LAYER,
	OP_KINDS_
};

struct op {
	struct op *next;
	enum op_kind kind;
	const char *text[5];     /* bound to ?1 … ; in the batch's arena */
	int n_text;
	int64_t number;          /* bound behind the texts when has_number */
	bool has_number;
};

struct state_batch {
	struct state_batch *next;
	struct state *s;
	struct arena *arena;
	struct op *first, *last;
	unsigned flags;
	state_done_fn done;
	void *ctx;
	struct err err;
	bool is_refused;         /* the disk is full, and it does not help */
};

struct state {
	struct loop *l;
	sqlite3 *db;
	sqlite3_stmt *ops[OP_KINDS_];
	sqlite3_stmt *begin, *commit, *rollback, *savepoint, *release, *rollback_to;
	pthread_t thread;
	pthread_mutex_t db_lock;     /* db and statements */
	pthread_mutex_t lock;        /* what follows */
	pthread_cond_t wake;
	struct state_batch *first, *last;
	bool is_ending, has_thread, is_busy;
	pthread_cond_t idle;
	bool is_full_sync;           /* the current PRAGMA synchronous; state thread only */
	int data_fd;                 /* of the data root */
	bool has_ballast;            /* state thread only; so is the next */
	bool has_wal_room;           /* blocks behind the log's end were allocated */
};

/* ---- state_schema.c ---- */
int err_sqlite(struct err *e, sqlite3 *db, const char *what);     /* Return: -1, always */
bool state_schema_is_new(sqlite3 *db);                            /* Return: nothing was ever stored in it */
int state_schema_upgrade(sqlite3 *db, struct err *e);             /* Return: 0, or -1 with @e set */

/* ---- state_thread.c ---- */
int state_thread_start(struct state *s, struct err *e);           /* Return: 0, or -1 with @e set */
void state_thread_stop(struct state *s);

/* ---- state_ballast.c ---- */
void state_ballast_set_up(struct state *s);      /* for a database that was just opened */
void state_ballast_make(struct state *s);        /* what is missing of it, if there is plenty of room */
bool state_ballast_give(struct state *s);        /* Return: true when there was some to give */
bool state_ballast_is_needed(const struct state *s);   /* Return: the disk is full, and there is some to give */
