/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of groups. Making them needs root: tests/e2e (limits) and cgroup_limits have the rest.
 */
#include "runtime/cgroup.h"
#include "runtime/cgroup_parts.h"
#include "tests/unit/unit.h"

START_TEST(clean_absolute_paths_are_names)
{
	struct err e = { 0 };

	ck_assert_int_eq(cgroup_check_path("/kiln/abc", &e), 0);
	ck_assert_int_eq(cgroup_check_path("/a", &e), 0);
}
END_TEST

START_TEST(paths_that_lead_elsewhere_are_refused)
{
	static const char *const bad[] = { "",      "/",     "a/b", "/a/../b", "/a/..",
					   "/../a", "/a//b", "/a/", "/a/./b" };
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(cgroup_check_path(bad[i], &e) == -1, "'%s'", bad[i]);
		ck_assert_int_eq(e.kind, ERR_INVALID);
	}
	ck_assert_int_eq(cgroup_check_path(NULL, &e), -1);
}
END_TEST

START_TEST(long_paths_are_refused)
{
	char path[300];
	struct err e = { 0 };

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[CGROUP_PATH_MAX] = '\0';
	ck_assert_int_eq(cgroup_check_path(path, &e), 0);
	path[CGROUP_PATH_MAX] = 'a';
	path[CGROUP_PATH_MAX + 1] = '\0';
	ck_assert_int_eq(cgroup_check_path(path, &e), -1);
}
END_TEST

/* Nothing is known before cgroup_setup(), and nothing is touched */
START_TEST(without_setup_there_are_no_hierarchies)
{
	char dir[512];

	ck_assert(!cgroup_dir(0, "/a", dir));
	ck_assert(!cgroup_has_controller("memory"));
	ck_assert_uint_eq(cgroup_layout()->n_v1, 0);
}
END_TEST

UNIT_MAIN("cgroup", clean_absolute_paths_are_names, paths_that_lead_elsewhere_are_refused,
	  long_paths_are_refused, without_setup_there_are_no_hierarchies)
