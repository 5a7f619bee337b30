/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small questions about one container that several commands ask. Blocking.
 */
#pragma once

#include <stdbool.h>

#include "cli/cmd.h"

/**
 * container_is_tty() - Has it a terminal? (Then its output has no frames.)
 * @e: ERR_NOT_FOUND "No such container: x"
 * Return: 0, or -1 with @e set
 */
int container_is_tty(const struct call *c, const char *name, bool *ret, struct err *e);
