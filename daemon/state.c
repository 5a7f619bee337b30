/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "daemon/state_priv.h"

#define DB_NAME "kiln.db"

static const char *const op_sql[OP_KINDS_] = {
	/* Not INSERT OR REPLACE: that would silently drop another container with the same name. */
	[OP_PUT_CONTAINER] = "INSERT INTO containers (id, name, image_id, options, runtime, created_wall_ns)"
			     " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO UPDATE SET name = ?2, image_id = ?3,"
			     " options = ?4, runtime = ?5, created_wall_ns = ?6",
	[OP_PUT_CONTAINER_RUNTIME] = "UPDATE containers SET runtime = ?2 WHERE id = ?1",
	[OP_DEL_CONTAINER] = "DELETE FROM containers WHERE id = ?1",
	[OP_PUT_IMAGE] = "INSERT OR REPLACE INTO images (id, record) VALUES (?1, ?2)",
	[OP_DEL_IMAGE] = "DELETE FROM images WHERE id = ?1",
	[OP_PUT_TAG] = "INSERT OR REPLACE INTO tags (reference, image_id) VALUES (?1, ?2)",
	[OP_DEL_TAG] = "DELETE FROM tags WHERE reference = ?1",
	[OP_PUT_LAYER] = "INSERT OR REPLACE INTO layers (diff_id, dir, bytes) VALUES (?1, ?2, ?3)",
	[OP_DEL_LAYER] = "DELETE FROM layers WHERE diff_id = ?1",
};

/* ---- opening ---- */

static int prepare(struct state *s, const char *sql, sqlite3_stmt **ret, struct err *e)
{
	if (sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) != SQLITE_OK)
		return err_sqlite(e, s->db, sql);
	return 0;
}

static int prepare_all(struct state *s, struct err *e)
{
	for (int i = 0; i < OP_KINDS_; i++) {
		if (prepare(s, op_sql[i], &s->ops[i], e) < 0)
			return -1;
	}
	if (prepare(s, "BEGIN IMMEDIATE", &s->begin, e) < 0 || prepare(s, "COMMIT", &s->commit, e) < 0 ||
	    prepare(s, "ROLLBACK", &s->rollback, e) < 0 || prepare(s, "SAVEPOINT batch", &s->savepoint, e) < 0 ||
	    prepare(s, "RELEASE batch", &s->release, e) < 0 ||
	    prepare(s, "ROLLBACK TO batch", &s->rollback_to, e) < 0)
		return -1;
	return 0;
}

/*
 * What no row owns is swept at start. A store that was lost must not cost the containers that it knew: an image was
 * stored durably before the first of them was made, so one that is new has none.
 */
static int check_not_lost(struct state *s, struct err *e)
{
	AUTO_DIR DIR *dir = NULL;
	struct dirent *de;
	int fd;

	if (!state_schema_is_new(s->db))
		return 0;
	fd = openat(s->data_fd, "containers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "open 'containers'");
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return err_sys(e, "read 'containers'");
	}
	while ((de = readdir(dir))) {
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			return err_set(e, ERR_CONFLICT, "it is empty, but 'containers/' beside it is not: put the lost "
							"store back, or move that directory away");
	}
	return 0;
}

static int open_db(struct state *s, const char *data_root, struct err *e)
{
	AUTO_FREE char *path = path_join(data_root, DB_NAME);

	/* Our own lock guards the connection. */
	if (sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK)
		return err_sqlite(e, s->db, "open");
	sqlite3_extended_result_codes(s->db, 0);
	state_ballast_set_up(s);
	sqlite3_busy_timeout(s->db, 5000);
	if (sqlite3_exec(s->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;", NULL, NULL, NULL) != SQLITE_OK)
		return err_sqlite(e, s->db, "set up");
	if (check_not_lost(s, e) < 0 || state_schema_upgrade(s->db, e) < 0 || prepare_all(s, e) < 0)
		return -1;
	return 0;
}

static void close_db(struct state *s)
{
	sqlite3_stmt **others[] = { &s->begin, &s->commit, &s->rollback, &s->savepoint, &s->release, &s->rollback_to };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		sqlite3_finalize(TAKE_PTR(*others[i]));
	for (int i = 0; i < OP_KINDS_; i++)
		sqlite3_finalize(TAKE_PTR(s->ops[i]));
	sqlite3_close(TAKE_PTR(s->db));
}

/* The index of the log is made anew at each opening, and takes room, too. */
static int open_on_full_disk(struct state *s, const char *data_root, struct err *e)
{
	if (open_db(s, data_root, e) == 0)
		return 0;
	if (!state_ballast_is_needed(s) || !state_ballast_give(s))
		return -1;
	log_warn("%s: trying once more with the ballast", e->msg);
	close_db(s);
	return open_db(s, data_root, e);
}

int state_open(const char *data_root, struct loop *l, struct state **ret, struct err *e)
{
	struct state *s = xcalloc(1, sizeof(*s));

	s->l = l;
	s->data_fd = -1;
	pthread_mutex_init(&s->db_lock, NULL);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->wake, NULL);
	pthread_cond_init(&s->idle, NULL);
	if (path_open_dir(AT_FDCWD, data_root, 0, &s->data_fd, e) < 0 || open_on_full_disk(s, data_root, e) < 0) {
		state_close(s);
		return err_wrap(e, "state store '%s/%s'", data_root, DB_NAME);
	}
	state_ballast_make(s);
	if (state_thread_start(s, e) < 0) {
		state_close(s);
		return -1;
	}
	*ret = s;
	return 0;
}

void state_close(struct state *s)
{
	if (!s)
		return;
	state_thread_stop(s);
	close_db(s);
	close_fd(&s->data_fd);
	pthread_mutex_destroy(&s->db_lock);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->wake);
	pthread_cond_destroy(&s->idle);
	free(s);
}

/* ---- reading ---- */

/* Visit the rows of @sql with one of the functions below, which know the row's columns. */
typedef void (*row_fn)(sqlite3_stmt *q, void *visitor);

static int each(struct state *s, const char *sql, row_fn row, void *visitor, struct err *e)
{
	sqlite3_stmt *q = NULL;
	int rc = SQLITE_ERROR;

	pthread_mutex_lock(&s->db_lock);
	if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) == SQLITE_OK) {
		while ((rc = sqlite3_step(q)) == SQLITE_ROW)
			row(q, visitor);
	}
	if (rc != SQLITE_DONE)
		err_sqlite(e, s->db, "read the state");
	sqlite3_finalize(q);
	pthread_mutex_unlock(&s->db_lock);
	return rc == SQLITE_DONE ? 0 : -1;
}

static const char *text_at(sqlite3_stmt *q, int column)
{
	const char *t = (const char *)sqlite3_column_text(q, column);

	return t ? t : "";
}

struct container_visitor {
	void (*fn)(void *ctx, const struct state_container *c);
	void *ctx;
};

static void container_row(sqlite3_stmt *q, void *visitor)
{
	const struct container_visitor *v = visitor;
	struct state_container c = {
		.id = text_at(q, 0), .name = text_at(q, 1), .image_id = text_at(q, 2), .options = text_at(q, 3),
		.runtime = text_at(q, 4), .created_wall_ns = sqlite3_column_int64(q, 5),
	};

	v->fn(v->ctx, &c);
}

int state_each_container(struct state *s, void (*fn)(void *ctx, const struct state_container *c), void *ctx,
			 struct err *e)
{
	struct container_visitor v = { fn, ctx };

	return each(s, "SELECT id, name, image_id, options, runtime, created_wall_ns FROM containers"
		       " ORDER BY created_wall_ns, id", container_row, &v, e);
}

struct image_visitor {
	void (*fn)(void *ctx, const struct state_image *i);
	void *ctx;
};

static void image_row(sqlite3_stmt *q, void *visitor)
{
	const struct image_visitor *v = visitor;
	struct state_image i = { .id = text_at(q, 0), .record = text_at(q, 1) };

	v->fn(v->ctx, &i);
}

int state_each_image(struct state *s, void (*fn)(void *ctx, const struct state_image *i), void *ctx, struct err *e)
{
	struct image_visitor v = { fn, ctx };

	return each(s, "SELECT id, record FROM images ORDER BY id", image_row, &v, e);
}

struct tag_visitor {
	void (*fn)(void *ctx, const struct state_tag *t);
	void *ctx;
};

static void tag_row(sqlite3_stmt *q, void *visitor)
{
	const struct tag_visitor *v = visitor;
	struct state_tag t = { .reference = text_at(q, 0), .image_id = text_at(q, 1) };

	v->fn(v->ctx, &t);
}

int state_each_tag(struct state *s, void (*fn)(void *ctx, const struct state_tag *t), void *ctx, struct err *e)
{
	struct tag_visitor v = { fn, ctx };

	return each(s, "SELECT reference, image_id FROM tags ORDER BY reference", tag_row, &v, e);
}

struct layer_visitor {
	void (*fn)(void *ctx, const struct state_layer *y);
	void *ctx;
};

static void layer_row(sqlite3_stmt *q, void *visitor)
{
	const struct layer_visitor *v = visitor;
	struct state_layer y = {
		.diff_id = text_at(q, 0), .dir = text_at(q, 1), .bytes = sqlite3_column_int64(q, 2),
	};

	v->fn(v->ctx, &y);
}

int state_each_layer(struct state *s, void (*fn)(void *ctx, const struct state_layer *y), void *ctx, struct err *e)
{
	struct layer_visitor v = { fn, ctx };

	return each(s, "SELECT diff_id, dir, bytes FROM layers ORDER BY diff_id", layer_row, &v, e);
}

/* ---- writing ---- */

struct state_batch *state_batch_new(struct state *s)
{
	struct state_batch *b = xcalloc(1, sizeof(*b));

	b->s = s;
	b->arena = arena_new();
	return b;
}

static struct op *add(struct state_batch *b, enum op_kind kind, int n_text, ...)
{
	struct op *o = arena_new_obj(b->arena, struct op);
	va_list ap;

	o->kind = kind;
	o->n_text = n_text;
	va_start(ap, n_text);
	for (int i = 0; i < n_text; i++) {
		const char *text = va_arg(ap, const char *);

		o->text[i] = arena_strdup(b->arena, text ? text : "");
	}
	va_end(ap);
	if (b->last)
		b->last->next = o;
	else
		b->first = o;
	b->last = o;
	return o;
}

static void add_number(struct op *o, int64_t number)
{
	o->number = number;
	o->has_number = true;
}

void state_put_container(struct state_batch *b, const struct state_container *c)
{
	add_number(add(b, OP_PUT_CONTAINER, 5, c->id, c->name, c->image_id, c->options, c->runtime),
		   c->created_wall_ns);
}

void state_put_container_runtime(struct state_batch *b, const char *id, const char *runtime)
{
	add(b, OP_PUT_CONTAINER_RUNTIME, 2, id, runtime);
}

void state_del_container(struct state_batch *b, const char *id)
{
	add(b, OP_DEL_CONTAINER, 1, id);
}

void state_put_image(struct state_batch *b, const struct state_image *i)
{
	add(b, OP_PUT_IMAGE, 2, i->id, i->record);
}

void state_del_image(struct state_batch *b, const char *id)
{
	add(b, OP_DEL_IMAGE, 1, id);
}

void state_put_tag(struct state_batch *b, const struct state_tag *t)
{
	add(b, OP_PUT_TAG, 2, t->reference, t->image_id);
}

void state_del_tag(struct state_batch *b, const char *reference)
{
	add(b, OP_DEL_TAG, 1, reference);
}

void state_put_layer(struct state_batch *b, const struct state_layer *y)
{
	add_number(add(b, OP_PUT_LAYER, 2, y->diff_id, y->dir), y->bytes);
}

void state_del_layer(struct state_batch *b, const char *diff_id)
{
	add(b, OP_DEL_LAYER, 1, diff_id);
}

void state_commit(struct state_batch *b, unsigned flags, state_done_fn done, void *ctx)
{
	struct state *s = b->s;

	b->flags = flags;
	b->done = done;
	b->ctx = ctx;
	pthread_mutex_lock(&s->lock);
	if (s->last)
		s->last->next = b;
	else
		s->first = b;
	s->last = b;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}
