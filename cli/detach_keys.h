/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys that end a session with a terminal: "ctrl-p,ctrl-q". Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct detach_keys {
	char keys[16];
	size_t n;
	size_t n_seen;               /* of them, typed just now */
};

/**
 * detach_keys_set() - Read --detach-keys
 * @text: NULL or "": the default
 * @e:    ERR_INVALID
 * Return: 0, or -1 with @e set
 */
int detach_keys_set(struct detach_keys *k, const char *text, struct err *e);

/**
 * detach_keys_feed() - Look at what was typed
 * Return: true when the last of the keys is among it
 */
bool detach_keys_feed(struct detach_keys *k, const char *data, size_t n);
