/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cgfile.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/own.h"
#include "tests/unit/unit.h"

static int dir_with(const char *name, const char *text)
{
	int dir = open(unit_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err e = { 0 };

	ck_assert_int_eq(file_replace(dir, name, text, strlen(text), 0600, &e), 0);
	return dir;
}

START_TEST(a_number_is_read)
{
	AUTO_CLOSE int dir = dir_with("memory.current", "18446744073709551615\n");
	struct err e = { 0 };
	uint64_t v = 0;

	ck_assert_int_eq(cgfile_u64(dir, "memory.current", &v, &e), 0);
	ck_assert_uint_eq(v, UINT64_MAX);
}
END_TEST

START_TEST(what_is_no_number_is_refused)
{
	AUTO_CLOSE int dir = dir_with("memory.current", "12 34\n");
	struct err e = { 0 };
	uint64_t v = 7;

	ck_assert_int_eq(cgfile_u64(dir, "memory.current", &v, &e), -1);
	ck_assert_int_eq(e.kind, ERR_INVALID);
	ck_assert_str_eq(e.msg, "cgroup file 'memory.current': '12 34' is not a number");
	ck_assert_uint_eq(v, 7);
}
END_TEST

START_TEST(an_absent_file_is_not_found)
{
	AUTO_CLOSE int dir = dir_with("a", "1\n");
	struct cgfile_limit limit;
	struct err e = { 0 };

	ck_assert_int_eq(cgfile_limit(dir, "pids.max", &limit, &e), -1);
	ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
	ck_assert_str_eq(e.msg,
			 "read cgroup file 'pids.max': open 'pids.max': no such file or directory");
}
END_TEST

START_TEST(limits_are_numbers_or_none)
{
	static const struct {
		const char *text;
		bool is_taken, is_max;
		uint64_t v;
	} cases[] = {
		{ "max\n", true, true, 0 },
		{ "max", true, true, 0 },
		{ "-1\n", true, true, 0 },
		{ "0\n", true, false, 0 },
		{ "1048576\n", true, false, 1048576 },
		{ "9223372036854771712\n", true, true, 0 },
		{ "9223372036854710272\n", true, true, 0 }, /* pages of 64 KiB */
		{ "18446744073709551615\n", true, true, 0 },
		{ "4611686018427387904\n", true, false, UINT64_C(1) << 62 },
		{ "", false, false, 0 },
		{ "max 100000\n", false, false, 0 },
		{ "-2\n", false, false, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FREE char *text = xstrdup(cases[i].text);
		struct cgfile_limit got = { 0 };

		ck_assert_msg(cgfile_parse_limit(text, &got) == cases[i].is_taken, "'%s'", text);
		ck_assert_msg(got.is_max == cases[i].is_max, "'%s'", text);
		ck_assert_uint_eq(got.v, cases[i].v);
	}
}
END_TEST

START_TEST(keys_are_picked_from_lines)
{
	AUTO_CLOSE int dir =
		dir_with("memory.stat", "anon 4096\nfile 1\nfile_mapped 2\nanon_thp x\n"
					"\n8:0 rbytes=1 wbytes=2\nlast 18446744073709551615");
	struct cgfile_key keys[] = {
		{ .key = "anon" },        { .key = "file" },
		{ .key = "file_mapped" }, { .key = "anon_thp" },
		{ .key = "last" },        { .key = "absent", .v = 9, .is_found = true },
	};
	struct err e = { 0 };

	ck_assert_int_eq(cgfile_keys(dir, "memory.stat", keys, ARRAY_SIZE(keys), &e), 0);
	ck_assert_uint_eq(keys[0].v, 4096);
	ck_assert_uint_eq(keys[1].v, 1);
	ck_assert_uint_eq(keys[2].v, 2);
	ck_assert(keys[2].is_found);
	ck_assert(!keys[3].is_found);
	ck_assert_uint_eq(keys[4].v, UINT64_MAX);
	ck_assert(!keys[5].is_found);
	ck_assert_uint_eq(keys[5].v, 0);
}
END_TEST

START_TEST(a_file_without_end_is_refused)
{
	AUTO_FREE char *text = xmalloc(CGFILE_MAX_BYTES + 2);
	struct cgfile_key key = { .key = "a" };
	struct err e = { 0 };

	memset(text, 'a', CGFILE_MAX_BYTES + 1);
	text[CGFILE_MAX_BYTES + 1] = '\0';
	AUTO_CLOSE int dir = dir_with("memory.stat", text);
	ck_assert_int_eq(cgfile_keys(dir, "memory.stat", &key, 1, &e), -1);
	ck_assert_int_eq(e.kind, ERR_INVALID);
}
END_TEST

/* The kernel's own files, where this machine shows any. */
START_TEST(files_of_the_kernel_are_read)
{
	struct cgfile_key key = { .key = "nr_descendants" };
	AUTO_CLOSE int dir = -1;
	struct err e = { 0 };

	dir = open("/sys/fs/cgroup/unified", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		dir = open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || faccessat(dir, "cgroup.stat", R_OK, 0) < 0)
		return;
	ck_assert_int_eq(cgfile_keys(dir, "cgroup.stat", &key, 1, &e), 0);
	ck_assert(key.is_found);
}
END_TEST

UNIT_MAIN("cgfile", a_number_is_read, what_is_no_number_is_refused, an_absent_file_is_not_found,
	  limits_are_numbers_or_none, keys_are_picked_from_lines, a_file_without_end_is_refused,
	  files_of_the_kernel_are_read)
