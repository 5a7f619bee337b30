/* SPDX-License-Identifier: Apache-2.0 */
#include "base/own.h"
#include "base/str.h"
#include "oci/runtime_config.h"
#include "runtime/cgroup_limits.h"
#include "tests/unit/unit.h"

static int limits(const char *json, bool is_v2, struct arena *a, struct strbuf *out, struct err *e)
{
	struct cgroup_values values;
	void *r;

	if (json_decode(json, strlen(json), &oci_resources_schema, a, NULL, NULL, &r, e) < 0)
		return -1;
	if (cgroup_limits(r, is_v2, a, &values, e) < 0)
		return -1;
	for (size_t i = 0; i < values.n; i++)
		strbuf_addf(out, "%s=%s%s;", values.v[i].file, values.v[i].value,
			    values.v[i].is_optional ? "?" : "");
	return 0;
}

static void check(const char *json, bool is_v2, const char *want)
{
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_STRBUF struct strbuf out = { 0 };
	struct err e = { 0 };

	ck_assert_msg(limits(json, is_v2, a, &out, &e) == 0, "%s", e.msg);
	ck_assert_str_eq(strbuf_cstr(&out), want);
}

static void check_refused(const char *json, bool is_v2, const char *word)
{
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_STRBUF struct strbuf out = { 0 };
	struct err e = { 0 };

	ck_assert_msg(limits(json, is_v2, a, &out, &e) < 0, "not refused: %s", json);
	ck_assert_msg(strstr(e.msg, word) != NULL, "%s", e.msg);
}

START_TEST(memory_and_swap_are_told_in_each_version_s_way)
{
	const char *json = "{\"memory\":{\"limit\":100,\"swap\":300,\"reservation\":50}}";

	check(json, true, "memory.low=50;memory.max=100;memory.swap.max=200?;");
	check(json, false,
	      "memory.limit_in_bytes=100;memory.memsw.limit_in_bytes=300?;memory.soft_limit_in_bytes=50;");
	check("{\"memory\":{\"limit\":-1,\"swap\":-1}}", true,
	      "memory.max=max;memory.swap.max=max?;");
	check("{\"memory\":{\"limit\":-1,\"swap\":-1}}", false,
	      "memory.limit_in_bytes=-1;memory.memsw.limit_in_bytes=-1?;");
	check("{\"memory\":{\"limit\":100,\"swap\":100}}", true,
	      "memory.max=100;memory.swap.max=0?;");
}
END_TEST

START_TEST(swap_below_memory_is_refused)
{
	check_refused("{\"memory\":{\"limit\":100,\"swap\":50}}", true, "memory.swap");
	check_refused("{\"memory\":{\"swap\":50}}", true, "memory.limit");
}
END_TEST

START_TEST(cpu_quota_and_weight)
{
	check("{\"cpu\":{\"quota\":150000,\"period\":100000,\"shares\":1024}}", true,
	      "cpu.weight=39;cpu.max=150000 100000;");
	check("{\"cpu\":{\"quota\":150000,\"period\":100000,\"shares\":1024}}", false,
	      "cpu.shares=1024;cpu.cfs_period_us=100000;cpu.cfs_quota_us=150000;");
	check("{\"cpu\":{\"quota\":-1}}", true, "cpu.max=max 100000;");
	check("{\"cpu\":{\"cpus\":\"0-1\",\"mems\":\"0\"}}", true, "cpuset.mems=0;cpuset.cpus=0-1;");
}
END_TEST

START_TEST(pids_zero_and_less_is_unlimited)
{
	check("{\"pids\":{\"limit\":5}}", true, "pids.max=5;");
	check("{\"pids\":{\"limit\":0}}", true, "pids.max=max;");
	check("{\"pids\":{\"limit\":-1}}", false, "pids.max=max;");
}
END_TEST

START_TEST(v1_device_rules_are_lines)
{
	check("{\"devices\":[{\"allow\":false,\"access\":\"rwm\"},"
	      "{\"allow\":true,\"type\":\"c\",\"major\":10,\"minor\":229,\"access\":\"rw\"}]}",
	      false,
	      "devices.deny=a;devices.allow=c *:* m\nb *:* m\nc 1:3 rwm\nc 1:5 rwm\nc 1:7 rwm\nc 1:8 rwm\n"
	      "c 1:9 rwm\nc 5:0 rwm\nc 5:2 rwm\nc 136:* rwm\nc 10:229 rw;");
	check("{\"devices\":[{\"allow\":true,\"access\":\"rwm\"}]}", false, "devices.allow=a;");
	check("{\"devices\":[{\"allow\":false}]}", true, "");
}
END_TEST

START_TEST(unified_settings_are_named_and_bounded)
{
	check("{\"unified\":{\"memory.high\":\"5\"}}", true, "memory.high=5;");
	check_refused("{\"unified\":{\"cgroup.procs\":\"5\"}}", true, "cgroup.procs");
	check_refused("{\"unified\":{\"../memory.max\":\"5\"}}", true, "../memory.max");
	check_refused("{\"unified\":{\"memory.high\":\"5\"}}", false, "unified");
}
END_TEST

START_TEST(what_is_not_supported_is_refused_by_name)
{
	check_refused("{\"blockIO\":{\"weight\":10}}", true, "blockIO");
	check_refused("{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":1}]}", true,
		      "hugepageLimits");
	check_refused("{\"memory\":{\"kernel\":1}}", false, "memory.kernel");
	check_refused("{\"memory\":{\"swappiness\":1}}", true, "swappiness");
	check_refused("{\"cpu\":{\"realtimeRuntime\":1}}", false, "realtimeRuntime");
	check_refused("{\"devices\":[{\"allow\":true,\"access\":\"x\"}]}", false, "devices[0]");
	check_refused("{\"devices\":[{\"allow\":true,\"type\":\"q\"}]}", false, "unknown type");
}
END_TEST

UNIT_MAIN("cgroup_limits", memory_and_swap_are_told_in_each_version_s_way,
	  swap_below_memory_is_refused, cpu_quota_and_weight, pids_zero_and_less_is_unlimited,
	  v1_device_rules_are_lines, unified_settings_are_named_and_bounded,
	  what_is_not_supported_is_refused_by_name)
