/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/sysctl.h"

#include "tests/unit/unit.h"

static int check(const char *key, const char *value)
{
	const struct str_pair p = { (char *)key, (char *)value };
	struct err e = {0};

	return sysctl_check(&p, &e);
}

START_TEST(each_control_has_one_owner)
{
	ck_assert_int_eq(sysctl_owner_of("net.ipv4.ip_forward"), SYSCTL_NET);
	ck_assert_int_eq(sysctl_owner_of("kernel.sem"), SYSCTL_IPC);
	ck_assert_int_eq(sysctl_owner_of("fs.mqueue.msg_max"), SYSCTL_IPC);
	ck_assert_int_eq(sysctl_owner_of("kernel.semx"), SYSCTL_HOST);
	ck_assert_int_eq(sysctl_owner_of("kernel.core_pattern"), SYSCTL_HOST);
	ck_assert_int_eq(sysctl_owner_of("kernel.hostname"), SYSCTL_HOST);
	ck_assert_int_eq(sysctl_owner_of("network"), SYSCTL_HOST);
}
END_TEST

START_TEST(a_key_has_one_spelling_and_a_value_one_line)
{
	ck_assert_int_eq(check("net.ipv4.conf.eth0-1.rp_filter", "0 1\t2"), 0);
	ck_assert_int_eq(check("net/ipv4/ip_forward", "1"), -1);
	ck_assert_int_eq(check("net...kernel.core_pattern", "1"), -1);
	ck_assert_int_eq(check("net.", "1"), -1);
	ck_assert_int_eq(check("", "1"), -1);
	ck_assert_int_eq(check("net.x y", "1"), -1);
	ck_assert_int_eq(check("net.x", "1\n2"), -1);
}
END_TEST

UNIT_MAIN("sysctl", each_control_has_one_owner, a_key_has_one_spelling_and_a_value_one_line)
