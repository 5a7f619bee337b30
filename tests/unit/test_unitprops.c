/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/unitprops.h"

#include <inttypes.h>

#include "base/json.h"
#include "base/own.h"
#include "oci/runtime_config.h"
#include "runtime/cgroup_limits.h"
#include "tests/unit/unit.h"

static struct err e;

static void print_prop(const struct unit_prop *p, struct strbuf *out)
{
	strbuf_addf(out, "%s%s=", out->len != 0 ? " " : "", p->name);
	switch (p->type) {
	case UNIT_TEXT:
		strbuf_addf(out, "'%s'", (const char *)p->data);
		break;
	case UNIT_TEXTS:
		for (char *const *v = p->data; *v != NULL; v++)
			strbuf_addf(out, "'%s';", *v);
		break;
	case UNIT_BYTES:
		for (size_t i = 0; i < p->n; i++)
			strbuf_addf(out, "%02x", ((const uint8_t *)p->data)[i]);
		break;
	default:
		strbuf_addf(out, "%" PRIu64, p->number);
	}
}

static char *print(const struct unit_props *p)
{
	AUTO_STRBUF struct strbuf out = { 0 };

	for (size_t i = 0; i < p->n; i++)
		print_prop(&p->v[i], &out);
	strbuf_adds(&out, "");
	return strbuf_take(&out);
}

/* What systemd is told of these resources; NULL: refused */
static char *limits(const char *json)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct unit_props p = { .n = 0 };
	struct cgroup_values values;
	void *r;

	ck_assert_msg(json_decode(json, strlen(json), &oci_resources_schema, a, NULL, NULL, &r, &e) == 0, "%s", e.msg);
	ck_assert_msg(cgroup_limits(r, true, a, &values, &e) == 0, "%s", e.msg);
	return unitprops_limits(&values, a, &p, &e) == 0 ? print(&p) : NULL;
}

static char *annotated(const char *name, const char *value)
{
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_FREE char *key = xasprintf("org.systemd.property.%s", name);
	struct str_pair pair = { key, (char *)(uintptr_t)value };
	struct str_map map = { &pair, 1 };
	struct unit_props p = { .n = 0 };

	return unitprops_annotations(&map, a, &p, &e) == 0 ? print(&p) : NULL;
}

START_TEST(limits_that_systemd_knows_are_told)
{
	static const struct { const char *json, *want; } rows[] = {
		{ "{}", "" },
		{ "{\"memory\":{\"limit\":67108864,\"swap\":134217728,\"reservation\":4096}}", "MemoryLow=4096 MemoryMax=67108864 MemorySwapMax=67108864" },
		{ "{\"memory\":{\"limit\":-1,\"swap\":-1}}", "MemoryMax=18446744073709551615 MemorySwapMax=18446744073709551615" },
		{ "{\"pids\":{\"limit\":64}}", "TasksMax=64" },
		{ "{\"pids\":{\"limit\":-1}}", "TasksMax=18446744073709551615" },
		{ "{\"cpu\":{\"quota\":50000,\"period\":100000}}", "CPUQuotaPerSecUSec=500000 CPUQuotaPeriodUSec=100000" },
		{ "{\"cpu\":{\"quota\":12345,\"period\":100000}}", "CPUQuotaPerSecUSec=130000 CPUQuotaPeriodUSec=100000" },
		{ "{\"cpu\":{\"quota\":-1}}", "CPUQuotaPerSecUSec=18446744073709551615 CPUQuotaPeriodUSec=100000" },
		{ "{\"cpu\":{\"shares\":262144}}", "CPUWeight=10000" },
		{ "{\"cpu\":{\"idle\":1}}", "CPUWeight=0" },
		{ "{\"cpu\":{\"idle\":0}}", "CPUWeight=18446744073709551615" },
		{ "{\"cpu\":{\"idle\":0,\"shares\":2}}", "CPUWeight=1" },
		{ "{\"cpu\":{\"cpus\":\"0-2,9\",\"mems\":\"0\"}}", "AllowedMemoryNodes=01 AllowedCPUs=0702" },
		{ "{\"blockIO\":{\"weight\":10}}", "IOWeight=1" },
		{ "{\"unified\":{\"memory.high\":\"8M\",\"cpu.max\":\"max\",\"io.max\":\"8:0 rbps=1\",\"memory.oom.group\":\"1\"}}",
		  "MemoryHigh=8388608 CPUQuotaPerSecUSec=18446744073709551615 CPUQuotaPeriodUSec=100000" },
		{ "{\"pids\":{\"limit\":64},\"unified\":{\"pids.max\":\"7\"}}", "TasksMax=7" },
	};
	static const char *const bad[] = { "{\"unified\":{\"memory.high\":\"8X\"}}", "{\"unified\":{\"memory.high\":\"8MM\"}}",
					   "{\"unified\":{\"memory.high\":\"99999999999T\"}}", "{\"unified\":{\"cpu.max\":\"1 0\"}}",
					   "{\"cpu\":{\"cpus\":\"0-1000000000\"}}", "{\"unified\":{\"cpu.weight\":\"x\"}}" };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *got = limits(rows[i].json);

		ck_assert_msg(got != NULL, "%s: %s", rows[i].json, e.msg);
		ck_assert_str_eq(got, rows[i].want);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_msg(limits(bad[i]) == NULL, "%s", bad[i]);
		ck_assert_int_eq(e.kind, ERR_INVALID);
	}
}
END_TEST

START_TEST(annotations_are_properties_of_the_scope)
{
	static const struct { const char *name, *value, *want; } rows[] = {
		{ "TimeoutStopUSec", "uint64 123456789", "TimeoutStopUSec=123456789" },
		{ "TimeoutStopSec", "5", "TimeoutStopUSec=5000000" },
		{ "CollectMode", "'inactive-or-failed'", "CollectMode='inactive-or-failed'" },
		{ "CollectMode", " \"inactive\" ", "CollectMode='inactive'" },
		{ "DefaultDependencies", "true", "DefaultDependencies=1" },
		{ "After", "['crio.service', 'a.service']", "After='crio.service';'a.service';" },
		{ "Before", "@as []", "Before=" },
		{ "KillSignal", "int32 15", "KillSignal=15" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *got = annotated(rows[i].name, rows[i].value);

		ck_assert_msg(got != NULL, "%s: %s", rows[i].name, e.msg);
		ck_assert_str_eq(got, rows[i].want);
	}
}
END_TEST

START_TEST(annotations_that_are_not_understood_are_refused_by_name)
{
	static const struct { const char *name, *value; enum err_kind kind; } rows[] = {
		{ "ExecStopPost", "[('/bin/sh', ['sh'], false)]", ERR_UNSUPPORTED },
		{ "PIDs", "[uint32 1]", ERR_UNSUPPORTED }, { "Slice", "'-.slice'", ERR_UNSUPPORTED },
		{ "Conflicts", "['sshd.service']", ERR_UNSUPPORTED }, { "MemoryMax", "uint64 1", ERR_UNSUPPORTED }, { "", "1", ERR_UNSUPPORTED },
		{ "TimeoutStopUSec", "-1", ERR_INVALID }, { "TimeoutStopUSec", "uint64", ERR_INVALID },
		{ "TimeoutStopSec", "18446744073709551615", ERR_INVALID }, { "TimeoutStopUSec", "'5'", ERR_INVALID },
		{ "DefaultDependencies", "1", ERR_INVALID }, { "KillSignal", "65", ERR_INVALID }, { "KillSignal", "0", ERR_INVALID },
		{ "Description", "'a\nb'", ERR_INVALID }, { "Description", "'a\\'b'", ERR_INVALID }, { "Description", "'a' b", ERR_INVALID },
		{ "Description", "a", ERR_INVALID }, { "Description", "'a", ERR_INVALID }, { "After", "'a'", ERR_INVALID },
		{ "After", "['a' 'b']", ERR_INVALID }, { "After", "['a',]", ERR_INVALID }, { "After", "['a'", ERR_INVALID },
		{ "After", "['a'] x", ERR_INVALID },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *key = xasprintf("annotations['org.systemd.property.%s']", rows[i].name);

		ck_assert_msg(annotated(rows[i].name, rows[i].value) == NULL, "%s: %s", rows[i].name, rows[i].value);
		ck_assert_int_eq(e.kind, rows[i].kind);
		ck_assert_msg(strstr(e.msg, key) != NULL, "%s", e.msg);
	}
}
END_TEST

UNIT_MAIN("unitprops", limits_that_systemd_knows_are_told, annotations_are_properties_of_the_scope,
	  annotations_that_are_not_understood_are_refused_by_name)
