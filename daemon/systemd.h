/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What systemd wants to know, and what it hands over, by environment variables; without libsystemd. Everything does
 * nothing where kilnd was not started by systemd.
 *
 * Spec: sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3)
 */
#pragma once

#include <stdint.h>

#include "base/err.h"

#define SYSTEMD_FIRST_FD 3

/**
 * systemd_notify() - Tell the service manager: "READY=1", "STATUS=…"
 *
 * What it cannot take is lost.
 *
 * Return: nothing
 */
void systemd_notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same for a reload that begins: RELOADING=1 with the monotonic time that newer service managers want with it */
void systemd_notify_reloading(void);

/**
 * systemd_sockets() - Take the sockets that were handed over: from SYSTEMD_FIRST_FD on, now close-on-exec
 *
 * The variables are removed, so that no child takes them for its own.
 *
 * @e: ERR_INVALID one of them is no listening unix stream socket
 * Return: how many; 0 when there are none; -1 with @e set
 */
int systemd_sockets(struct err *e);

/**
 * systemd_watchdog_ms() - How often a sign of life is wanted
 * Return: half of the time after which we would be killed; 0: not wanted
 */
uint64_t systemd_watchdog_ms(void);
