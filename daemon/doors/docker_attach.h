/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hijacked connections: attach, and what exec's start shares with it. Loop thread.
 *
 * Spec: Docker Engine API 1.51, ContainerAttach, ExecStart
 */
#pragma once

#include "daemon/server.h"

/* POST /containers/{id}/attach */
void docker_attach(struct request *r);

/* Room for what a client may have sent behind the header (ATTACH_PREFIX_MAX of the monitor's protocol) */
#define HIJACK_PREFIX_MAX 4096

/**
 * docker_stream_type() - The content type of a hijacked stream or of logs
 * @is_upgrade: the client asked to upgrade (always true for logs)
 * Return: a static string
 */
const char *docker_stream_type(const struct request *r, bool is_tty, bool is_upgrade);

/**
 * docker_wants_upgrade() - Did the client send "Connection: Upgrade"?
 * Return: true or false
 */
bool docker_wants_upgrade(const struct request *r);
