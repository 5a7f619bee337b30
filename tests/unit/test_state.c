/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/state.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "tests/unit/unit.h"

struct fixture {
	struct loop *l;
	struct state *s;
	int n_expected, n_done, n_failed;
	char seen[1024];
};

static void open_store(struct fixture *f, const char *dir)
{
	struct err e = { 0 };

	*f = (struct fixture){ 0 };
	ck_assert_msg(loop_new(&f->l, &e) == 0, "%s", e.msg);
	ck_assert_msg(state_open(dir, f->l, &f->s, &e) == 0, "%s", e.msg);
}

static void close_store(struct fixture *f)
{
	state_close(f->s);
	loop_free(f->l);
}

static void on_done(void *ctx, const struct err *err)
{
	struct fixture *f = ctx;

	f->n_done++;
	f->n_failed += err->kind != ERR_NONE;
	if (f->n_done == f->n_expected)
		loop_stop(f->l);
}

static void see_container(void *ctx, const struct state_container *c)
{
	struct fixture *f = ctx;
	size_t n = strlen(f->seen);

	snprintf(f->seen + n, sizeof(f->seen) - n, "%s:%s:%s:%lld ", c->id, c->name, c->runtime,
		 (long long)c->created_wall_ns);
}

static void see_tag(void *ctx, const struct state_tag *t)
{
	struct fixture *f = ctx;
	size_t n = strlen(f->seen);

	snprintf(f->seen + n, sizeof(f->seen) - n, "%s=%s ", t->reference, t->image_id);
}

static void put_container(struct fixture *f, const char *id, const char *name)
{
	struct state_batch *b = state_batch_new(f->s);

	state_put_container(b, &(struct state_container){ .id = id, .name = name, .image_id = "i", .options = "{}",
							  .runtime = "{}", .created_wall_ns = INT64_MAX });
	state_commit(b, 0, on_done, f);
}

START_TEST(rows_survive_reopening)
{
	const char *dir = unit_dir();
	struct fixture f;
	struct err e = { 0 };
	struct state_batch *b;

	open_store(&f, dir);
	f.n_expected = 2;
	put_container(&f, "a1", "web");
	b = state_batch_new(f.s);
	state_put_container_runtime(b, "a1", "{\"pid\":7}");
	state_commit(b, STATE_DURABLE, on_done, &f);
	loop_run(f.l);
	ck_assert_int_eq(f.n_failed, 0);
	close_store(&f);

	open_store(&f, dir);
	ck_assert_int_eq(state_each_container(f.s, see_container, &f, &e), 0);
	ck_assert_str_eq(f.seen, "a1:web:{\"pid\":7}:9223372036854775807 ");
	close_store(&f);
}
END_TEST

START_TEST(a_failing_batch_leaves_the_others_alone)
{
	struct fixture f;
	struct err e = { 0 };

	open_store(&f, unit_dir());
	f.n_expected = 3;
	put_container(&f, "a1", "web");
	put_container(&f, "a2", "web");   /* the name is taken */
	put_container(&f, "a3", "db");
	loop_run(f.l);
	ck_assert_int_eq(f.n_failed, 1);
	ck_assert_int_eq(state_each_container(f.s, see_container, &f, &e), 0);
	ck_assert_ptr_nonnull(strstr(f.seen, "a1:web"));
	ck_assert_ptr_null(strstr(f.seen, "a2:"));
	ck_assert_ptr_nonnull(strstr(f.seen, "a3:db"));
	close_store(&f);
}
END_TEST

START_TEST(a_batch_is_all_or_nothing)
{
	struct fixture f;
	struct err e = { 0 };
	struct state_batch *b;

	open_store(&f, unit_dir());
	f.n_expected = 2;
	put_container(&f, "a1", "web");
	b = state_batch_new(f.s);
	state_put_tag(b, &(struct state_tag){ .reference = "x:latest", .image_id = "i" });
	state_put_container(b, &(struct state_container){ .id = "a2", .name = "web" });
	state_commit(b, 0, on_done, &f);
	loop_run(f.l);
	ck_assert_int_eq(f.n_failed, 1);
	ck_assert_int_eq(state_each_tag(f.s, see_tag, &f, &e), 0);
	ck_assert_str_eq(f.seen, "");
	close_store(&f);
}
END_TEST

START_TEST(deletes_and_moves)
{
	struct fixture f;
	struct err e = { 0 };
	struct state_batch *b;

	open_store(&f, unit_dir());
	f.n_expected = 1;
	b = state_batch_new(f.s);
	state_put_tag(b, &(struct state_tag){ .reference = "x:1", .image_id = "a" });
	state_put_tag(b, &(struct state_tag){ .reference = "x:2", .image_id = "a" });
	state_put_tag(b, &(struct state_tag){ .reference = "x:1", .image_id = "b" });
	state_del_tag(b, "x:2");
	state_commit(b, 0, on_done, &f);
	loop_run(f.l);
	ck_assert_int_eq(state_each_tag(f.s, see_tag, &f, &e), 0);
	ck_assert_str_eq(f.seen, "x:1=b ");
	close_store(&f);
}
END_TEST

START_TEST(close_waits_for_commits_that_nobody_waits_for)
{
	const char *dir = unit_dir();
	struct fixture f;
	struct err e = { 0 };

	open_store(&f, dir);
	for (int i = 0; i < 50; i++) {
		char id[16];

		snprintf(id, sizeof(id), "c%02d", i);
		put_container(&f, id, id);
	}
	close_store(&f);

	open_store(&f, dir);
	ck_assert_int_eq(state_each_container(f.s, see_container, &f, &e), 0);
	ck_assert_ptr_nonnull(strstr(f.seen, "c00:"));
	ck_assert_ptr_nonnull(strstr(f.seen, "c23:"));
	close_store(&f);
}
END_TEST

START_TEST(a_newer_schema_is_refused)
{
	const char *dir = unit_dir();
	struct fixture f;
	struct err e = { 0 };
	struct loop *l = NULL;
	struct state *s = NULL;
	char path[200];
	sqlite3 *db = NULL;

	open_store(&f, dir);
	close_store(&f);
	snprintf(path, sizeof(path), "%s/kiln.db", dir);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "PRAGMA user_version = 9999", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);

	ck_assert_int_eq(loop_new(&l, &e), 0);
	ck_assert_int_eq(state_open(dir, l, &s, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "newer Kiln"));
	loop_free(l);
}
END_TEST

START_TEST(garbage_is_no_database)
{
	const char *dir = unit_dir();
	struct err e = { 0 };
	struct loop *l = NULL;
	struct state *s = NULL;
	char path[200];
	FILE *out;

	snprintf(path, sizeof(path), "%s/kiln.db", dir);
	out = fopen(path, "we");
	for (int i = 0; i < 1000; i++)
		fputs("this is not a database ", out);
	fclose(out);
	ck_assert_int_eq(loop_new(&l, &e), 0);
	ck_assert_int_eq(state_open(dir, l, &s, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "kiln.db"));
	loop_free(l);
}
END_TEST

/* Blocks of the log, some of which are behind its end. */
static void check_log_has_room(const char *dir)
{
	char path[200];
	struct stat st;

	snprintf(path, sizeof(path), "%s/kiln.db-wal", dir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_ge((int)st.st_blocks, 6 * 1024 * 1024 / 512);
	ck_assert_int_lt((int)st.st_size, 1024 * 1024);
}

START_TEST(the_log_has_room_of_its_own_and_keeps_it)
{
	const char *dir = unit_dir();
	struct fixture f;
	char path[200];

	open_store(&f, dir);
	check_log_has_room(dir);
	f.n_expected = 1;
	put_container(&f, "a1", "web");
	loop_run(f.l);
	close_store(&f);
	check_log_has_room(dir);

	/* Somebody else's SQLite takes the log away. */
	snprintf(path, sizeof(path), "%s/kiln.db-wal", dir);
	ck_assert_int_eq(unlink(path), 0);
	open_store(&f, dir);
	check_log_has_room(dir);
	close_store(&f);
}
END_TEST

UNIT_MAIN("state", rows_survive_reopening, a_failing_batch_leaves_the_others_alone, a_batch_is_all_or_nothing,
	  deletes_and_moves, close_waits_for_commits_that_nobody_waits_for, a_newer_schema_is_refused,
	  garbage_is_no_database, the_log_has_room_of_its_own_and_keeps_it)
