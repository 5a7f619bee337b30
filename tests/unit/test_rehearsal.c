/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/rehearsal.h"

#include <dirent.h>

#include "base/own.h"
#include "tests/unit/unit.h"

START_TEST(the_document_is_one_and_its_filter_is_kept)
{
	AUTO_FREE char *path = xasprintf("%s/seccomp", unit_dir()), *root = xstrndup(path, strlen(path) - strlen("/seccomp"));
	struct err e = { 0 };
	struct dirent *entry;
	int n_filters = 0;
	DIR *d;

	ck_assert_msg(rehearse(root, &e) == 0, "%s", e.msg);
	ck_assert_msg(rehearse(root, &e) == 0, "%s", e.msg);
	d = opendir(path);
	ck_assert_ptr_nonnull(d);
	while ((entry = readdir(d)) != NULL)
		n_filters += entry->d_name[0] != '.';
	closedir(d);
	ck_assert_int_eq(n_filters, 1);
}
END_TEST

UNIT_MAIN("rehearsal", the_document_is_one_and_its_filter_is_kept)
