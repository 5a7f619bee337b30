/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of containers: what is allowed, and inventing one as adjective_surname. Pure, but for
 * randomness.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define NAME_MAX_BYTES  255
#define NAME_INVENT_MAX 64

/**
 * name_check() - Is it a name that a container may have: [a-zA-Z0-9][a-zA-Z0-9_.-]+, at most 255
 * bytes
 * @e: ERR_INVALID, in docker's words
 * Return: 0, or -1 with @e set
 */
int name_check(const char *name, struct err *e);

/**
 * name_invent() - "quiet_lovelace", chosen by a number; with a digit behind it after some tries
 * @random:  any number
 * @attempt: 0 for the first try, counted up while names are taken
 * Return: @out
 */
const char *name_invent(uint64_t random, unsigned attempt, char out[NAME_INVENT_MAX]);

/**
 * name_random() - A number from the kernel, for name_invent()
 * Return: the number
 */
uint64_t name_random(void);

/**
 * name_random_id() - 64 lower-case hex digits from the kernel; never all decimal in the first
 * twelve
 *
 * A host name of digits only would be read as a number by some programs.
 * Return: @out
 */
const char *name_random_id(char out[65]);
