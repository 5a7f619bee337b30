/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/checkpoint.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "oci/runtime_config.h"
#include "tests/unit/unit.h"

#define PID_NS "{\"type\":\"pid\"}"

static struct arena *a;
static struct err e;

/* @members: behind ociVersion */
static struct oci_config *config_of(const char *members)
{
	AUTO_FREE char *json = xasprintf("{\"ociVersion\":\"1.0.0\",%s}", members);
	void *config;

	arena_free(a);
	a = arena_new();
	ck_assert_msg(json_decode(json, strlen(json), &oci_config_schema, a, NULL, NULL, &config, &e) == 0, "%s", e.msg);
	return config;
}

START_TEST(what_keeps_a_container_from_being_written_is_named)
{
	static const struct { const char *members, *why; } rows[] = {
		{ "\"linux\":{}", "linux.namespaces: a checkpoint needs a pid namespace" },
		{ "\"linux\":{\"namespaces\":[" PID_NS ",{\"type\":\"user\"}]}", "linux.namespaces[1]: checkpoints of user namespaces" },
		{ "\"linux\":{\"namespaces\":[" PID_NS ",{\"type\":\"ipc\",\"path\":\"/x\"}]}", "linux.namespaces[1]: checkpoints of what has joined a namespace (ipc)" },
		{ "\"linux\":{\"namespaces\":[{\"type\":\"pid\",\"path\":\"/x\"}]}", "linux.namespaces[0]" },
		{ "\"process\":{\"terminal\":true,\"cwd\":\"/\",\"args\":[\"x\"]},\"linux\":{\"namespaces\":[" PID_NS "]}", "process.terminal" },
		{ "\"process\":{\"noNewPrivileges\":true,\"cwd\":\"/\",\"args\":[\"x\"]},\"linux\":{\"namespaces\":[" PID_NS "]}", "process.noNewPrivileges" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ck_assert_int_eq(checkpoint_check(config_of(rows[i].members), &e), -1);
		ck_assert_int_eq(e.kind, ERR_UNSUPPORTED);
		ck_assert_msg(str_starts(e.msg, rows[i].why), "%s", e.msg);
	}
	ck_assert_int_eq(checkpoint_check(config_of("\"linux\":{\"namespaces\":[" PID_NS ",{\"type\":\"network\",\"path\":\"/x\"}]}"), &e), 0);
}
END_TEST

START_TEST(mounts_of_the_host_are_binds_and_masked_files)
{
	struct oci_config *c = config_of("\"mounts\":[{\"destination\":\"/data\",\"type\":\"bind\",\"source\":\"/host\"},"
					 "{\"destination\":\"/a b/\",\"source\":\"rel\",\"options\":[\"rbind\"]},"
					 "{\"destination\":\"tmp\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}],"
					 "\"linux\":{\"maskedPaths\":[\"/proc/kcore\",\"/sys/firmware\"]}");
	struct str_list got;

	checkpoint_mounts(c, "32 34 254:0 /root / rw - ext4 /dev/vda rw\n33 32 254:0 /host /data rw - ext4 /dev/vda rw\n"
			     "34 32 254:0 /rel /a\\040b rw - ext4 /dev/vda rw\n35 32 0:9 / /tmp rw - tmpfs tmpfs rw\n"
			     "51 45 0:28 /null /proc/kcore rw - tmpfs tmpfs rw\n52 48 0:31 / /sys/firmware ro - tmpfs tmpfs rw\ntorn line\n", a, &got);
	ck_assert_uint_eq(got.n, 3);
	ck_assert_str_eq(got.v[0], "/data");
	ck_assert_str_eq(got.v[1], "/a b");
	ck_assert_str_eq(got.v[2], "/proc/kcore");
	ck_assert_str_eq(checkpoint_source(c, "/b", "/data", a, &e), "/host");
	ck_assert_str_eq(checkpoint_source(c, "/b", "/a b", a, &e), "/b/rel");
	ck_assert_str_eq(checkpoint_source(c, "/b", "/proc/kcore", a, &e), "/dev/null");
	ck_assert_ptr_null(checkpoint_source(c, "/b", "/etc", a, &e));
	ck_assert_ptr_null(checkpoint_source(c, "/b", "/tmp", a, &e));
	ck_assert_int_eq(e.kind, ERR_INVALID);
}
END_TEST

START_TEST(images_are_read_as_they_were_written)
{
	struct checkpoint_image image = { .version = CHECKPOINT_VERSION }, *got;
	const char *dir = unit_dir();
	AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	static const char *const bad[] = { "", "{}", "{\"version\":1,\"id\":\"x\",\"descriptors\":[\"\"]}", "{\"version\":2,\"id\":\"x\",\"descriptors\":[\"\",\"\",\"\"]}",
					   "{\"version\":1,\"id\":\"x\",\"descriptors\":[1,2,3]}" };

	config_of("\"linux\":{}");
	image.id = arena_strdup(a, "x");
	image.fds = (struct str_list){ arena_new_array(a, char *, 3), 3 };
	for (size_t i = 0; i < 3; i++)
		image.fds.v[i] = arena_printf(a, "pipe:[%zu]", i);
	ck_assert_int_eq(checkpoint_load(fd, a, &got, &e), -1);
	ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
	ck_assert_int_eq(checkpoint_save(fd, &image, &e), 0);
	ck_assert_int_eq(checkpoint_load(fd, a, &got, &e), 0);
	ck_assert_str_eq(got->fds.v[2], "pipe:[2]");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_int_eq(file_replace(fd, "kiln.json", bad[i], strlen(bad[i]), 0600, &e), 0);
		ck_assert_msg(checkpoint_load(fd, a, &got, &e) == -1, "%s", bad[i]);
	}
}
END_TEST

static void is_denied(const char *dir)
{
	AUTO_ARENA struct arena *arena = arena_new();
	const char *path;

	ck_assert_int_eq(checkpoint_open_dir(dir, true, arena, &path, &e), -1);
	ck_assert_int_eq(e.kind, ERR_DENIED);
}

START_TEST(images_are_in_directories_that_only_root_writes_to)
{
	AUTO_ARENA struct arena *arena = arena_new();
	AUTO_FREE char *above = xasprintf("%s/above", unit_dir());
	AUTO_FREE char *dir = xasprintf("%s/image", above);
	const char *path;
	int fd = checkpoint_open_dir(dir, false, arena, &path, &e);

	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
	if (geteuid() != 0)
		return;
	fd = checkpoint_open_dir(dir, true, arena, &path, &e);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_str_eq(path, dir);
	ck_assert_int_eq(chmod(dir, 01722), 0);
	is_denied(dir);
	ck_assert_int_eq(chmod(dir, 0700), 0);
	/* whoever owns what is above puts another in its place */
	ck_assert_int_eq(chown(above, 1000, 1000), 0);
	is_denied(dir);
	ck_assert_int_eq(chown(above, 0, 0), 0);
	ck_assert_int_eq(chmod(above, 0777), 0);
	is_denied(dir);
	ck_assert_int_eq(chmod(above, 01777), 0);
	fd = checkpoint_open_dir(dir, true, arena, &path, &e);
	ck_assert_int_ge(fd, 0);
	close(fd);
}
END_TEST

START_TEST(images_are_based_on_images_that_only_root_writes_to)
{
	AUTO_ARENA struct arena *arena = arena_new();
	const char *above = unit_dir();
	AUTO_FREE char *dir = xasprintf("%s/based", above);
	AUTO_FREE char *link = xasprintf("%s/parent", dir);
	AUTO_FREE char *first = xasprintf("%s/first", above);
	const char *path;
	int fd;

	if (geteuid() != 0)
		return;
	fd = checkpoint_open_dir(dir, true, arena, &path, &e);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(checkpoint_check_parents(path, arena, &e), 0);
	ck_assert_int_eq(mkdir(first, 0700), 0);
	ck_assert_int_eq(symlink("../first", link), 0);
	ck_assert_int_eq(checkpoint_check_parents(path, arena, &e), 0);
	ck_assert_int_eq(checkpoint_check_parent(path, "../first/", arena, &e), 0);
	ck_assert_int_eq(chown(first, 1000, 1000), 0);
	ck_assert_int_eq(checkpoint_check_parents(path, arena, &e), -1);
	ck_assert_int_eq(e.kind, ERR_DENIED);
	ck_assert_int_eq(checkpoint_check_parent(path, "../first/", arena, &e), -1);
	/* a link may lead elsewhere tomorrow */
	ck_assert_int_eq(checkpoint_check_parent(path, "parent", arena, &e), -1);
	ck_assert_int_eq(unlink(link), 0);
	ck_assert_int_eq(symlink(".", link), 0);
	ck_assert_int_eq(checkpoint_check_parents(path, arena, &e), -1);
	ck_assert_int_eq(e.kind, ERR_INVALID);
}
END_TEST

UNIT_MAIN("checkpoint", what_keeps_a_container_from_being_written_is_named, mounts_of_the_host_are_binds_and_masked_files,
	  images_are_read_as_they_were_written, images_are_in_directories_that_only_root_writes_to,
	  images_are_based_on_images_that_only_root_writes_to)
