/* SPDX-License-Identifier: Apache-2.0 */
/*
 * images/create: import from the request's body. To pull, which the same operation means, is refused.
 *
 * Spec: Docker Engine API 1.51, ImageCreate
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "daemon/doors/docker_image_files.h"
#include "daemon/doors/door_util.h"
#include "daemon/engine/image.h"
#include "oci/changes.h"
#include "oci/reference.h"

struct importing {
	struct pending *p;
	struct engine *eng;
	struct arena *arena;         /* of @what */
	struct image_import what;
	int fd;                      /* the file that the body goes to */
	struct strbuf line;
};

static void importing_free(struct importing *m)
{
	close_fd(&m->fd);
	strbuf_done(&m->line);
	arena_free(m->arena);
	free(m);
}

static void import_line(void *ctx, const char *id)
{
	struct importing *m = ctx;
	struct jw w;

	jw_init(&w, &m->line);
	jw_obj(&w, NULL);
	jw_str(&w, "status", id);
	jw_obj_end(&w);
	strbuf_adds(&m->line, "\r\n");
}

static void imported(void *ctx, const struct err *err)
{
	struct importing *m = ctx;
	struct request *r = pending_take(m->p);

	if (r && err->kind != ERR_NONE) {
		reply_error(r, err);
	} else if (r) {
		reply_stream_begin(r, 200, "application/json");
		reply_stream_write(r, m->line.data, m->line.len);
		reply_stream_end(r);
	}
	importing_free(m);
}

static void body_arrived(void *ctx, const struct err *err)
{
	struct importing *m = ctx;

	if (err->kind != ERR_NONE)
		imported(m, err);
	else
		image_import(m->eng, TAKE_FD(m->fd), &m->what, import_line, imported, m);
}

/* ---- what is asked for ---- */

static int read_tag(struct request *r, struct importing *m, struct err *e)
{
	const char *repo = request_query(r, "repo"), *tag = request_query(r, "tag");
	struct reference ref = { 0 };

	if (str_is_empty(repo))
		return 0;
	if (!str_is_empty(tag))
		repo = arena_printf(m->arena, "%s:%s", repo, tag);
	if (reference_parse_tagged(repo, m->arena, &ref, e) < 0)
		return -1;
	if (ref.digest)
		return err_set(e, ERR_INVALID, "cannot import digest reference");
	if (str_eq(reference_familiar_name(&ref, m->arena), "sha256"))
		return err_set(e, ERR_INVALID, "refusing to create an ambiguous tag using digest algorithm as name");
	m->what.tag = reference_canonical(&ref, m->arena);
	return 0;
}

static int read_changes(struct request *r, struct importing *m, struct err *e)
{
	struct str_list *changes = &m->what.changes;
	struct oci_image_exec exec = { 0 };

	changes->v = arena_new_array(m->arena, char *, request_n_query(r) + 1);
	for (size_t i = 0; i < request_n_query(r); i++) {
		if (str_eq(request_query_key(r, i), "changes"))
			changes->v[changes->n++] = arena_strdup(m->arena, request_query_value(r, i));
	}
	return changes_apply(changes, m->arena, &exec, e);
}

static int read_query(struct request *r, struct importing *m, struct err *e)
{
	const char *from = request_query(r, "fromSrc"), *platform = request_query(r, "platform");
	const char *message = request_query(r, "message");

	if (!str_is_empty(request_query(r, "fromImage")))
		return err_set(e, ERR_UNSUPPORTED, "pull is refused: Kiln does not do this yet (use docker load)");
	if (!str_eq(from, "-"))
		return err_set(e, ERR_UNSUPPORTED, "import is refused from anywhere but the request's body (docker import -)");
	if (!str_is_empty(platform) && !str_eq(platform, "linux") &&
	    !str_eq(platform, arena_printf(m->arena, "linux/%s", image_host_arch())))
		return err_set(e, ERR_UNSUPPORTED, "parameter 'platform': an image is stored for this machine's platform only");
	m->what.message = arena_strdup(m->arena, str_is_empty(message) ? "Imported from -" : message);
	return read_tag(r, m, e) < 0 ? -1 : read_changes(r, m, e);
}

void docker_image_create(struct request *r)
{
	struct importing *m = xcalloc(1, sizeof(*m));
	struct err e = { 0 };
	int body_fd;

	m->fd = -1;
	m->eng = request_ctx(r);
	m->arena = arena_new();
	if (read_query(r, m, &e) < 0 || image_import_open(m->eng, &m->fd, &e) < 0) {
		reply_error(r, &e);
		importing_free(m);
		return;
	}
	body_fd = fcntl(m->fd, F_DUPFD_CLOEXEC, 0);   /* the sink closes its own */
	if (body_fd < 0) {
		reply_error_status(r, 500, "take the body: %m");
		importing_free(m);
		return;
	}
	m->p = pending_new(r);
	request_body_to_fd(r, body_fd, body_arrived, m);
}
