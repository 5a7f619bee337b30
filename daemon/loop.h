/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop of kilnd: descriptors, timers, deferred calls and background work.
 *
 * The only module that sees libuv. Everything here is called on the loop thread, except loop_post().
 * Callbacks never block; one that takes over 10 ms is logged with its name. Watches, timers and jobs
 * belong to whoever made them and are freed by their own _free function (NULL is fine, also inside their
 * callback). Free them all before loop_free().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct loop;
struct loop_watch;
struct loop_timer;

enum loop_events {
	LOOP_READ = 1,
	LOOP_WRITE = 2,
	LOOP_HUP = 4, /* the other side is gone in both directions; a half-close does not count */
};

typedef void (*loop_watch_fn)(void *ctx, unsigned events);
typedef void (*loop_fn)(void *ctx);

/**
 * loop_new() - Make a loop
 * @ret: returns owned; free with loop_free()
 * Return: 0, or -1 with @e set
 */
int loop_new(struct loop **ret, struct err *e);

/**
 * loop_free() - Make the calls that were deferred or posted, wait for jobs that run, free; NULL is fine
 * Return: nothing
 */
void loop_free(struct loop *l);

/* Call back until loop_stop(), which takes effect when the running callback returns */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* Make the calls that are deferred or posted now, and those that they add; for the end, after loop_run() */
void loop_run_pending(struct loop *l);

/**
 * loop_watch_new() - Watch a descriptor
 * @name: static string, for the slow-callback log
 * @fd:   borrows: stop watching before it is closed. Becomes non-blocking. One watch a descriptor
 *
 * An error on the descriptor is told as all the events that were asked for: read or write to learn it.
 *
 * Return: the watch, owned by the caller; never NULL (a descriptor that cannot be polled is a bug)
 */
struct loop_watch *loop_watch_new(struct loop *l, const char *name, int fd, unsigned events,
				  loop_watch_fn fn, void *ctx);
void loop_watch_set(struct loop_watch *w, unsigned events); /* 0 pauses */
void loop_watch_free(struct loop_watch *w);

/**
 * loop_timer_new() - A one-shot or repeating timer, disarmed at first
 * @name: static string
 * Return: the timer, owned by the caller; never NULL
 */
struct loop_timer *loop_timer_new(struct loop *l, const char *name, loop_fn fn, void *ctx);
/* Restarts if armed; @repeat_ms 0 is one shot */
void loop_timer_start(struct loop_timer *t, uint64_t first_ms, uint64_t repeat_ms);
void loop_timer_stop(struct loop_timer *t);
void loop_timer_free(struct loop_timer *t);

/* Run @fn on the loop thread, soon, in order. loop_defer() from the loop thread, loop_post() from any. */
void loop_defer(struct loop *l, loop_fn fn, void *ctx);
void loop_post(struct loop *l, loop_fn fn, void *ctx);

enum loop_job_class { LOOP_JOB_SHORT, LOOP_JOB_LONG };

/**
 * loop_work() - Run @work on a worker thread, then @done on the loop thread
 * @class: long jobs (archives, trees) run at most two at a time, so that they cannot starve
 *         short ones (opening bind sources)
 *
 * @work gets only what @ctx holds: it never sees engine objects.
 *
 * Return: nothing
 */
void loop_work(struct loop *l, enum loop_job_class class, loop_fn work, loop_fn done, void *ctx);

/**
 * loop_now_ms() - Monotonic time, as of the start of the running callback
 * Return: milliseconds
 */
int64_t loop_now_ms(const struct loop *l);

/**
 * loop_on_signal() - Call @fn when the process gets @signo
 *
 * Blocks the signal in the calling thread: call it before threads start. Once for each signal.
 *
 * Return: 0, or -1 with @e set
 */
int loop_on_signal(struct loop *l, int signo, loop_fn fn, void *ctx, struct err *e);
