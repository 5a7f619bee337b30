/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection of messages with descriptors (runtime/proto.h) on the loop: to the launcher or to
 * one monitor.
 *
 * Sending never blocks: what the kernel does not take is queued with its descriptors. A message
 * that is malformed, or of a version that we do not speak, ends the connection. Loop thread only.
 */
#pragma once

#include <stddef.h>

#include "daemon/loop.h"
#include "runtime/proto.h"

#define WIRE_MAX_FDS 4           /* in one message that comes; bigger ones are ours to send */

struct wire;

/* @head: the message, which proto_check() has passed. @fds: owned by the wire; TAKE_FD what is kept, the rest is closed. */
typedef void (*wire_msg_fn)(void *ctx, const struct msg_head *head, int *fds, size_t n_fds);
/* The peer is gone, or broke the protocol. Called once; only wire_free() is left to do. */
typedef void (*wire_end_fn)(void *ctx);

/**
 * wire_new() - Serve a connected SEQPACKET socket
 * @name: static, for the slow-callback log
 * @fd:   takes
 * Return: owned
 */
struct wire *wire_new(struct loop *l, const char *name, int fd, wire_msg_fn msg, wire_end_fn end, void *ctx);

/**
 * wire_send() - Send a message
 * @msg: borrows; @fds: takes each of them, also when the connection is dead
 * Return: nothing
 */
void wire_send(struct wire *w, const void *msg, size_t n, const int *fds, size_t n_fds);

/**
 * wire_free() - Close it, queue and all; NULL is fine, also inside its callbacks
 * Return: nothing
 */
void wire_free(struct wire *w);

/**
 * wire_head() - Fill the head of a message
 * Return: nothing
 */
void wire_head(struct msg_head *head, enum msg_type type, size_t bytes);
