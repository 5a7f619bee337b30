/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One attached client: a hijacked connection that gets output and may give input.
 *
 * The end of a client's input is a half-close and no more; only a failed write or a hang-up ends the client.
 * Output is framed for it when it asked for that (docker's multiplexed stream), written at once where the
 * socket takes it, else queued. Nothing here blocks. Not thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/bytequeue.h"
#include "runtime/detach.h"

#define CLIENT_QUEUE_BYTES (1u << 20)   /* a client with this much waiting holds the output back */

/* The first byte of a frame. */
enum client_stream { CLIENT_STDOUT = 1, CLIENT_STDERR = 2 };

struct client {
	struct client *next;
	int fd;                  /* owned; -1: gone, to be freed */
	unsigned flags;          /* enum attach_flags */
	struct detach detach;
	struct bytequeue out;
	bool is_input_open;      /* it may still send input */
	int64_t moved_ns;        /* monotonic: when output last moved, or began to wait */
	int poll_index;          /* in the current poll set; -1: none */
};

/**
 * client_new() - A client for a connection
 * @fd:    takes; made non-blocking
 * @flags: enum attach_flags
 * @keys:  detach keys, "" for none
 * Return: owned; client_free()
 */
struct client *client_new(int fd, unsigned flags, const char *keys);

/**
 * client_send() - Give it output of a stream, if it asked for that stream
 * Return: nothing; c->fd is -1 afterwards when the client is gone
 */
void client_send(struct client *c, enum client_stream stream, const void *data, size_t n, int64_t now_ns);

/**
 * client_flush() - Write what waits, as much as the connection takes
 * Return: nothing; c->fd is -1 afterwards when the client is gone
 */
void client_flush(struct client *c, int64_t now_ns);

/**
 * client_close() - End the connection so that the peer reads all that was written and then the end
 *
 * What is still queued is dropped. Unread input is thrown away first: a unix socket closed over it
 * would give the peer ECONNRESET instead of the end of the stream.
 * Return: nothing; c->fd is -1
 */
void client_close(struct client *c);

/**
 * client_free() - Close and free; NULL is fine
 * Return: nothing
 */
void client_free(struct client *c);

/**
 * client_is_full() - So much waits that no more output may be read
 * Return: that
 */
static inline bool client_is_full(const struct client *c)
{
	return bytequeue_len(&c->out) >= CLIENT_QUEUE_BYTES;
}
