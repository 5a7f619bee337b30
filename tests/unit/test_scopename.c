/* SPDX-License-Identifier: Apache-2.0 */
#include "base/scopename.h"

#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "tests/unit/unit.h"

START_TEST(a_scope_is_told_by_its_last_part)
{
	ck_assert(scopename_is_scope("/system.slice/kiln.scope"));
	ck_assert(scopename_is_scope("/kiln.scope"));
	ck_assert(!scopename_is_scope("/kiln"));
	ck_assert(!scopename_is_scope("/a.scope/kiln"));
	ck_assert(!scopename_is_scope("/.scope"));
}
END_TEST

START_TEST(unit_and_slice_are_the_last_two_parts)
{
	struct scopename s;
	struct err e = { 0 };

	ck_assert_int_eq(scopename_parse("/system.slice/kiln.scope", &s, &e), 0);
	ck_assert_str_eq(s.unit, "kiln.scope");
	ck_assert_str_eq(s.slice, "system.slice");
	ck_assert_int_eq(scopename_parse("/kiln.scope", &s, &e), 0);
	ck_assert_str_eq(s.slice, "-.slice");
	ck_assert_int_eq(scopename_parse("/a.slice/a-b.slice/a-b-c.slice/x.scope", &s, &e), 0);
	ck_assert_str_eq(s.slice, "a-b-c.slice");
}
END_TEST

START_TEST(what_systemd_would_not_put_there_is_refused)
{
	static const char *const bad[] = { "/kiln/x.scope", "/a.slice/b.slice/x.scope", "/a-b.slice/x.scope",
					   "/a.slice/a-b-c.slice/x.scope", "/.slice/x.scope", "/a.slice/a.slice/x.scope" };
	struct scopename s;
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_msg(scopename_parse(bad[i], &s, &e) == -1, "'%s'", bad[i]);
		ck_assert_int_eq(e.kind, ERR_INVALID);
	}
}
END_TEST

START_TEST(each_exec_root_has_its_own)
{
	static const struct { const char *root, *want; } rows[] = {
		{ "/run/kiln", "/system.slice/kiln.scope" },
		{ "/run/kiln2", "/system.slice/kiln-run-kiln2.scope" },
		{ "/run/a-b", "/system.slice/kiln-run-a\\x2db.scope" },
	};
	char longest[300] = "/";
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *got = scopename_default(rows[i].root, &e);

		ck_assert_str_eq(got, rows[i].want);
	}
	memset(longest + 1, 'a', 200);
	ck_assert_ptr_null(scopename_default(longest, &e));
	ck_assert_int_eq(e.kind, ERR_INVALID);
}
END_TEST

START_TEST(a_process_is_found_in_the_scope_or_its_leaf)
{
	const char *parent = "/system.slice/kiln.scope";

	ck_assert(scopename_has_process("0::/system.slice/kiln.scope\n", parent));
	ck_assert(scopename_has_process("0::/system.slice/kiln.scope/launcher\n", parent));
	ck_assert(scopename_has_process("3:cpu,cpuacct:/\n1:name=systemd:/system.slice/kiln.scope\n", parent));
	ck_assert(!scopename_has_process("0::/system.slice/kiln.scope2\n", parent));
	ck_assert(!scopename_has_process("0::/system.slice/kiln.scope/abc\n", parent));
	ck_assert(!scopename_has_process("", parent));
}
END_TEST

START_TEST(containers_have_scopes_as_runc_names_them)
{
	static const struct { const char *text, *slice, *unit, *path; } rows[] = {
		{ "system.slice:docker:1234", "system.slice", "docker-1234.scope", "/system.slice/docker-1234.scope" },
		{ NULL, "system.slice", "kiln-x.scope", "/system.slice/kiln-x.scope" },
		{ "", "system.slice", "kiln-x.scope", "/system.slice/kiln-x.scope" },
		{ "::n", "system.slice", "-n.scope", "/system.slice/-n.scope" },
		{ "a-b-c.slice:p:n", "a-b-c.slice", "p-n.scope", "/a.slice/a-b.slice/a-b-c.slice/p-n.scope" },
		{ "-:p:n", "-.slice", "p-n.scope", "/p-n.scope" },
		{ "-.slice:p:n", "-.slice", "p-n.scope", "/p-n.scope" },
		{ "machine.slice:libpod:a.b_c\\x2d", "machine.slice", "libpod-a.b_c\\x2d.scope", "/machine.slice/libpod-a.b_c\\x2d.scope" },
		{ "kubepods-burstable-pod01234567_0123_0123_0123_0123456789ab.slice:cri-containerd:"
		  "0123456789012345678901234567890123456789012345678901234567890123", NULL, NULL, NULL },
	};
	struct scopename s;
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *path = NULL;

		ck_assert_msg(scopename_of_container(rows[i].text, "x", &s, &e) == 0, "%s", e.msg);
		path = scopename_path(&s);
		if (rows[i].path == NULL)
			continue;
		ck_assert_str_eq(s.slice, rows[i].slice);
		ck_assert_str_eq(s.unit, rows[i].unit);
		ck_assert_str_eq(path, rows[i].path);
	}
}
END_TEST

START_TEST(what_is_no_scope_of_a_container_is_refused)
{
	static const struct { const char *text, *why; } rows[] = {
		{ "/a/b", "expected slice:prefix:name" }, { "a", "expected slice:prefix:name" }, { "a:b", "expected slice:prefix:name" },
		{ "a.slice:b:c:d", "expected slice:prefix:name" }, { "a:b:c", "'a' is no slice" }, { ".slice:b:c", "begins as" },
		{ "-a.slice:b:c", "no slice" }, { "a-.slice:b:c", "no slice" }, { "a--b.slice:b:c", "no slice" },
		{ "../a.slice:b:c", "no slice" }, { "a.slice/a-b.slice:b:c", "no slice" }, { "a.slice:..:/../b", "no scope" },
		{ "a.slice:b:", "its name ''" }, { "a.slice:b:c.slice", "its name 'c.slice'" }, { "a.slice:b:c/d", "no scope" },
		{ "a.slice:b:c d", "no scope" }, { "a.slice:b:c\nd", "no scope" }, { "a.slice:b:c@d", "no scope" }, { "a.slice:_b:c", "begins as" },
		{ "a.slice:cgroup.b:c", "begins as" }, { "a.slice:memory.b:c", "begins as" }, { "a.slice:b:c\xc3\xa4", "no scope" },
	};
	struct scopename s;
	struct err e = { 0 };
	char longest[400] = "a.slice:b:";

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ck_assert_msg(scopename_of_container(rows[i].text, "x", &s, &e) == -1, "'%s'", rows[i].text);
		ck_assert_int_eq(e.kind, ERR_INVALID);
		ck_assert_msg(strstr(e.msg, rows[i].why) != NULL, "'%s': %s", rows[i].text, e.msg);
	}
	memset(longest + strlen(longest), 'c', 190);
	ck_assert_int_eq(scopename_of_container(longest, "x", &s, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "longer than"));
	ck_assert_int_eq(scopename_of_container(NULL, "a+b", &s, &e), -1);
}
END_TEST

UNIT_MAIN("scopename", containers_have_scopes_as_runc_names_them, what_is_no_scope_of_a_container_is_refused, a_scope_is_told_by_its_last_part, unit_and_slice_are_the_last_two_parts,
	  what_systemd_would_not_put_there_is_refused, each_exec_root_has_its_own,
	  a_process_is_found_in_the_scope_or_its_leaf)
