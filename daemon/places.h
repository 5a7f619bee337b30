/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The places of one kilnd: its two roots, locked so that no second kilnd works on them, and its limits.
 */
#pragma once

#include <signal.h>

#include "base/err.h"

#define PLACES_STOP_ALL_SIGNAL SIGUSR2

struct places {
	int data_root_fd, exec_root_fd;      /* O_DIRECTORY | O_RDONLY */
	int data_lock_fd, exec_lock_fd;      /* held as long as they are open */
};
#define PLACES_EMPTY { .data_root_fd = -1, .exec_root_fd = -1, .data_lock_fd = -1, .exec_lock_fd = -1 }

/**
 * places_init() - Make and lock the directories, raise the limit of open files
 * @e: ERR_CONFLICT another kilnd uses one of them
 * Return: 0, or -1 with @e set
 */
int places_init(struct places *p, const char *data_root, const char *exec_root, struct err *e);

/* Close and unlock; what is on disk stays */
void places_done(struct places *p);

/* Tell systemd, if it asked (sd_notify(3)). */
void places_notify(const char *state);

/**
 * places_stop_all() - Tell the kilnd that holds @exec_root to stop its containers, and wait until it has ended
 * @e: ERR_NOT_FOUND no kilnd runs there
 * Return: 0, or -1 with @e set
 */
int places_stop_all(const char *exec_root, struct err *e);
