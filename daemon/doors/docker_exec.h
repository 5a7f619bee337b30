/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bodies of POST containers/{id}/exec and exec/{id}/start. Pure; no I/O.
 *
 * Spec: Docker Engine API 1.51, ContainerExec, ExecStart
 */
#pragma once

#include "daemon/engine/container.h"

struct exec_start_options {
	bool is_detached;
	uint32_t height, width;  /* as they were, when the body says nothing of them */
};

/**
 * docker_exec_parse() - A create request's body
 * @ret: in @a; at least one word in cmd
 * @e:   ERR_INVALID malformed, told with the path to the value; ERR_UNSUPPORTED a field that Kiln refuses
 * Return: 0, or -1 with @e set
 */
int docker_exec_parse(const char *body, size_t n, struct arena *a, struct exec_options *ret, struct err *e);

/**
 * docker_exec_start_parse() - A start request's body, which may be empty
 * @io: borrows; the exec's own size goes in
 * @e:  as docker_exec_parse()
 * Return: 0, or -1 with @e set
 */
int docker_exec_start_parse(const char *body, size_t n, struct arena *a, struct exec_start_options *io, struct err *e);
