/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/detach_keys.h"

#include <string.h>

#include "base/str.h"

/* "a" or "ctrl-p". Return: the byte, or -1 */
static int key_of(const char *text, size_t n)
{
	static const char control[] = "@abcdefghijklmnopqrstuvwxyz[\\]^_";
	const char *at;

	if (n == 1)
		return (unsigned char)text[0];
	if (n != 6 || strncmp(text, "ctrl-", 5) != 0)
		return -1;
	at = strchr(control, text[5]);
	return at && text[5] ? (int)(at - control) : -1;
}

int detach_keys_set(struct detach_keys *k, const char *text, struct err *e)
{
	struct detach_keys found = {0};

	for (const char *p = str_is_empty(text) ? "ctrl-p,ctrl-q" : text; *p;) {
		size_t n = strcspn(p, ",");
		int key = key_of(p, n);

		if (key < 0 || found.n == sizeof(found.keys))
			return err_set(e, ERR_INVALID, "invalid detach keys (%.64s) provided: expected letters and ctrl-LETTER with commas", text);
		found.keys[found.n++] = (char)key;
		p += n + (p[n] == ',');
	}
	*k = found;
	return 0;
}

bool detach_keys_feed(struct detach_keys *k, const char *data, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (data[i] != k->keys[k->n_seen])
			k->n_seen = 0;
		if (data[i] == k->keys[k->n_seen] && ++k->n_seen == k->n)
			return true;
	}
	return false;
}
