/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/own.h"
#include "tests/unit/unit.h"

#define N 3   /* layers: the one that implies, and two below, the nearest first */

static int layers[N];
static char root[128];
static struct err e;

static void begin(void)
{
	memset(&e, 0, sizeof e);
	snprintf(root, sizeof root, "%s", unit_dir());
	for (int i = 0; i < N; i++) {
		AUTO_FREE char *path = xasprintf("%s/%d", root, i);

		ck_assert_int_eq(mkdir(path, 0755), 0);
		layers[i] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ck_assert_int_ge(layers[i], 0);
	}
}

static void dir(int layer, const char *path, mode_t mode, time_t sec)
{
	const struct timespec times[2] = { { .tv_sec = sec, .tv_nsec = 7 }, { .tv_sec = sec, .tv_nsec = 7 } };

	if (mkdirat(layers[layer], path, 0700) < 0)
		ck_assert_int_eq(errno, EEXIST);
	ck_assert_int_eq(fchmodat(layers[layer], path, mode, 0), 0);
	ck_assert_int_eq(utimensat(layers[layer], path, times, 0), 0);
}

static int inherit(const char *path)
{
	char *v[] = { (char *)path };

	return inherit_layer(layers[0], &layers[1], N - 1, &(struct unpack_layer){ .implied = { v, 1 } }, &e);
}

static void is(const char *path, mode_t mode, time_t sec)
{
	struct stat st;

	ck_assert_msg(inherit(path) == 0, "%s", e.msg);
	ck_assert_int_eq(fstatat(layers[0], *path ? path : ".", &st, 0), 0);
	ck_assert_uint_eq(st.st_mode & 07777, mode);
	ck_assert_int_eq(st.st_mtim.tv_sec, sec);
}

START_TEST(the_nearest_layer_counts)
{
	begin();
	dir(0, "d", 0755, 1);
	dir(0, "d/in", 0755, 1);
	dir(1, "d", 01777, 20);
	dir(2, "d", 0700, 30);
	dir(2, "d/in", 0710, 40);
	dir(1, ".", 0711, 50);
	is("d", 01777, 20);
	is("d/in", 0710, 40);
	is("", 0711, 50);
}
END_TEST

START_TEST(attributes_are_taken_but_overlays_own)
{
	char value[8];

	begin();
	dir(0, "d", 0755, 1);
	dir(1, "d", 0750, 2);
	{
		AUTO_CLOSE int from = openat(layers[1], "d", O_RDONLY | O_CLOEXEC), to = openat(layers[0], "d", O_RDONLY | O_CLOEXEC);

		if (fsetxattr(from, "user.a", "b", 1, 0) < 0)
			ck_assert_int_eq(errno, EOPNOTSUPP);
		else
			errno = 0;
		fsetxattr(from, "trusted.overlay.opaque", "y", 1, 0);   /* not without root */
		is("d", 0750, 2);
		ck_assert(fgetxattr(from, "user.a", value, sizeof value) == fgetxattr(to, "user.a", value, sizeof value));
		ck_assert_int_lt(fgetxattr(to, "trusted.overlay.opaque", value, sizeof value), 0);
	}
}
END_TEST

START_TEST(what_does_not_show_is_not_inherited)
{
	begin();
	dir(0, "file", 0755, 1);
	dir(0, "none", 0755, 1);
	close(openat(layers[1], "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	dir(2, "file", 0700, 2);
	is("file", 0755, 1);
	is("none", 0755, 1);
}
END_TEST

static void file(int layer, const char *path, const char *text)
{
	AUTO_CLOSE int fd = openat(layers[layer], path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static const char *text_of(const char *path)
{
	static char text[32];
	AUTO_CLOSE int fd = openat(layers[0], path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);

	text[n] = '\0';
	return text;
}

static bool is_there(const char *path)
{
	struct stat st;

	return fstatat(layers[0], path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* bin is a link to usr/bin, through another, in the lowest layer */
START_TEST(what_is_put_below_a_link_goes_where_it_leads)
{
	char *implied[] = { (char *)"bin", (char *)"bin/deep" };
	struct stat st;

	begin();
	dir(2, "usr", 0750, 20);
	dir(2, "usr/bin", 0711, 30);
	dir(2, "usr", 0750, 20);
	ck_assert_int_eq(symlinkat("/via/../sbin", layers[2], "bin"), 0);
	ck_assert_int_eq(symlinkat("usr/bin", layers[2], "sbin"), 0);
	dir(0, "bin", 0755, 1);
	dir(0, "bin/deep", 0755, 1);
	file(0, "bin/tool", "tool");
	file(0, "bin/deep/in", "in");
	dir(0, ".", 0755, 5);
	ck_assert_msg(inherit_layer(layers[0], &layers[1], N - 1, &(struct unpack_layer){ .implied = { implied, 2 } }, &e) == 0, "%s", e.msg);
	ck_assert_int_eq(fstat(layers[0], &st), 0);
	ck_assert_int_eq(st.st_mtim.tv_sec, 5);
	ck_assert(!is_there("bin"));
	ck_assert_str_eq(text_of("usr/bin/tool"), "tool");
	ck_assert_str_eq(text_of("usr/bin/deep/in"), "in");
	is("usr", 0750, 20);
	is("usr/bin", 0711, 30);
}
END_TEST

START_TEST(what_is_there_already_is_merged_and_keeps_its_time)
{
	begin();
	dir(2, "usr", 0755, 20);
	ck_assert_int_eq(symlinkat("usr", layers[2], "link"), 0);
	dir(0, "link", 0755, 1);
	dir(0, "link/both", 0755, 1);
	file(0, "link/both/new", "new");
	file(0, "link/same", "from the link");
	dir(0, "usr", 0700, 7);
	dir(0, "usr/both", 0700, 8);
	file(0, "usr/both/old", "old");
	file(0, "usr/same", "from usr");
	dir(0, "usr/both", 0700, 8);
	dir(0, "usr", 0700, 7);
	ck_assert_msg(inherit("link") == 0, "%s", e.msg);
	ck_assert(!is_there("link"));
	ck_assert_str_eq(text_of("usr/both/new"), "new");
	ck_assert_str_eq(text_of("usr/both/old"), "old");
	ck_assert_str_eq(text_of("usr/same"), "from the link");
	{
		struct stat st;

		ck_assert_int_eq(fstatat(layers[0], "usr", &st, 0), 0);
		ck_assert_int_eq(st.st_mtim.tv_sec, 7);
		ck_assert_int_eq(fstatat(layers[0], "usr/both", &st, 0), 0);
		ck_assert_int_eq(st.st_mtim.tv_sec, 8);
	}
}
END_TEST

START_TEST(links_in_circles_and_to_files_are_replaced)
{
	begin();
	ck_assert_int_eq(symlinkat("b", layers[1], "a"), 0);
	ck_assert_int_eq(symlinkat("a", layers[1], "b"), 0);
	ck_assert_int_eq(symlinkat("file", layers[1], "tofile"), 0);
	ck_assert_int_eq(symlinkat("../../..", layers[1], "root"), 0);
	file(1, "file", "x");
	dir(0, "a", 0755, 1);
	dir(0, "tofile", 0755, 1);
	dir(0, "root", 0755, 1);
	is("a", 0755, 1);
	is("tofile", 0755, 1);
	is("root", 0755, 1);
}
END_TEST

static int link_to(const char *path, const char *target)
{
	char *v[] = { (char *)path, (char *)target };

	return inherit_layer(layers[0], &layers[1], N - 1, &(struct unpack_layer){ .links = { v, 2 } }, &e);
}

static ino_t inode(const char *path)
{
	struct stat st;

	ck_assert_int_eq(fstatat(layers[0], path, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_ino;
}

START_TEST(hard_links_to_files_below_copy_them_up)
{
	struct stat st;

	begin();
	dir(2, "d", 0710, 3);
	file(2, "d/f", "lower");
	ck_assert_int_eq(fchmodat(layers[2], "d/f", 0640, 0), 0);
	dir(2, "d", 0710, 3);
	ck_assert_msg(link_to("l1", "d/f") == 0, "%s", e.msg);
	ck_assert_msg(link_to("l2", "l1") == 0, "%s", e.msg);
	ck_assert_str_eq(text_of("l2"), "lower");
	ck_assert(inode("l1") == inode("d/f") && inode("l2") == inode("d/f"));
	ck_assert_int_eq(fstatat(layers[0], "d/f", &st, 0), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
	ck_assert_int_eq(fstatat(layers[0], "d", &st, 0), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0710);
	ck_assert_int_eq(st.st_mtim.tv_sec, 3);
	/* A name that is taken stays */
	file(0, "taken", "own");
	ck_assert_msg(link_to("taken", "d/f") == 0, "%s", e.msg);
	ck_assert_str_eq(text_of("taken"), "own");
}
END_TEST

START_TEST(hard_links_to_nothing_are_refused)
{
	begin();
	dir(1, "d", 0755, 1);
	dir(2, "d", 0755, 1);
	file(1, "file", "x");
	dir(2, "file", 0755, 1);
	file(2, "file/f", "does not show");
	ck_assert_int_eq(link_to("l", "no-such"), -1);
	ck_assert_int_eq(e.kind, ERR_INVALID);
	ck_assert_int_eq(link_to("l", "d"), -1);
	ck_assert_int_eq(link_to("l", "file/f"), -1);
	ck_assert_int_eq(link_to("l", "../f"), -1);
	ck_assert(!is_there("l"));
}
END_TEST

START_TEST(what_is_no_directory_any_more_is_left_alone)
{
	begin();
	ck_assert_int_eq(symlinkat("/etc", layers[0], "d"), 0);
	dir(1, "d", 0700, 2);
	ck_assert_msg(inherit("d") == 0, "%s", e.msg);
	ck_assert_msg(inherit("gone") == 0, "%s", e.msg);
}
END_TEST

START_TEST(paths_that_leave_the_layer_are_refused)
{
	begin();
	ck_assert_int_eq(inherit("../x"), -1);
	ck_assert_int_eq(e.kind, ERR_INTERNAL);
	ck_assert_int_eq(inherit("%zz"), -1);
	ck_assert_int_eq(e.kind, ERR_INTERNAL);
}
END_TEST

UNIT_MAIN("inherit", hard_links_to_files_below_copy_them_up, hard_links_to_nothing_are_refused,
	  what_is_put_below_a_link_goes_where_it_leads, what_is_there_already_is_merged_and_keeps_its_time,
	  links_in_circles_and_to_files_are_replaced, the_nearest_layer_counts, attributes_are_taken_but_overlays_own, what_does_not_show_is_not_inherited,
	  what_is_no_directory_any_more_is_left_alone, paths_that_leave_the_layer_are_refused)
