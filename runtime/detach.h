/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys with which an attached client lets go of a terminal ("\x10\x11": ctrl-p ctrl-q).
 *
 * A filter over the client's input that remembers a sequence begun in an earlier read. Bytes that turn out
 * not to be the sequence are passed on, late but complete and in order. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define DETACH_KEYS_MAX 15

struct detach {
	char keys[DETACH_KEYS_MAX + 1];   /* the sequence; "": the filter passes everything */
	size_t n_keys;
	size_t n_matched;                 /* of its first bytes have come and are held back */
};

/**
 * detach_init() - A filter for a sequence; longer ones are cut at DETACH_KEYS_MAX
 * Return: nothing
 */
void detach_init(struct detach *d, const char *keys);

/**
 * detach_filter() - Pass input on until the sequence is complete
 * @out:   room for @n + DETACH_KEYS_MAX bytes
 * @ret_n: bytes put into @out
 * Return: true when the sequence was completed (what follows it in @in is dropped)
 */
bool detach_filter(struct detach *d, const char *in, size_t n, char *out, size_t *ret_n);
