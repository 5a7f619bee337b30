/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine: what is decided. Containers, execs, images and events, on the loop thread only.
 *
 * Doors translate requests into these calls and read these structs (const) to answer; only the engine changes them.
 * Asynchronous calls take `done` and call it exactly once, on the loop thread, maybe before they return.
 * err->kind is ERR_NONE on success. A done callback whose client is gone is the door's to ignore.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "daemon/loop.h"
#include "daemon/state.h"

struct engine;
struct container;
struct image;

struct engine_config {
	const char *data_root;       /* absolute; kept */
	const char *exec_root;       /* absolute; kept */
	const char *cgroup_parent;   /* "/kiln"; kept */
	const char *runtime_path;    /* kiln-runtime; kept */
	int data_root_fd, exec_root_fd;
};

typedef void (*engine_done_fn)(void *ctx, const struct err *err);

/**
 * engine_new() - Make what is missing on disk, load the store, connect to (or start) the launcher, adopt what runs
 * @cfg: kept
 * Return: 0, or -1 with @e set
 */
int  engine_new(const struct engine_config *cfg, struct loop *l, struct state *s, struct engine **ret, struct err *e);
void engine_free(struct engine *eng);            /* leaves containers running */
const struct engine_config *engine_cfg(const struct engine *eng);   /* borrowed */
struct loop *engine_loop(const struct engine *eng);                 /* borrowed */
/* Stop every container by its stop signal, then done (kilnd --stop-all and the host's shutdown) */
void engine_stop_all(struct engine *eng, engine_done_fn done, void *ctx);
