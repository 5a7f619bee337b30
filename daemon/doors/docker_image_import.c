/* SPDX-License-Identifier: Apache-2.0 */
/*
 * images/create: import from the request's body. To pull, which the same operation means, is refused.
 *
 * Spec: Docker Engine API 1.51, ImageCreate
 */
#include "daemon/doors/docker_image_files.h"
#include "daemon/doors/docker_image_upload.h"
#include "daemon/engine/image.h"
#include "oci/changes.h"
#include "oci/reference.h"

struct importing {
	struct arena *arena;         /* the request's */
	struct image_import what;
};

static struct load_op *begin_import(struct engine *eng, int fd, const struct image_watch *w, void *ctx)
{
	const struct importing *m = ctx;

	return image_import(eng, fd, &m->what, w);
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
	if (reference_check_new(&ref, e) < 0)
		return -1;
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
		return err_set(e, ERR_UNSUPPORTED, "import is refused from anywhere but the request's body: fetch it first (curl URL | docker import -)");
	if (!str_is_empty(platform) && !str_eq(platform, "linux") && !str_eq(platform, image_host_arch()) &&
	    !str_eq(platform, arena_printf(m->arena, "linux/%s", image_host_arch())))
		return err_set(e, ERR_UNSUPPORTED, "parameter 'platform': an image is stored for this machine's platform only");
	m->what.message = arena_strdup(m->arena, str_is_empty(message) ? "Imported from -" : message);
	return read_tag(r, m, e) < 0 ? -1 : read_changes(r, m, e);
}

void docker_image_create(struct request *r)
{
	static const struct upload_kind import = { "status", "", begin_import };
	struct importing m = { .arena = request_arena(r) };
	struct err e = { 0 };

	if (read_query(r, &m, &e) < 0)
		reply_error(r, &e);
	else
		upload_run(r, &import, true, &m);
}
