/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration while kilnd runs: what SIGHUP changes, and what needs a restart. Loop thread only.
 */
#pragma once

#include "daemon/config.h"
#include "daemon/engine/engine.h"

struct reload {
	int argc;
	char **argv;
	struct arena *arena;         /* owned: of what was read last; NULL: nothing was read again */
};

/**
 * reload_apply() - Hand the options that may change to log and engine
 * @cfg: kept by the engine until the next call
 * Return: nothing
 */
void reload_apply(const struct config *cfg, struct engine *eng);

/**
 * reload_now() - Read command line and file again
 *
 * What cannot change is named in the log. A file that is wrong changes nothing, and the log says why.
 *
 * Return: nothing
 */
void reload_now(struct reload *r, struct config *cfg, struct engine *eng);

/* Frees what was read; cfg is no more of use */
void reload_done(struct reload *r);
