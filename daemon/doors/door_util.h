/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What several doors share: replies that come later, detach keys, numbers in queries. Loop thread only.
 */
#pragma once

#include <stdint.h>

#include "daemon/engine/container.h"
#include "daemon/server.h"

/* A request that is answered later, by a callback of the engine; survives the client's vanishing. */
struct pending;

/**
 * pending_new() - Promise to answer a request later
 * @r: keeps, until pending_take() or until its client vanishes
 * Return: owned; pending_take() frees it
 */
struct pending *pending_new(struct request *r);

/**
 * pending_take() - The request to answer now; frees the promise
 * Return: the request, or NULL when its client is gone
 */
struct request *pending_take(struct pending *p);

/**
 * pending_request() - The request that is still to be answered, for streams that begin before the end
 * Return: the request, borrowed; NULL when its client is gone
 */
struct request *pending_request(const struct pending *p);

/* An engine_done_fn that answers 204, or the error; ctx is a struct pending. */
void pending_reply_204(void *ctx, const struct err *err);
/* A container_changed_fn that answers 204 or 304, or the error; ctx is a struct pending. */
void pending_reply_changed(void *ctx, const struct err *err, bool changed);

/**
 * detach_keys_parse() - "ctrl-p,ctrl-q" as the bytes that a terminal sends
 * @out: NUL-terminated; "" for an absent or empty text
 * @e:   ERR_INVALID names the key
 * Return: 0, or -1 with @e set
 */
int detach_keys_parse(const char *text, char *out, size_t room, struct err *e);

/**
 * query_i64() - A decimal query parameter, bounded
 * @ret: @absent when there is none
 * Return: 0, or -1 with @e set
 */
int query_i64(const struct request *r, const char *key, int64_t min, int64_t max, int64_t absent,
	      int64_t *ret, struct err *e);

/**
 * door_container() - The container of the pattern's {id}; answers 404 by itself
 * Return: the container, or NULL when the reply is sent
 */
struct container *door_container(struct request *r);

/* A time as docker prints it: RFC3339Nano, UTC; 0 is "0001-01-01T00:00:00Z" */
void jw_time(struct jw *w, const char *key, int64_t wall_ns);
