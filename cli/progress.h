/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line that tells how far something is: on a terminal only, on standard error, and only when it takes more than a second.
 * One at a time; what is printed otherwise meanwhile calls progress_hide() first.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what;            /* borrows; "Loading" */
	bool is_on;                  /* standard error is a terminal */
	bool is_shown;
	int64_t began_ns, shown_ns;
	uint64_t done, total;        /* total 0: not known */
	bool is_bytes;               /* else things */
};

/**
 * progress_begin() - From here the second counts
 * @total: 0 when it is not known
 * Return: nothing
 */
void progress_begin(struct progress *p, const char *what, uint64_t total, bool is_bytes);

/**
 * progress_add() - So much more is done (0: only time has passed)
 * progress_hide() - Take the line away, until the next progress_add()
 * Return: nothing
 */
void progress_add(struct progress *p, uint64_t n);
void progress_hide(struct progress *p);

/**
 * progress_text() - Append the line as it is at a given time
 * Return: nothing
 */
struct strbuf;
void progress_text(const struct progress *p, int64_t now_ns, struct strbuf *out);
