/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How docker ps words the state of a container. Pure; time is a parameter.
 *
 * Spec: docker/go-units HumanDuration; moby container/state.go
 */
#pragma once

#include "daemon/engine/container.h"

/**
 * status_text() - container_status_text() at a given time
 * Return: @out
 */
const char *status_text(const struct container *c, int64_t now_wall_ns, char out[128]);
