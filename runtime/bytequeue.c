/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/bytequeue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"

#define QUEUE_MIN_BYTES 4096

void bytequeue_add(struct bytequeue *q, const void *data, size_t n)
{
	size_t len = bytequeue_len(q);

	if (n == 0)
		return;
	if (q->end + n > q->cap && q->start > 0) {
		memmove(q->data, q->data + q->start, len);
		q->start = 0;
		q->end = len;
	}
	if (q->end + n > q->cap) {
		size_t cap = q->cap ? q->cap : QUEUE_MIN_BYTES;

		while (cap < q->end + n)
			cap *= 2;
		q->data = xrealloc(q->data, cap);
		q->cap = cap;
	}
	memcpy(q->data + q->end, data, n);
	q->end += n;
}

ssize_t bytequeue_write(struct bytequeue *q, int fd)
{
	ssize_t total = 0;

	while (bytequeue_len(q) > 0) {
		ssize_t n = write(fd, q->data + q->start, bytequeue_len(q));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return total;
		if (n < 0)
			return -1;
		q->start += (size_t)n;
		total += n;
	}
	bytequeue_done(q);
	return total;
}

void bytequeue_done(struct bytequeue *q)
{
	free(q->data);
	*q = (struct bytequeue){ 0 };
}
