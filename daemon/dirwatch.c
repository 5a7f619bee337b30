/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/dirwatch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/own.h"

#define CHANGES (IN_MODIFY | IN_CREATE | IN_MOVED_TO)

struct dirwatch {
	struct dirwatch *next;
	int wd;                      /* the same for all that watch one directory */
	loop_fn fn;
	void *ctx;
	bool is_hit;
};

static struct {
	struct loop_watch *watch;    /* NULL: nobody watches, and nothing is open */
	int fd;
	struct dirwatch *first;
	struct dirwatch *next;       /* who is called next: a callback may free any of them */
} all = { .fd = -1 };

/* @wd: -1 means all: the kernel's queue was too short. */
static void mark(int wd)
{
	for (struct dirwatch *w = all.first; w; w = w->next)
		w->is_hit = w->is_hit || wd < 0 || w->wd == wd;
}

static void mark_all_in(const char *buf, size_t n)
{
	int last = 0;

	for (size_t at = 0; at < n;) {
		const struct inotify_event *ev = (const void *)(buf + at);

		if (ev->wd != last)   /* a file that is written is told again and again */
			mark(ev->mask & IN_Q_OVERFLOW ? -1 : ev->wd);
		last = ev->wd;
		at += sizeof(*ev) + ev->len;
	}
}

static void on_changes(void *ctx, unsigned events)
{
	_Alignas(struct inotify_event) char buf[16384];
	ssize_t n;

	(void)ctx;
	(void)events;
	while ((n = read(all.fd, buf, sizeof(buf))) > 0)
		mark_all_in(buf, (size_t)n);
	for (struct dirwatch *w = all.first; w; w = all.next) {
		bool is_hit = w->is_hit;

		all.next = w->next;
		w->is_hit = false;
		if (is_hit)
			w->fn(w->ctx);
	}
	all.next = NULL;
}

static int open_all(struct loop *l, struct err *e)
{
	if (all.watch)
		return 0;
	all.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (all.fd < 0)
		return err_sys(e, "watch directories: inotify (fs.inotify.max_user_instances)");
	all.watch = loop_watch_new(l, "directories", all.fd, LOOP_READ, on_changes, NULL);
	return 0;
}

static void close_if_unused(void)
{
	if (all.first || !all.watch)
		return;
	loop_watch_free(TAKE_PTR(all.watch));
	close_fd(&all.fd);
}

static bool is_watched(int wd)
{
	for (const struct dirwatch *w = all.first; w; w = w->next) {
		if (w->wd == wd)
			return true;
	}
	return false;
}

int dirwatch_new(struct loop *l, const char *dir, loop_fn fn, void *ctx, struct dirwatch **ret, struct err *e)
{
	struct dirwatch *w;
	int wd;

	if (open_all(l, e) < 0)
		return -1;
	wd = inotify_add_watch(all.fd, dir, CHANGES | IN_ONLYDIR);
	if (wd < 0) {
		err_sys(e, errno == ENOSPC ? "watch '%s' (fs.inotify.max_user_watches)" : "watch '%s'", dir);
		close_if_unused();
		return -1;
	}
	w = xcalloc(1, sizeof(*w));
	*w = (struct dirwatch){ .next = all.first, .wd = wd, .fn = fn, .ctx = ctx };
	all.first = w;
	*ret = w;
	return 0;
}

void dirwatch_free(struct dirwatch *w)
{
	if (!w)
		return;
	for (struct dirwatch **at = &all.first; *at; at = &(*at)->next) {
		if (*at == w) {
			*at = w->next;
			break;
		}
	}
	if (all.next == w)
		all.next = w->next;
	if (!is_watched(w->wd))
		inotify_rm_watch(all.fd, w->wd);   /* fails when the directory has gone, and the watch with it */
	free(w);
	close_if_unused();
}
