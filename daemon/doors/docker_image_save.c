/* SPDX-License-Identifier: Apache-2.0 */
/*
 * images/get: save.
 *
 * Spec: Docker Engine API 1.51, ImageGet, ImageGetAll
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/own.h"
#include "daemon/doors/docker_image_files.h"
#include "daemon/engine/image.h"

/* One reply: read a piece, send it, wait until the kernel has it, read the next. */
struct saving {
	struct request *r;
	struct image_save *save;
	bool is_begun;
};

static void saving_free(struct saving *g)
{
	image_save_free(g->save);
	free(g);
}

/* Whatever is under way ends with it. */
static void saving_gone(void *ctx)
{
	saving_free(ctx);
}

static void saving_fail(struct saving *g, const struct err *err)
{
	struct request *r = g->r;

	request_on_gone(r, NULL, NULL);
	if (g->is_begun) {
		log_err("save: %s, ending the connection", err->msg);
		reply_stream_on_drain(r, NULL, NULL);
		reply_stream_abort(r);
	} else {
		reply_error(r, err);
	}
	saving_free(g);
}

static void saving_end(struct saving *g)
{
	struct request *r = g->r;

	request_on_gone(r, NULL, NULL);
	reply_stream_on_drain(r, NULL, NULL);
	reply_stream_end(r);
	saving_free(g);
}

static void next_piece(void *ctx);

static void send_piece(void *ctx, const struct err *err, const void *data, size_t n)
{
	struct saving *g = ctx;

	if (err->kind != ERR_NONE) {
		saving_fail(g, err);
		return;
	}
	if (!g->is_begun) {
		g->is_begun = true;
		reply_stream_begin(g->r, 200, "application/x-tar");
	}
	if (n == 0) {
		saving_end(g);
		return;
	}
	reply_stream_on_drain(g->r, next_piece, g);
	reply_stream_write(g->r, data, n);
	if (reply_stream_backlog(g->r) == 0)
		next_piece(g);
}

static void next_piece(void *ctx)
{
	struct saving *g = ctx;

	reply_stream_on_drain(g->r, NULL, NULL);
	image_save_read(g->save, send_piece, g);
}

static void save(struct request *r, const struct str_list *names)
{
	struct image_save *s = NULL;
	struct saving *g;
	struct err e = { 0 };

	if (request_query_bool(r, "platform")) {
		reply_error_status(r, 501, "parameter 'platform': an image is stored for this machine's platform only");
		return;
	}
	if (image_save_new(request_ctx(r), names, &s, &e) < 0) {
		reply_error(r, &e);
		return;
	}
	g = xcalloc(1, sizeof(*g));
	*g = (struct saving){ .r = r, .save = s };
	request_on_gone(r, saving_gone, g);
	image_save_read(s, send_piece, g);
}

void docker_image_save(struct request *r)
{
	char *name = (char *)request_param(r, "name");

	save(r, &(struct str_list){ &name, 1 });
}

void docker_images_save(struct request *r)
{
	struct str_list names = { arena_new_array(request_arena(r), char *, request_n_query(r) + 1), 0 };

	for (size_t i = 0; i < request_n_query(r); i++) {
		if (str_eq(request_query_key(r, i), "names"))
			names.v[names.n++] = (char *)request_query_value(r, i);
	}
	if (names.n == 0)
		reply_error_status(r, 400, "parameter 'names': name at least one image");
	else
		save(r, &names);
}
