/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON as text: indented for people, and parts of them by a path. The text is well-formed JSON that a decoder has
 * seen (jsontext_check()); what is asked here walks over it without building a tree. Pure.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"

/* A value within a text: borrows. Empty value: {0}, "there is none". */
struct jsontext { const char *at; size_t n; };

/**
 * jsontext_check() - Is it one well-formed value?
 * @e: ERR_INVALID
 * Return: 0 and the value in @ret, or -1 with @e set
 */
int jsontext_check(const char *text, size_t n, struct jsontext *ret, struct err *e);

/**
 * jsontext_indent() - Append with each member on a line of its own, as Go's json.Indent
 * @prefix: behind each newline, before the indentation
 * Return: nothing
 */
void jsontext_indent(struct strbuf *out, struct jsontext v, const char *prefix, const char *unit);

/**
 * jsontext_compact() - Append without the space between tokens, as Go's json.Compact
 * Return: nothing
 */
void jsontext_compact(struct strbuf *out, struct jsontext v);

/**
 * jsontext_member() - A member of an object; jsontext_element() an element of an array, by number
 * Return: the value, or {0} when there is none
 */
struct jsontext jsontext_member(struct jsontext v, const char *key);
struct jsontext jsontext_element(struct jsontext v, size_t i);

/**
 * jsontext_next() - Walk over an object or an array
 * @pos:     0 at first
 * @ret_key: of an object, unescaped, in @a; NULL in an array
 * Return: true and the value in @ret, or false at the end
 */
bool jsontext_next(struct jsontext v, size_t *pos, struct arena *a, char **ret_key, struct jsontext *ret);

/**
 * jsontext_string() - A string unescaped
 * Return: in @a; "" when it is no string
 */
char *jsontext_string(struct jsontext v, struct arena *a);

/**
 * jsontext_print() - Append a value as Go's templates print it: strings bare, "[a b]", "map[k:v]", "<no value>"
 * Return: nothing
 */
void jsontext_print(struct strbuf *out, struct jsontext v, struct arena *a);
