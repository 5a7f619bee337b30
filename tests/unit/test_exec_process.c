/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/exec_process.h"

#include "base/own.h"
#include "oci/runtime_config.h"
#include "tests/unit/unit.h"

static struct arena *a;
static struct err e;

static struct oci_config *config(void)
{
	static const char json[] = "{\"ociVersion\":\"1.0.0\",\"process\":{\"args\":[\"init\"],\"cwd\":\"/w\",\"terminal\":true,"
				   "\"consoleSize\":{\"height\":1,\"width\":2},\"env\":[\"PATH=/bin\",\"A=1\"],"
				   "\"user\":{\"uid\":1,\"gid\":2,\"additionalGids\":[3]},\"capabilities\":{\"bounding\":[\"CAP_KILL\"]}}}";
	void *ret;

	arena_free(a);
	a = arena_new();
	ck_assert_msg(json_decode(json, strlen(json), &oci_config_schema, a, NULL, NULL, &ret, &e) == 0, "%s", e.msg);
	return ret;
}

static struct str_list list(char **v)
{
	struct str_list l = { v, 0 };

	while (v[l.n] != NULL)
		l.n++;
	return l;
}
#define LIST(...) list((char *[]){ __VA_ARGS__, NULL })

/* The process, or NULL when it is refused */
static struct oci_process *made(const struct exec_options *o)
{
	static char *words[] = { (char *)"cmd", (char *)"arg" };
	struct str_list args = { words, 2 };
	struct oci_config *c = config();
	struct oci_process *p = NULL;

	return exec_process(o, &args, c, a, &p, &e) == 0 ? p : NULL;
}

START_TEST(it_is_the_containers_but_for_command_and_terminal)
{
	struct oci_process *p = made(&(struct exec_options){ 0 });

	ck_assert_uint_eq(p->args.n, 2);
	ck_assert_str_eq(p->args.v[0], "cmd");
	ck_assert_str_eq(p->cwd, "/w");
	ck_assert(!p->terminal);
	ck_assert_ptr_null(p->console_size);
	ck_assert_uint_eq(p->user->uid, 1);
	ck_assert_uint_eq(p->env.n, 2);
	ck_assert(made(&(struct exec_options){ .tty = true })->terminal);
	ck_assert_str_eq(made(&(struct exec_options){ .cwd = "/x" })->cwd, "/x");
	ck_assert(made(&(struct exec_options){ .no_new_privs = { true, true } })->no_new_privileges);
}
END_TEST

START_TEST(users_are_numbers)
{
	static const char *const bad[] = { "", "root", "1:", ":1", "1:x", "-1", "+1", " 1", "1 ", "4294967295", "4294967296", "1:4294967295",
					   "0x1", "1:2:3", "99999999999999999999" };
	struct oci_process *p = made(&(struct exec_options){ .user = "5" });

	ck_assert_uint_eq(p->user->uid, 5);
	ck_assert_uint_eq(p->user->gid, 2);
	p = made(&(struct exec_options){ .user = "4294967294:0" });
	ck_assert_uint_eq(p->user->uid, 4294967294u);
	ck_assert_uint_eq(p->user->gid, 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(made(&(struct exec_options){ .user = bad[i] }) == NULL && e.kind == ERR_INVALID, "'%s'", bad[i]);
}
END_TEST

START_TEST(groups_are_added)
{
	struct oci_process *p = made(&(struct exec_options){ .additional_gids = LIST((char *)"7", (char *)"8") });
	uint32_t *gids;
	size_t n;

	ck_assert_int_eq(oci_user_gids(p->user, a, &gids, &n, &e), 0);
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(gids[0], 3);
	ck_assert_uint_eq(gids[2], 8);
	ck_assert_ptr_null(made(&(struct exec_options){ .additional_gids = LIST((char *)"staff") }));
}
END_TEST

START_TEST(the_last_of_a_variable_counts)
{
	struct oci_process *p = made(&(struct exec_options){ .env = LIST((char *)"A=2", (char *)"B=", (char *)"A=3=4") });

	ck_assert_uint_eq(p->env.n, 3);
	ck_assert_str_eq(p->env.v[0], "PATH=/bin");
	ck_assert_str_eq(p->env.v[1], "A=3=4");
	ck_assert_str_eq(p->env.v[2], "B=");
	ck_assert_ptr_null(made(&(struct exec_options){ .env = LIST((char *)"A") }));
	ck_assert_ptr_null(made(&(struct exec_options){ .env = LIST((char *)"=A") }));
}
END_TEST

START_TEST(capabilities_are_never_inheritable)
{
	struct oci_process *p = made(&(struct exec_options){ .caps = LIST((char *)"CAP_CHOWN") });

	ck_assert_uint_eq(p->capabilities->bounding.n, 2);
	ck_assert_uint_eq(p->capabilities->effective.n, 1);
	ck_assert_uint_eq(p->capabilities->permitted.n, 1);
	ck_assert_uint_eq(p->capabilities->inheritable.n, 0);
	ck_assert_uint_eq(p->capabilities->ambient.n, 0);
}
END_TEST

START_TEST(a_command_or_a_document)
{
	struct str_list none = { 0 }, some = LIST((char *)"cmd");
	struct exec_options o = { .process = "/nosuch/process.json" };
	struct oci_config *c = config();
	struct oci_process *p;

	ck_assert_int_lt(exec_process(&(struct exec_options){ 0 }, &none, c, a, &p, &e), 0);
	ck_assert_int_lt(exec_process(&o, &some, c, a, &p, &e), 0);
	ck_assert_int_eq(e.kind, ERR_INVALID);
	ck_assert_int_lt(exec_process(&o, &none, c, a, &p, &e), 0);
	ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
}
END_TEST

START_TEST(groups_are_below_the_containers)
{
	static const char *const bad[] = { "..", "../x", "a/..", "a/../b", "cpu:../x", ":x" };
	struct str_list good = LIST((char *)"a//b/", (char *)"cpu,cpuacct:/c", (char *)"", (char *)"/", (char *)"..a/b..");
	struct cgroup_below *below;
	size_t n;

	arena_free(a);
	a = arena_new();
	ck_assert_msg(exec_cgroups(&good, a, &below, &n, &e) == 0, "%s", e.msg);
	ck_assert_uint_eq(n, 5);
	ck_assert_str_eq(below[0].path, "/a/b");
	ck_assert_ptr_null(below[0].controllers);
	ck_assert_str_eq(below[1].controllers, "cpu,cpuacct");
	ck_assert_str_eq(below[1].path, "/c");
	ck_assert_str_eq(below[2].path, "/");
	ck_assert_str_eq(below[3].path, "/");
	ck_assert_str_eq(below[4].path, "/..a/b..");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct str_list one = LIST((char *)bad[i]);

		ck_assert_msg(exec_cgroups(&one, a, &below, &n, &e) < 0 && e.kind == ERR_INVALID, "'%s'", bad[i]);
	}
}
END_TEST

UNIT_MAIN("exec_process", it_is_the_containers_but_for_command_and_terminal, users_are_numbers, groups_are_added,
	  the_last_of_a_variable_counts, capabilities_are_never_inheritable, a_command_or_a_document, groups_are_below_the_containers)
