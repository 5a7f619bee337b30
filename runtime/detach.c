/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/detach.h"

#include <stdio.h>
#include <string.h>

void detach_init(struct detach *d, const char *keys)
{
	*d = (struct detach){ 0 };
	snprintf(d->keys, sizeof d->keys, "%s", keys);
	d->n_keys = strlen(d->keys);
}

/* A byte that does not continue the match: pass on held bytes until the rest is a beginning of the keys again. */
static void mismatch(struct detach *d, char byte, char *out, size_t *n_out)
{
	char held[DETACH_KEYS_MAX + 1];
	size_t n = d->n_matched + 1, skip = 1;

	memcpy(held, d->keys, d->n_matched);
	held[d->n_matched] = byte;
	while (skip < n && memcmp(held + skip, d->keys, n - skip) != 0)
		skip++;
	memcpy(out + *n_out, held, skip);
	*n_out += skip;
	d->n_matched = n - skip;
}

bool detach_filter(struct detach *d, const char *in, size_t n, char *out, size_t *ret_n)
{
	size_t n_out = 0;

	for (size_t i = 0; i < n; i++) {
		if (d->n_keys == 0 || in[i] != d->keys[d->n_matched])
			mismatch(d, in[i], out, &n_out);
		else
			d->n_matched++;
		if (d->n_keys > 0 && d->n_matched == d->n_keys) {
			d->n_matched = 0;
			*ret_n = n_out;
			return true;
		}
	}
	*ret_n = n_out;
	return false;
}
