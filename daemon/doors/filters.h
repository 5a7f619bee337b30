/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `filters` query parameter: {"label":{"a=b":true}} as newer clients send it, {"label":["a=b"]} as older ones do.
 * Pure; lives in the request's arena.
 *
 * Spec: Docker Engine API 1.51, "filters" of ContainerList, ImageList, SystemEvents
 */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"

struct filter { char *key; struct str_list values; };
struct filters { struct filter *v; size_t n; };

/**
 * filters_parse() - Parse the parameter
 * @text:    borrows; NULL or "" gives no filters
 * @allowed: borrows; the keys that the caller does, ends with NULL
 * @e:       ERR_INVALID "invalid filter 'foo'", or what is malformed
 * Return: 0, or -1 with @e set
 */
int filters_parse(const char *text, const char *const *allowed, struct arena *a, struct filters *ret, struct err *e);

/**
 * filters_get() - The values of one key
 * Return: the list, or NULL when the key was not given
 */
const struct str_list *filters_get(const struct filters *f, const char *key);

/**
 * filters_match_exact() - Is @value among the key's values?
 * Return: true also when the key was not given
 */
bool filters_match_exact(const struct filters *f, const char *key, const char *value);

/**
 * filters_match_labels() - Do labels satisfy every "label" value ("k" or "k=v")?
 * Return: true also when the key was not given
 */
bool filters_match_labels(const struct filters *f, const char *key, const struct str_map *labels);

/**
 * filters_match_name() - Does a name match one of the key's values, as an unanchored regular expression?
 *
 * A value that is no valid expression, or one with braces, back-references or more than four "+" (their cost has
 * no bound), matches as a plain substring.
 * Return: true also when the key was not given
 */
bool filters_match_name(const struct filters *f, const char *key, const char *name);
