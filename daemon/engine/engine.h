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
#include "base/json.h"
#include "base/log.h"
#include "daemon/loop.h"
#include "daemon/state.h"
#include "oci/options_rules.h"

struct engine;
struct container;
struct image;

#define ENGINE_CGROUP_PARENT "/kiln"   /* where no systemd runs */

struct engine_config {
	const char *data_root;       /* absolute; kept */
	const char *exec_root;       /* absolute; kept */
	const char *cgroup_parent;   /* "/kiln", or a scope of systemd's; kept */
	uint64_t cpu_rt_period_usec, cpu_rt_runtime_usec;   /* real time of all containers together; 0: the kernel's, none */
	const char *runtime_path;    /* kiln-runtime; kept */
	const char *log_level, *log_format;   /* of the launcher; kept */
	int64_t stems;               /* prepared ahead, of a kind at most */
	int data_root_fd, exec_root_fd;
	bool only_stops;             /* it is there to stop containers: none is started, whatever policies want */
};

/* What may change while kilnd runs */
struct engine_settings {
	struct options_defaults containers;
	const char *seccomp;         /* "unconfined" or the text of a profile; NULL: Kiln's own */
	const char *seccomp_name;    /* "builtin", "unconfined" or where the profile is */
	struct str_list labels;      /* "key=value" */
	int64_t shutdown_timeout_sec; /* -1: for ever */
	bool is_debug;
	enum log_level log_level;    /* of the launcher, too */
	bool log_is_json;
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
/**
 * engine_limits() - What this machine can limit, as clients are told
 * Return: that
 */
struct engine_limits {
	bool is_v2, has_swap, has_oom_kill_disable, has_io_weight, has_io_throttle;
};
struct engine_limits engine_limits(const struct engine *eng);
bool engine_has_apparmor(const struct engine *eng);   /* is it on in the kernel? */
struct loop *engine_loop(const struct engine *eng);                 /* borrowed */
const char *engine_id(const struct engine *eng);   /* borrowed; the same as long as machine and data root are */

/**
 * engine_set() - Use these settings from now on; without it there are none
 * @s: copied; what it points to is kept until the next call
 * Return: nothing
 */
void engine_set(struct engine *eng, const struct engine_settings *s);
const struct engine_settings *engine_settings(const struct engine *eng);   /* borrowed until the next engine_set() */

/**
 * engine_stop_all() - Stop every container by its stop signal (kilnd --stop-all and the host's shutdown)
 * @told: called with how many are left, of how many, at the beginning and as each one ends
 * @done: with an error when some could not be stopped
 *
 * A container whose own time-out is "for ever" gets the settings' shutdown_timeout_sec.
 *
 * Return: nothing
 */
void engine_stop_all(struct engine *eng, void (*told)(void *ctx, size_t n_left, size_t n_all), engine_done_fn done, void *ctx);
