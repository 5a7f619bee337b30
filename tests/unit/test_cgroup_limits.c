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
		if (values.v[i].or_file)
			strbuf_addf(out, "%s=%s or %s=%s;", values.v[i].file, values.v[i].value, values.v[i].or_file,
				    values.v[i].or_value);
		else
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

START_TEST(less_than_no_pids_is_unlimited)
{
	check("{\"pids\":{\"limit\":5}}", true, "pids.max=5;");
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

START_TEST(block_devices_are_weighed_and_throttled)
{
	check("{\"blockIO\":{\"weight\":10,\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":1000}]}}", true,
	      "io.bfq.weight=10 or io.weight=default 1;io.bfq.weight=8:0 1000 or io.weight=8:0 10000;");
	check("{\"blockIO\":{\"weight\":500,\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":20}]}}", false,
	      "blkio.bfq.weight=500 or blkio.weight=500;blkio.bfq.weight_device=8:0 20 or blkio.weight_device=8:0 20;");
#define THROTTLES                                                                                      \
	"{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":1},{\"major\":8,\"minor\":16,\"rate\":0}]," \
	"\"throttleWriteIOPSDevice\":[{\"major\":7,\"minor\":3,\"rate\":18446744073709551615}]}}"
	check(THROTTLES, true, "io.max=8:0 rbps=1\n8:16 rbps=max\n7:3 wiops=18446744073709551615;");
	check(THROTTLES, false, "blkio.throttle.read_bps_device=8:0 1\n8:16 0;"
				"blkio.throttle.write_iops_device=7:3 18446744073709551615;");
}
END_TEST

START_TEST(real_time_is_a_matter_of_v1)
{
	check("{\"cpu\":{\"realtimeRuntime\":1000,\"realtimePeriod\":5000}}", false, "cpu.rt_period_us=5000;cpu.rt_runtime_us=1000;");
}
END_TEST

/* dockerd says 0 where nobody has asked for anything */
START_TEST(zero_is_as_good_as_absent)
{
	static const char json[] = "{\"memory\":{\"limit\":0,\"reservation\":0,\"swap\":0,\"kernel\":0,\"kernelTCP\":0},"
				   "\"cpu\":{\"shares\":0,\"quota\":0,\"period\":0,\"realtimeRuntime\":0,\"realtimePeriod\":0,\"cpus\":\"\"},"
				   "\"pids\":{\"limit\":0},\"blockIO\":{\"weight\":0,\"leafWeight\":0},\"network\":{\"classID\":0}}";

	check(json, true, "");
	check(json, false, "");
}
END_TEST

START_TEST(huge_pages_and_their_reservations)
{
	static const char json[] = "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4194304},{\"pageSize\":\"1GB\",\"limit\":0}]}";

	check(json, true, "hugetlb.2MB.max=4194304;hugetlb.2MB.rsvd.max=4194304?;hugetlb.1GB.max=0;hugetlb.1GB.rsvd.max=0?;");
	check(json, false, "hugetlb.2MB.limit_in_bytes=4194304;hugetlb.2MB.rsvd.limit_in_bytes=4194304?;"
			   "hugetlb.1GB.limit_in_bytes=0;hugetlb.1GB.rsvd.limit_in_bytes=0?;");
	check_refused("{\"hugepageLimits\":[{\"pageSize\":\"../2MB\",\"limit\":1}]}", true, "hugepageLimits[0].pageSize");
	check_refused("{\"hugepageLimits\":[{\"pageSize\":\"2\",\"limit\":1}]}", true, "hugepageLimits[0].pageSize");
	check_refused("{\"hugepageLimits\":[{\"pageSize\":\"MB\",\"limit\":1}]}", true, "hugepageLimits[0].pageSize");
}
END_TEST

START_TEST(remote_memory_is_a_line_a_device)
{
	static const char json[] = "{\"rdma\":{\"mlx5_1\":{\"hcaHandles\":3,\"hcaObjects\":10000},\"mlx4_0\":{\"hcaObjects\":1}}}";

	check(json, true, "rdma.max=mlx5_1 hca_handle=3 hca_object=10000\nmlx4_0 hca_object=1;");
	check(json, false, "rdma.max=mlx5_1 hca_handle=3 hca_object=10000\nmlx4_0 hca_object=1;");
	check_refused("{\"rdma\":{\"a\\nb\":{\"hcaHandles\":3}}}", true, "rdma");
}
END_TEST

START_TEST(network_settings_are_a_matter_of_v1)
{
	static const char json[] = "{\"network\":{\"classID\":1048577,\"priorities\":[{\"name\":\"eth0\",\"priority\":500},{\"name\":\"lo\",\"priority\":1}]}}";

	check(json, false, "net_cls.classid=1048577;net_prio.ifpriomap=eth0 500\nlo 1;");
	check_refused(json, true, "network");
	check_refused("{\"network\":{\"priorities\":[{\"name\":\"a b\",\"priority\":1}]}}", false, "network.priorities[0].name");
}
END_TEST

START_TEST(what_is_not_supported_is_refused_by_name)
{
	check_refused("{\"blockIO\":{\"weight\":9}}", true, "blockIO.weight");
	check_refused("{\"blockIO\":{\"leafWeight\":10}}", false, "blockIO.leafWeight");
	check_refused("{\"memory\":{\"swappiness\":1}}", true, "swappiness");
	check_refused("{\"cpu\":{\"realtimeRuntime\":1}}", true, "realtimeRuntime");
	check_refused("{\"devices\":[{\"allow\":true,\"access\":\"x\"}]}", false, "devices[0]");
	check_refused("{\"devices\":[{\"allow\":true,\"type\":\"q\"}]}", false, "unknown type");
}
END_TEST

UNIT_MAIN("cgroup_limits", memory_and_swap_are_told_in_each_version_s_way,
	  swap_below_memory_is_refused, cpu_quota_and_weight, less_than_no_pids_is_unlimited,
	  v1_device_rules_are_lines, unified_settings_are_named_and_bounded,
	  block_devices_are_weighed_and_throttled, real_time_is_a_matter_of_v1,
	  zero_is_as_good_as_absent, huge_pages_and_their_reservations, remote_memory_is_a_line_a_device,
	  network_settings_are_a_matter_of_v1, what_is_not_supported_is_refused_by_name)
