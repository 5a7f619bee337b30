/* SPDX-License-Identifier: Apache-2.0 */
/* Images in memory and in the store, without archives: rows and blobs are written by hand. */
#include "daemon/engine/image.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "daemon/engine/engine_impl.h"
#include "oci/digest.h"
#include "oci/store.h"
#include "tests/unit/unit.h"

struct fixture {
	struct engine eng;
	struct state *state;
	char dir[100];
	struct err last;
	int n_done, n_expected;
	char told[1024];
};

static void open_engine(struct fixture *f)
{
	struct err e = { 0 };

	log_set_level(LOG_LVL_ERR);
	f->eng = (struct engine){ .cfg = { .data_root = f->dir, .data_root_fd = -1 } };
	ck_assert_msg(path_open_dir(AT_FDCWD, f->dir, 0, &f->eng.cfg.data_root_fd, &e) == 0, "%s", e.msg);
	ck_assert_int_eq(loop_new(&f->eng.loop, &e), 0);
	ck_assert_int_eq(state_open(f->dir, f->eng.loop, &f->state, &e), 0);
	f->eng.state = f->state;
	f->eng.events = events_new();
	ck_assert_msg(images_new(&f->eng, &f->eng.images, &e) == 0, "%s", e.msg);
}

static void close_engine(struct fixture *f)
{
	state_drain(f->state);
	loop_run_pending(f->eng.loop);
	images_free(f->eng.images);
	events_free(f->eng.events);
	state_close(f->state);
	loop_free(f->eng.loop);
	close_fd(&f->eng.cfg.data_root_fd);
}

static void begin(struct fixture *f)
{
	*f = (struct fixture){ 0 };
	snprintf(f->dir, sizeof(f->dir), "%s", unit_dir());
	open_engine(f);
}

static void settled(void *ctx, const struct err *err)
{
	struct fixture *f = ctx;

	f->last = *err;
	if (++f->n_done == f->n_expected)
		loop_stop(f->eng.loop);
}

/* What @f started has to end @n times in all */
static void wait_for(struct fixture *f, int n)
{
	f->n_expected = f->n_done + n;
	loop_run(f->eng.loop);
}

/* A configuration whose digest is the ID, a layer directory, and the rows. Two layers: the first is shared by all */
static void plant(struct fixture *f, const char *mark, const char *tag, char id[80])
{
	AUTO_FREE char *config = NULL, *record = NULL;
	struct state_batch *b = state_batch_new(f->state);
	struct digest own, shared, all;
	char layer[STORE_LAYER_NAME_LEN + 1], path[80];
	struct err e = { 0 };

	digest_of(mark, strlen(mark), &own);
	digest_of("shared", 6, &shared);
	config = xasprintf("{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Labels\":{\"mark\":\"%s\"}},"
			   "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\",\"%s\"]}}", mark, shared.text, own.text);
	digest_of(config, strlen(config), &all);
	snprintf(id, 80, "%s", all.text);
	ck_assert_int_eq(store_blob_put(f->eng.cfg.data_root_fd, config, strlen(config), id, &e), 0);
	for (int k = 0; k < 2; k++) {
		store_layer_name(k ? own.text : shared.text, layer);
		snprintf(path, sizeof(path), "layers/%s", layer);
		mkdirat(f->eng.cfg.data_root_fd, path, 0755);
	}
	store_layer_name(shared.text, path);
	record = xasprintf("{\"layers\":[{\"diff_id\":\"%s\",\"blob_digest\":\"%s\",\"dir\":\"%s\",\"bytes\":10},"
			   "{\"diff_id\":\"%s\",\"blob_digest\":\"%s\",\"dir\":\"%s\",\"bytes\":3}],\"loaded_wall_ns\":5}",
			   shared.text, shared.text, path, own.text, own.text, layer);
	state_put_image(b, &(struct state_image){ .id = id, .record = record });
	if (tag)
		state_put_tag(b, &(struct state_tag){ .reference = tag, .image_id = id });
	state_commit(b, 0, settled, f);
	wait_for(f, 1);
	ck_assert_int_eq(f->last.kind, ERR_NONE);
}

static void reopen(struct fixture *f)
{
	close_engine(f);
	open_engine(f);
}

static size_t count(struct fixture *f, const char *dir)
{
	char path[160];
	DIR *d;
	size_t n = 0;

	snprintf(path, sizeof(path), "%s/%s", f->dir, dir);
	d = opendir(path);
	for (struct dirent *entry = readdir(d); entry; entry = readdir(d))
		n += entry->d_name[0] != '.' && strcmp(entry->d_name, STORE_MOUNT_POINTS) != 0;
	closedir(d);
	return n;
}

static void removed(void *ctx, bool is_deleted, const char *what)
{
	struct fixture *f = ctx;
	size_t n = strlen(f->told);

	snprintf(f->told + n, sizeof(f->told) - n, "%s%.24s ", is_deleted ? "-" : "", what);
}

static void remove_now(struct fixture *f, const char *name, bool force)
{
	int before = f->n_done;

	f->told[0] = 0;
	f->last = (struct err){ 0 };
	image_remove(&f->eng, name, force, false, removed, settled, f);
	if (f->n_done == before)
		wait_for(f, 1);
}

static void tag_now(struct fixture *f, struct image *i, const char *name)
{
	int before = f->n_done;

	image_tag(&f->eng, i, name, settled, f);
	if (f->n_done == before)
		wait_for(f, 1);
}

static struct image *must_find(struct fixture *f, const char *name)
{
	struct image *i = NULL;
	struct err e = { 0 };

	ck_assert_msg(image_find(&f->eng, name, &i, &e) == 0, "%s", e.msg);
	return i;
}

static void not_found(struct fixture *f, const char *name, const char *says)
{
	struct image *i = NULL;
	struct err e = { 0 };

	ck_assert_int_eq(image_find(&f->eng, name, &i, &e), -1);
	ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
	ck_assert_str_eq(e.msg, says);
}

START_TEST(images_are_found_by_every_name)
{
	struct fixture f;
	char a[80], b[80], prefix[16];
	struct image *i;

	begin(&f);
	plant(&f, "a", "docker.io/library/busybox:latest", a);
	plant(&f, "b", "example.com/x/y:2", b);
	reopen(&f);
	i = must_find(&f, "busybox");
	ck_assert_str_eq(i->id, a);
	ck_assert_int_eq(i->size_bytes, 13);
	ck_assert_uint_eq(i->n_layers, 2);
	ck_assert_ptr_eq(must_find(&f, "docker.io/library/busybox:latest"), i);
	ck_assert_ptr_eq(must_find(&f, a), i);
	ck_assert_ptr_eq(must_find(&f, a + 7), i);
	snprintf(prefix, sizeof(prefix), "%.12s", a + 7);
	ck_assert_ptr_eq(must_find(&f, prefix), i);
	ck_assert_str_eq(must_find(&f, "example.com/x/y:2")->id, b);
	not_found(&f, "example.com/x/y", "No such image: example.com/x/y:latest");
	not_found(&f, "zz", "No such image: zz:latest");
	not_found(&f, "not/a:valid/name", "No such image: not/a:valid/name");
	close_engine(&f);
}
END_TEST

START_TEST(a_tag_moves_and_leaves_the_old_image_dangling)
{
	struct fixture f;
	char a[80], b[80];

	begin(&f);
	plant(&f, "a", "docker.io/library/x:latest", a);
	plant(&f, "b", NULL, b);
	reopen(&f);
	tag_now(&f, must_find(&f, b), "x");
	ck_assert_int_eq(f.last.kind, ERR_NONE);
	ck_assert_str_eq(must_find(&f, "x")->id, b);
	ck_assert(image_is_dangling(must_find(&f, a)));
	reopen(&f);
	ck_assert_str_eq(must_find(&f, "x")->id, b);
	ck_assert_int_gt(must_find(&f, "x")->tagged_wall_ns, 0);
	close_engine(&f);
}
END_TEST

START_TEST(bad_tags_are_refused)
{
	static const char *const bad[] = {
		"UPPER", "a b", "x:", "sha256:abc",
		"x@sha256:0000000000000000000000000000000000000000000000000000000000000000",
	};
	struct fixture f;
	char a[80];

	begin(&f);
	plant(&f, "a", "docker.io/library/x:latest", a);
	reopen(&f);
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
		tag_now(&f, must_find(&f, a), bad[k]);
		ck_assert_msg(f.last.kind == ERR_INVALID, "%s", bad[k]);
	}
	ck_assert_uint_eq(must_find(&f, a)->n_tags, 1);
	close_engine(&f);
}
END_TEST

START_TEST(the_last_tag_takes_the_image_and_shared_layers_stay)
{
	struct fixture f;
	char a[80], b[80];

	begin(&f);
	plant(&f, "a", "docker.io/library/a:1", a);
	plant(&f, "b", "docker.io/library/b:1", b);
	reopen(&f);
	tag_now(&f, must_find(&f, a), "a:2");
	remove_now(&f, "a:1", false);
	ck_assert_str_eq(f.told, "a:1 ");
	remove_now(&f, "a:2", false);
	ck_assert_str_eq(strncmp(f.told, "a:2 -sha256:", 12) == 0 ? "ok" : f.told, "ok");
	not_found(&f, "a:2", "No such image: a:2");
	reopen(&f);
	ck_assert_uint_eq(count(&f, "layers"), 2);
	ck_assert_uint_eq(count(&f, "blobs/sha256"), 1);
	ck_assert_str_eq(must_find(&f, "b:1")->id, b);
	remove_now(&f, b, false);
	reopen(&f);
	ck_assert_uint_eq(count(&f, "layers"), 0);
	ck_assert_uint_eq(count(&f, "blobs/sha256"), 0);
	close_engine(&f);
}
END_TEST

START_TEST(several_names_stand_in_the_way_of_an_id)
{
	struct fixture f;
	char a[80];

	begin(&f);
	plant(&f, "a", "docker.io/library/a:1", a);
	reopen(&f);
	tag_now(&f, must_find(&f, a), "other");
	remove_now(&f, a, false);
	ck_assert_int_eq(f.last.kind, ERR_CONFLICT);
	ck_assert_ptr_nonnull(strstr(f.last.msg, "(must be forced) - image is referenced in multiple repositories"));
	remove_now(&f, a, true);
	ck_assert_int_eq(f.last.kind, ERR_NONE);
	ck_assert_ptr_nonnull(strstr(f.told, "a:1 other:latest -sha256:"));
	close_engine(&f);
}
END_TEST

START_TEST(an_image_in_use_is_hidden_and_goes_with_its_last_user)
{
	struct fixture f;
	struct image *i;
	char a[80];

	begin(&f);
	plant(&f, "a", "docker.io/library/a:1", a);
	reopen(&f);
	i = must_find(&f, a);
	image_ref(i);
	remove_now(&f, "a:1", true);
	ck_assert_int_eq(f.last.kind, ERR_NONE);
	not_found(&f, "a:1", "No such image: a:1");
	ck_assert_ptr_eq(image_by_id(&f.eng, a), i);
	ck_assert_ptr_null(image_first(&f.eng));
	ck_assert_uint_eq(count(&f, "layers"), 2);
	image_unref(i);
	ck_assert_ptr_null(image_by_id(&f.eng, a));
	reopen(&f);
	ck_assert_uint_eq(count(&f, "layers"), 0);
	close_engine(&f);
}
END_TEST

START_TEST(what_no_image_needs_is_removed_at_start)
{
	struct fixture f;
	char a[80];

	begin(&f);
	plant(&f, "a", "docker.io/library/a:1", a);
	mkdirat(f.eng.cfg.data_root_fd, "layers/0123456789abcdef0123456789", 0755);
	mkdirat(f.eng.cfg.data_root_fd, "layers/0123456789abcdef0123456789/full", 0755);
	mkdirat(f.eng.cfg.data_root_fd, "tmp/load-0000000000000000", 0755);
	close(openat(f.eng.cfg.data_root_fd, "blobs/sha256/00", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	reopen(&f);
	ck_assert_uint_eq(count(&f, "layers"), 2);
	ck_assert_uint_eq(count(&f, "blobs/sha256"), 1);
	ck_assert_uint_eq(count(&f, "tmp"), 0);
	close_engine(&f);
}
END_TEST

START_TEST(a_damaged_configuration_is_noticed_and_nothing_is_thrown_away)
{
	struct fixture f;
	char a[80], path[200];
	FILE *out;

	begin(&f);
	plant(&f, "a", "docker.io/library/a:1", a);
	snprintf(path, sizeof(path), "%s/blobs/sha256/%s", f.dir, a + 7);
	out = fopen(path, "ae");
	fputs(" ", out);
	fclose(out);
	log_init("test", open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_LVL_ERR, false);
	reopen(&f);
	not_found(&f, "a:1", "No such image: a:1");
	ck_assert_uint_eq(count(&f, "layers"), 2);
	close_engine(&f);
}
END_TEST

UNIT_MAIN("images", images_are_found_by_every_name, a_tag_moves_and_leaves_the_old_image_dangling, bad_tags_are_refused,
	  the_last_tag_takes_the_image_and_shared_layers_stay, several_names_stand_in_the_way_of_an_id,
	  an_image_in_use_is_hidden_and_goes_with_its_last_user, what_no_image_needs_is_removed_at_start,
	  a_damaged_configuration_is_noticed_and_nothing_is_thrown_away)
