/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hearing of changes in directories, for any number of readers: all share one inotify instance, of which a user may have few
 * (128 by default). Several may watch the same directory. Loop thread only; one loop in a process.
 */
#pragma once

#include "base/err.h"
#include "daemon/loop.h"

struct dirwatch;

/**
 * dirwatch_new() - Call @fn from the loop after files in @dir were written, made or moved there
 * @dir: an absolute path
 * @e:   ERR_NOT_FOUND there is no such directory; ERR_SYSTEM
 *
 * One call may stand for many changes; changes may be told that are none.
 * Return: 0 and a watch that is dirwatch_free()'s, or -1 with @e set
 */
int dirwatch_new(struct loop *l, const char *dir, loop_fn fn, void *ctx, struct dirwatch **ret, struct err *e);

/**
 * dirwatch_free() - No more calls; may be called from inside one. NULL is fine
 * Return: nothing
 */
void dirwatch_free(struct dirwatch *w);
