/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/netdevs.h"

#include "base/own.h"
#include "oci/runtime_config.h"
#include "tests/unit/unit.h"

#define NET "\"namespaces\":[{\"type\":\"network\"}],"

static int check(const char *json, struct err *e)
{
	AUTO_ARENA struct arena *a = arena_new();
	void *lin;

	ck_assert_msg(json_decode(json, strlen(json), &oci_linux_schema, a, NULL, NULL, &lin, e) == 0, "%s", e->msg);
	return netdevs_check(lin, e);
}

START_TEST(names_that_no_device_can_have_are_refused)
{
	static const char *const good[] = { "{}", "{\"netDevices\":{}}", "{" NET "\"netDevices\":{\"a\":{},\"b\":{\"name\":\"eth0\"},\"123456789012345\":{\"name\":\"\"}}}" };
	static const char *const bad[][2] = {
		{ "{\"netDevices\":{\"a\":{}}}", "linux.netDevices: they need" },
		{ "{" NET "\"netDevices\":{\"1234567890123456\":{}}}", "linux.netDevices: '1234567890123456'" },
		{ "{" NET "\"netDevices\":{\"a:b\":{}}}", "linux.netDevices: 'a:b'" },
		{ "{" NET "\"netDevices\":{\"a\":{\"name\":\"eth%d\"}}}", "linux.netDevices.a.name" },
		{ "{" NET "\"netDevices\":{\"a\":{\"name\":\"b\"},\"b\":{}}}", "is what 'a' is called there" },
	};
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		ck_assert_msg(check(good[i], &e) == 0, "%s: %s", good[i], e.msg);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_int_lt(check(bad[i][0], &e), 0);
		ck_assert_msg(strstr(e.msg, bad[i][1]) != NULL, "%s", e.msg);
	}
}
END_TEST

UNIT_MAIN("netdevs", names_that_no_device_can_have_are_refused)
