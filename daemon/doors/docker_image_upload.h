/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What load and import share: the request's body goes through a pipe to the engine, and lines of JSON come back.
 *
 * The reply begins with the first progress, after a second; what fails before that has a status of its own, what fails
 * later is docker's line with an "errorDetail".
 */
#pragma once

#include "daemon/engine/image.h"
#include "daemon/server.h"

struct upload_kind {
	const char *key;             /* of a line that tells what was made: {"stream":"…\n"} */
	const char *line_end;
	/* Hand @fd (taken) to the engine. Return: as image_load() */
	struct load_op *(*begin)(struct engine *eng, int fd, const struct image_watch *w, void *ctx);
};

/* Answers @r. @kind: static. @ctx: for begin(), which is called at once or never. */
void upload_run(struct request *r, const struct upload_kind *kind, bool wants_progress, void *ctx);
