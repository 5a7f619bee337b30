/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CVE-2016-9962, CVE-2024-21626: no descriptor of the host is open where a process of the container can see us.
 */
#include <unistd.h>

#include "runtime/stages.h"

/* Insert in order. */
void stage_keep_fd(struct stage_keep *k, int fd)
{
	size_t i = k->n;

	if (fd < 3 || k->n == STAGE_KEEP_MAX)
		return;
	for (; i > 0 && k->fds[i - 1] > fd; i--)
		k->fds[i] = k->fds[i - 1];
	k->fds[i] = fd;
	k->n++;
}

void stage_close_others(const struct stage_keep *k, unsigned from)
{
	for (size_t i = 0; i < k->n; i++) {
		unsigned fd = (unsigned)k->fds[i];

		if (fd > from)
			close_range(from, fd - 1, 0);
		if (fd >= from)
			from = fd + 1;
	}
	close_range(from, ~0U, 0);
}
