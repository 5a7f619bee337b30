/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/bundle_config.h"

#include <fcntl.h>

#include "base/fd.h"
#include "base/own.h"
#include "oci/launch.h"
#include "tests/unit/unit.h"

static struct arena *a;
static struct err e;
static bool is_scope;

/* @members: behind ociVersion */
static struct launch_spec *spec_of(const char *members)
{
	AUTO_FREE char *json = xasprintf("{\"ociVersion\":\"1.0.0\"%s%s}", members[0] != '\0' ? "," : "", members);
	struct bundle_text text = { json, strlen(json) };
	struct oci_config *config;
	struct launch_spec *spec = NULL;

	arena_free(a);
	a = arena_new();
	ck_assert_msg(bundle_config_parse(&text, a, &config, &e) == 0, "%s", e.msg);
	return bundle_config_spec(config, "/b", "x", is_scope, a, &spec, &e) == 0 ? spec : NULL;
}

START_TEST(groups_are_below_kiln_unless_they_say_where)
{
	ck_assert_str_eq(spec_of("")->cgroup_path, "/kiln/x");
	ck_assert_str_eq(spec_of("\"linux\":{}")->cgroup_path, "/kiln/x");
	ck_assert_str_eq(spec_of("\"linux\":{\"cgroupsPath\":\"\"}")->cgroup_path, "/kiln/x");
	ck_assert_str_eq(spec_of("\"linux\":{\"cgroupsPath\":\"a/b\"}")->cgroup_path, "/kiln/a/b");
	ck_assert_str_eq(spec_of("\"linux\":{\"cgroupsPath\":\"/a//b/../c/\"}")->cgroup_path, "/a/c");
	ck_assert_str_eq(spec_of("\"linux\":{\"cgroupsPath\":\"../../a\"}")->cgroup_path, "/a");
	ck_assert_ptr_null(spec_of("\"linux\":{\"cgroupsPath\":\"a.slice:b:c\"}"));
	ck_assert_int_eq(e.kind, ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(e.msg, "linux.cgroupsPath: 'a.slice:b:c'"));
}
END_TEST

START_TEST(groups_of_the_systemd_driver_are_scopes)
{
	is_scope = true;
	ck_assert_str_eq(spec_of("")->cgroup_path, "/system.slice/kiln-x.scope");
	ck_assert_str_eq(spec_of("\"linux\":{\"cgroupsPath\":\"a-b.slice:c:d\"}")->cgroup_path, "/a.slice/a-b.slice/c-d.scope");
	ck_assert_ptr_null(spec_of("\"linux\":{\"cgroupsPath\":\"/a/b\"}"));
	ck_assert_str_eq(e.msg, "linux.cgroupsPath: '/a/b': expected slice:prefix:name, as for systemd's control groups");
}
END_TEST

START_TEST(a_pid_namespace_is_owned_when_it_is_fresh)
{
	static const struct {
		const char *json;
		bool owns;
	} cases[] = {
		{ "", false },
		{ "\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]}", false },
		{ "\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"pid\"}]}", true },
		{ "\"linux\":{\"namespaces\":[{\"type\":\"pid\",\"path\":\"/proc/1/ns/pid\"}]}", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_int_eq(bundle_config_owns_pids(spec_of(cases[i].json)->config), cases[i].owns);
}
END_TEST

START_TEST(only_regular_files_of_a_bounded_size_are_read)
{
	const char *dir = unit_dir();
	AUTO_FREE char *file = xasprintf("%s/config.json", dir);
	struct bundle_text text;
	int fd;

	arena_free(a);
	a = arena_new();
	ck_assert_int_lt(bundle_config_read(AT_FDCWD, dir, a, &text, &e), 0);
	ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
	/* neither of these may keep us waiting */
	ck_assert_int_eq(mkfifo(file, 0600), 0);
	ck_assert_int_lt(bundle_config_read(AT_FDCWD, dir, a, &text, &e), 0);
	ck_assert_int_eq(e.kind, ERR_INVALID);
	unlink(file);
	ck_assert_int_eq(symlink("/dev/zero", file), 0);
	ck_assert_int_lt(bundle_config_read(AT_FDCWD, dir, a, &text, &e), 0);
	ck_assert_int_eq(e.kind, ERR_INVALID);
	unlink(file);
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_eq(ftruncate(fd, BUNDLE_FILE_MAX_BYTES + 1), 0);
	ck_assert_int_lt(bundle_config_read(AT_FDCWD, dir, a, &text, &e), 0);
	ck_assert_int_eq(e.kind, ERR_INVALID);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(write(fd, "{}", 2), 2);
	close(fd);
	ck_assert_msg(bundle_config_read(AT_FDCWD, dir, a, &text, &e) == 0, "%s", e.msg);
	ck_assert_str_eq(text.text, "{}");
	ck_assert_uint_eq(text.n, 2);
}
END_TEST

UNIT_MAIN("bundle_config", groups_of_the_systemd_driver_are_scopes, groups_are_below_kiln_unless_they_say_where, a_pid_namespace_is_owned_when_it_is_fresh,
	  only_regular_files_of_a_bounded_size_are_read)
