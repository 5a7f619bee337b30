/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaching with the log first.
 *
 * Theory of operation: the connection is ours until the log has been written into it. Each time it takes something, one piece
 * is written, or the next chunk of the log read when all was; when there is no more, the client is attached, or its connection
 * closed. As with docker, what the container writes just then may be missing: the log and the streams have no common order.
 * A client that takes nothing for a minute is dropped.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/own.h"
#include "daemon/engine/container_impl.h"
#include "daemon/logfile.h"
#include "runtime/proto.h"

#define REPLAYS_MAX 64
#define STALL_MS    60000

struct attach_replay {
	struct attach_replay *next;      /* in the container, which outlives it */
	struct container *c;
	int fd;                          /* owned */
	unsigned flags;
	bool is_stream;                  /* attach it behind the log */
	char detach_keys[16];
	char *prefix;                    /* owned */
	size_t n_prefix;
	struct logfile *file;            /* NULL: nothing was ever logged */
	struct strbuf out;
	size_t n_sent;                   /* of out */
	struct loop_watch *watch;
	struct loop_timer *stall;
};

static void replay_free(struct attach_replay *p)
{
	for (struct attach_replay **at = &p->c->priv->replays; *at; at = &(*at)->next) {
		if (*at != p)
			continue;
		*at = p->next;
		p->c->priv->n_replays--;
		break;
	}
	loop_watch_free(TAKE_PTR(p->watch));
	loop_timer_free(TAKE_PTR(p->stall));
	logfile_free(p->file);
	strbuf_done(&p->out);
	close_fd(&p->fd);
	free(p->prefix);
	free(p);
}

static bool add_entry(void *ctx, const struct log_entry *entry)
{
	struct attach_replay *p = ctx;
	unsigned char head[8] = { entry->is_stderr ? 2 : 1 };

	if (!(p->flags & (entry->is_stderr ? ATTACH_STDERR : ATTACH_STDOUT)))
		return true;
	for (int i = 0; i < 4; i++)
		head[4 + i] = (unsigned char)(entry->n_text >> (24 - 8 * i));
	if (p->flags & ATTACH_MUX)
		strbuf_add(&p->out, (const char *)head, sizeof head);
	strbuf_add(&p->out, entry->text, entry->n_text);
	return true;
}

/* The log is through */
static void finish(struct attach_replay *p)
{
	struct container *c = p->c;

	if (p->is_stream && container_can_attach(c, ERR_IGNORED) == 0) {
		loop_watch_free(TAKE_PTR(p->watch));
		container_attach(c, TAKE_FD(p->fd), p->flags, p->detach_keys, p->prefix, p->n_prefix);
	}
	replay_free(p);
}

/* Return: false when @p is gone */
static bool send_some(struct attach_replay *p)
{
	ssize_t n = send(p->fd, p->out.data + p->n_sent, p->out.len - p->n_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n < 0) {
		replay_free(p);
		return false;
	}
	p->n_sent += (size_t)n;
	loop_timer_start(p->stall, STALL_MS, 0);
	return true;
}

static void on_ready(void *ctx, unsigned events)
{
	struct attach_replay *p = ctx;
	bool has_more = false;

	if (events & LOOP_HUP) {
		replay_free(p);
		return;
	}
	if (p->n_sent < p->out.len && (!send_some(p) || p->n_sent < p->out.len))
		return;
	strbuf_reset(&p->out);
	p->n_sent = 0;
	if (p->file && logfile_read(p->file, add_entry, p, &has_more, ERR_IGNORED) < 0)
		has_more = false;
	if (p->out.len == 0 && !has_more)
		finish(p);
}

static void on_stall(void *ctx)
{
	replay_free(ctx);
}

int container_can_replay(const struct container *c, struct err *e)
{
	if (!c->log_path)
		return err_set(e, ERR_UNSUPPORTED, "configured logging driver does not support reading");
	if (c->priv->n_replays >= REPLAYS_MAX)
		return err_set(e, ERR_CONFLICT, "container %s has %d clients that read its log to attach already", c->id, REPLAYS_MAX);
	return fd_check_spare(e);
}

void container_attach_logs(struct container *c, const struct monitor_attach *what, bool is_stream)
{
	struct attach_replay *p = xcalloc(1, sizeof *p);

	*p = (struct attach_replay){ .next = c->priv->replays, .c = c, .fd = what->fd, .flags = what->flags, .is_stream = is_stream,
				     .n_prefix = what->n_prefix };
	c->priv->replays = p;
	c->priv->n_replays++;
	snprintf(p->detach_keys, sizeof p->detach_keys, "%s", what->detach_keys ? what->detach_keys : "");
	if (what->n_prefix) {
		p->prefix = xcalloc(1, what->n_prefix);
		memcpy(p->prefix, what->prefix, what->n_prefix);
	}
	if (logfile_open(c->log_path, c->n_log_files, &p->file, ERR_IGNORED) < 0)
		p->file = NULL;
	p->stall = loop_timer_new(c->eng->loop, "client that does not read the log", on_stall, p);
	loop_timer_start(p->stall, STALL_MS, 0);
	if (!is_stream)
		container_event(c, "attach", NULL, NULL);
	p->watch = loop_watch_new(c->eng->loop, "client that reads the log", p->fd, LOOP_WRITE | LOOP_HUP, on_ready, p);
}

void container_replay_drop(struct container *c)
{
	while (c->priv->replays)
		replay_free(c->priv->replays);
}
