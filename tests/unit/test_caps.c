/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/runtime_config.h"
#include "runtime/caps.h"
#include "runtime/stages.h"
#include "tests/unit/unit.h"

static char chown_[] = "CAP_CHOWN", kill_[] = "CAP_KILL", lower[] = "cap_kill", bare[] = "KILL",
	    none[] = "CAP_NOTHING";

static struct str_list list(char **v, size_t n)
{
	return (struct str_list){ .v = v, .n = n };
}

START_TEST(names_become_sets)
{
	char *v[] = { chown_, kill_ };
	struct str_list names = list(v, 2);
	uint64_t set = 0;
	struct err e = { 0 };

	ck_assert_int_eq(caps_parse(&names, "bounding", &set, &e), 0);
	ck_assert_uint_eq(set, 1u << 0 | 1u << 5);
}
END_TEST

START_TEST(unknown_names_are_told)
{
	char *bad[] = { lower, bare, none };

	for (size_t i = 0; i < 3; i++) {
		struct str_list names = list(&bad[i], 1);
		uint64_t set = 0;
		struct err e = { 0 };

		ck_assert_int_eq(caps_parse(&names, "bounding", &set, &e), -1);
		ck_assert_ptr_nonnull(strstr(e.msg, bad[i]));
	}
}
END_TEST

START_TEST(nothing_said_is_nothing_had)
{
	struct stage_caps plan = { .bounding = 1 };
	struct err e = { 0 };

	ck_assert_int_eq(caps_plan(NULL, &plan, &e), 0);
	ck_assert_uint_eq(plan.bounding | plan.permitted | plan.effective | plan.ambient |
				  plan.inheritable,
			  0);
	ck_assert_uint_ge(plan.last, 37);
}
END_TEST

/* CVE-2022-29162 */
START_TEST(inheritable_is_only_what_is_ambient)
{
	char *v[] = { chown_, kill_ };
	struct oci_capabilities caps = { .permitted = list(v, 2),
					 .inheritable = list(v, 2),
					 .ambient = list(v, 1) };
	struct stage_caps plan;
	struct err e = { 0 };

	ck_assert_int_eq(caps_plan(&caps, &plan, &e), 0);
	ck_assert_uint_eq(plan.inheritable, 1);
	ck_assert_uint_eq(plan.ambient, 1);
}
END_TEST

START_TEST(sets_that_the_kernel_would_refuse_are_told)
{
	char *v[] = { chown_, kill_ };
	struct oci_capabilities effective = { .permitted = list(v, 1), .effective = list(v, 2) };
	struct oci_capabilities ambient = { .permitted = list(v, 1), .ambient = list(v, 2) };
	struct stage_caps plan;
	struct err e = { 0 };

	ck_assert_int_eq(caps_plan(&effective, &plan, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "effective"));
	ck_assert_int_eq(caps_plan(&ambient, &plan, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "ambient"));
}
END_TEST

UNIT_MAIN("caps", names_become_sets, unknown_names_are_told, nothing_said_is_nothing_had,
	  inheritable_is_only_what_is_ambient, sets_that_the_kernel_would_refuse_are_told)
