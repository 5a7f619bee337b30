/* SPDX-License-Identifier: Apache-2.0 */
/* Options that were taken make a launch document, which is read back; the rest is refused with a reason. */
#include "base/own.h"
#include "oci/bundle.h"
#include "oci/options_rules.h"
#include "tests/fuzz/fuzz.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char *layer[] = { (char *)"layer" };
static const struct str_list lowers = { layer, 1 };
static const struct bundle_host host = { .hostname = "host", .caps = (UINT64_C(1) << 41) - 1 };

static void check_launch(const struct container_options *o, struct arena *a)
{
	const struct bundle_input in = { .id = ID, .options = o, .host = &host, .data_root = "/d", .lowers = &lowers, .container_dir = "/d/c",
					.cgroup_parent = "/kiln", .log_path = "/d/log", .socket_path = "/s" };
	AUTO_STRBUF struct strbuf text = {0};
	struct launch_spec *spec;
	struct err e = {0};
	void *back;

	if (bundle_launch(&in, a, &spec, &e) < 0) {
		/* The one rule that needs the image, too */
		FUZZ_CHECK(strcmp(e.msg, "no command specified") == 0);
		return;
	}
	FUZZ_CHECK(strstr(spec->cgroup_path, "/../") == NULL && strlen(spec->cgroup_path) < 256);
	json_emit(&launch_spec_schema, spec, &text);
	FUZZ_CHECK(json_decode(text.data, text.len, &launch_spec_schema, a, NULL, NULL, &back, &e) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_FREE char *text = fuzz_text(data, n);
	const struct options_host machine = { .n_cpus = 4, .cgroup_parent = "/kiln" };
	AUTO_ARENA struct arena *a = arena_new();
	struct container_options *o;
	struct bundle_bind bind;
	struct str_list list;
	struct err e = {0};
	void *ret;

	if (bundle_parse_bind(text, a, &bind, &e) == 0)
		FUZZ_CHECK(bind.source[0] == '/' && bind.target[0] == '/' && bind.target[1]);
	options_tmpfs_options(text, a, &list, &e);
	options_cpuset_parse(text, 4, &e);
	if (json_decode(text, n, &container_options_schema, a, NULL, NULL, &ret, &e) < 0)
		return 0;
	o = ret;
	options_normalize(o, ID, "host", a);
	e = (struct err){0};
	if (options_validate(o, &machine, &e) == 0)
		check_launch(o, a);
	else
		FUZZ_CHECK((e.kind == ERR_INVALID || e.kind == ERR_UNSUPPORTED) && e.msg[0]);
	return 0;
}
