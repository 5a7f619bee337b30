/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers as the Docker API prints them: inspect and list. Loop thread; reads the engine's structs.
 *
 * Spec: Docker Engine API 1.51, ContainerInspect, ContainerSummary
 */
#pragma once

#include "base/str.h"
#include "daemon/engine/container.h"

/* Return: the network mode as told to clients: "default" and nothing are "bridge" */
const char *docker_network_mode(const struct container_options *opt);

/* GET /containers/{id}/json, appended to @out */
void docker_print_inspect(const struct container *c, struct strbuf *out);

/* One element of GET /containers/json */
void docker_print_summary(struct jw *w, struct container *c);
