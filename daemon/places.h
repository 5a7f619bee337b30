/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The places of one kilnd: its two roots, locked so that no second kilnd works on them, and its limits.
 */
#pragma once

#include <signal.h>
#include <stdint.h>

#include "base/err.h"

#define PLACES_STOP_ALL_SIGNAL SIGUSR2

struct places {
	int data_root_fd, exec_root_fd;      /* O_DIRECTORY | O_RDONLY */
	int data_lock_fd, exec_lock_fd;      /* held as long as they are open */
	char *cgroup_parent;                 /* owned; NULL before places_find_group() */
};
#define PLACES_EMPTY { .data_root_fd = -1, .exec_root_fd = -1, .data_lock_fd = -1, .exec_lock_fd = -1 }

/**
 * places_init() - Make and lock the directories, raise the limit of open files
 * @e: ERR_CONFLICT another kilnd uses one of them
 * Return: 0, or -1 with @e set
 */
int places_init(struct places *p, const char *data_root, const char *exec_root, struct err *e);

/**
 * places_find_group() - The control group above all containers
 * @asked: by --cgroup-parent; NULL: a scope of systemd's, named after the exec root, where systemd runs, else "/kiln"
 * @e:     ERR_INVALID it is no name that systemd would give to a scope
 * Return: 0, or -1 with @e set
 */
int places_find_group(struct places *p, const char *asked, const char *exec_root, struct err *e);

/* Close and unlock; what is on disk stays */
void places_done(struct places *p);

/**
 * places_tell() - One line of what this kilnd is doing, for who waits for it in places_stop_all()
 * Return: nothing
 */
void places_tell(const struct places *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define PLACES_ALL_STOPPED "all containers are stopped"   /* its last words, when that is so */

/**
 * places_stop_all() - Tell the kilnd that holds @exec_root to stop its containers, and wait until it has ended
 * @said: called with each new line that it tells
 * @e:    ERR_NOT_FOUND no kilnd runs there now, but one did since the machine was started; ERR_SYSTEM it ended, but some
 *        containers are not stopped
 *
 * Where none ever did, nothing is to be stopped: that is success.
 * Return: 0, or -1 with @e set
 */
int places_stop_all(const char *exec_root, void (*said)(int64_t pid, const char *text), struct err *e);
