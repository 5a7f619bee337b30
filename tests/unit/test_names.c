/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/names.h"

#include "base/str.h"
#include "tests/unit/unit.h"

START_TEST(good_names_pass)
{
	struct err e = { 0 };

	ck_assert_int_eq(name_check("web", &e), 0);
	ck_assert_int_eq(name_check("0a", &e), 0);
	ck_assert_int_eq(name_check("a_b.c-d", &e), 0);
}
END_TEST

START_TEST(bad_names_are_told_as_docker_does)
{
	static const char *const bad[] = { "", "a", "a b", "-a", "_x", "a/b", "..", "\xc3\xa4x" };
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_int_eq(name_check(bad[i], &e), -1);
	ck_assert_int_eq(name_check("a b", &e), -1);
	ck_assert_int_eq(e.kind, ERR_INVALID);
	ck_assert_str_eq(e.msg,
			 "Invalid container name (a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
}
END_TEST

START_TEST(a_name_of_256_bytes_is_too_long)
{
	char name[257];
	struct err e = { 0 };

	memset(name, 'a', 256);
	name[256] = '\0';
	ck_assert_int_eq(name_check(name, &e), -1);
	name[255] = '\0';
	ck_assert_int_eq(name_check(name, &e), 0);
}
END_TEST

START_TEST(invented_names_are_valid)
{
	char name[NAME_INVENT_MAX];
	struct err e = { 0 };

	for (uint64_t i = 0; i < 20000; i++) {
		uint64_t random = i * UINT64_C(0x9e3779b97f4a7c15);

		ck_assert_int_eq(name_check(name_invent(random, i % 8, name), &e), 0);
		ck_assert_ptr_nonnull(strchr(name, '_'));
	}
}
END_TEST

START_TEST(later_attempts_carry_a_number)
{
	char first[NAME_INVENT_MAX], fifth[NAME_INVENT_MAX];

	name_invent(77, 0, first);
	name_invent(77, 5, fifth);
	ck_assert(str_starts(fifth, first));
	ck_assert_str_eq(fifth + strlen(first), "1");
}
END_TEST

START_TEST(ids_are_64_hex_digits_and_differ)
{
	char a[65], b[65];

	ck_assert(str_is_hex(name_random_id(a), 64));
	ck_assert(str_is_hex(name_random_id(b), 64));
	ck_assert_str_ne(a, b);
	ck_assert_uint_lt(strspn(a, "0123456789"), 12);
}
END_TEST

UNIT_MAIN("names", good_names_pass, bad_names_are_told_as_docker_does,
	  a_name_of_256_bytes_is_too_long, invented_names_are_valid, later_attempts_carry_a_number,
	  ids_are_64_hex_digits_and_differ)
