/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One `kiln-runtime unpack …` process: started on a worker, waited for by its pidfd, its answer read on a worker.
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
 * unpack_child_spawn() - Start the role; on a worker, because spawning waits until the program is executed
 * @ret: owned: unpack_child_watch() on the loop thread comes next
 * Return: 0, or -1 with @e set
 */
int unpack_child_spawn(const struct unpack_request *req, struct unpack_child **ret, struct err *e);

/* Wait for its end. @c is owned by the caller until @done is called or unpack_child_kill() */
void unpack_child_watch(struct unpack_child *c, struct loop *l);

/**
 * unpack_child_kill() - End the process and wait for it; NULL is fine
 * Return: true when that was all; false when it had ended before and @done is still to be called
 */
bool unpack_child_kill(struct unpack_child *c);
