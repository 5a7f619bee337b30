/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which sockets kilnd serves: those of its options, and those that systemd hands over.
 */
#pragma once

#include "daemon/config.h"
#include "daemon/server.h"

/**
 * sockets_open() - Begin to listen; who connects before the loop runs waits
 *
 * fd:// stands for all sockets that were handed over. Without any host these are served, or unix://EXEC-ROOT/kiln.sock where
 * there are none.
 *
 * @e: fd:// without such sockets is ERR_INVALID
 * Return: 0, or -1 with @e set
 */
int sockets_open(const struct config *cfg, struct server *s, struct err *e);
