/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container behind the engine's back: what its modules share. Loop thread only.
 *
 * One run of a container goes: begin (container_start.c) → started → ended → settled
 * (container_end.c). Ended is when the exit is known; settled is when it is committed and the
 * monitor is gone, and only then may the next run or the removal begin: no two monitors ever share
 * a socket, and no upper directory is mounted twice. What was asked for meanwhile waits in
 * wants_start and wants_removal.
 */
#pragma once

#include "daemon/engine/container.h"
#include "daemon/engine/engine_impl.h"
#include "daemon/engine/monitor.h"

/* Somebody who waits for a start, a stop or a removal: one of the two functions. */
struct call {
	struct call *next;
	container_changed_fn changed;
	engine_done_fn done;
	void *ctx;
};

/* A client that attached before the launch. */
struct attach_waiting {
	struct attach_waiting *next;
	struct container *c;
	struct loop_watch *watch;        /* its client may give up */
	int fd;                          /* owned */
	unsigned flags;
	char detach_keys[16];
	size_t n_prefix;
	char prefix[];
};

struct attach_replay;

struct container_priv {
	struct arena *arena;             /* owned: the container's strings */
	struct container *next, *prev;
	struct monitor *monitor;         /* owned; NULL: none, or gone */
	struct loop_watch *pidfd_watch;  /* degraded: tells the end of init */
	struct loop_timer *stop_timer;   /* until SIGKILL, then until giving up */
	struct loop_timer *restart_timer;
	struct loop_timer *record_timer; /* reads the exit record until it tells something */
	unsigned n_record_reads;
	unsigned n_reconnects; /* to the monitor of this run */
	struct attach_waiting *attaches;
	size_t n_attaches;
	struct attach_replay *replays;   /* clients that are sent the log first */
	size_t n_replays;
	struct wait_reg *waits;
	struct call *starts, *stops, *restarts, *removes;
	struct health_run *health;       /* owned; NULL while it does not run, or has no check */

	bool is_settling;                /* the end is known, but not yet committed, or its monitor is not gone */
	bool is_end_committed;
	bool wants_start;                /* start when settled: a restart, or a start that came while settling */
	bool wants_removal;              /* remove when settled */
	bool is_policy_start;            /* the start under way was nobody's request */
	int start_errno;                 /* of the last start that failed; 0: none is known */
	bool is_refused_start;           /* the last start failed because of the state of another container */
	bool is_counted_start;           /* … and counts in eng->n_policy_starts */
	bool is_opening;                 /* what the launch needs is being opened: there is nothing to look for yet */
	bool is_looked_for;              /* the launcher was asked what has become of its start */
	bool is_second_launch;           /* of this start: the first one was lost with a launcher or a monitor */
	bool has_lost_clients;           /* whose connections went with that; they are told by a start that fails */
	bool is_health_restart;          /* the start that is wanted is a restart of an unhealthy container */
	bool needs_clean;                /* its cgroup may have outlived its monitor */
	unsigned launcher_generation;    /* who made its monitor; 0: a launcher before our time */

	bool is_stopping;
	bool was_stop_killed;            /* SIGKILL was sent by the stop */
	bool is_stop_vain;               /* it did not help, and who had asked was told so */
	int stop_signo, stop_sent_signo;
	int64_t stop_until_ms;           /* INT64_MAX: for ever */

	uint64_t backoff_ms;             /* the last wait of the restart policy */
	char *cgroup_base;               /* owned: the group above that of the last run, for kilnd's may be another by now; NULL: it has not run */
};

struct exec_priv {
	struct exec *next;               /* in the engine */
	struct arena *arena;
	struct exec_run *run;            /* owned; NULL when not running */
	int client_fd;                   /* owned; kept for the text of a failed start; -1 */
	unsigned attach_flags;
	int64_t done_mono_ns;
	bool has_started;
	engine_done_fn done;             /* of the start; NULL when called */
	void *ctx;
};

/* ---- container.c ---- */

/**
 * container_new() - A container in memory, not yet in the engine's list
 * @arena:  takes; the other strings and @opt live in it
 * @opt:    normalized, merged and validated
 * Return: owned by the caller until container_link()
 */
struct container *container_new(struct engine *eng, struct arena *arena, const char *id, const char *name,
				const char *image_id, struct container_options *opt, int64_t created_wall_ns);

/**
 * container_free() - Free it, closing what it holds; it must be unlinked. NULL is fine
 * Return: nothing
 */
void container_free(struct container *c);

/**
 * container_cgroup_base() - The group above all containers that this one was, or would be, started in
 * Return: borrowed
 */
const char *container_cgroup_base(const struct container *c);

/* Put it at the end of the engine's list, and take it out. */
void container_link(struct container *c);
void container_unlink(struct container *c);

/**
 * container_apply() - One step of the lifecycle: decide, change memory, commit, and then go on
 * @then: called with @c after the commit (err->kind ERR_NONE on success); NULL: nobody waits
 * @e:    ERR_CONFLICT: nothing has changed and @then is not called
 *
 * The only caller of ct_next(). Facts that belong to the step are set before it.
 * Return: 0, or -1 with @e set
 */
int container_apply(struct container *c, enum ct_event ev, state_done_fn then, struct err *e);

/**
 * container_save() - Commit what is desired and observed, without a step of the lifecycle
 * @then: called with @c after the commit; may be NULL
 * Return: nothing
 */
void container_save(struct container *c, state_done_fn then);
/* The same, and then answer those calls: what is acknowledged is kept. */
void container_save_and_answer(struct container *c, struct call *answers);

/* Publish an event of the container; up to two attributes more than image, name and labels (NULL: none). */
void container_event(struct container *c, const char *action, const char *key, const char *value);
void container_event2(struct container *c, const char *action, const char *k1, const char *v1, const char *k2,
		      const char *v2);

/* Add to, and answer, a list of waiting calls. Answering empties the list first: a callback may ask again. */
void call_add_changed(struct call **list, container_changed_fn fn, void *ctx);
void call_add_done(struct call **list, engine_done_fn fn, void *ctx);
void call_answer(struct call **list, const struct err *err, bool changed);

/**
 * container_by_name() - Exactly this name (without a slash)
 * Return: the container, or NULL
 */
struct container *container_by_name(struct engine *eng, const char *name);

/* <data-root>/containers/<id>, relative to the data root; and a monitor's socket, relative to the exec root. */
#define CONTAINER_REL_MAX 96
void container_rel_dir(const char *id, char out[CONTAINER_REL_MAX]);
void container_rel_socket(const char *id, char out[CONTAINER_REL_MAX]);

/* ---- container_start.c ---- */

/**
 * container_begin() - Begin a start; the container is created, exited or restarting, and settled
 * @is_policy: nobody asked for it
 * Return: nothing; priv->starts are answered
 */
void container_begin(struct container *c, bool is_policy);

extern const struct monitor_handlers container_monitor_handlers;   /* ctx: the container */

/**
 * container_launch_again() - The launcher says that nothing came of a launch: do it once more
 * Return: true, or false when it was the second one, clients were lost with it, or it is not wanted any more
 */
bool container_launch_again(struct container *c);

/* Init runs. @pidfd: taken. */
void container_on_started(struct container *c, const struct exit_record *rec, int pidfd);
/* The start failed before init ran. @exit_code: 125, 126 or 127 */
void container_on_failed(struct container *c, int32_t exit_code, const struct err *why);

/* ---- container_end.c ---- */

/* Init has ended. */
void container_on_exited(struct container *c, const struct exit_record *rec);
/* The monitor's connection has ended: forget it, and find out what is left of the run. */
void container_on_monitor_gone(struct container *c);
/* Watch a live container by its pidfd and its exit record: it has no monitor. */
void container_watch_degraded(struct container *c);
/* Answer whoever asked for a start while it ended, and does not get it. */
void container_refuse_starts(struct container *c);
/* Its monitor, which stood still, is at work again. */
void container_watch_over(struct container *c);
/* Read the exit record now, and again for a while, until it tells a state that the container is not in. */
void container_read_record(struct container *c);
/**
 * container_policy_decide() - A run has ended: does the restart policy want another? Sets
 * wants_running
 * Return: true or false
 */
bool container_policy_decide(struct container *c);
/* Wait for the next start by policy; @uptime_ns: of the run that has ended. */
void container_policy_restart(struct container *c, int64_t uptime_ns);
/* Find out where its log is; c->dir is set */
void container_place_log(struct container *c, struct arena *a);

/* Move the log of a container that an older kilnd made to where it can be rotated; before a launch */
void container_move_log(struct container *c);

/* Have what is left of the run's processes and cgroup removed; @then: called with the container and the outcome, may be NULL */
void container_clean(struct container *c, engine_done_fn then);
/* The end of a run is committed and told: let its monitor go, then go on. */
void container_end_committed(struct container *c);
/* Begin a start by policy after @ms, when not too many are under way. */
void container_start_after(struct container *c, uint64_t ms);
/* Go on after an end: when it is committed and the monitor is gone. */
void container_try_settle(struct container *c);
/* The exit code of a run of which nothing is known any more. */
#define CONTAINER_LOST_CODE 255

/**
 * container_record_read() - The exit record of the container's run
 * @ret: phase EXIT_NONE when there is none, or when it is an earlier run's
 * Return: nothing
 */
void container_record_read(const struct container *c, struct exit_record *ret);

/* ---- container_stop.c ---- */

/**
 * container_signal() - Send a signal to init and publish it
 * @e: ERR_CONFLICT it does not run
 * Return: 0, or -1 with @e set
 */
int container_signal(struct container *c, int signo, struct err *e);
/* Begin (or hurry) the stop of a live container; priv->stops are answered by its end. */
void container_stop_live(struct container *c, int signo, int64_t timeout_sec);
/* A start has succeeded while a stop was asked for: send its signal now. */
void container_stop_resume(struct container *c);
/* The run has ended: the stop is over. */
void container_stop_over(struct container *c);
/* Return: its own stop signal */
int container_stop_signal(const struct container *c);
/* Give up waiting for the next start by policy. */
void container_cancel_backoff(struct container *c);

/* ---- container_remove.c ---- */

/* Begin the removal of a settled container; priv->removes are answered. */
void container_begin_removal(struct container *c);

/* ---- container_wait.c ---- */

/* Call those who wait for an end of the run, or (@is_removed) for the removal. */
void container_wake(struct container *c, bool is_removed);
/* Drop all registrations without calling them (kilnd ends). */
void container_drop_waits(struct container *c);

/* ---- container_attach.c ---- */

/* Hand clients that attached early to the new monitor; or close their connections. */
void container_attach_flush(struct container *c);
void container_attach_drop(struct container *c);

/* ---- container_replay.c ---- */

/* Close the connections of those that are sent the log. */
void container_replay_drop(struct container *c);

/* ---- exec.c ---- */

/* The container's run has ended: forget execs that never began. @all: forget every one (the container goes). */
void exec_forget(struct container *c, bool all);
/* An exec that the kilnd before us began, over its monitor's connection @fd (taken when true). Return: true, or false when it was none of ours */
bool exec_adopt(struct engine *eng, const char *id, int fd);
/* Leave all execs running and forget them (kilnd ends). */
void exec_free_all(struct engine *eng);
