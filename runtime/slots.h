/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launcher's table of monitors: one slot for each that lives, or that died and left its program behind.
 *
 * A slot has a private half, which only the launcher sees, and a page shared with its one monitor, so that there
 * is no instant at which the launcher does not know whose child it may inherit: the kernel writes init's pid into
 * the page while it clones. A forked monitor gives up the pages of all others. What a monitor writes is not
 * trusted: waits only ever concern the launcher's own children, and a group to remove must bear the slot's id.
 * Single-threaded.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "runtime/launch.h"
#include "runtime/poke.h"
#include "runtime/proto.h"

#define SLOTS_MAX       8192
#define SLOT_PAGE_BYTES 4096
#define SLOT_CGROUP_MAX 256

/* Shared with the monitor. */
struct slot_page {
	struct launch_marks marks;         /* of the program; init 0: not yet */
	atomic_uint is_recorded;           /* its end is in the exit record, or it never ran: nothing is left to inherit */
	atomic_uint is_settled;            /* it has told kilnd that its program runs, or that there is none */
	char cgroup_path[SLOT_CGROUP_MAX]; /* to be removed after init; "": none (execs) */
};

struct slot {
	bool in_use;
	bool is_exec;
	bool is_orphan;                    /* the monitor is gone, the program is our child */
	bool is_clean;                     /* the control group is removed */
	char id[PROTO_ID_LEN + 1];
	pid_t monitor;                     /* 0 when it is gone */
	int record_fd;                     /* owned: the exit record */
	int held_fds[POKE_FDS_];           /* owned: by enum poke_fd; -1 */
	struct slot_page *page;            /* in the shared region */
};

struct slots {
	char *region;                      /* SLOTS_MAX shared pages, touched on use only */
	struct slot *v;
	size_t n;                          /* slots that were ever used */
	size_t n_in_use;
};

/**
 * slots_init() - An empty table and its shared region
 * Return: 0, or -1 with @e set
 */
int slots_init(struct slots *t, struct err *e);

/**
 * slots_take() - A free slot, its page zeroed
 * @record_fd: takes, also on failure
 * @e:         ERR_CONFLICT all SLOTS_MAX are in use
 * Return: 0 and the slot's index, or -1 with @e set
 */
int slots_take(struct slots *t, const char *id, bool is_exec, int record_fd, size_t *ret_index, struct err *e);

/**
 * slots_free() - The slot is over
 * Return: nothing
 */
void slots_free(struct slots *t, struct slot *s);

/**
 * slots_drop_held() - Close the copies of a program's stdio
 * Return: nothing
 */
void slots_drop_held(struct slot *s);

/**
 * slots_keep_only() - In a forked monitor: give up the shared pages of all other slots
 * Return: nothing
 */
void slots_keep_only(struct slots *t, size_t index);

/* Return: the shared page of a slot; also where the table itself is older, in a stem */
struct slot_page *slots_page(const struct slots *t, size_t index);

/* Return: the slot in use, or NULL */
struct slot *slots_by_monitor(struct slots *t, pid_t monitor);
struct slot *slots_by_init(struct slots *t, pid_t init);              /* whose end is not recorded */
size_t slots_count(struct slots *t, const char *id, bool is_exec);    /* in use for that container or exec */
bool slots_is_running(struct slots *t, const char *id);               /* a container whose end is not recorded */
