/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests as the commands make them: a path from parts, an answer decoded by a schema. Blocking.
 */
#pragma once

#include "base/json.h"
#include "cli/cmd.h"
#include "base/jsontext.h"

/**
 * path_add() - Append to a path: a segment or a value is percent-encoded
 *
 * path_segment() appends "/text"; path_query() "?key=value" or "&key=value", nothing when @value is NULL;
 * path_flag() "key=1" when @on; path_filters() --filter's "key=value" list as docker's JSON, nothing when it is empty.
 * Return: nothing
 */
void path_segment(struct strbuf *path, const char *text);
void path_query(struct strbuf *path, const char *key, const char *value);
void path_flag(struct strbuf *path, const char *key, bool on);
void path_number(struct strbuf *path, const char *key, const struct opt_i64 *value);
void path_filters(struct strbuf *path, const struct str_list *filters);

/**
 * filter_check() - Is it "key=value"? For the rows of --filter
 * Return: 0, or -1 with @e set
 */
int filter_check(const char *text, struct err *e);

/**
 * path_of() - "/containers/NAME/verb", the name encoded
 * @verb: may hold a query; "" for none
 * Return: in @a
 */
char *path_of(struct arena *a, const char *kind, const char *name, const char *verb);

/**
 * reply_get() - GET an object by a schema; reply_list() an array of objects
 * @schema: reply_list(): of one element; the result is an array of @ret_n structs
 * @e:      what the daemon said, or that it cannot be reached
 * Return: 0, or -1 with @e set
 */
int reply_get(const struct call *c, const char *path, const struct jschema *schema, void **ret, struct err *e);
int reply_list(const struct call *c, const char *path, const struct jschema *schema, void **ret, size_t *ret_n, struct err *e);

/**
 * reply_json() - GET, and any well-formed answer as it is
 * @ret_body: holds the text; @ret: the value in it
 * Return: 0, or -1 with @e set
 */
int reply_json(const struct call *c, const char *path, struct strbuf *ret_body, struct jsontext *ret, struct err *e);

/**
 * reply_decode() - An answer by a schema, in @c's arena; reply_decode_list() as an array of such objects
 * @e: ERR_INVALID "the daemon's answer: …"
 * Return: 0, or -1 with @e set
 */
int reply_decode(const struct call *c, const struct strbuf *body, const struct jschema *schema, void **ret, struct err *e);
int reply_decode_list(const struct call *c, const struct strbuf *body, const struct jschema *schema, void **ret, size_t *ret_n,
		      struct err *e);

/**
 * reply_post() - A request without or with a body, whose answer does not matter or is wanted as text
 * @json, @ret_body: may be NULL
 * Return: 0, or -1 with @e set
 */
int reply_post(const struct call *c, const char *method, const char *path, const char *json, struct strbuf *ret_body, struct err *e);
