/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What golden plans (test_plan) do not show: refusals, and where the sources of binds may come from.
 */
#include <errno.h>
#include <sys/mount.h>

#include "base/own.h"
#include "base/str.h"
#include "oci/runtime_config.h"
#include "runtime/cgroup.h"
#include "runtime/mounts.h"
#include "runtime/stages.h"
#include "tests/unit/unit.h"

static const struct cgroup_layout v2 = { .is_v2 = true };

static int plan(const char *mounts, struct arena *a, struct mount_op **ret, size_t *ret_n,
		struct err *e)
{
	const char *json = arena_printf(a, "{\"ociVersion\":\"1.2.0\",\"mounts\":[%s]}", mounts);
	void *config;

	ck_assert_msg(json_decode(json, strlen(json), &oci_config_schema, a, NULL, NULL, &config,
				  e) == 0,
		      "%s", e->msg);
	return mounts_plan(config, &v2, "/kiln/x", a, ret, ret_n, e);
}

static void check_refused(const char *mounts, enum err_kind kind, const char *word)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct mount_op *ops;
	struct err e = { 0 };
	size_t n;

	ck_assert_msg(plan(mounts, a, &ops, &n, &e) < 0, "not refused: %s", mounts);
	ck_assert_msg(e.kind == kind && strstr(e.msg, word) != NULL, "%s", e.msg);
}

START_TEST(what_is_not_supported_is_refused_by_name)
{
	check_refused("{\"destination\":\"/a\",\"type\":\"nfs\"}", ERR_UNSUPPORTED, "nfs");
	check_refused("{\"destination\":\"/a\",\"type\":\"tmpfs\",\"options\":[\"remount\"]}",
		      ERR_UNSUPPORTED, "remount");
	check_refused("{\"destination\":\"/a\",\"type\":\"tmpfs\",\"uidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":1}],"
		      "\"gidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":1}]}",
		      ERR_UNSUPPORTED, "uidMappings");
}
END_TEST

#define MAPPED(more) "{\"destination\":\"/a\",\"type\":\"bind\",\"source\":\"/b\"" more "}"

START_TEST(mappings_come_in_pairs_and_in_range)
{
	check_refused(MAPPED(",\"options\":[\"idmap\"]"), ERR_INVALID, "'idmap' needs");
	check_refused(MAPPED(",\"uidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":1}]"), ERR_INVALID, "gidMappings");
	check_refused(MAPPED(",\"gidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":1}]"), ERR_INVALID, "uidMappings");
	check_refused(MAPPED(",\"uidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":0}],\"gidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":1}]"),
		      ERR_INVALID, "uidMappings[0]");
	check_refused(MAPPED(",\"uidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":1}],\"gidMappings\":[{\"containerID\":4294967295,\"hostID\":1,\"size\":1}]"),
		      ERR_INVALID, "gidMappings[0]");
}
END_TEST

/* Each file system there gets its devices: the second hides those of the first. */
START_TEST(dev_may_be_mounted_more_than_once)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct mount_op *ops;
	struct err e = { 0 };
	size_t n = 0, n_devices = 0;

	ck_assert_msg(plan("{\"destination\":\"/dev\",\"type\":\"tmpfs\"},{\"destination\":\"dev/\",\"type\":\"tmpfs\"},"
			   "{\"destination\":\"/x/../dev\",\"type\":\"tmpfs\"}", a, &ops, &n, &e) == 0, "%s", e.msg);
	for (size_t i = 0; i < n; i++)
		n_devices += ops[i].kind == MOUNT_DEVICE && str_eq(ops[i].name, "null");
	ck_assert_uint_eq(n_devices, 3);
}
END_TEST

START_TEST(what_makes_no_sense_is_told)
{
	check_refused("{\"destination\":\"\",\"type\":\"tmpfs\"}", ERR_INVALID, "destination");
	check_refused("{\"destination\":\"proc/x\",\"type\":\"tmpfs\"}", ERR_INVALID, "inside /proc");
	check_refused("{\"destination\":\"..\",\"type\":\"tmpfs\"}", ERR_INVALID, "root");
	check_refused("{\"destination\":\"/a\",\"type\":\"mqueue\",\"options\":[\"tmpcopyup\"]}", ERR_INVALID, "tmpcopyup");
	check_refused("{\"destination\":\"/x/..\",\"type\":\"tmpfs\"}", ERR_INVALID, "root");
	check_refused("{\"destination\":\"/a\"}", ERR_INVALID, "neither a type");
	check_refused("{\"destination\":\"/a\",\"type\":\"bind\"}", ERR_INVALID, "source");
	check_refused("{\"destination\":\"/a\",\"type\":\"bind\",\"source\":\"/b\",\"options\":[\"rw,dev\"]}",
		      ERR_INVALID, "rw,dev");
}
END_TEST

START_TEST(a_later_option_wins)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct mount_op *ops;
	struct err e = { 0 };
	size_t n;

	ck_assert_int_eq(plan("{\"destination\":\"/a\",\"type\":\"tmpfs\",\"options\":[\"ro\",\"nosuid\",\"rw\"]}",
			      a, &ops, &n, &e),
			 0);
	ck_assert_uint_eq(ops[0].attr_set, MOUNT_ATTR_NOSUID);
	ck_assert_uint_eq(ops[0].attr_clr, MOUNT_ATTR_RDONLY);
}
END_TEST

START_TEST(propagation_has_its_names)
{
	uint64_t flag;
	bool is_recursive;

	ck_assert_int_eq(mounts_propagation("rslave", &flag, &is_recursive), 0);
	ck_assert_uint_eq(flag, MS_SLAVE);
	ck_assert(is_recursive);
	ck_assert_int_eq(mounts_propagation("shared", &flag, &is_recursive), 0);
	ck_assert(!is_recursive);
	ck_assert_int_eq(mounts_propagation("rro", &flag, &is_recursive), -1);
	ck_assert_int_eq(mounts_propagation("", &flag, &is_recursive), -1);
}
END_TEST

/* The error of opening one bind, by its source */
static const char *open_error(const char *source, const char *data_root)
{
	static struct err e;
	int fds[1] = { -1 };
	struct mount_sources sources = { .bind_fds = fds, .n_bind_fds = 1, .data_root = data_root };
	struct mount_op op = { .kind = MOUNT_BIND, .target = "/t", .source = source, .fd = -1 };

	e = (struct err){ 0 };
	ck_assert_int_eq(mounts_open(&op, 1, &sources, &e), -1);
	mounts_close(&op, 1);
	return e.msg;
}

START_TEST(sources_come_from_the_data_root_or_the_message)
{
	const char *root = unit_dir();
	AUTO_ARENA struct arena *a = arena_new();

	ck_assert_ptr_nonnull(strstr(open_error("/etc/passwd", root), "not below the data root"));
	ck_assert_ptr_nonnull(strstr(open_error(arena_printf(a, "%sx/a", root), root), "not below"));
	ck_assert_ptr_nonnull(
		strstr(open_error(arena_printf(a, "%s/nothing", root), root), "no such file"));
	ck_assert_ptr_nonnull(strstr(open_error("fd:1", root), "names no descriptor"));
	ck_assert_ptr_nonnull(strstr(open_error("fd:-1", root), "names no descriptor"));
	ck_assert_ptr_nonnull(strstr(open_error("fd:0", root), "used twice"));
	ck_assert_ptr_nonnull(strstr(open_error("relative", NULL), "not absolute"));
}
END_TEST

START_TEST(links_below_the_data_root_lead_nowhere)
{
	const char *root = unit_dir();
	AUTO_ARENA struct arena *a = arena_new();

	ck_assert_int_eq(symlink("/etc/passwd", arena_printf(a, "%s/link", root)), 0);
	ck_assert_int_eq(symlink("/etc", arena_printf(a, "%s/dir", root)), 0);
	ck_assert_ptr_nonnull(
		strstr(open_error(arena_printf(a, "%s/link", root), root), "symbolic links"));
	ck_assert_ptr_nonnull(
		strstr(open_error(arena_printf(a, "%s/dir/passwd", root), root), "symbolic links"));
	/* the kernel says EXDEV */
	ck_assert_ptr_nonnull(
		strstr(open_error(arena_printf(a, "%s/../x", root), root), "open source"));
}
END_TEST

UNIT_MAIN("mounts", mappings_come_in_pairs_and_in_range, what_is_not_supported_is_refused_by_name, what_makes_no_sense_is_told, dev_may_be_mounted_more_than_once,
	  a_later_option_wins, propagation_has_its_names,
	  sources_come_from_the_data_root_or_the_message, links_below_the_data_root_lead_nowhere)
