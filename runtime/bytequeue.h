/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that wait for a slow reader: appended behind, taken from the front, written without blocking.
 *
 * Memory is given back when the queue runs empty. The caller bounds it. Empty value: {0}. Not thread-safe.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct bytequeue {
	char *data;    /* owned; NULL while empty */
	size_t start;  /* of the first waiting byte */
	size_t end;    /* behind the last one */
	size_t cap;
};

/**
 * bytequeue_add() - Append a copy of bytes
 * Return: nothing; aborts when memory is out
 */
void bytequeue_add(struct bytequeue *q, const void *data, size_t n);

/**
 * bytequeue_len() - How many bytes wait
 * Return: that
 */
static inline size_t bytequeue_len(const struct bytequeue *q)
{
	return q->end - q->start;
}

/**
 * bytequeue_write() - Write what waits to a non-blocking descriptor, as much as it takes
 * Return: bytes written, 0 when it takes nothing now; -1 with errno when the reader is gone
 */
ssize_t bytequeue_write(struct bytequeue *q, int fd);

/**
 * bytequeue_done() - Drop what waits and free the memory
 * Return: nothing
 */
void bytequeue_done(struct bytequeue *q);
