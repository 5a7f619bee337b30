/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Golden files: tests/golden/plan/<case>/config.json becomes plan.txt. KILN_GOLDEN=write writes them anew, and
 * whoever does that reads the difference.
 */
#include <dirent.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"
#include "oci/launch.h"
#include "runtime/cgroup.h"
#include "runtime/plan.h"
#include "runtime/plan_parts.h"
#include "tests/unit/unit.h"

#define GOLDEN "tests/golden/plan"

static const struct cgroup_v1 v1[] = { { "cpu,cpuacct", "cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct" },
				       { "memory", "memory", "/sys/fs/cgroup/memory" } };
static const struct cgroup_layout layouts[] = { { .is_v2 = true }, { .v1 = v1, .n_v1 = 2 } };

/* A document is the specification's configuration ("ociVersion" comes first) or a launch document. */
static int make(const char *json, const struct cgroup_layout *layout, struct arena *a,
		struct strbuf *out, struct err *e)
{
	struct launch_stdio_fds stdio = { 0, 1, 2 };
	struct launch_spec bundle = { .container_dir = arena_strdup(a, "/bundle"), .cgroup_path = arena_strdup(a, "/kiln/x") }, *spec = &bundle;
	struct launch_plan *plan;
	void *doc;

	if (str_starts(json, "{\"ociVersion\"")) {
		if (json_decode(json, strlen(json), &oci_config_schema, a, NULL, NULL, &doc, e) < 0)
			return -1;
		bundle.config = doc;
	} else {
		if (json_decode(json, strlen(json), &launch_spec_schema, a, NULL, NULL, &doc, e) < 0)
			return -1;
		spec = doc;
	}
	/* filters have a test of their own, and would be kept in the data root */
	spec->seccomp_profile = arena_strdup(a, "unconfined");
	if (launch_plan_make(spec, &stdio, layout, a, &plan, e) < 0)
		return -1;
	launch_plan_print(plan, out);
	return 0;
}

static void check_case(const char *name)
{
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_STRBUF struct strbuf out = { 0 };
	AUTO_FREE char *json = NULL, *want = NULL;
	char file[512];
	struct err e = { 0 };

	snprintf(file, sizeof(file), GOLDEN "/%s/config.json", name);
	ck_assert_msg(file_read(AT_FDCWD, file, 1 << 20, &json, NULL, &e) == 0, "%s", e.msg);
	for (size_t i = 0; i < 2; i++) {
		strbuf_addf(&out, "# cgroup %s\n", i == 0 ? "v2" : "v1");
		if (make(json, &layouts[i], a, &out, &e) < 0)
			strbuf_addf(&out, "refused, %s: %s\n", err_kind_name(e.kind), e.msg);
	}
	snprintf(file, sizeof(file), GOLDEN "/%s/plan.txt", name);
	if (getenv("KILN_GOLDEN") != NULL)
		ck_assert_int_eq(file_replace(AT_FDCWD, file, out.data, out.len, 0644, &e), 0);
	ck_assert_msg(file_read(AT_FDCWD, file, 1 << 20, &want, NULL, &e) == 0, "%s", e.msg);
	ck_assert_msg(strcmp(want, out.data) == 0, "%s differs; it is now:\n%s", file, out.data);
}

START_TEST(golden_plans_are_as_written)
{
	AUTO_DIR DIR *d = opendir(GOLDEN);
	struct dirent *entry;
	size_t n = 0;

	ck_assert_ptr_nonnull(d);
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		check_case(entry->d_name);
		n++;
	}
	ck_assert_uint_ge(n, 5);
}
END_TEST

#define CONFIG(linux_part, rest)                                                            \
	"{\"ociVersion\":\"1.2.0\","                                                        \
	"\"root\":{\"path\":\"rootfs\"},\"process\":{\"args\":[\"a\"],\"cwd\":\"/\"}," rest \
	"\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"pid\"}]" linux_part "}}"

static void check_refused(const char *json, enum err_kind kind, const char *word)
{
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_STRBUF struct strbuf out = { 0 };
	struct err e = { 0 };

	ck_assert_msg(make(json, &layouts[0], a, &out, &e) < 0, "not refused: %s", json);
	ck_assert_msg(e.kind == kind && strstr(e.msg, word) != NULL, "%s: %s",
		      err_kind_name(e.kind), e.msg);
}

START_TEST(what_is_not_supported_is_refused_by_name)
{
	check_refused("{\"version\":1,\"id\":\"x\",\"dataRoot\":\"/d\",\"layersDir\":\"/l\",\"lowers\":[\"a\"],\"containerDir\":\"/c\",\"cgroupPath\":\"/g\",\"seccompProfile\":\"\",\"socketPath\":\"/s\",\"stdio\":{},\"config\":" CONFIG("", "\"hooks\":{\"prestart\":[{\"path\":\"/x\"}]},") "}",
		      ERR_UNSUPPORTED, "hooks");
	check_refused("{\"version\":1,\"id\":\"x\",\"dataRoot\":\"/d\",\"layersDir\":\"/l\",\"lowers\":[\"a\"],\"containerDir\":\"/c\",\"cgroupPath\":\"/g\",\"seccompProfile\":\"\",\"socketPath\":\"/s\",\"stdio\":{},\"config\":" CONFIG(",\"uidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":1}]", "") "}",
		      ERR_UNSUPPORTED, "uidMappings");
	check_refused(CONFIG(",\"personality\":{\"domain\":\"LINUX\",\"flags\":[\"x\"]}", ""), ERR_UNSUPPORTED,
		      "linux.personality: flags");
	check_refused(CONFIG(",\"intelRdt\":{\"closID\":\"x\"}", ""), ERR_UNSUPPORTED, "intelRdt");
}
END_TEST

START_TEST(a_label_of_mounts_is_refused_where_it_would_mean_something)
{
	struct err e = { 0 };

	ck_assert_int_eq(plan_check_label(NULL, true, &e), 0);
	ck_assert_int_eq(plan_check_label("system_u:object_r:x:s0", false, &e), 0);
	ck_assert_int_lt(plan_check_label("system_u:object_r:x:s0", true, &e), 0);
	ck_assert_msg(e.kind == ERR_UNSUPPORTED && strstr(e.msg, "linux.mountLabel") != NULL, "%s", e.msg);
}
END_TEST

#define ONE(inside, outside, n) "{\"containerID\":" #inside ",\"hostID\":" #outside ",\"size\":" #n "}"
#define USERS(uids, gids, namespaces, process)                                                              \
	"{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"rootfs\"},\"process\":{\"args\":[\"a\"],\"cwd\":\"/\"" process "}," \
	"\"linux\":{\"namespaces\":[{\"type\":\"mount\"}" namespaces "],\"uidMappings\":[" uids "],\"gidMappings\":[" gids "]}}"
#define USER ",{\"type\":\"user\"}"

START_TEST(mappings_of_a_user_namespace_are_checked)
{
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_STRBUF struct strbuf out = { 0 };
	struct err e = { 0 };

	ck_assert_msg(make(USERS(ONE(0, 1000, 5) "," ONE(5, 1005, 5), ONE(0, 1, 1), USER, ",\"user\":{\"uid\":9,\"gid\":0}"), &layouts[0], a, &out, &e) == 0, "%s", e.msg);
	/* devices are the host's, bound */
	ck_assert_ptr_nonnull(strstr(strbuf_cstr(&out), "clone: mount user"));
	ck_assert_ptr_nonnull(strstr(strbuf_cstr(&out), "bind /dev/null on /dev/null"));
	check_refused(USERS(ONE(0, 1, 5) "," ONE(4, 100, 5), ONE(0, 1, 1), USER, ""), ERR_INVALID, "linux: uidMappings[1]: it overlaps uidMappings[0]");
	check_refused(USERS(ONE(0, 1, 1), ONE(0, 1, 5) "," ONE(10, 5, 1), USER, ""), ERR_INVALID, "linux: gidMappings[1]: it overlaps gidMappings[0]");
	check_refused(USERS(ONE(1, 1, 1), ONE(0, 1, 1), USER, ""), ERR_INVALID, "linux: uidMappings: containerID 0");
	check_refused(USERS("", "", USER, ""), ERR_INVALID, "linux: uidMappings: a user namespace needs");
	check_refused(USERS(ONE(0, 1, 1), "", USER, ""), ERR_INVALID, "linux: gidMappings");
	check_refused(USERS(ONE(0, 1, 1), ONE(0, 1, 1), "", ""), ERR_INVALID, "linux.uidMappings: they need");
	check_refused(USERS(ONE(0, 1, 1), ONE(0, 1, 1), USER, ",\"user\":{\"uid\":1,\"gid\":0}"), ERR_INVALID, "process.user.uid: 1 has no mapping");
	check_refused(USERS(ONE(0, 1, 1), ONE(0, 1, 1), USER, ",\"user\":{\"uid\":0,\"gid\":0,\"additionalGids\":[7]}"), ERR_INVALID, "additionalGids: 7");
}
END_TEST

START_TEST(mounts_inside_proc_are_refused)
{
	check_refused(CONFIG("",
			     "\"mounts\":[{\"destination\":\"/proc/self/attr\",\"type\":\"tmpfs\"}],"),
		      ERR_INVALID, "inside /proc");
	check_refused(CONFIG("",
			     "\"mounts\":[{\"destination\":\"/proc\",\"type\":\"bind\",\"source\":\"/x\"}],"),
		      ERR_INVALID, "procfs");
	check_refused(CONFIG("",
			     "\"mounts\":[{\"destination\":\"/a/../proc/x\",\"type\":\"tmpfs\"}],"),
		      ERR_INVALID, "inside /proc");
}
END_TEST

START_TEST(host_controls_are_refused)
{
	check_refused(CONFIG(",\"sysctl\":{\"kernel.core_pattern\":\"x\"}", ""), ERR_DENIED,
		      "kernel.core_pattern");
	check_refused(CONFIG(",\"sysctl\":{\"net.ipv4.ip_forward\":\"1\"}", ""), ERR_DENIED,
		      "shares");
	check_refused(CONFIG(",\"sysctl\":{\"kernel.shm_rmid_forced\":\"1\"}", ""), ERR_DENIED,
		      "shares");
}
END_TEST

START_TEST(bad_processes_are_told)
{
#define PROCESS(part)                                            \
	"{\"ociVersion\":\"1.2.0\","                             \
	"\"root\":{\"path\":\"rootfs\"},\"process\":{" part "}," \
	"\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]}}"
	check_refused(PROCESS("\"args\":[],\"cwd\":\"/\""), ERR_INVALID, "no command");
	check_refused(PROCESS("\"args\":[\"a\"],\"cwd\":\"x\""), ERR_INVALID, "cwd");
	check_refused(PROCESS("\"args\":[\"a\"],\"cwd\":\"/\",\"rlimits\":[{\"type\":\"RLIMIT_X\",\"soft\":1,\"hard\":1}]"),
		      ERR_INVALID, "RLIMIT_X");
	check_refused(PROCESS("\"args\":[\"a\"],\"cwd\":\"/\",\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":2,\"hard\":1}]"),
		      ERR_INVALID, "above hard");
	check_refused(PROCESS("\"args\":[\"a\"],\"cwd\":\"/\",\"oomScoreAdj\":1001"), ERR_INVALID,
		      "oomScoreAdj");
	check_refused(PROCESS("\"args\":[\"a\"],\"cwd\":\"/\",\"user\":{\"uid\":4294967295}"),
		      ERR_INVALID, "4294967295");
	check_refused(PROCESS("\"args\":[\"a\"],\"cwd\":\"/\",\"apparmorProfile\":\"x\\nexec unconfined\""),
		      ERR_INVALID, "process.apparmorProfile: a control character");
	check_refused(PROCESS("\"args\":[\"a\"],\"cwd\":\"/\",\"apparmorProfile\":\" x\""), ERR_INVALID, "' x' is no name");
	check_refused(PROCESS("\"args\":[\"a\"],\"cwd\":\"/\",\"selinuxLabel\":\"x \""), ERR_INVALID, "'x ' is no name");
	check_refused(PROCESS("\"args\":[\"a\"],\"cwd\":\"/\",\"capabilities\":{\"bounding\":[\"CAP_X\"]}"),
		      ERR_INVALID, "CAP_X");
}
END_TEST

static char *layers_json(size_t n)
{
	AUTO_STRBUF struct strbuf b = { 0 };

	strbuf_adds(&b,
		    "{\"version\":1,\"id\":\"x\",\"dataRoot\":\"/var/lib/kiln\",\"cgroupPath\":\"/kiln/x\","
		    "\"seccompProfile\":\"unconfined\",\"socketPath\":\"/s\",\"stdio\":{\"tty\":true},\"containerDir\":\"/var/lib/kiln/containers/x\","
		    "\"layersDir\":\"/var/lib/kiln/layers\",\"lowers\":[");
	for (size_t i = 0; i < n; i++)
		strbuf_addf(&b, "%s\"%026zu\"", i != 0 ? "," : "", i);
	strbuf_adds(&b,
		    "],\"config\":{\"ociVersion\":\"1.2.0\",\"process\":{\"args\":[\"a\"],\"cwd\":\"/\"},"
		    "\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]}}}");
	return strbuf_take(&b);
}

START_TEST(layers_fit_one_page_of_options)
{
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_STRBUF struct strbuf out = { 0 };
	AUTO_FREE char *some = layers_json(127), *many = layers_json(160);
	struct err e = { 0 };

	ck_assert_msg(make(some, &layouts[0], a, &out, &e) == 0, "%s", e.msg);
	check_refused(many, ERR_UNSUPPORTED, "160 layers");
}
END_TEST

UNIT_MAIN("plan", golden_plans_are_as_written, what_is_not_supported_is_refused_by_name, a_label_of_mounts_is_refused_where_it_would_mean_something,
	  mappings_of_a_user_namespace_are_checked, mounts_inside_proc_are_refused, host_controls_are_refused, bad_processes_are_told,
	  layers_fit_one_page_of_options)
