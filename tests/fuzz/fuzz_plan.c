/* SPDX-License-Identifier: Apache-2.0 */
/* Runtime configurations and launch documents: a plan that can be printed, for every layout of control groups, or a refusal. */
#include "base/own.h"
#include "base/str.h"
#include "oci/launch.h"
#include "runtime/cgroup.h"
#include "runtime/plan.h"
#include "tests/fuzz/fuzz.h"

static const struct cgroup_v1 v1[] = { { "cpu,cpuacct", "cpu,cpuacct", "/c" }, { "memory", "memory", "/m" }, { "devices", "devices", "/d" } };
static const struct cgroup_layout layouts[] = { { .is_v2 = true }, { .v1 = v1, .n_v1 = 3 } };

static void make(const struct launch_spec *spec, struct arena *a)
{
	const struct launch_stdio_fds stdio = { 0, 1, 2 };

	for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
		AUTO_STRBUF struct strbuf text = { 0 };
		struct launch_plan *plan = NULL;
		struct err e = { 0 };

		if (launch_plan_make(spec, &stdio, &layouts[i], a, &plan, &e) < 0) {
			FUZZ_CHECK(e.kind == ERR_INVALID || e.kind == ERR_UNSUPPORTED || e.kind == ERR_DENIED);
			FUZZ_CHECK(e.msg[0]);
			continue;
		}
		launch_plan_print(plan, &text);
		FUZZ_CHECK(text.len > 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_FREE char *text = fuzz_text(data, n);
	AUTO_ARENA struct arena *a = arena_new();
	struct launch_spec bundle = { .container_dir = arena_strdup(a, "/bundle") };
	struct err e = { 0 };
	void *doc = NULL;

	if (json_decode(text, n, &oci_config_schema, a, NULL, NULL, &doc, &e) == 0) {
		bundle.config = doc;
		bundle.seccomp_profile = arena_strdup(a, "unconfined");   /* filters have a target of their own */
		make(&bundle, a);
	}
	if (json_decode(text, n, &launch_spec_schema, a, NULL, NULL, &doc, &e) == 0) {
		((struct launch_spec *)doc)->seccomp_profile = bundle.seccomp_profile ? bundle.seccomp_profile
										      : arena_strdup(a, "unconfined");
		make(doc, a);
	}
	return 0;
}
