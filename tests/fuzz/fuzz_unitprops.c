/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as the name of a scope, as the value of an annotation, and as that of a limit: what is taken is in bounds. */
#include "runtime/unitprops.h"

#include "base/json.h"
#include "base/own.h"
#include "base/scopename.h"
#include "base/str.h"
#include "runtime/cgroup_limits.h"
#include "tests/fuzz/fuzz.h"

static void scope(const char *text)
{
	struct scopename s;
	struct err e = { 0 };
	AUTO_FREE char *path = NULL;

	if (scopename_of_container(text, "id", &s, &e) < 0) {
		FUZZ_CHECK(e.kind == ERR_INVALID && e.msg[0] != '\0');
		return;
	}
	path = scopename_path(&s);
	FUZZ_CHECK(path[0] == '/' && strlen(path) <= SCOPENAME_PATH_MAX && strstr(path, "//") == NULL && strstr(path, "/../") == NULL);
	FUZZ_CHECK(str_ends(path, s.unit) && strchr(s.unit, '/') == NULL && scopename_is_scope(path));
}

static void annotations(char *text, struct arena *a)
{
	static const char *const names[] = { "After", "CollectMode", "DefaultDependencies", "KillSignal", "TimeoutStopUSec", "TimeoutStopSec", "PIDs" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct str_pair pair = { arena_printf(a, "org.systemd.property.%s", names[i]), text };
		struct str_map map = { &pair, 1 };
		struct unit_props p = { .n = 0 };
		struct err e = { 0 };

		if (unitprops_annotations(&map, a, &p, &e) < 0)
			FUZZ_CHECK((e.kind == ERR_INVALID || e.kind == ERR_UNSUPPORTED) && strstr(e.msg, names[i]) != NULL);
		else
			FUZZ_CHECK(p.n == 1 && !str_eq(names[i], "PIDs"));
	}
}

static void limits(const char *text, struct arena *a)
{
	static const char *const files[] = { "memory.max", "cpu.max", "cpu.weight", "cpu.idle", "cpuset.cpus", "io.weight" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct cgroup_value v = { .file = files[i], .value = text };
		struct cgroup_values values = { &v, 1 };
		struct unit_props p = { .n = 0 };
		struct err e = { 0 };

		if (unitprops_limits(&values, a, &p, &e) < 0)
			FUZZ_CHECK(e.kind == ERR_INVALID && strstr(e.msg, files[i]) != NULL);
		for (size_t k = 0; k < p.n; k++)
			FUZZ_CHECK(p.v[k].type != UNIT_BYTES || p.v[k].n <= 1024);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_FREE char *text = fuzz_text(data, n);
	AUTO_ARENA struct arena *a = arena_new();

	scope(text);
	annotations(text, a);
	limits(text, a);
	return 0;
}
