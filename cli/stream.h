/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Docker's multiplexed stream, taken apart: frames of stdout and stderr to the right descriptors. Bounded memory; blocking writes.
 *
 * Spec: Docker Engine API 1.51, ContainerAttach "Stream format"
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream {
	bool is_raw;               /* a terminal's: no frames */
	unsigned char head[8];
	size_t n_head;             /* bytes of the header that came */
	uint32_t n_left;           /* bytes of the frame that are to come */
	bool is_broken;            /* what came is no stream */
	int write_errno;           /* why it cannot be written, 0: it can */
};

/**
 * stream_feed() - Write what a piece holds to standard output and error
 * Return: 0, or -1 when the output cannot be written or the piece is no stream
 */
int stream_feed(struct stream *s, const char *data, size_t n);

/**
 * stream_ended() - Say what went wrong, if anything; where the reader of our output has gone away, die of SIGPIPE as others do
 * Return: 0, or the exit status
 */
int stream_ended(const struct stream *s);
