/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An arena owns a document: a parsed config, a request, a plan. Parsed structs have no free functions;
 * the arena is freed and everything is gone. Not thread-safe; one owner. Aborts when memory is out.
 */
#pragma once

#include <stddef.h>

struct arena;

/**
 * arena_new() - Make an empty arena
 * Return: owned; free with arena_free()
 */
struct arena *arena_new(void);

/**
 * arena_free() - Free everything in it; NULL is fine. arena_freep() is for AUTO_ARENA
 * Return: nothing
 */
void arena_free(struct arena *a);
void arena_freep(struct arena **a);
#define AUTO_ARENA __attribute__((cleanup(arena_freep)))

/**
 * arena_alloc() - Zeroed, 16-byte aligned memory that lives as long as the arena
 * Return: never NULL
 */
void *arena_alloc(struct arena *a, size_t n);

/**
 * arena_alloc_n() - The same for @n elements of @size bytes; aborts when the product overflows
 * Return: never NULL
 */
void *arena_alloc_n(struct arena *a, size_t size, size_t n);

#define arena_new_obj(a, type)      ((type *)arena_alloc((a), sizeof(type)))
#define arena_new_array(a, type, n) ((type *)arena_alloc_n((a), sizeof(type), (n)))

/**
 * arena_strdup() - Copy a string
 * Return: the copy; NULL for NULL
 */
char *arena_strdup(struct arena *a, const char *s);

/**
 * arena_strndup() - Copy at most @n bytes of a string, up to its NUL
 * Return: the copy, NUL-terminated
 */
char *arena_strndup(struct arena *a, const char *s, size_t n);

/**
 * arena_printf() - A formatted string
 * Return: the string, never NULL
 */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
