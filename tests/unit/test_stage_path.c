/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Targets of mounts in an untrusted root: found, made where they are missing, and never outside.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include "base/own.h"
#include "runtime/stages.h"
#include "tests/unit/unit.h"

static int root_fd = -1;
static char root[PATH_MAX];

static void make_root(void)
{
	char *above = realpath(unit_dir(), NULL);

	snprintf(root, sizeof(root), "%s/root", above);
	free(above);
	ck_assert_int_eq(mkdir(root, 0755), 0);
	root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(root_fd, 0);
}

/* Where a target is, without the root's own path; "error N" */
static const char *target(const char *path, bool wants_dir)
{
	static char out[PATH_MAX + 64];
	char proc[64], at[PATH_MAX];
	AUTO_CLOSE int fd = stage_open_target(root_fd, path, wants_dir);
	ssize_t n;

	if (fd < 0) {
		snprintf(out, sizeof(out), "error %d", errno);
		return out;
	}
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	n = readlink(proc, at, sizeof(at) - 1);
	ck_assert_int_gt(n, 0);
	at[n] = '\0';
	if (strncmp(at, root, strlen(root)) != 0)
		snprintf(out, sizeof(out), "outside %s", at);
	else
		snprintf(out, sizeof(out), "%s", at + strlen(root));
	return out;
}

static bool is_dir(const char *path)
{
	struct stat st;

	ck_assert_int_eq(fstatat(root_fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	return S_ISDIR(st.st_mode);
}

START_TEST(missing_targets_are_made)
{
	make_root();
	ck_assert_str_eq(target("/a/b/c", true), "/a/b/c");
	ck_assert(is_dir("a/b/c"));
	ck_assert_str_eq(target("/a/file", false), "/a/file");
	ck_assert(!is_dir("a/file"));
	ck_assert_str_eq(target("/x/y/file", false), "/x/y/file");
	ck_assert(is_dir("x/y"));
	ck_assert_str_eq(target("//a//b/.//d/", true), "/a/b/d");
	ck_assert_str_eq(target("/", true), "");
}
END_TEST

START_TEST(dot_dot_ends_at_the_root)
{
	make_root();
	ck_assert_str_eq(target("/../../../a", true), "/a");
	ck_assert_str_eq(target("/a/../../b/../c", true), "/c");
}
END_TEST

START_TEST(links_stay_inside)
{
	make_root();
	ck_assert_int_eq(symlinkat("/", root_fd, "slash"), 0);
	ck_assert_int_eq(symlinkat("../../../..", root_fd, "up"), 0);
	ck_assert_int_eq(symlinkat("/run", root_fd, "var"), 0);
	ck_assert_str_eq(target("/slash/etc/x", false), "/etc/x");
	ck_assert_str_eq(target("/up/tmp/y", true), "/tmp/y");
	ck_assert_str_eq(target("/var/z", true), "/run/z");
}
END_TEST

/* In images /etc/resolv.conf is a link to a file of systemd-resolved below /run, which is not there yet */
START_TEST(dangling_links_are_followed_and_made)
{
	make_root();
	ck_assert_int_eq(mkdirat(root_fd, "etc", 0755), 0);
	ck_assert_int_eq(symlinkat("../run/systemd/resolv.conf", root_fd, "etc/resolv.conf"), 0);
	ck_assert_int_eq(symlinkat("/made/absolute", root_fd, "etc/abs"), 0);
	ck_assert_str_eq(target("/etc/resolv.conf", false), "/run/systemd/resolv.conf");
	ck_assert(!is_dir("run/systemd/resolv.conf"));
	ck_assert_str_eq(target("/etc/abs", true), "/made/absolute");
	ck_assert(is_dir("made/absolute"));
}
END_TEST

START_TEST(loops_end)
{
	make_root();
	ck_assert_int_eq(symlinkat("b", root_fd, "a"), 0);
	ck_assert_int_eq(symlinkat("a", root_fd, "b"), 0);
	ck_assert_str_eq(target("/a/x", true), "error 40");
	ck_assert_int_eq(symlinkat("self/missing", root_fd, "self"), 0);
	ck_assert_str_eq(target("/self", true), "error 40");
}
END_TEST

START_TEST(a_file_on_the_way_is_an_error)
{
	make_root();
	ck_assert_str_eq(target("/file", false), "/file");
	ck_assert_str_eq(target("/file/below", true), "error 20");
}
END_TEST

START_TEST(names_that_are_too_long_are_errors)
{
	char path[PATH_MAX + 64];

	make_root();
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[300] = '\0';
	ck_assert_str_eq(target(path, true), "error 36");
	memset(path, '/', sizeof(path));
	memset(path + sizeof(path) - 10, 'x', 9);
	path[sizeof(path) - 1] = '\0';
	ck_assert_str_eq(target(path, true), "error 36");
}
END_TEST

/* CVE-2024-21626: a magic link would lead out */
START_TEST(magic_links_do_not_work)
{
	char path[64];

	make_root();
	snprintf(path, sizeof(path), "/self/fd/%d", root_fd);
	root_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(stage_open_in_root(root_fd, path, O_PATH), -1);
	ck_assert_int_eq(errno, ELOOP);
}
END_TEST

UNIT_MAIN("stage_path", missing_targets_are_made, dot_dot_ends_at_the_root, links_stay_inside,
	  dangling_links_are_followed_and_made, loops_end, a_file_on_the_way_is_an_error,
	  names_that_are_too_long_are_errors, magic_links_do_not_work)
