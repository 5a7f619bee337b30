/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers as the Docker API prints them: inspect and list. Loop thread; reads the engine's structs.
 *
 * Spec: Docker Engine API 1.51, ContainerInspect, ContainerSummary
 */
#pragma once

#include "base/str.h"
#include "daemon/doors/docker_ports.h"
#include "daemon/engine/container.h"

/* Return: the network mode as told to clients: "default" and nothing are "bridge" */
const char *docker_network_mode(const struct container_options *opt);

/* The ports that `ps` and inspect show, as docker does: what is exposed while it runs on the bridge. Return: how many are in *ret, in @a */
size_t docker_shown_ports(const struct container *c, struct arena *a, struct port_range **ret);

/* GET /containers/{id}/json, appended to @out; @rw_bytes: what it has written, NULL when nobody asked */
void docker_print_inspect(const struct container *c, const int64_t *rw_bytes, struct strbuf *out);

/* An answer about an image's name, kept while a list is printed: most of its containers are of few images. {0} at first; borrows */
struct shown_image {
	const char *name, *id; /* asked about: the container's image as its user called it, and its ID */
	const char *shown;     /* which of them lists show; NULL: nothing was asked yet */
};

/* One element of GET /containers/json; @rw_bytes as above; @last: what the one before has found, and then this one has */
void docker_print_summary(struct jw *w, struct container *c, const int64_t *rw_bytes, struct shown_image *last);
