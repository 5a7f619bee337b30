/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of create requests, on their whole way to a launch document. The corpus is what the docker clients sent
 * (record.py), beside a few bodies written by hand.
 */
#include "base/own.h"
#include "daemon/doors/docker_create.h"
#include "oci/bundle.h"
#include "oci/options_rules.h"
#include "tests/fuzz/fuzz.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void check_launch(const struct container_options *o, struct arena *a)
{
	static char *layer[] = { (char *)"layer" };
	static const struct str_list lowers = { layer, 1 };
	static const struct bundle_host host = { .hostname = "host", .caps = (UINT64_C(1) << 41) - 1 };
	const struct bundle_input in = { .id = ID, .options = o, .host = &host, .data_root = "/d", .lowers = &lowers, .container_dir = "/d/c",
					.cgroup_parent = "/kiln", .log_path = "/d/log", .socket_path = "/s" };
	struct launch_spec *spec;
	struct err e = { 0 };

	if (bundle_launch(&in, a, &spec, &e) == 0)
		FUZZ_CHECK(spec->config != NULL && spec->config->process->args.n > 0);
	else
		FUZZ_CHECK(e.kind == ERR_INVALID && e.msg[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_FREE char *text = fuzz_text(data, n);
	const struct options_host machine = { .n_cpus = 4, .cgroup_parent = "/kiln" };
	AUTO_ARENA struct arena *a = arena_new();
	struct container_options o = { 0 };
	struct err e = { 0 };

	if (docker_create_parse(text, n, a, &o, &e) == 0) {
		FUZZ_CHECK(o.config->image[0]);
		options_normalize(&o, ID, "host", a);
		if (options_validate(&o, &machine, &e) == 0) {
			check_launch(&o, a);
			return 0;
		}
	}
	FUZZ_CHECK((e.kind == ERR_INVALID || e.kind == ERR_UNSUPPORTED) && e.msg[0]);
	return 0;
}
