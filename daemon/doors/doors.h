/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doors of kilnd: each adds its routes to the server. Handlers parse, validate and answer; the engine decides.
 */
#pragma once

#include "daemon/engine/engine.h"
#include "daemon/server.h"

void docker_system_door(struct server *s, struct engine *eng);      /* _ping, version, info, events */
void docker_images_door(struct server *s, struct engine *eng);      /* images/... */
void docker_containers_door(struct server *s, struct engine *eng);  /* containers/... */
void docker_exec_door(struct server *s, struct engine *eng);        /* exec/... and containers/{id}/exec */
void docker_refused_door(struct server *s, struct engine *eng);     /* every other operation of the API, refused by name; add it last */
void kiln_door(struct server *s, struct engine *eng);               /* /kiln/v1/... */
