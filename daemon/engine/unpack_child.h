/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One `kiln-runtime unpack …` process: started, waited for by its pidfd, its answer read on a worker. Loop thread only.
 */
#pragma once

#include "daemon/engine/engine.h"
#include "oci/unpack_proto.h"

struct unpack_child;

struct unpack_request {
	const char *runtime_path;    /* borrowed */
	const char *what;            /* "archive" or "layer" */
	int input_fd, dir_fd;        /* borrowed */
	struct arena *arena;         /* keeps: the result goes here; nobody else touches it until @done */
	/* On a worker, with the result, before @done; may be NULL. Return: 0, or -1 with @e set */
	int (*after)(void *ctx, struct unpack_result *r, struct err *e);
	engine_done_fn done;
	void *ctx;
};

/**
 * unpack_child_start() - Start the role
 * @ret: owned until @done is called or unpack_child_kill()
 * Return: 0, or -1 with @e set
 */
int unpack_child_start(struct loop *l, const struct unpack_request *req, struct unpack_child **ret, struct err *e);

/**
 * unpack_child_kill() - End the process and wait for it; NULL is fine
 * Return: true when that was all; false when it had ended before and @done is still to be called
 */
bool unpack_child_kill(struct unpack_child *c);
