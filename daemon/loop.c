/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"

#define SLOW_CALLBACK_NS (10 * 1000 * 1000)
#define LONG_JOBS_MAX    2
#define WORKER_THREADS   "6"

struct call {
	struct call *next;
	loop_fn fn;
	void *ctx;
};

/* A queue of calls; empty value {0}. */
struct calls {
	struct call *first, *last;
};

struct job {
	uv_work_t req;
	struct job *next;
	struct loop *l;
	enum loop_job_class class;
	loop_fn work, done;
	void *ctx;
};

struct loop {
	uv_loop_t uv;
	uv_async_t wakeup;             /* for loop_post() */
	uv_idle_t deferring;           /* active while `deferred` holds something */
	struct calls deferred;         /* loop thread only */
	pthread_mutex_t lock;          /* of `posted` */
	struct calls posted;
	struct job *long_first, *long_last; /* waiting long jobs */
	unsigned n_long_running;
	int signal_fd;                 /* -1: none asked for */
	sigset_t signals;
	struct loop_watch *signal_watch;
	struct call on_signal[NSIG];
};

struct loop_watch {
	uv_poll_t poll;
	struct loop *l;
	const char *name;
	loop_watch_fn fn;
	void *ctx;
	unsigned events;
};

struct loop_timer {
	uv_timer_t timer;
	const char *name;
	loop_fn fn;
	void *ctx;
};

/* ---- slow callbacks ---- */

static void check_slow(const char *name, int64_t began_ns)
{
	int64_t took_ns = clock_mono_ns() - began_ns;

	if (took_ns > SLOW_CALLBACK_NS)
		log_warn("callback '%s' took %lld ms", name, (long long)(took_ns / 1000000));
}

static void call_timed(const char *name, loop_fn fn, void *ctx)
{
	int64_t began_ns = clock_mono_ns();

	fn(ctx);
	check_slow(name, began_ns);
}

/* ---- queues of calls ---- */

static void calls_push(struct calls *q, loop_fn fn, void *ctx)
{
	struct call *c = xcalloc(1, sizeof(*c));

	c->fn = fn;
	c->ctx = ctx;
	if (q->last)
		q->last->next = c;
	else
		q->first = c;
	q->last = c;
}

/* Calls what was in the queue at entry; what the calls add waits for the next round. */
static void calls_run(struct calls *taken, const char *name)
{
	struct call *c = taken->first;

	while (c) {
		struct call *next = c->next;

		call_timed(name, c->fn, c->ctx);
		free(c);
		c = next;
	}
}

static void on_deferring(uv_idle_t *h)
{
	struct loop *l = h->data;
	struct calls taken = l->deferred;

	l->deferred = (struct calls){ 0 };
	calls_run(&taken, "deferred");
	if (!l->deferred.first)
		uv_idle_stop(h);
}

static void on_wakeup(uv_async_t *h)
{
	struct loop *l = h->data;
	struct calls taken;

	pthread_mutex_lock(&l->lock);
	taken = l->posted;
	l->posted = (struct calls){ 0 };
	pthread_mutex_unlock(&l->lock);
	calls_run(&taken, "posted");
}

void loop_defer(struct loop *l, loop_fn fn, void *ctx)
{
	calls_push(&l->deferred, fn, ctx);
	uv_idle_start(&l->deferring, on_deferring);
}

void loop_post(struct loop *l, loop_fn fn, void *ctx)
{
	pthread_mutex_lock(&l->lock);
	calls_push(&l->posted, fn, ctx);
	pthread_mutex_unlock(&l->lock);
	uv_async_send(&l->wakeup);
}

/* ---- the loop ---- */

static int err_uv(struct err *e, int code, const char *what)
{
	return err_set(e, ERR_SYSTEM, "%s: %s", what, uv_strerror(code));
}

int loop_new(struct loop **ret, struct err *e)
{
	struct loop *l = xcalloc(1, sizeof(*l));
	int rc;

	/* Read by libuv when the first job is queued. */
	setenv("UV_THREADPOOL_SIZE", WORKER_THREADS, 0);
	rc = uv_loop_init(&l->uv);
	if (rc < 0) {
		free(l);
		return err_uv(e, rc, "make the event loop");
	}
	l->signal_fd = -1;
	sigemptyset(&l->signals);
	pthread_mutex_init(&l->lock, NULL);
	uv_async_init(&l->uv, &l->wakeup, on_wakeup);
	uv_idle_init(&l->uv, &l->deferring);
	l->uv.data = l->wakeup.data = l->deferring.data = l;
	*ret = l;
	return 0;
}

static void close_handle(uv_handle_t *h, void *ctx)
{
	(void)ctx;
	if (!uv_is_closing(h))
		uv_close(h, NULL);
}

void loop_run_pending(struct loop *l)
{
	do {
		on_deferring(&l->deferring);
		on_wakeup(&l->wakeup);
	} while (l->deferred.first);
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	loop_watch_free(TAKE_PTR(l->signal_watch));
	loop_run_pending(l);
	uv_walk(&l->uv, close_handle, NULL);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	BUG(uv_loop_close(&l->uv) != 0, "loop freed with open handles");
	close_fd(&l->signal_fd);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

void loop_run(struct loop *l)
{
	uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *l)
{
	uv_stop(&l->uv);
}

int64_t loop_now_ms(const struct loop *l)
{
	return (int64_t)uv_now(&l->uv);
}

/* ---- descriptors ---- */

/*
 * UV_PRIORITIZED never happens on the sockets and pipes we watch, but epoll always tells HUP and ERR, and libuv
 * passes those on as whatever was asked for. That makes it a way to wait for the end only.
 */
static int events_to_uv(unsigned events)
{
	return ((events & LOOP_READ) ? UV_READABLE : 0) | ((events & LOOP_WRITE) ? UV_WRITABLE : 0) |
	       ((events & LOOP_HUP) ? UV_PRIORITIZED : 0);
}

static unsigned events_from_uv(int events)
{
	return ((events & UV_READABLE) ? LOOP_READ : 0u) | ((events & UV_WRITABLE) ? LOOP_WRITE : 0u) |
	       ((events & UV_PRIORITIZED) ? LOOP_HUP : 0u);
}

static void free_handle(uv_handle_t *h)
{
	free(h->data);
}

static void on_poll(uv_poll_t *p, int status, int events)
{
	struct loop_watch *w = p->data;
	int64_t began_ns = clock_mono_ns();
	unsigned asked = w->events;
	const char *name = w->name;

	/* libuv disarms on EPOLLERR and hides it: arm again, the owner learns the error by read or write. */
	if (status < 0)
		uv_poll_start(p, events_to_uv(asked), on_poll);
	w->fn(w->ctx, status < 0 ? asked : events_from_uv(events));
	check_slow(name, began_ns);
}

struct loop_watch *loop_watch_new(struct loop *l, const char *name, int fd, unsigned events,
				  loop_watch_fn fn, void *ctx)
{
	struct loop_watch *w = xcalloc(1, sizeof(*w));
	int rc = uv_poll_init(&l->uv, &w->poll, fd);

	BUG(rc < 0, "watch '%s', descriptor %d: %s", name, fd, uv_strerror(rc));
	w->l = l;
	w->name = name;
	w->fn = fn;
	w->ctx = ctx;
	w->poll.data = w;
	loop_watch_set(w, events);
	return w;
}

void loop_watch_set(struct loop_watch *w, unsigned events)
{
	if (w->events == events)
		return;
	w->events = events;
	if (events)
		uv_poll_start(&w->poll, events_to_uv(events), on_poll);
	else
		uv_poll_stop(&w->poll);
}

void loop_watch_free(struct loop_watch *w)
{
	if (!w)
		return;
	uv_close((uv_handle_t *)&w->poll, free_handle);
}

/* ---- timers ---- */

static void on_timer(uv_timer_t *h)
{
	struct loop_timer *t = h->data;
	const char *name = t->name;

	call_timed(name, t->fn, t->ctx);
}

struct loop_timer *loop_timer_new(struct loop *l, const char *name, loop_fn fn, void *ctx)
{
	struct loop_timer *t = xcalloc(1, sizeof(*t));

	t->name = name;
	t->fn = fn;
	t->ctx = ctx;
	uv_timer_init(&l->uv, &t->timer);
	t->timer.data = t;
	return t;
}

void loop_timer_start(struct loop_timer *t, uint64_t first_ms, uint64_t repeat_ms)
{
	/* libuv counts from its cached time, which is old after a slow callback. */
	uv_update_time(t->timer.loop);
	uv_timer_start(&t->timer, on_timer, first_ms, repeat_ms);
}

void loop_timer_stop(struct loop_timer *t)
{
	uv_timer_stop(&t->timer);
}

void loop_timer_free(struct loop_timer *t)
{
	if (!t)
		return;
	uv_close((uv_handle_t *)&t->timer, free_handle);
}

/* ---- background work ---- */

static void job_queue(struct job *j);

static void job_start_waiting(struct loop *l)
{
	struct job *j = l->long_first;

	if (!j || l->n_long_running >= LONG_JOBS_MAX)
		return;
	l->long_first = j->next;
	if (!l->long_first)
		l->long_last = NULL;
	job_queue(j);
}

static void job_work(uv_work_t *req)
{
	struct job *j = container_of(req, struct job, req);

	j->work(j->ctx);
}

static void job_done(uv_work_t *req, int status)
{
	struct job *j = container_of(req, struct job, req);
	struct loop *l = j->l;

	(void)status;
	if (j->class == LOOP_JOB_LONG) {
		l->n_long_running--;
		job_start_waiting(l);
	}
	if (j->done)
		call_timed("job done", j->done, j->ctx);
	free(j);
}

static void job_queue(struct job *j)
{
	if (j->class == LOOP_JOB_LONG)
		j->l->n_long_running++;
	uv_queue_work(&j->l->uv, &j->req, job_work, job_done);
}

void loop_work(struct loop *l, enum loop_job_class class, loop_fn work, loop_fn done, void *ctx)
{
	struct job *j = xcalloc(1, sizeof(*j));

	j->l = l;
	j->class = class;
	j->work = work;
	j->done = done;
	j->ctx = ctx;
	if (class == LOOP_JOB_LONG && l->n_long_running >= LONG_JOBS_MAX) {
		if (l->long_last)
			l->long_last->next = j;
		else
			l->long_first = j;
		l->long_last = j;
		return;
	}
	job_queue(j);
}

/* ---- signals ---- */

static void on_signal_fd(void *ctx, unsigned events)
{
	struct loop *l = ctx;
	struct signalfd_siginfo info;

	(void)events;
	while (read(l->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo < NSIG && l->on_signal[info.ssi_signo].fn)
			l->on_signal[info.ssi_signo].fn(l->on_signal[info.ssi_signo].ctx);
	}
}

int loop_on_signal(struct loop *l, int signo, loop_fn fn, void *ctx, struct err *e)
{
	int fd;

	BUG(signo <= 0 || signo >= NSIG, "signal %d", signo);
	sigaddset(&l->signals, signo);
	if (pthread_sigmask(SIG_BLOCK, &l->signals, NULL) != 0)
		return err_set(e, ERR_SYSTEM, "block signal %d", signo);
	fd = signalfd(l->signal_fd, &l->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_sys(e, "receive signal %d", signo);
	l->on_signal[signo] = (struct call){ .fn = fn, .ctx = ctx };
	if (l->signal_fd < 0) {
		l->signal_fd = fd;
		l->signal_watch = loop_watch_new(l, "signals", fd, LOOP_READ, on_signal_fd, l);
	}
	return 0;
}
