/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What containers have written, for `ps -s` and `inspect -s`: read by a worker, since trees may be large. Loop thread.
 */
#pragma once

#include "base/err.h"
#include "daemon/engine/container.h"

/* Of one container: bytes in its own layer. */
struct container_size {
	char id[65];
	int64_t rw_bytes; /* -1: it could not be measured */
};

/* Called once, unless the engine goes before. @err: names the last container that could not be measured, or ERR_NONE. @v is borrowed. */
typedef void (*sizes_fn)(void *ctx, const struct err *err, const struct container_size *v, size_t n);

/**
 * docker_sizes() - Measure containers, then call @fn
 * @v:   borrows; they may go meanwhile: look them up again by their IDs
 * @ctx: freed by @fn; leaked when the engine goes before, as the process ends then
 * Return: nothing
 */
void docker_sizes(struct engine *eng, struct container *const *v, size_t n, sizes_fn fn, void *ctx);
