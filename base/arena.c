/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"

#define ALIGNMENT 16u
#define CHUNK_MIN 4000u /* with malloc's head just under a page */
#define CHUNK_MAX 65536u

/* With AddressSanitizer every piece is a chunk of its own, so that an overrun is seen. */
#if defined(__SANITIZE_ADDRESS__)
#define CHUNK_PER_PIECE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CHUNK_PER_PIECE 1
#endif
#endif
#ifndef CHUNK_PER_PIECE
#define CHUNK_PER_PIECE 0
#endif

struct chunk {
	struct chunk *next;
	size_t used; /* bytes of data in use */
	size_t size; /* bytes of data */
	_Alignas(ALIGNMENT) unsigned char data[];
};

struct arena {
	struct chunk *head; /* the one that is being filled; NULL when empty */
	size_t next_size;
};

struct arena *arena_new(void)
{
	struct arena *a = xcalloc(1, sizeof(*a));

	a->next_size = CHUNK_MIN;
	return a;
}

void arena_free(struct arena *a)
{
	if (a == NULL)
		return;
	while (a->head != NULL) {
		struct chunk *next = a->head->next;

		free(a->head);
		a->head = next;
	}
	free(a);
}

void arena_freep(struct arena **a)
{
	arena_free(*a);
	*a = NULL;
}

static struct chunk *chunk_new(size_t size)
{
	struct chunk *c = xcalloc(1, sizeof(*c) + size);

	c->size = size;
	return c;
}

/* A piece that would waste the rest of the current chunk gets its own, put behind the head. */
static void *alloc_alone(struct arena *a, size_t n)
{
	struct chunk *c = chunk_new(n);

	c->used = n;
	if (a->head == NULL) {
		a->head = c;
	} else {
		c->next = a->head->next;
		a->head->next = c;
	}
	return c->data;
}

void *arena_alloc(struct arena *a, size_t n)
{
	size_t rounded;
	void *p;

	BUG(n > SIZE_MAX / 2, "arena piece of %zu bytes", n);
	rounded = n == 0 ? ALIGNMENT : (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	if (CHUNK_PER_PIECE)
		return alloc_alone(a, n);
	if (rounded > a->next_size / 4)
		return alloc_alone(a, rounded);

	if (a->head == NULL || a->head->size - a->head->used < rounded) {
		struct chunk *c = chunk_new(a->next_size);

		c->next = a->head;
		a->head = c;
		if (a->next_size < CHUNK_MAX)
			a->next_size *= 2;
	}
	p = a->head->data + a->head->used;
	a->head->used += rounded;
	return p;
}

void *arena_alloc_n(struct arena *a, size_t size, size_t n)
{
	size_t total;

	BUG(__builtin_mul_overflow(size, n, &total), "arena array of %zu times %zu bytes", n, size);
	return arena_alloc(a, total);
}

char *arena_strdup(struct arena *a, const char *s)
{
	return s != NULL ? arena_strndup(a, s, strlen(s)) : NULL;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy = arena_alloc(a, len + 1);

	memcpy(copy, s, len);
	return copy;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	BUG(n < 0, "format '%s'", fmt);

	text = arena_alloc(a, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(text, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return text;
}
