/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 messages as they come: requests for the server, responses for the client.
 *
 * A pushed parser: bytes go in, the head, pieces of the (de-chunked) body and the end come out. It stops
 * behind each message, so that what follows (the next request, or another protocol) stays with the
 * caller. A head is bounded by HTTP_HEAD_MAX. The only module that sees the parser library. Shared by
 * kilnd and the client; no I/O, no logging, one thread for each object.
 *
 * Spec: RFC 9112
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

#define HTTP_HEAD_MAX (64u * 1024)

enum http_role { HTTP_REQUESTS, HTTP_RESPONSES };

struct http_field {
	const char *name;
	const char *value;
	struct http_field *next;
};

struct http_head {
	const char *method;          /* requests: "GET" */
	const char *target;          /* requests: as it came, "/v1.41/info?x=1" */
	int status;                  /* responses */
	unsigned minor;              /* HTTP/1.<minor> */
	struct http_field *fields;   /* in order of arrival */
	bool wants_upgrade;          /* "Connection: Upgrade" with an Upgrade field */
	bool expects_continue;       /* "Expect: 100-continue" */
	bool is_chunked;
	int64_t content_length;      /* -1: none told */
};

struct http_parser_cb {
	/* @h and all it holds live until the next message begins. Return: true when no body follows
	 * whatever the head says (the response to a HEAD request, a 101) */
	bool (*head)(void *ctx, const struct http_head *h);
	void (*body)(void *ctx, const char *data, size_t n);
	void (*end)(void *ctx, bool keep_alive);
};

struct http;

/**
 * http_new() - Make a parser
 * @cb: keeps
 * Return: owned; free with http_free()
 */
struct http *http_new(enum http_role role, const struct http_parser_cb *cb, void *ctx);
void http_free(struct http *h);

/**
 * http_feed() - Parse more bytes
 * @n:        0 tells that the other side has ended its stream
 * @ret_used: how many were consumed; fewer than @n when a message ended or http_pause() was called
 * @e:        ERR_INVALID not HTTP, with what is wrong; is_too_large tells an oversized head apart
 * Return: 0, or -1 with @e set
 */
int http_feed(struct http *h, const char *data, size_t n, size_t *ret_used, bool *ret_is_too_large,
	      struct err *e);

/* From a callback: stop http_feed() behind what was told just now. The next call goes on. */
void http_pause(struct http *h);

/**
 * http_body_left() - How much of the message's body is still to come
 * Return: bytes, or 0 when that is not known (chunks), or there is none
 */
uint64_t http_body_left(const struct http *h);

/**
 * http_skip_body() - So many bytes of the body were taken past the parser
 * @n: fewer than http_body_left(): the last byte must come through http_feed(), which tells the end then
 * Return: nothing
 */
void http_skip_body(struct http *h, uint64_t n);

/* Return: true between the first byte of a head and the end of the message: an end of stream now is a cut-off */
bool http_is_within(const struct http *h);

/**
 * http_field() - Find a field of a head; names compare without regard to case
 * Return: the first value, NULL when absent
 */
const char *http_field(const struct http_head *h, const char *name);

/**
 * http_reason() - The phrase for a status ("Not Found")
 * Return: a static string
 */
const char *http_reason(int status);

struct http_query {
	const char *key;
	const char *value;           /* "" when there was no '=' */
};

/**
 * http_split_target() - Split a request target into decoded path and query
 * @target: origin form ("/a%2Fb?x=1"), or absolute form, whose scheme and host are dropped
 * @e:      ERR_INVALID a bad escape, a NUL, or no path
 * Return: 0, or -1 with @e set
 */
int http_split_target(struct arena *a, const char *target, char **ret_path, struct http_query **ret_query,
		      size_t *ret_n_query, struct err *e);
