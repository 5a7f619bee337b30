/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The create request: what is done, what is accepted because it asks for nothing, and what is refused by name.
 * Pure; no I/O.
 *
 * Spec: Docker Engine API 1.51, ContainerCreate
 */
#pragma once

#include "oci/options.h"

/**
 * docker_create_parse() - A create request's body as options
 * @ret: config and host never NULL; lives in @a
 * @e:   ERR_INVALID malformed, told with the path to the value; ERR_UNSUPPORTED a field that Kiln refuses, told with the reason
 * Return: 0, or -1 with @e set
 */
int docker_create_parse(const char *body, size_t n, struct arena *a, struct container_options *ret, struct err *e);

/* One field of the API that Kiln does not do: why, and what it takes as "not asked". For the tests and the docs. */
struct refused_field {
	const char *path;        /* "HostConfig.Devices"; arrays without their indexes */
	const char *accepted;    /* compact JSON values that ask for nothing besides null, false, 0, "", [] and {}, divided by '|'; "" for none, "{}" when keys ask, too */
	const char *reason;
};
extern const struct refused_field docker_refused_fields[];   /* ends with a NULL path */
