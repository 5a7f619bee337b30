/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/own.h"
#include "tests/unit/unit.h"

static int open_unit_dir(void)
{
	int fd = open(unit_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static bool exists(int dir, const char *name)
{
	return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void touch(int dir, const char *name)
{
	AUTO_CLOSE int fd = openat(dir, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
}

START_TEST(links_inside_a_root_stay_inside)
{
	AUTO_CLOSE int dir = open_unit_dir();
	AUTO_CLOSE int root = -1;
	AUTO_CLOSE int fd = -1;
	struct err e = { 0 };
	char text[8] = "";

	ck_assert_int_eq(path_mkdirs(dir, "root/etc", 0755, &e), 0);
	ck_assert_int_eq(file_replace(dir, "root/etc/who", "inside", 6, 0600, &e), 0);
	ck_assert_int_eq(file_replace(dir, "who", "outside", 7, 0600, &e), 0);
	ck_assert_int_eq(path_open_dir(dir, "root", O_RDONLY, &root, &e), 0);
	ck_assert_int_eq(symlinkat("/etc/who", root, "absolute"), 0);
	ck_assert_int_eq(symlinkat("../../etc/who", root, "upwards"), 0);

	ck_assert_int_eq(path_open_in_root(root, "absolute", O_RDONLY, 0, &fd, &e), 0);
	ck_assert_int_eq(read(fd, text, 6), 6);
	ck_assert_str_eq(text, "inside");
	close_fd(&fd);
	ck_assert_int_eq(path_open_in_root(root, "upwards", O_RDONLY, 0, &fd, &e), 0);
	close_fd(&fd);
	ck_assert_int_eq(path_open_in_root(root, "../who", O_RDONLY, 0, &fd, &e), -1);
	ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
}
END_TEST

START_TEST(magic_links_are_refused)
{
	AUTO_CLOSE int root = open("/", O_PATH | O_CLOEXEC);
	AUTO_CLOSE int fd = -1;
	struct err e = { 0 };

	ck_assert_int_eq(path_open_in_root(root, "/proc/self/exe", O_RDONLY, 0, &fd, &e), -1);
	ck_assert_int_eq(e.sys, ELOOP);
}
END_TEST

START_TEST(files_are_created_in_a_root_with_their_mode)
{
	AUTO_CLOSE int root = open_unit_dir();
	AUTO_CLOSE int fd = -1;
	struct err e = { 0 };
	struct stat st;

	umask(0);
	ck_assert_int_eq(path_open_in_root(root, "/new", O_CREAT | O_WRONLY, 0640, &fd, &e), 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close_fd(&fd);
	/* a mode without creation is what openat() ignores and openat2() refuses */
	ck_assert_int_eq(path_open_in_root(root, "/new", O_RDONLY, 0640, &fd, &e), 0);
}
END_TEST

START_TEST(directories_are_made_with_their_parents)
{
	AUTO_CLOSE int dir = open_unit_dir();
	struct err e = { 0 };

	ck_assert_int_eq(path_mkdirs(dir, "a/b//c/", 0755, &e), 0);
	ck_assert(exists(dir, "a/b/c"));
	ck_assert_int_eq(path_mkdirs(dir, "a/b/c", 0755, &e), 0);
	touch(dir, "a/file");
	ck_assert_int_eq(path_mkdirs(dir, "a/file", 0755, &e), -1);
	ck_assert_int_eq(e.kind, ERR_CONFLICT);
	ck_assert_int_eq(path_mkdirs(dir, "a/file/x", 0755, &e), -1);
	ck_assert_int_eq(e.sys, ENOTDIR);
	ck_assert_int_eq(path_mkdirs(AT_FDCWD, "/", 0755, &e), 0);
}
END_TEST

START_TEST(opening_a_directory_follows_no_link)
{
	AUTO_CLOSE int dir = open_unit_dir();
	AUTO_CLOSE int fd = -1;
	struct err e = { 0 };

	ck_assert_int_eq(symlinkat("/", dir, "link"), 0);
	ck_assert_int_eq(path_open_dir(dir, "link", O_RDONLY, &fd, &e), -1);
	ck_assert_int_eq(path_open_dir(dir, ".", O_PATH, &fd, &e), 0);
}
END_TEST

START_TEST(trees_are_removed_with_all_kinds_of_files)
{
	AUTO_CLOSE int dir = open_unit_dir();
	struct err e = { 0 };

	ck_assert_int_eq(path_mkdirs(dir, "tree/a/b/c", 0755, &e), 0);
	ck_assert_int_eq(path_mkdirs(dir, "tree/d", 0755, &e), 0);
	touch(dir, "tree/a/file");
	touch(dir, "tree/a/b/with\nnewline\xff");
	touch(dir, "outside");
	ck_assert_int_eq(symlinkat("../../outside", dir, "tree/a/link"), 0);
	ck_assert_int_eq(symlinkat("/", dir, "tree/d/root"), 0);
	ck_assert_int_eq(mkfifoat(dir, "tree/d/fifo", 0600), 0);
	ck_assert_int_eq(linkat(dir, "outside", dir, "tree/hard", 0), 0);

	ck_assert_msg(path_remove_tree(dir, "tree", &e) == 0, "%s", e.msg);
	ck_assert(!exists(dir, "tree"));
	ck_assert(exists(dir, "outside"));
}
END_TEST

START_TEST(what_is_absent_is_removed_already)
{
	AUTO_CLOSE int dir = open_unit_dir();
	struct err e = { 0 };

	ck_assert_int_eq(path_remove_tree(dir, "nothing", &e), 0);
	ck_assert_int_eq(path_remove_tree(dir, "nothing/at/all", &e), 0);
}
END_TEST

START_TEST(a_file_or_link_alone_is_removed)
{
	AUTO_CLOSE int dir = open_unit_dir();
	struct err e = { 0 };

	ck_assert_int_eq(mkdirat(dir, "target", 0700), 0);
	touch(dir, "target/file");
	ck_assert_int_eq(symlinkat("target", dir, "link"), 0);
	ck_assert_int_eq(path_remove_tree(dir, "link", &e), 0);
	ck_assert_int_eq(path_remove_tree(dir, "target/file", &e), 0);
	ck_assert(!exists(dir, "link"));
	ck_assert(!exists(dir, "target/file"));
	ck_assert(exists(dir, "target"));
}
END_TEST

static void make_deep_tree(int dir, int n_levels)
{
	int at = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < n_levels; i++) {
		int next;

		ck_assert_int_eq(mkdirat(at, "d", 0700), 0);
		if (i % 100 == 0)
			touch(at, "sibling");
		next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ck_assert_int_ge(next, 0);
		close(at);
		at = next;
	}
	touch(at, "bottom");
	close(at);
}

START_TEST(five_thousand_levels_need_few_descriptors)
{
	AUTO_CLOSE int dir = open_unit_dir();
	struct rlimit few = { .rlim_cur = 64, .rlim_max = 64 };
	struct err e = { 0 };

	make_deep_tree(dir, 5000);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	ck_assert_msg(path_remove_tree(dir, "d", &e) == 0, "%s", e.msg);
	ck_assert(!exists(dir, "d"));
}
END_TEST

START_TEST(many_entries_are_removed)
{
	AUTO_CLOSE int dir = open_unit_dir();
	struct err e = { 0 };
	char name[64];

	ck_assert_int_eq(mkdirat(dir, "wide", 0700), 0);
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "wide/%d", i);
		if (i % 3 == 0)
			ck_assert_int_eq(mkdirat(dir, name, 0700), 0);
		else
			touch(dir, name);
	}
	ck_assert_int_eq(path_remove_tree(dir, "wide", &e), 0);
	ck_assert(!exists(dir, "wide"));
}
END_TEST

/* In a user and mount namespace of its own, so that no root is needed; 77 where there is none. */
static int remove_around_a_mount(int dir, const char *tree, const char *mount_at)
{
	struct err e = { 0 };

	if (unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return 77;
	if (fchdir(dir) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("elsewhere", mount_at, NULL, MS_BIND, NULL) < 0)
		return 77;
	if (path_remove_tree(dir, tree, &e) != -1 || e.kind != ERR_CONFLICT)
		return 1;
	if (strstr(e.msg, "is a mount point") == NULL || !exists(dir, "elsewhere/precious"))
		return 2;
	return 0;
}

static void assert_stops_at_mount(const char *tree, const char *mount_at)
{
	AUTO_CLOSE int dir = open_unit_dir();
	struct err e = { 0 };
	int status = 0;
	pid_t pid;

	ck_assert_int_eq(path_mkdirs(dir, "tree/a/mnt", 0700, &e), 0);
	ck_assert_int_eq(mkdirat(dir, "elsewhere", 0700), 0);
	touch(dir, "elsewhere/precious");
	pid = fork();
	if (pid == 0)
		_exit(remove_around_a_mount(dir, tree, mount_at));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_msg(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77, "%d",
		      WEXITSTATUS(status));
	ck_assert(exists(dir, "elsewhere/precious"));
}

/* A bind mount of the same file system: the device number does not tell it. */
START_TEST(removal_stops_at_a_mount_inside)
{
	assert_stops_at_mount("tree", "tree/a/mnt");
}
END_TEST

START_TEST(removal_refuses_a_mount_at_the_top)
{
	assert_stops_at_mount("tree", "tree");
}
END_TEST

START_TEST(paths_are_joined_by_one_slash)
{
	static const char *const cases[][3] = {
		{ "/a/b", "c", "/a/b/c" }, { "/a/", "c", "/a/c" }, { "/a", "/c", "/a/c" },
		{ "/", "c", "/c" },        { "", "c", "c" },       { "a", "", "a" },
		{ "a/", "//c/", "a/c/" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FREE char *got = path_join(cases[i][0], cases[i][1]);

		ck_assert_str_eq(got, cases[i][2]);
	}
}
END_TEST

START_TEST(paths_are_cleaned_lexically)
{
	static const char *const cases[][2] = {
		{ "", "." },
		{ ".", "." },
		{ "/", "/" },
		{ "//", "/" },
		{ "/..", "/" },
		{ "/../..", "/" },
		{ "..", ".." },
		{ "../..", "../.." },
		{ "../a", "../a" },
		{ "a//b/../c", "a/c" },
		{ "a/..", "." },
		{ "a/../..", ".." },
		{ "/a/b/../../c", "/c" },
		{ "./a/./b/.", "a/b" },
		{ "/a/../../b", "/b" },
		{ "a/b/..", "a" },
		{ "...", "..." },
		{ "a/.../b", "a/.../b" },
		{ "../a/../../b", "../../b" },
		{ "/a/", "/a" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FREE char *got = path_clean(cases[i][0]);

		ck_assert_msg(strcmp(got, cases[i][1]) == 0, "'%s' -> '%s', not '%s'", cases[i][0],
			      got, cases[i][1]);
	}
}
END_TEST

START_TEST(names_are_single_and_safe)
{
	ck_assert(path_is_name("a"));
	ck_assert(path_is_name("..."));
	ck_assert(path_is_name(".hidden"));
	ck_assert(!path_is_name(""));
	ck_assert(!path_is_name(NULL));
	ck_assert(!path_is_name("."));
	ck_assert(!path_is_name(".."));
	ck_assert(!path_is_name("a/b"));
	ck_assert(!path_is_name("/"));
}
END_TEST

START_TEST(programs_are_found_in_absolute_directories_only)
{
	const char *dir = unit_dir();
	AUTO_FREE char *file = path_join(dir, "prog"), *path = xasprintf("bin::relative:/nowhere:%s:/bin", dir), *found = NULL;

	ck_assert_int_eq(close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0755)), 0);
	ck_assert_int_eq(setenv("PATH", path, 1), 0);
	found = path_find_program("prog");
	ck_assert_str_eq(found, file);
	ck_assert_int_eq(setenv("PATH", "bin:relative:.", 1), 0);
	ck_assert_ptr_null(path_find_program("sh"));
}
END_TEST

UNIT_MAIN("path", programs_are_found_in_absolute_directories_only, links_inside_a_root_stay_inside, magic_links_are_refused,
	  files_are_created_in_a_root_with_their_mode, directories_are_made_with_their_parents,
	  opening_a_directory_follows_no_link, trees_are_removed_with_all_kinds_of_files,
	  what_is_absent_is_removed_already, a_file_or_link_alone_is_removed,
	  five_thousand_levels_need_few_descriptors, many_entries_are_removed,
	  removal_stops_at_a_mount_inside, removal_refuses_a_mount_at_the_top,
	  paths_are_joined_by_one_slash, paths_are_cleaned_lexically, names_are_single_and_safe)
