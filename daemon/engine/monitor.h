/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client of one monitor: of a container or of an exec. Loop thread only.
 *
 * A monitor reports each of started, failed and exited at most once. After exited it waits for
 * monitor_release(), upon which it closes what is attached and ends; gone() tells that, and also
 * that it died before its time.
 */
#pragma once

#include <stddef.h>

#include "daemon/loop.h"
#include "runtime/proto.h"

struct monitor;

struct monitor_handlers {
	void (*started)(void *ctx, const struct exit_record *rec, int pidfd);   /* @pidfd: taken */
	void (*failed)(void *ctx, const struct msg_failed *m);
	void (*exited)(void *ctx, const struct msg_exited *m);
	void (*detached)(void *ctx);         /* an attached client typed the detach keys; may be NULL */
	void (*gone)(void *ctx);             /* the connection has ended; monitor_free() is left to do */
};

/**
 * monitor_new() - Talk over a connected socket
 * @fd: takes
 * @h:  keeps
 * Return: owned
 */
struct monitor *monitor_new(struct loop *l, int fd, const struct monitor_handlers *h, void *ctx);

/**
 * monitor_free() - Disconnect; the monitor lives on. NULL is fine, also inside its callbacks
 * Return: nothing
 */
void monitor_free(struct monitor *m);

/* What to attach. */
struct monitor_attach {
	int fd;                      /* the hijacked connection; taken */
	unsigned flags;              /* enum attach_flags */
	const char *detach_keys;     /* bytes; NULL or "": the container's own */
	const void *prefix;          /* what the client had sent already; at most ATTACH_PREFIX_MAX bytes */
	size_t n_prefix;
};

/**
 * monitor_attach() - Give it a client's connection
 * Return: nothing
 */
void monitor_attach(struct monitor *m, const struct monitor_attach *a);

/**
 * monitor_resize() - Set the size of its terminal
 * Return: nothing
 */
void monitor_resize(struct monitor *m, uint16_t height, uint16_t width);

/**
 * monitor_ask_status() - Ask a monitor that was there before us what it has to tell
 * Return: nothing
 */
void monitor_ask_status(struct monitor *m);

/**
 * monitor_release() - The exit is kept: it may end
 * Return: nothing
 */
void monitor_release(struct monitor *m);
