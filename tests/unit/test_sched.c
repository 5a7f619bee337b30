/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/sched.h"

#include <linux/ioprio.h>
#include <linux/sched.h>

#include "base/own.h"
#include "oci/runtime_config.h"
#include "tests/unit/unit.h"

static struct arena *a;
static struct err e;

/* @process, @lin: members. Return: whether it can be planned */
static bool plan(const char *process, const char *lin, bool is_exec, struct stage_sched *ret)
{
	AUTO_FREE char *json = xasprintf("{\"ociVersion\":\"1.3.0\",\"process\":{\"cwd\":\"/\",\"args\":[\"x\"]%s%s},\"linux\":{%s}}", process[0] != '\0' ? "," : "", process, lin);
	const struct oci_config *c;
	void *config;

	arena_free(a);
	a = arena_new();
	ck_assert_msg(json_decode(json, strlen(json), &oci_config_schema, a, NULL, NULL, &config, &e) == 0, "%s", e.msg);
	c = config;
	*ret = (struct stage_sched){ 0 };
	return sched_plan(c->process, c->linux_, is_exec, a, ret, &e) == 0;
}

static void check_refused(const char *process, const char *lin, const char *want)
{
	struct stage_sched s;

	ck_assert_msg(!plan(process, lin, false, &s), "not refused: %s%s", process, lin);
	ck_assert_msg(strstr(e.msg, want) != NULL, "%s", e.msg);
}

START_TEST(nothing_is_done_that_is_not_asked_for)
{
	struct stage_sched s;

	ck_assert(plan("", "", true, &s));
	ck_assert(!s.has_attr && s.io_priority == 0 && s.initial_cpus.v == NULL && s.final_cpus.v == NULL && !s.has_personality && !s.has_memory);
}
END_TEST

START_TEST(words_become_numbers)
{
	struct stage_sched s;

	ck_assert_msg(plan("\"scheduler\":{\"policy\":\"SCHED_DEADLINE\",\"flags\":[\"SCHED_FLAG_RESET_ON_FORK\",\"SCHED_FLAG_RECLAIM\"],\"runtime\":1,"
			   "\"deadline\":2,\"period\":18446744073709551615},\"ioPriority\":{\"class\":\"IOPRIO_CLASS_IDLE\",\"priority\":7}",
			   "\"personality\":{\"domain\":\"LINUX32\"},\"memoryPolicy\":{\"mode\":\"MPOL_BIND\",\"nodes\":\"0,2-3\",\"flags\":[\"MPOL_F_STATIC_NODES\"]}",
			   false, &s),
		      "%s", e.msg);
	ck_assert_uint_eq(s.attr.policy, SCHED_DEADLINE);
	ck_assert_uint_eq(s.attr.flags, SCHED_FLAG_RESET_ON_FORK | SCHED_FLAG_RECLAIM);
	ck_assert_uint_eq(s.attr.period, UINT64_MAX);
	ck_assert_uint_eq(s.attr.size, 56);
	ck_assert_int_eq(s.io_priority, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 7));
	ck_assert_uint_eq(s.personality, 8);
	ck_assert_int_eq(s.memory_mode, 2 | 1 << 15);
	ck_assert_uint_eq(s.memory_nodes.v[0], 0xd);
}
END_TEST

START_TEST(processors_are_for_execs)
{
	static const char json[] = "\"execCPUAffinity\":{\"initial\":\"0\",\"final\":\"1,64-65\"}";
	struct stage_sched s;

	ck_assert(plan(json, "", true, &s));
	ck_assert_uint_eq(s.initial_cpus.v[0], 1);
	ck_assert_uint_eq(s.final_cpus.v[0], 2);
	ck_assert_uint_eq(s.final_cpus.v[1], 3);
	ck_assert(plan(json, "", false, &s));
	ck_assert_ptr_null(s.initial_cpus.v);
	ck_assert_ptr_null(s.final_cpus.v);
}
END_TEST

START_TEST(sets_are_bounded_and_strict)
{
	static const char *const bad[] = { "", "a", "1-", "-1", "3-1", "0,,1", "8192", "0-8192", "1 ", "0-1-2", "18446744073709551616" };
	struct stage_bits bits;

	arena_free(a);
	a = arena_new();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(sched_bits(bad[i], CPU_MASK_BITS, a, &bits, &e) < 0, "'%s'", bad[i]);
	ck_assert_int_eq(sched_bits("0-8191", CPU_MASK_BITS, a, &bits, &e), 0);
	ck_assert_uint_eq(bits.v[127], ~0ul);
}
END_TEST

START_TEST(what_means_nothing_is_refused_by_name)
{
	check_refused("\"scheduler\":{\"policy\":\"SCHED_NONE\"}", "", "process.scheduler: policy: unknown word 'SCHED_NONE'");
	check_refused("\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"flags\":[\"x\"]}", "", "process.scheduler: flags[0]");
	check_refused("\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"nice\":20}", "", "process.scheduler: nice");
	check_refused("\"scheduler\":{\"policy\":\"SCHED_FIFO\",\"priority\":100}", "", "process.scheduler: priority");
	check_refused("\"scheduler\":{\"policy\":\"SCHED_FIFO\",\"runtime\":1}", "", "process.scheduler: runtime");
	check_refused("\"ioPriority\":{\"class\":\"x\"}", "", "process.ioPriority: class");
	check_refused("\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":8}", "", "process.ioPriority: priority");
	check_refused("\"execCPUAffinity\":{\"final\":\"x\"}", "", "process.execCPUAffinity: final");
	check_refused("", "\"personality\":{\"domain\":\"BSD\"}", "linux.personality: domain");
	check_refused("", "\"memoryPolicy\":{\"mode\":\"x\"}", "linux.memoryPolicy: mode");
	check_refused("", "\"memoryPolicy\":{\"mode\":\"MPOL_BIND\",\"nodes\":\"1024\"}", "linux.memoryPolicy: nodes");
	arena_free(a);
}
END_TEST

UNIT_MAIN("sched", nothing_is_done_that_is_not_asked_for, words_become_numbers, processors_are_for_execs, sets_are_bounded_and_strict,
	  what_means_nothing_is_refused_by_name)
