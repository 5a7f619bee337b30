/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop of kilnd: descriptors, timers, deferred calls and background work.
 *
 * The only module that sees libuv. Everything here is called on the loop thread, except loop_post().
 * Callbacks never block; one that takes over 10 ms is logged with its name. Watches, timers and jobs
 * belong to whoever made them and are freed by their own _free function (NULL is fine, also inside their callback).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct loop;
struct loop_watch;
struct loop_timer;

enum loop_events { LOOP_READ = 1, LOOP_WRITE = 2 };

typedef void (*loop_watch_fn)(void *ctx, unsigned events);
typedef void (*loop_fn)(void *ctx);

int  loop_new(struct loop **ret, struct err *e);
void loop_free(struct loop *l);
void loop_run(struct loop *l);           /* until loop_stop() */
void loop_stop(struct loop *l);

/* Watch a descriptor (borrowed: stop watching before it is closed). @name: static, for the slow-callback log. */
struct loop_watch *loop_watch_new(struct loop *l, const char *name, int fd, unsigned events, loop_watch_fn fn, void *ctx);
void loop_watch_set(struct loop_watch *w, unsigned events);   /* 0 pauses */
void loop_watch_free(struct loop_watch *w);

/* A one-shot or repeating timer. Starts disarmed. */
struct loop_timer *loop_timer_new(struct loop *l, const char *name, loop_fn fn, void *ctx);
void loop_timer_start(struct loop_timer *t, uint64_t first_ms, uint64_t repeat_ms);   /* restarts if armed */
void loop_timer_stop(struct loop_timer *t);
void loop_timer_free(struct loop_timer *t);

/* Run @fn on the loop thread, soon, in order. loop_defer from the loop thread, loop_post from any. */
void loop_defer(struct loop *l, loop_fn fn, void *ctx);
void loop_post(struct loop *l, loop_fn fn, void *ctx);

/*
 * Run @work on a worker thread, then @done on the loop thread. Two classes, so that long jobs (archives) cannot
 * starve short ones (opening bind sources). @work gets only what @ctx holds: it never sees engine objects.
 */
enum loop_job_class { LOOP_JOB_SHORT, LOOP_JOB_LONG };
void loop_work(struct loop *l, enum loop_job_class class, loop_fn work, loop_fn done, void *ctx);

int64_t loop_now_ms(const struct loop *l);   /* monotonic */

/* Signals of the process (signalfd behind it): call once, before threads start. */
int loop_on_signal(struct loop *l, int signo, loop_fn fn, void *ctx, struct err *e);
