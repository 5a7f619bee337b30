/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's state, shared by its files: monitor.c (start), monitor_loop.c (life), monitor_talk.c (kilnd).
 * Nobody else includes this.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/exitrec.h"
#include "runtime/cgroup.h"
#include "runtime/slots.h"
#include "runtime/streams.h"

/* What kilnd is to hear and has not heard, because its socket was full or there is no kilnd. */
enum news {
	NEWS_STARTED = 1,
	NEWS_STATUS = 2,
	NEWS_EXITED = 4,
	NEWS_FAILED = 8,
};

struct monitor {
	bool is_exec;
	char id[PROTO_ID_LEN + 1];
	uint32_t slot_index;
	struct slot_page *page;
	int poke_fd;               /* to the launcher */
	int record_fd;
	int control_fd;            /* kilnd; -1: none */
	int listen_fd;             /* for the next kilnd; -1: not yet */
	int container_pidfd;       /* exec: the container's init; -1 */
	struct streams *streams;
	bool is_tty;

	pid_t pid;                 /* the program; 0: not started, or reaped */
	int pidfd;                 /* -1: not started */
	struct cgroup_handle *cgroup; /* its OOM counter; NULL for execs */
	struct exit_record record;
	int64_t kill_due_ns;       /* exec: its timeout, monotonic; INT64_MAX: none */
	bool is_timed_out;

	bool has_ended;            /* the program is gone and recorded, or never came to be */
	bool has_failed;           /* it never came to be: `failure` says why */
	bool is_reported;          /* the end was offered to a kilnd that was there, or could have been */
	bool is_released;          /* MSG_RELEASE came */
	bool is_given_up;          /* it came before the end was told: that kilnd will not ask again */
	int64_t report_due_ns;     /* the end is reported at this time at the latest, drained or not */
	int64_t stop_due_ns;       /* no output is read after this time */
	int64_t close_due_ns;      /* clients are let go from this time on, released or not */
	struct msg_failed failure;

	unsigned news;             /* enum news */
	unsigned n_detached;       /* MSG_DETACHED to send */
};

#define MONITOR_NEVER     INT64_MAX
#define MONITOR_DRAIN_NS  (2 * 1000000000LL)    /* output after the program's end, of processes it left behind */
#define MONITOR_CLOSE_NS  (10 * 1000000000LL)   /* for kilnd's MSG_RELEASE */
#define MONITOR_LINGER_NS (3600 * 1000000000LL) /* for a client that does not read the rest (a pager): nobody waits */

/**
 * monitor_loop() - Serve until kilnd has released us
 * Return: nothing
 */
void monitor_loop(struct monitor *m);

/**
 * monitor_read_kilnd() - Act on all that kilnd has sent so far
 * Return: nothing
 */
void monitor_read_kilnd(struct monitor *m);

/**
 * monitor_accept() - Take the next kilnd's connection: the newest wins
 * Return: nothing
 */
void monitor_accept(struct monitor *m);

/**
 * monitor_send_news() - Tell kilnd what it is to hear, as much as its socket takes; never blocks
 * Return: nothing
 */
void monitor_send_news(struct monitor *m);
