/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The frame of a unit test: one binary for each tests/unit/test_<module>.c, one process for each test
 * (check forks; CK_FORK=no keeps it in one for a debugger), 5 seconds each.
 *
 *	#include "tests/unit/unit.h"
 *	START_TEST(set_formats_message) { ... ck_assert_int_eq(a, b); } END_TEST
 *	UNIT_MAIN("err", set_formats_message, second_test)
 *
 * prints `ok unit:test_err:set_formats_message` for each, and fails when one fails. A name on the command
 * line picks that test.
 */
#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNIT_TIMEOUT_S 5

static char unit_root_[64];

/**
 * unit_dir() - A fresh empty directory for the running test
 *
 * Removed with all that is in it when the binary ends.
 *
 * Return: borrowed path, absolute
 */
static inline const char *unit_dir(void)
{
	static char path[96];

	snprintf(path, sizeof path, "%s/XXXXXX", unit_root_);
	ck_assert_ptr_nonnull(mkdtemp(path));
	return path;
}

static inline int unit_remove_one_(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

/* The test's name is its test case's name: check tells no other name of a result. */
static inline void unit_print_(const char *module, TestResult *r)
{
	const char *name = tr_tcname(r);

	if (tr_rtype(r) == CK_PASS) {
		printf("ok unit:test_%s:%s\n", module, name);
		return;
	}
	printf("FAIL unit:test_%s:%s\n  %s:%d: %s\n", module, name, tr_lfile(r), tr_lno(r), tr_msg(r));
}

static inline int unit_run_(const char *module, const TTest *const *tests, size_t n_tests, const char *only)
{
	Suite *suite = suite_create(module);
	SRunner *runner = srunner_create(suite);
	TestResult **results;
	size_t n_added = 0;
	int n_failed;

	snprintf(unit_root_, sizeof unit_root_, "/tmp/kiln-unit.XXXXXX");
	if (!mkdtemp(unit_root_)) {
		perror("mkdtemp");
		return 1;
	}
	for (size_t i = 0; i < n_tests; i++) {
		TCase *tc;

		if (only && strcmp(only, tests[i]->name) != 0)
			continue;
		tc = tcase_create(tests[i]->name);
		tcase_set_timeout(tc, UNIT_TIMEOUT_S);
		tcase_add_test(tc, tests[i]);
		suite_add_tcase(suite, tc);
		n_added++;
	}
	srunner_run_all(runner, CK_SILENT);
	results = srunner_results(runner);
	for (int i = 0; i < srunner_ntests_run(runner); i++)
		unit_print_(module, results[i]);
	n_failed = srunner_ntests_failed(runner);
	free(results);
	srunner_free(runner);
	nftw(unit_root_, unit_remove_one_, 16, FTW_DEPTH | FTW_PHYS);
	if (n_added == 0) {
		printf("FAIL unit:test_%s: no such test\n", module);
		return 1;
	}
	return n_failed != 0;
}

#define UNIT_MAIN(module, ...)                                                                  \
	int main(int argc, char **argv)                                                         \
	{                                                                                       \
		const TTest *const unit_tests_[] = { __VA_ARGS__ };                             \
												\
		return unit_run_(module, unit_tests_, sizeof unit_tests_ / sizeof *unit_tests_, \
				 argc > 1 ? argv[1] : NULL);                                    \
	}
