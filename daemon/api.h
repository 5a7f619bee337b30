/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of the control socket: blocking requests over a unix socket, on the same HTTP code as the server.
 *
 * One connection for each request: the socket is local and connecting costs microseconds. Not thread-safe per object;
 * no signals, no global state.
 *
 * Spec: Docker Engine API 1.51
 */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

#define API_HOST_DEFAULT   "unix:///run/kiln/kiln.sock"
#define API_VERSION        "1.51"                /* what this client speaks */
#define API_REPLY_MAX      (64u << 20)   /* bytes of a whole reply that is kept in memory */

/**
 * api_host() - Where the daemon is: $KILN_HOST, else $DOCKER_HOST, else the default socket
 * Return: borrowed from the environment, or static
 */
const char *api_host(void);

/**
 * api_escape() - Append a path segment or query value, percent-encoded
 * @text: borrows; NULL adds nothing
 * Return: nothing
 */
void api_escape(struct strbuf *out, const char *text);

/**
 * api_request() - Send a request and read the whole reply
 * @host:       borrows; "unix:///path"
 * @json:       borrows; the body, or NULL for none
 * @ret_status: the HTTP status
 * @ret_body:   caller's, appended to
 * @e:          ERR_NOT_FOUND no daemon answers there (the message says what to do); ERR_INVALID the reply is not HTTP;
 *              ERR_SYSTEM
 *
 * Blocks until the reply is complete. A status of 400 or more is not an error here: see api_call().
 * Return: 0, or -1 with @e set
 */
int api_request(const char *host, const char *method, const char *path, const char *json, int *ret_status,
		struct strbuf *ret_body, struct err *e);

/**
 * api_call() - api_request(), and the daemon's message as the error when the status is 400 or more
 * @e: also kinds by the status: 400 invalid, 404 not found, 409 conflict, 501 unsupported
 * Return: 0, or -1 with @e set
 */
int api_call(const char *host, const char *method, const char *path, const char *json, int *ret_status,
	     struct strbuf *ret_body, struct err *e);

/* Gets pieces of a streamed body. Return: 0 to go on, -1 to end the stream */
typedef int (*api_chunk_fn)(void *ctx, const char *data, size_t n);

/**
 * api_stream() - A GET whose body is handed on as it comes
 * @e: as api_call()
 * Return: 0 when the stream ended or @fn ended it, or -1 with @e set
 */
int api_stream(const char *host, const char *path, api_chunk_fn fn, void *ctx, struct err *e);

struct api_upload {
	const char *path;        /* borrows, as all of it */
	const char *type;        /* of the body: "application/x-tar" */
	int fd;                  /* where the body is read */
	int64_t n_bytes;         /* of it, -1: not known until its end */
	api_chunk_fn on_sent;    /* told how much has gone (data NULL); may be NULL */
	api_chunk_fn on_chunk;   /* the answer, as it comes */
	void *ctx;
};

/**
 * api_upload() - A POST whose body is read from a descriptor while the answer is handed on
 * @e: as api_call(); ERR_SYSTEM the body cannot be read, or is shorter than it was told
 * Return: 0, or -1 with @e set
 */
int api_upload(const char *host, const struct api_upload *u, struct err *e);

/**
 * api_hijack() - POST with an upgrade; the connection is the caller's afterwards
 * @ret_fd:     returns owned; blocking
 * @ret_prefix: what came behind the header, appended
 * @e:          as api_call()
 * Return: 0, or -1 with @e set
 */
int api_hijack(const char *host, const char *path, const char *json, int *ret_fd, struct strbuf *ret_prefix, struct err *e);

/**
 * api_send() - The first half of a request whose reply comes late (wait): send it, do not read
 * @ret_fd: returns owned; api_receive() takes it
 * Return: 0, or -1 with @e set
 */
int api_send(const char *host, const char *method, const char *path, const char *json, int *ret_fd, struct err *e);

/**
 * api_receive() - The second half: read the whole reply
 * @fd: takes
 * @e:  as api_call()
 * Return: 0, or -1 with @e set
 */
int api_receive(int fd, const char *what, int *ret_status, struct strbuf *ret_body, struct err *e);
