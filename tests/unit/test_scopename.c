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

UNIT_MAIN("scopename", a_scope_is_told_by_its_last_part, unit_and_slice_are_the_last_two_parts,
	  what_systemd_would_not_put_there_is_refused, each_exec_root_has_its_own,
	  a_process_is_found_in_the_scope_or_its_leaf)
