/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "base/own.h"
#include "oci/digest.h"
#include "tests/unit/unit.h"

#define DIFF_ID "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"

static struct err e;
static int data = -1;

static void begin(void)
{
	data = open(unit_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(store_sync_names(data, ERR_IGNORED), -1);
	ck_assert_int_eq(store_init(data, &e), 0);
	ck_assert_int_eq(store_init(data, &e), 0);
	ck_assert_int_eq(store_sync_names(data, &e), 0);
}

static size_t count(const char *dir)
{
	DIR *d = fdopendir(openat(data, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	size_t n = 0;

	for (struct dirent *entry = readdir(d); entry; entry = readdir(d))
		n += entry->d_name[0] != '.' && strcmp(entry->d_name, STORE_MOUNT_POINTS) != 0;
	closedir(d);
	return n;
}

/* The first start makes them, the next ones find them; what somebody has made of them is no obstacle. */
START_TEST(mount_points_are_a_layer_that_is_always_there)
{
	static const char *const names[] = { "dev", "proc", "sys", "etc/hosts", "etc/hostname", "etc/resolv.conf" };

	begin();
	ck_assert_int_eq(store_init(data, &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO_FREE char *path = xasprintf("layers/" STORE_MOUNT_POINTS "/%s", names[i]);

		ck_assert_int_eq(faccessat(data, path, F_OK, 0), 0);
	}
	ck_assert_int_eq(unlinkat(data, "layers/" STORE_MOUNT_POINTS "/etc/hosts", 0), 0);
	ck_assert_int_eq(store_init(data, &e), 0);
	ck_assert_int_eq(faccessat(data, "layers/" STORE_MOUNT_POINTS "/etc/hosts", F_OK, 0), 0);
}
END_TEST

START_TEST(blob_is_placed_once_and_found)
{
	struct digest d;
	uint64_t n = 0;
	int fd = -1;

	begin();
	digest_of("hello", 5, &d);
	ck_assert(!store_has_blob(data, d.text, NULL));
	ck_assert_int_eq(store_blob_put(data, "hello", 5, d.text, &e), 0);
	ck_assert_int_eq(store_blob_put(data, "hello", 5, d.text, &e), 0);
	ck_assert(store_has_blob(data, d.text, &n));
	ck_assert_uint_eq(n, 5);
	ck_assert_uint_eq(count("tmp"), 0);
	ck_assert_int_eq(store_blob_open(data, d.text, &fd, &e), 0);
	close(fd);
	ck_assert_int_eq(store_blob_remove(data, d.text, &e), 0);
	ck_assert_int_eq(store_blob_remove(data, d.text, &e), 0);
	ck_assert_int_eq(store_blob_open(data, d.text, &fd, &e), -1);
	ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
}
END_TEST

START_TEST(staged_file_becomes_a_blob)
{
	struct digest d;
	char name[64];
	int staging = -1;

	begin();
	digest_of("x", 1, &d);
	ck_assert_int_eq(store_tmp_new(data, "load", name, &staging, &e), 0);
	ck_assert_int_eq(file_replace(staging, "0", "x", 1, 0600, &e), 0);
	ck_assert_int_eq(store_blob_commit(data, staging, "0", d.text, &e), 0);
	ck_assert(store_has_blob(data, d.text, NULL));
	/* The same member under another name: it is there already */
	ck_assert_int_eq(store_blob_commit(data, staging, "0", d.text, &e), 0);
	ck_assert_int_eq(store_blob_commit(data, staging, "1", DIFF_ID, &e), -1);
	close(staging);
	ck_assert_int_eq(store_tmp_remove(data, name, &e), 0);
	ck_assert_int_eq(store_tmp_remove(data, name, &e), 0);
	ck_assert_int_eq(store_tmp_remove(data, "tmp/../blobs", &e), -1);
	ck_assert_int_eq(store_tmp_remove(data, "blobs", &e), -1);
}
END_TEST

START_TEST(digest_that_is_none_touches_nothing)
{
	char tmp_name[64];
	int fd = -1;

	begin();
	ck_assert(!store_has_blob(data, "sha256:../../x", NULL));
	ck_assert(!store_has_layer(data, ""));
	ck_assert_int_eq(store_blob_open(data, "../x", &fd, &e), -1);
	ck_assert_int_eq(store_blob_put(data, "x", 1, "md5:0", &e), -1);
	ck_assert_int_eq(store_layer_remove(data, "sha256:..", tmp_name, &e), -1);
	ck_assert_uint_eq(count("tmp"), 0);
}
END_TEST

static void make_layer(char name[64])
{
	int fd = -1;

	ck_assert_int_eq(store_tmp_new(data, "layer", name, &fd, &e), 0);
	ck_assert_int_eq(mkdirat(fd, "d", 0755), 0);
	ck_assert_int_eq(file_replace(fd, "f", "x", 1, 0644, &e), 0);
	close(fd);
}

START_TEST(layer_is_placed_by_rename_and_only_once)
{
	char name[64], tmp_name[64], layer[STORE_LAYER_NAME_LEN + 1];

	begin();
	store_layer_name(DIFF_ID, layer);
	ck_assert_str_eq(layer, "5f70bf18a086007016e948b04a");
	make_layer(name);
	ck_assert_int_eq(store_layer_commit(data, name, DIFF_ID, &e), 0);
	ck_assert(store_has_layer(data, DIFF_ID));
	make_layer(name);
	ck_assert_int_eq(store_layer_commit(data, name, DIFF_ID, &e), 0);
	ck_assert_uint_eq(count("tmp"), 0);
	ck_assert_uint_eq(count("layers"), 1);
	ck_assert_int_eq(store_layer_remove(data, DIFF_ID, tmp_name, &e), 0);
	ck_assert_int_eq(store_layer_remove(data, DIFF_ID, tmp_name, &e), 0);
	ck_assert_str_eq(tmp_name, "");
	ck_assert(!store_has_layer(data, DIFF_ID));
	ck_assert_uint_eq(count("tmp"), 0);
}
END_TEST

START_TEST(clean_empties_tmp)
{
	char name[64];

	begin();
	make_layer(name);
	make_layer(name);
	ck_assert_int_eq(file_replace(data, "tmp/rubbish", "x", 1, 0600, &e), 0);
	ck_assert_int_eq(store_clean(data, &e), 0);
	ck_assert_uint_eq(count("tmp"), 0);
}
END_TEST

START_TEST(opaque_marks_are_set_below_the_layer_only)
{
	char *marks[] = { (char *)"d", (char *)"gone%20", (char *)"", (char *)"f" };
	struct str_list list = { marks, 4 };
	char name[64], value[2] = {0};
	int fd = -1;

	begin();
	make_layer(name);
	fd = openat(data, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store_layer_mark_opaque(fd, &list, &e) < 0) {
		/* Only root may */
		ck_assert_int_ne(geteuid(), 0);
		ck_assert_int_eq(e.sys, EPERM);
	} else {
		int d = openat(fd, "d", O_RDONLY | O_CLOEXEC);

		ck_assert_int_eq(fgetxattr(d, "trusted.overlay.opaque", value, 1), 1);
		ck_assert_str_eq(value, "y");
		close(d);
	}
	close(fd);
}
END_TEST

UNIT_MAIN("store", mount_points_are_a_layer_that_is_always_there, blob_is_placed_once_and_found, staged_file_becomes_a_blob, digest_that_is_none_touches_nothing,
	  layer_is_placed_by_rename_and_only_once, clean_empties_tmp, opaque_marks_are_set_below_the_layer_only)
