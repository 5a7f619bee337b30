/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /containers/{id}/logs: what is in the file, then, with follow, what the monitor adds. Loop thread.
 *
 * kilnd only reads: the monitor writes. A follower is woken by inotify and ends after the container's exit, when
 * the file is read to its end. A slow client stops its own reading, never the writer.
 *
 * Spec: Docker Engine API 1.51, ContainerLogs
 */
#pragma once

#include "daemon/server.h"

/* The handler of the route */
void docker_logs(struct request *r);
