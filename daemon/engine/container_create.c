/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * Create: find the image, take the name, merge and validate the options (all on the loop, nothing
 * is kept) → a worker makes the directory in tmp/, complete with the preallocated exit record, and
 * renames it to containers/<id> → the row is committed → only then the container exists and the
 * caller is told. Cut off before the row, a directory without a row remains, which the next kilnd
 * removes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "daemon/engine/binds.h"
#include "daemon/engine/container_impl.h"
#include "daemon/engine/container_record.h"
#include "daemon/engine/container_share.h"
#include "daemon/engine/health.h"
#include "daemon/engine/host_facts.h"
#include "daemon/engine/image.h"
#include "daemon/engine/later.h"
#include "daemon/engine/names.h"
#include "daemon/engine/rubbish.h"
#include "oci/options_rules.h"

struct create_op {
	struct create_op *next; /* in the engine: names that are taken */
	struct engine *eng;
	struct container *c; /* owned until it is linked */
	container_created_fn done;
	void *ctx;
	/* for the worker */
	int data_root_fd;                    /* borrowed */
	const struct container_options *opt; /* in the container's arena; nobody changes it */
	char id[65];
	char rubbish[CONTAINER_REL_MAX]; /* what it could not remove of its own; empty: nothing */
	struct err err;
};

/* The engine has gone meanwhile; whether it came to be is for the next one to see. */
static void op_drop(void *ctx)
{
	struct create_op *op = ctx;

	container_free(op->c);
	free(op);
}

static void op_finish(struct create_op *op, const struct err *err, struct container *c)
{
	for (struct create_op **at = &op->eng->creating; *at; at = &(*at)->next) {
		if (*at != op)
			continue;
		*at = op->next;
		break;
	}
	rubbish_add(op->eng, op->rubbish);
	op->done(op->ctx, err, c);
	if (op->c) { /* it did not come to be */
		image_unref(op->c->image);
		container_free(op->c);
	}
	free(op);
}

/* ---- names ---- */

static const char *id_by_name(struct engine *eng, const char *name)
{
	struct container *c = container_by_name(eng, name);

	if (c)
		return c->id;
	for (struct create_op *op = eng->creating; op; op = op->next) {
		if (strcmp(op->c->name, name) == 0)
			return op->id;
	}
	return NULL;
}

static int take_name(struct engine *eng, const char *asked, char out[NAME_MAX_BYTES + 1],
		     struct err *e)
{
	const char *name = asked && *asked == '/' ? asked + 1 : asked;
	const char *owner;

	for (unsigned attempt = 0; str_is_empty(asked); attempt++) {
		name_invent(name_random(), attempt, out);
		if (!id_by_name(eng, out))
			return 0;
	}
	if (name_check(name, e) < 0)
		return -1;
	owner = id_by_name(eng, name);
	if (owner)
		return err_set(e, ERR_CONFLICT,
			       "Conflict. The container name \"/%s\" is already in use by container \"%s\". You have to "
			       "remove (or rename) that container to be able to reuse that name.",
			       name, owner);
	snprintf(out, NAME_MAX_BYTES + 1, "%s", name);
	return 0;
}

/* ---- the directory ---- */

static int make_record(int dir_fd, struct err *e)
{
	AUTO_CLOSE int fd = openat(dir_fd, "exit", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	static const char empty[EXIT_RECORD_BYTES];

	/* Written, not only allocated: recording the end must never need a block. */
	if (fd < 0 || pwrite(fd, empty, sizeof empty, 0) != sizeof empty)
		return err_sys(e, "preallocate the exit record");
	return 0;
}

static int fill_dir(const struct create_op *op, int dir_fd, struct err *e)
{
	static const struct {
		const char *name;
		mode_t mode;
	} dirs[] = { { "upper", 0755 }, { "work", 0700 }, { "rootfs", 0755 } };
	AUTO_CLOSE int etc_fd = open("/etc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		if (mkdirat(dir_fd, dirs[i].name, dirs[i].mode) < 0 ||
		    fchmodat(dir_fd, dirs[i].name, dirs[i].mode, 0) < 0)
			return err_sys(e, "make '%s'", dirs[i].name);
	}
	if (etc_fd < 0)
		return err_sys(e, "open '/etc'");
	if (make_record(dir_fd, e) < 0)
		return -1;
	return bundle_etc_write(op->opt, dir_fd, etc_fd, e);
}

static void remove_tmp(struct create_op *op, const char *tmp)
{
	if (path_remove_tree(op->data_root_fd, tmp, ERR_IGNORED) < 0)
		snprintf(op->rubbish, sizeof op->rubbish, "%s", tmp);
}

static int make_dir(struct create_op *op, struct err *e)
{
	char tmp[CONTAINER_REL_MAX], rel[CONTAINER_REL_MAX];
	AUTO_CLOSE int dir_fd = -1;

	snprintf(tmp, sizeof tmp, "tmp/create-%s", op->id);
	container_rel_dir(op->id, rel);
	if (mkdirat(op->data_root_fd, tmp, 0700) < 0)
		return err_sys(e, "make '%s'", tmp);
	if (path_open_dir(op->data_root_fd, tmp, 0, &dir_fd, e) == 0 && fill_dir(op, dir_fd, e) == 0) {
		if (renameat(op->data_root_fd, tmp, op->data_root_fd, rel) == 0)
			return 0;
		err_sys(e, "move '%s' into place", rel);
	}
	remove_tmp(op, tmp);
	return -1;
}

static void make_work(void *ctx)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct create_op *op = ctx;
	struct bundle_bind *binds;
	size_t n;

	if (bundle_binds(op->opt, a, &binds, &n, &op->err) < 0 || binds_check(binds, n, &op->err) < 0)
		return;
	if (make_dir(op, &op->err) < 0)
		err_wrap(&op->err, "make the directory of container %.12s", op->id);
}

static void undo_work(void *ctx)
{
	struct create_op *op = ctx;
	char rel[CONTAINER_REL_MAX], tmp[CONTAINER_REL_MAX];

	container_rel_dir(op->id, rel);
	snprintf(tmp, sizeof tmp, "tmp/create-%s", op->id);
	/* What cannot even be moved is a directory without a row, which the next kilnd removes. */
	if (renameat(op->data_root_fd, rel, op->data_root_fd, tmp) < 0)
		log_warn("move '%s' away: %s, leaving it to the next start", rel, strerror(errno));
	else
		remove_tmp(op, tmp);
}

static void undo_done(void *ctx)
{
	struct create_op *op = ctx;

	op_finish(op, &op->err, NULL);
}

static void row_committed(void *ctx, const struct err *err)
{
	struct create_op *op = ctx;
	struct container *c = op->c;

	if (err->kind != ERR_NONE) {
		op->err = *err;
		later_work(op->eng, LOOP_JOB_SHORT, undo_work, undo_done, op_drop, op);
		return;
	}
	op->c = NULL;
	container_link(c);
	container_event(c, "create", NULL, NULL);
	op_finish(op, err, c);
}

static void make_done(void *ctx)
{
	struct create_op *op = ctx;
	struct container *c = op->c;
	AUTO_STRBUF struct strbuf options = { 0 }, runtime = { 0 };
	struct state_container row;
	struct state_batch *b;

	if (op->err.kind != ERR_NONE) {
		op_finish(op, &op->err, NULL);
		return;
	}
	json_emit(&container_options_schema, c->opt, &options);
	container_record_emit(c, &(struct record_intent){ 0 }, &runtime);
	row = (struct state_container){ .id = c->id,
					.name = c->name,
					.image_id = c->image_id,
					.options = strbuf_cstr(&options),
					.runtime = strbuf_cstr(&runtime),
					.created_wall_ns = c->created_wall_ns };
	b = state_batch_new(op->eng->state);
	state_put_container(b, &row);
	later_commit(op->eng, b, row_committed, op_drop, op);
}

/* ---- the request ---- */

static int copy_options(const struct container_options *opt, struct arena *a,
			struct container_options **ret, struct err *e)
{
	AUTO_STRBUF struct strbuf text = { 0 };
	void *obj;

	json_emit(&container_options_schema, opt, &text);
	if (json_decode(strbuf_cstr(&text), text.len, &container_options_schema, a, NULL, NULL,
			&obj, e) < 0)
		return -1;
	*ret = obj;
	return 0;
}

/* What VolumesFrom means now: the other containers may be gone when this one starts. */
static int inherit_mounts(struct engine *eng, struct container_options **opt, struct arena *a, struct err *e)
{
	struct container_options *o = *opt;
	struct bundle_from from = {0};

	for (size_t i = 0; o->host && i < o->host->volumes_from.n; i++) {
		struct container *x = NULL;
		const char *ref;
		bool readonly;

		if (bundle_from_parse(o->host->volumes_from.v[i], a, &ref, &readonly, e) < 0)
			return -1;
		if (container_find(eng, ref, &x, e) < 0) {
			e->kind = ERR_INVALID;   /* 404 would have the client pull the image */
			return -1;
		}
		if (bundle_from_add(&from, x->opt, readonly, a, e) < 0)
			return -1;
	}
	if (from.n == 0)
		return 0;
	o->inherited = from.v;
	o->n_inherited = from.n;
	/* Some of it is still the other's */
	return copy_options(o, a, opt, e);
}

/* What the user asked, completed and checked; in @a. */
static int complete_options(struct engine *eng, const struct container_options *asked,
			    const char *id, struct image *image, struct arena *a,
			    struct container_options **ret, struct str_list *ret_warnings, struct err *e)
{
	struct options_host host = host_options(eng);
	enum health_action action;
	struct bundle_bind *binds;
	struct container *x = NULL;
	const char *net_of;
	struct str_list args;
	size_t n_binds;

	if (copy_options(asked, a, ret, e) < 0 || options_check_conflicts(*ret, e) < 0 || inherit_mounts(eng, ret, a, e) < 0)
		return -1;
	options_default(*ret, &eng->set.containers, a);
	options_normalize(*ret, id, eng->host.hostname, a);
	if (options_share((*ret)->host, OPTIONS_NET, &net_of) == SHARE_CONTAINER &&
	    container_find(eng, net_of, &x, ERR_IGNORED) == 0)
		container_take_names((*ret)->config, x, a);
	options_merge_image((*ret)->config, image->config, a);
	if (options_asks_blkio((*ret)->host)) {
		struct host_blkio b;

		host_blkio_read(eng->host.is_v2, &b);
		host.has_io_weight = b.has_weight;
		host.has_io_throttle = b.has_throttle;
	}
	if (options_validate(*ret, &host, e) < 0 || bundle_args(*ret, a, &args, e) < 0)
		return -1;
	if (bundle_binds(*ret, a, &binds, &n_binds, e) < 0)
		return -1;
	if (health_action_of(*ret, &action, e) < 0)
		return -1;
	*ret_warnings = options_adapt((*ret)->host, &host, a);
	return 0;
}

static int prepare(struct create_op *op, const char *asked_name,
		   const struct container_options *asked, struct err *e)
{
	struct arena *a = arena_new();
	struct container_options *opt;
	struct image *image;
	struct str_list warnings;
	char name[NAME_MAX_BYTES + 1];

	if (str_is_empty(asked->config ? asked->config->image : NULL)) {
		arena_free(a);
		return err_set(e, ERR_INVALID, "config.image: which image to use must be told");
	}
	if (image_find(op->eng, asked->config->image, &image, e) < 0 ||
	    take_name(op->eng, asked_name, name, e) < 0 ||
	    complete_options(op->eng, asked, op->id, image, a, &opt, &warnings, e) < 0) {
		arena_free(a);
		return -1;
	}
	op->c = container_new(op->eng, a, op->id, name, image->id, opt, clock_wall_ns());
	op->c->image = image;
	op->c->warnings = warnings;
	image_ref(image);
	op->opt = opt;
	return 0;
}

void container_create(struct engine *eng, const char *name, const struct container_options *opt,
		      container_created_fn done, void *ctx)
{
	struct create_op *op = xcalloc(1, sizeof *op);

	*op = (struct create_op){
		.eng = eng, .done = done, .ctx = ctx, .data_root_fd = eng->cfg.data_root_fd
	};
	name_random_id(op->id);
	if (prepare(op, name, opt, &op->err) < 0) {
		op_finish(op, &op->err, NULL);
		return;
	}
	op->next = eng->creating;
	eng->creating = op;
	later_work(eng, LOOP_JOB_SHORT, make_work, make_done, op_drop, op);
}
