/* SPDX-License-Identifier: Apache-2.0 */
#include "base/treesize.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "tests/unit/unit.h"

static char root[64];

static void put(const char *name, size_t n_bytes)
{
	AUTO_FREE char *path = xasprintf("%s/%s", root, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)n_bytes), 0);
	close(fd);
}

static void dir(const char *name)
{
	AUTO_FREE char *path = xasprintf("%s/%s", root, name);

	ck_assert_int_eq(mkdir(path, 0700), 0);
}

static int64_t size_of_root(void)
{
	struct err e = {0};
	int64_t n = -1;

	ck_assert_msg(treesize(root, &n, &e) == 0, "%s", e.msg);
	return n;
}

static void begin(void)
{
	snprintf(root, sizeof(root), "/tmp/treesize-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
}

static void end(void)
{
	ck_assert_int_eq(path_remove_tree(AT_FDCWD, root, ERR_IGNORED), 0);
}

START_TEST(each_file_counts_once)
{
	AUTO_FREE char *a = NULL, *b = NULL, *link_path = NULL;

	begin();
	ck_assert_int_eq(size_of_root(), 0);
	put("a", 1000);
	dir("d");
	put("d/b", 20);
	a = xasprintf("%s/a", root);
	b = xasprintf("%s/d/again", root);
	ck_assert_int_eq(link(a, b), 0);
	ck_assert_int_eq(size_of_root(), 1020);
	/* A link is as long as what it says, and what is there does not count */
	link_path = xasprintf("%s/d/link", root);
	ck_assert_int_eq(symlink("/etc/../etc", link_path), 0);
	ck_assert_int_eq(size_of_root(), 1031);
	end();
}
END_TEST

START_TEST(a_tree_without_end_is_told)
{
	AUTO_STRBUF struct strbuf path = {0};
	struct err e = {0};
	int64_t n;

	begin();
	strbuf_adds(&path, "d");
	dir(path.data);
	for (int i = 1; i < TREESIZE_MAX_DEPTH; i++) {
		strbuf_adds(&path, "/d");
		dir(path.data);
	}
	ck_assert_int_eq(size_of_root(), 0);
	strbuf_adds(&path, "/d");
	dir(path.data);
	ck_assert_int_eq(treesize(root, &n, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "within each other"));
	end();
}
END_TEST

START_TEST(what_is_no_directory_is_an_error)
{
	AUTO_FREE char *link_path = NULL;
	struct err e = {0};
	int64_t n;

	begin();
	link_path = xasprintf("%s/link", root);
	ck_assert_int_eq(symlink("/etc", link_path), 0);
	ck_assert_int_eq(treesize(link_path, &n, &e), -1);
	ck_assert_int_eq(treesize("/nonexistent", &n, &e), -1);
	ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
	end();
}
END_TEST

UNIT_MAIN("treesize", each_file_counts_once, a_tree_without_end_is_told, what_is_no_directory_is_an_error)
