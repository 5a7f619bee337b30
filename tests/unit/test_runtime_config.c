/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/runtime_config.h"

#include "base/own.h"
#include "tests/unit/unit.h"

static const char full[] =
	"{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"rootfs\",\"readonly\":true},"
	"\"process\":{\"terminal\":true,\"consoleSize\":{\"height\":24,\"width\":80},\"user\":{\"uid\":1,\"gid\":2,"
	"\"umask\":63,\"additionalGids\":[5,6]},\"args\":[\"sh\",\"-c\",\"true\"],\"env\":[\"A=b\"],\"cwd\":\"/\","
	"\"capabilities\":{\"bounding\":[\"CAP_KILL\"],\"effective\":[\"CAP_KILL\"],\"permitted\":[\"CAP_KILL\"]},"
	"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":1024,\"hard\":18446744073709551615}],"
	"\"noNewPrivileges\":true,\"oomScoreAdj\":-5},\"hostname\":\"h\",\"mounts\":[{\"destination\":\"/proc\","
	"\"type\":\"proc\",\"source\":\"proc\",\"options\":[\"nosuid\"]}],\"annotations\":{\"k\":\"v\"},"
	"\"linux\":{\"sysctl\":{\"net.ipv4.ip_forward\":\"1\"},\"cgroupsPath\":\"/kiln/x\",\"namespaces\":"
	"[{\"type\":\"pid\"},{\"type\":\"network\",\"path\":\"/run/netns/a\"}],\"devices\":[{\"type\":\"c\",\"path\":"
	"\"/dev/fuse\",\"major\":10,\"minor\":229,\"fileMode\":438,\"uid\":0,\"gid\":0}],\"resources\":{\"devices\":"
	"[{\"allow\":false,\"access\":\"rwm\"}],\"memory\":{\"limit\":-1,\"swappiness\":0},\"cpu\":{\"shares\":1024,"
	"\"quota\":50000,\"period\":100000,\"cpus\":\"0-1\"},\"pids\":{\"limit\":100},\"unified\":{\"memory.high\":"
	"\"1\"}},\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":1,\"architectures\":"
	"[\"SCMP_ARCH_X86_64\"],\"syscalls\":[{\"names\":[\"personality\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":"
	"[{\"index\":0,\"value\":18446744073709551615,\"op\":\"SCMP_CMP_EQ\"}]}]},\"maskedPaths\":[\"/proc/kcore\"],"
	"\"readonlyPaths\":[\"/proc/sys\"]}}";

static struct oci_config *parse(const char *text, struct arena *a, struct err *e)
{
	void *ret = NULL;

	return json_decode(text, strlen(text), &oci_config_schema, a, NULL, NULL, &ret, e) < 0 ? NULL : ret;
}

START_TEST(every_part_is_read)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct err e = {0};
	struct oci_config *c = parse(full, a, &e);

	ck_assert_msg(c != NULL, "%s", e.msg);
	ck_assert_uint_eq(c->process->rlimits[0].hard, UINT64_MAX);
	ck_assert_uint_eq(c->linux_->n_namespaces, 2);
	ck_assert_ptr_null(c->linux_->namespaces[0].path);
	ck_assert_uint_eq(c->linux_->devices[0].file_mode.v, 0666);
	ck_assert(c->linux_->resources->memory->limit_bytes.set);
	ck_assert_int_eq(c->linux_->resources->memory->limit_bytes.v, -1);
	ck_assert(c->linux_->resources->memory->swappiness.set);
	ck_assert(!c->linux_->resources->memory->swap_bytes.set);
	ck_assert_uint_eq(c->linux_->seccomp->syscalls[0].args[0].value, UINT64_MAX);
	ck_assert_int_eq(c->process->oom_score_adj.v, -5);
}
END_TEST

START_TEST(what_was_read_is_written_the_same)
{
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_STRBUF struct strbuf one = {0}, two = {0};
	struct err e = {0};
	struct oci_config *c = parse(full, a, &e);

	ck_assert_msg(c != NULL, "%s", e.msg);
	json_emit(&oci_config_schema, c, &one);
	c = parse(one.data, a, &e);
	ck_assert_msg(c != NULL, "%s", e.msg);
	json_emit(&oci_config_schema, c, &two);
	ck_assert_str_eq(one.data, two.data);
	ck_assert_ptr_nonnull(strstr(one.data, "\"hard\":18446744073709551615"));
	ck_assert_ptr_nonnull(strstr(one.data, "\"additionalGids\":[5,6]"));
	ck_assert_ptr_nonnull(strstr(one.data, "\"swappiness\":0"));
}
END_TEST

START_TEST(errors_name_the_path)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct err e = {0};

	ck_assert_ptr_null(parse("{\"ociVersion\":\"1\",\"process\":{\"cwd\":\"/\",\"args\":[\"a\",1]}}", a, &e));
	ck_assert_ptr_nonnull(strstr(e.msg, "process.args[1]"));
	ck_assert_ptr_null(parse("{\"ociVersion\":\"1\",\"process\":{\"args\":[]}}", a, &e));
	ck_assert_ptr_nonnull(strstr(e.msg, "process.cwd"));
	ck_assert_ptr_null(parse("{\"ociVersion\":\"1\",\"process\":{\"cwd\":\"/\",\"user\":{\"uid\":4294967296}}}", a, &e));
	ck_assert_ptr_nonnull(strstr(e.msg, "process.user.uid"));
}
END_TEST

static int gids(const char *text, uint32_t **ret, size_t *n)
{
	static struct arena *a;
	struct oci_user u = { .additional_gids = { (char *)text, text ? strlen(text) : 0 } };
	struct err e = {0};

	if (!a)
		a = arena_new();
	return oci_user_gids(&u, a, ret, n, &e);
}

START_TEST(groups_are_numbers_below_2_to_the_32)
{
	uint32_t *g;
	size_t n;

	ck_assert_int_eq(gids(NULL, &g, &n), 0);
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(gids("[]", &g, &n), 0);
	ck_assert_int_eq(gids("[0,4294967295]", &g, &n), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(g[1], UINT32_MAX);
	ck_assert_int_eq(gids("[4294967296]", &g, &n), -1);
	ck_assert_int_eq(gids("[-1]", &g, &n), -1);
	ck_assert_int_eq(gids("[\"5\"]", &g, &n), -1);
	ck_assert_int_eq(gids("5", &g, &n), -1);
	ck_assert_int_eq(gids("[1.5]", &g, &n), -1);
}
END_TEST

UNIT_MAIN("runtime_config", every_part_is_read, what_was_read_is_written_the_same, errors_name_the_path,
	  groups_are_numbers_below_2_to_the_32)
