/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers and execs: one struct each, touched only on the loop thread.
 *
 * The lifecycle is a table (lifecycle.h). stop and restart are intents (desired state plus a
 * timer): kill, exec, attach, logs, inspect, resize and wait never queue behind them.
 */
#pragma once

#include "daemon/engine/engine.h"
#include "daemon/engine/lifecycle.h"
#include "oci/launch.h"
#include "oci/options.h"

enum health_state { HEALTH_NONE, HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY };

struct health_result {
	int64_t start_wall_ns, end_wall_ns;
	int32_t exit_code;               /* -1: timed out or could not run */
	char output[4097];
};
#define HEALTH_LOG_MAX 5

struct container {
	struct engine *eng;
	const char *id;                  /* 64 hex digits */
	const char *name;                /* without the slash */
	const char *image_id;
	struct image *image;             /* NULL when it was removed by force */
	struct container_options *opt;   /* in arena; merged with the image's defaults where docker merges at create */
	struct str_list warnings;        /* told to whoever created it; not kept */
	int64_t created_wall_ns;

	enum ct_state state;             /* observed */
	bool wants_running;              /* desired */
	bool is_restarting;              /* waiting for the backoff, or between exit and next start */
	bool is_removing, is_paused, is_dead;
	bool was_stopped_by_hand;
	bool is_degraded;                /* runs without its monitor */
	bool is_oom_killed;
	bool has_started_once;
	int32_t pid;                     /* of init; 0 when not running */
	int pidfd;                       /* -1 when not running */
	int32_t exit_code;
	char error[512];                 /* why the last start failed, "" */
	int64_t started_wall_ns, finished_wall_ns;
	int32_t restart_count;

	enum health_state health;
	int32_t health_failing_streak;
	struct health_result *health_log; size_t n_health_log;   /* owned: HEALTH_LOG_MAX, oldest first; NULL until the first check */
	bool has_healthcheck;
	struct opt_healthcheck healthcheck;   /* effective; valid when has_healthcheck */

	const char *path; struct str_list args;   /* what runs: docker's Path and Args */
	const char *dir;                 /* <data-root>/containers/<id> */
	const char *log_path;            /* json-file; NULL: none */
	unsigned n_log_files;            /* it is kept in so many: log_path, log_path.1 … */

	struct container_priv *priv;     /* engine's own */
};

struct exec {
	const char *id;
	struct container *c;
	struct exec_options *opt;
	bool is_running, is_done;
	int32_t exit_code;               /* valid when is_done */
	int32_t pid;
	struct exec_priv *priv;
};

struct exec_options {
	bool attach_stdin, attach_stdout, attach_stderr, tty, privileged;
	struct str_list cmd, env;
	char *user, *working_dir, *detach_keys;
	uint32_t height, width;
};

/* ---- finding ---- */

/**
 * container_first() - Visit all, the newest first, by container_next()
 * Return: borrowed, NULL at the end
 */
struct container *container_first(struct engine *eng);
struct container *container_next(struct engine *eng, struct container *c);

/**
 * container_find() - By exact ID, name (leading slash tolerated) or unique ID prefix
 * @e: ERR_NOT_FOUND, ERR_INVALID when several match; messages as docker's
 * Return: 0, or -1 with @e set
 */
int container_find(struct engine *eng, const char *ref, struct container **ret, struct err *e);

/**
 * exec_find() - By exact ID
 * Return: borrowed, or NULL
 */
struct exec *exec_find(struct engine *eng, const char *id);

/**
 * container_exec_ids() - The IDs of its execs that are not done, at most @max of them into @ids
 * (borrowed)
 * Return: how many were written
 */
size_t container_exec_ids(const struct container *c, const char **ids, size_t max);

/* ---- changing ---- */
typedef void (*container_created_fn)(void *ctx, const struct err *err, struct container *c);   /* @c: NULL on failure */
/* @changed: false when it was so already, which docker tells as 304 */
typedef void (*container_changed_fn)(void *ctx, const struct err *err, bool changed);

/**
 * container_create() - Make a container from an image that is there
 * @name: NULL or "" invents one; a leading slash is tolerated
 * @opt:  borrowed, deep-copied; completed by docker's defaults and the image's, then checked
 * @done: ERR_NOT_FOUND "No such image: …", ERR_CONFLICT the name is taken, ERR_INVALID,
 *        ERR_UNSUPPORTED
 *
 * It exists, on disk and in the lists, when @done is called without an error; before that nothing
 * can be seen of it.
 */
void container_create(struct engine *eng, const char *name, const struct container_options *opt,
		      container_created_fn done, void *ctx);

/**
 * container_start() - Start it; @done when its program runs, or cannot
 * @done: ERR_CONFLICT paused or being removed; ERR_INVALID the program cannot be executed (the
 *        words tell the client 127 or 126); ERR_SYSTEM anything else. changed false: it runs
 *        already
 */
void container_start(struct container *c, container_changed_fn done, void *ctx);

/**
 * container_stop() - Stop it by hand: its policy rests until the next start; @done when its end is
 * kept
 * @signo:       0: its own stop signal
 * @timeout_sec: until SIGKILL; INT64_MIN: its own, -1: for ever. Of concurrent stops the earliest
 *               counts
 */
void container_stop(struct container *c, int signo, int64_t timeout_sec, container_changed_fn done, void *ctx);

/* container_restart(): stop, when it runs, and start; @done when it runs again. Parameters as container_stop()'s */
void container_restart(struct container *c, int signo, int64_t timeout_sec, engine_done_fn done, void *ctx);

/**
 * container_kill() - Send a signal to its first process; @done (may be NULL) when what follows from it is kept:
 * SIGKILL and its own stop signal stop it by hand
 * @e: ERR_CONFLICT it does not run
 * Return: 0, or -1 with @e set and @done not called
 */
int container_kill(struct container *c, int signo, engine_done_fn done, void *ctx, struct err *e);

/**
 * container_remove() - Remove it with all that it wrote; @done when nothing is left
 * @force: kill it first; without, ERR_CONFLICT when it runs
 */
void container_remove(struct container *c, bool force, engine_done_fn done, void *ctx);

/**
 * container_resize() - Give its terminal a size
 * @e: ERR_CONFLICT it does not run
 * Return: 0, or -1 with @e set
 */
int  container_resize(struct container *c, uint16_t height, uint16_t width, struct err *e);

enum wait_condition { WAIT_NOT_RUNNING, WAIT_NEXT_EXIT, WAIT_REMOVED };
struct wait_reg;

/**
 * container_wait() - Call @fn once, with the exit code, when the condition comes true; conditions
 * as docker's
 *
 * container_wait_cancel() when the client is gone: @fn is not called then.
 * Return: to cancel by; gone after @fn was called
 */
struct wait_reg *container_wait(struct container *c, enum wait_condition cond,
				void (*fn)(void *ctx, int32_t exit_code, const char *error), void *ctx);
void container_wait_cancel(struct wait_reg *w);

/**
 * container_can_attach() - Can one attach now? (created or running; not restarting, paused,
 * removing)
 * @e: message as docker's
 * Return: 0, or -1 with @e set
 */
int container_can_attach(const struct container *c, struct err *e);

/**
 * container_attach() - Give a connection to its monitor; before the start it is kept until the
 * launch
 * @fd:          taken
 * @flags:       enum attach_flags of runtime/proto.h
 * @detach_keys: bytes, "" for the default
 * @prefix:      borrows; what the client sent already
 */
void container_attach(struct container *c, int fd, unsigned flags, const char *detach_keys,
		      const void *prefix, size_t n_prefix);

/**
 * container_can_replay() - Can its log be sent to a client that attaches?
 * @e: ERR_UNSUPPORTED there is none by its log driver; ERR_CONFLICT too many are sent it already; as fd_check_spare()
 * Return: 0, or -1 with @e set
 */
int container_can_replay(const struct container *c, struct err *e);

struct monitor_attach;

/**
 * container_attach_logs() - Send a client the log as it is by now, then attach it, or (not @is_stream) close the connection
 * @what: its fd is taken; the rest is copied. container_can_replay() has said yes
 * Return: nothing; the client is dropped when it takes nothing for a minute
 */
void container_attach_logs(struct container *c, const struct monitor_attach *what, bool is_stream);

/**
 * exec_create() - Prepare a further process in a running container
 * @opt: borrowed, deep-copied
 * @e:   ERR_CONFLICT the container does not run
 * Return: 0, or -1 with @e set
 */
int  exec_create(struct container *c, const struct exec_options *opt, struct exec **ret, struct err *e);

/**
 * exec_can_start() - Can it start now?
 * @e: ERR_CONFLICT, messages as docker's
 * Return: 0, or -1 with @e set
 */
int  exec_can_start(const struct exec *x, struct err *e);

/**
 * exec_start() - Start it; @done when it runs or failed
 * @fd: taken, or -1 when detached; an error of the start is written into the stream, as docker does
 */
void exec_start(struct exec *x, int fd, unsigned flags, const char *detach_keys, const void *prefix, size_t n_prefix,
		bool tty, uint16_t height, uint16_t width, engine_done_fn done, void *ctx);

/**
 * exec_resize() - Give its terminal a size
 * @e: ERR_CONFLICT it does not run
 * Return: 0, or -1 with @e set
 */
int  exec_resize(struct exec *x, uint16_t height, uint16_t width, struct err *e);

/* ---- health of all: GET /kiln/v1/health reads these ---- */
const char *container_status_text(const struct container *c, char out[128]);   /* docker ps: "Up 3 minutes (healthy)" */
const char *container_state_name(const struct container *c);                    /* created running paused restarting removing exited dead */

/**
 * container_apparmor() - The AppArmor profile that it runs with, or would
 * Return: borrowed; "unconfined"; "" where AppArmor is not on
 */
const char *container_apparmor(const struct container *c);

/**
 * engine_launcher_is_up() - Is the launcher connected? engine_storage_is_ok(): can the store and
 * the disk be written?
 * @ret_why: gets the reason when not
 * Return: whether
 */
bool engine_launcher_is_up(const struct engine *eng);
bool engine_storage_is_ok(const struct engine *eng, struct err *ret_why);

/**
 * engine_advise() - What can be done about @err: for a full disk, how full the data root's is, and what makes room
 * @ret: appended to; nothing where there is nothing to say
 * Return: nothing
 */
void engine_advise(const struct engine *eng, const struct err *err, struct strbuf *ret);

/**
 * container_should_be_warm() - Should it be warm (policy, desired state), and container_is_warm():
 * is it?
 * @ret_why: gets the reason when not
 * Return: whether
 */
bool container_should_be_warm(const struct container *c);
bool container_is_warm(const struct container *c, char ret_why[256]);
