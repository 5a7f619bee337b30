/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a container of the command line: its control group, its directory.
 */
#pragma once

#include "runtime/front/instance.h"

/**
 * destroy_instance() - Take away all that belongs to a container whose first process has ended
 * @e: ERR_NOT_FOUND somebody else has done it meanwhile; ERR_TIMEOUT somebody else is at it, or a process does not die
 *
 * Kills what is left in its control group. Waits for whoever holds its lock, ten seconds at most.
 * Return: 0, or -1 with @e set; then it can be done again
 */
int destroy_instance(struct instance *i, struct err *e);
