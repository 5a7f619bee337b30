/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state store: all metadata, in one SQLite database, owned by one thread with group commit.
 *
 * A write is a job that runs on the state thread inside a transaction that may hold others' jobs too; its @done runs on
 * the loop thread after the commit: acknowledged means kept. WAL with synchronous=NORMAL; jobs with STATE_DURABLE
 * commit with FULL. Loading happens once, at start, before the loop runs. The schema is versioned and upgraded.
 * A few MiB of ballast beside the database are given back on a full disk so that rm and exit records still commit.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "daemon/loop.h"

struct state;

enum state_flags { STATE_DURABLE = 1 };

typedef void (*state_done_fn)(void *ctx, const struct err *err);   /* err->kind ERR_NONE on success */

/* A row of `containers`. Strings are copied by state_put_container. */
struct state_container {
	const char *id;              /* 64 hex digits */
	const char *name;            /* without the slash; unique */
	const char *image_id;        /* "sha256:…" of the image configuration */
	const char *options;         /* container_options as JSON */
	const char *runtime;         /* engine's own record of observed and desired state, JSON */
	int64_t created_wall_ns;
};
struct state_image {
	const char *id;              /* "sha256:…" of the configuration */
	const char *record;          /* engine's record as JSON: manifest digest, layers (DiffIDs, blob digests, sizes), loaded when */
};
struct state_tag {
	const char *reference;       /* canonical: "docker.io/library/busybox:latest" */
	const char *image_id;
};
struct state_layer {
	const char *diff_id;         /* "sha256:…" */
	const char *dir;             /* name in layers/ */
	int64_t bytes;
};

/**
 * state_open() - Open or make the database, upgrade its schema, start the state thread
 * @e: ERR_CONFLICT it was written by a newer Kiln; ERR_SYSTEM it is damaged or cannot be read
 * Return: 0, or -1 with @e set
 */
int state_open(const char *data_root, struct loop *l, struct state **ret, struct err *e);

/* Waits until all that was asked for so far is committed; the results are posted to the loop */
void state_drain(struct state *s);

/* Waits until all that was asked for is committed; what is still to be told is told by loop_free(). NULL is fine */
void state_close(struct state *s);

/*
 * At start, synchronously: visit all rows. The visitor must not call the store.
 * Return: 0, or -1 with @e set
 */
int state_each_container(struct state *s, void (*fn)(void *ctx, const struct state_container *c), void *ctx, struct err *e);
int state_each_image(struct state *s, void (*fn)(void *ctx, const struct state_image *i), void *ctx, struct err *e);
int state_each_tag(struct state *s, void (*fn)(void *ctx, const struct state_tag *t), void *ctx, struct err *e);
int state_each_layer(struct state *s, void (*fn)(void *ctx, const struct state_layer *y), void *ctx, struct err *e);

/*
 * A batch is one atomic change: puts and deletes collected, then committed together. Nothing is written before commit.
 * @done may be NULL (nobody waits). state_commit takes the batch. Order of commits is the order of calls.
 */
struct state_batch;

/**
 * state_batch_new() - Begin a batch
 * Return: owned; state_commit() takes it
 */
struct state_batch *state_batch_new(struct state *s);
void state_put_container(struct state_batch *b, const struct state_container *c);
void state_put_container_runtime(struct state_batch *b, const char *id, const char *runtime);
void state_del_container(struct state_batch *b, const char *id);
void state_put_image(struct state_batch *b, const struct state_image *i);
void state_del_image(struct state_batch *b, const char *id);
void state_put_tag(struct state_batch *b, const struct state_tag *t);
void state_del_tag(struct state_batch *b, const char *reference);
void state_put_layer(struct state_batch *b, const struct state_layer *y);
void state_del_layer(struct state_batch *b, const char *diff_id);
void state_commit(struct state_batch *b, unsigned flags, state_done_fn done, void *ctx);
