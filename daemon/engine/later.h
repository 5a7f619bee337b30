/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine asks for and hears of later: jobs, commits, deferred calls. When kilnd ends,
 * answers may still come after the engine is gone; those are not told, only what they carried is
 * freed. Loop thread only.
 */
#pragma once

#include "daemon/engine/engine_impl.h"

/* Work on a worker thread; then @done, or @drop (may be NULL) when the engine is gone. */
void later_work(struct engine *eng, enum loop_job_class class, loop_fn work, loop_fn done, loop_fn drop, void *ctx);

/* Commit a batch; then @done (may be NULL), or @drop (may be NULL) when the engine is gone. */
void later_commit(struct engine *eng, struct state_batch *b, state_done_fn done, loop_fn drop, void *ctx);

/* Call soon, unless the engine is gone by then. */
void later_defer(struct engine *eng, loop_fn fn, void *ctx);

/* The engine goes: from now on nothing is told to it. */
void later_forget(struct engine *eng);
