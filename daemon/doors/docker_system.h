/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers of docker's system routes that have files of their own.
 */
#pragma once

#include "daemon/engine/engine.h"
#include "daemon/server.h"

void docker_info(struct request *r);             /* GET /info */
void docker_events(struct request *r);           /* GET /events */
