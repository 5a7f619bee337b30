/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports that containers say they listen on ("80/tcp"), as docker shows and filters them. Nothing is published. Pure; no I/O.
 *
 * Spec: moby daemon/list.go portOp(); docker go-connections nat.ParsePortRange()
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "oci/options.h"

struct port_range {
	uint16_t from, to;
	const char *proto;       /* "tcp", "udp" or "sctp", static */
};

/**
 * docker_port_range() - Read "80", "80/udp", "8000-8010/tcp"
 * Return: true and *ret written, or false when it is none
 */
bool docker_port_range(const char *text, struct port_range *ret);

/**
 * docker_check_exposed() - Is each key of ExposedPorts one port?
 * @e: ERR_INVALID
 * Return: 0, or -1 with @e set
 */
int docker_check_exposed(const struct opt_config *c, struct arena *a, struct err *e);

/**
 * docker_exposed() - The ports of ExposedPorts, in their order, each once; what an image has there that is none is left out, and a list
 * beyond all reason (16 KiB) is none
 * @ret: array in @a; from and to are the same
 * Return: how many
 */
size_t docker_exposed(const struct opt_config *c, struct arena *a, struct port_range **ret);
