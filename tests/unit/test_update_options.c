/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/update_options.h"

#include "base/own.h"
#include "oci/runtime_config.h"
#include "tests/unit/unit.h"

static struct err e;

/* What the options mean, as JSON; NULL when they are refused */
static char *meant(const struct update_options *o)
{
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_STRBUF struct strbuf b = { 0 };
	struct oci_resources *r;

	if (update_resources(o, a, &r, &e) < 0)
		return NULL;
	json_emit(&oci_resources_schema, r, &b);
	return strbuf_take(&b);
}

START_TEST(what_is_not_given_is_not_there)
{
	const struct update_options o = { 0 };
	AUTO_FREE char *got = meant(&o);

	ck_assert_str_eq(got, "{\"memory\":{},\"cpu\":{},\"pids\":{},\"blockIO\":{}}");
}
END_TEST

START_TEST(each_option_has_its_place)
{
	const struct update_options o = {
		.cpus = "0-1", .mems = "0", .memory = { true, 1 }, .memory_reservation = { true, 2 }, .memory_swap = { true, -1 },
		.blkio_weight = { true, 10 }, .cpu_period = { true, 3 }, .cpu_quota = { true, -1 }, .cpu_burst = { true, 4 }, .cpu_share = { true, 5 },
		.cpu_rt_period = { true, 6 }, .cpu_rt_runtime = { true, 7 }, .cpu_idle = { true, 1 }, .pids_limit = { true, 8 },
	};
	AUTO_FREE char *got = meant(&o);

	ck_assert_str_eq(got, "{\"memory\":{\"limit\":1,\"reservation\":2,\"swap\":-1},\"cpu\":{\"shares\":5,\"quota\":-1,\"burst\":4,\"period\":3,"
			      "\"realtimeRuntime\":7,\"realtimePeriod\":6,\"cpus\":\"0-1\",\"mems\":\"0\",\"idle\":1},\"pids\":{\"limit\":8},"
			      "\"blockIO\":{\"weight\":10}}");
}
END_TEST

START_TEST(less_than_nothing_is_refused_by_name)
{
	const struct update_options period = { .cpu_period = { true, -1 } }, share = { .cpu_share = { true, -1 } },
				    weight = { .blkio_weight = { true, -1 } };

	ck_assert_ptr_null(meant(&period));
	ck_assert_ptr_nonnull(strstr(e.msg, "--cpu-period"));
	ck_assert_ptr_null(meant(&share));
	ck_assert_ptr_nonnull(strstr(e.msg, "--cpu-share"));
	ck_assert_ptr_null(meant(&weight));
	ck_assert_ptr_nonnull(strstr(e.msg, "--blkio-weight"));
}
END_TEST

UNIT_MAIN("update_options", what_is_not_given_is_not_there, each_option_has_its_place, less_than_nothing_is_refused_by_name)
