/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /containers/json: filters, limits and order. Loop thread.
 *
 * Spec: Docker Engine API 1.51, ContainerList
 */
#pragma once

#include "daemon/server.h"

/* The handler of the route */
void docker_list(struct request *r);
