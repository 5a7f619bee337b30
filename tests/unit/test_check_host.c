/* SPDX-License-Identifier: Apache-2.0 */
/* What system check says of machines that are made of files. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "cli/check.h"
#include "tests/unit/unit.h"

static char root[] = "/tmp/test_check.XXXXXX";

static void put(const char *path, const char *text)
{
	AUTO_FREE char *whole = xasprintf("%s%s", root, path);
	FILE *f;

	for (char *p = whole + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = 0;
		mkdir(whole, 0700);
		*p = '/';
	}
	f = fopen(whole, "we");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static struct check_result look(void (*fn)(const struct check_places *, struct check_result *))
{
	struct check_places p = { .root = root, .host = "unix:///nonexistent/k.sock", .data_root = "/" };
	struct check_result r = {0};

	fn(&p, &r);
	/* what is not well has advice, and only that */
	ck_assert_msg((r.status == CHECK_OK) == !r.advice[0], "%s: %s", r.found, r.advice);
	ck_assert(r.found[0]);
	return r;
}

static void make_root(void) { ck_assert_ptr_nonnull(mkdtemp(root)); }

static void remove_root(void)
{
	AUTO_FREE char *command = xasprintf("rm -rf %s", root);

	ck_assert_int_eq(system(command), 0);
	memcpy(root + sizeof(root) - 7, "XXXXXX", 6);
}

START_TEST(kernels_by_their_version)
{
	static const struct { const char *release; enum check_status status; } cases[] = {
		{ "6.1.0-18-amd64\n", CHECK_OK }, { "6.18.44\n", CHECK_OK }, { "7.0\n", CHECK_OK }, { "5.15.0\n", CHECK_WARN },
		{ "5.10.0\n", CHECK_FAIL }, { "4.19.0\n", CHECK_FAIL }, { "x", CHECK_FAIL },
	};

	make_root();
	ck_assert_int_eq(look(check_kernel).status, CHECK_FAIL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put("/proc/sys/kernel/osrelease", cases[i].release);
		ck_assert_msg(look(check_kernel).status == cases[i].status, "%s", cases[i].release);
	}
	remove_root();
}
END_TEST

START_TEST(limits_that_are_too_low_are_named)
{
	make_root();
	ck_assert_int_eq(look(check_limits).status, CHECK_OK);
	put("/proc/sys/fs/nr_open", "1048576\n");
	put("/proc/sys/user/max_net_namespaces", "96364\n");
	ck_assert_int_eq(look(check_limits).status, CHECK_OK);
	put("/proc/sys/user/max_net_namespaces", "100\n");
	ck_assert_int_eq(look(check_limits).status, CHECK_WARN);
	ck_assert_ptr_nonnull(strstr(look(check_limits).found, "user/max_net_namespaces is 100"));
	ck_assert_ptr_nonnull(strstr(look(check_limits).advice, "echo 1024 >/proc/sys/user/max_net_namespaces"));
	put("/proc/sys/user/max_net_namespaces", "0\n");
	ck_assert_int_eq(look(check_limits).status, CHECK_FAIL);
	put("/proc/sys/user/max_net_namespaces", "96364\n");
	put("/proc/sys/fs/nr_open", "65536\n");
	ck_assert_int_eq(look(check_limits).status, CHECK_WARN);
	remove_root();
}
END_TEST

START_TEST(capabilities_that_are_missing_are_named)
{
	make_root();
	ck_assert_int_eq(look(check_capabilities).status, CHECK_WARN);
	put("/proc/self/status", "Name:\tx\nCapBnd:\t000001ffffffffff\nCapAmb:\t0\n");
	ck_assert_int_eq(look(check_capabilities).status, CHECK_OK);
	put("/proc/self/status", "Name:\tx\nCapBnd:\t000001fffeffffff\nCapAmb:\t0\n");
	ck_assert_int_eq(look(check_capabilities).status, CHECK_WARN);
	ck_assert_ptr_nonnull(strstr(look(check_capabilities).found, "CAP_SYS_RESOURCE is missing: a --ulimit above"));
	put("/proc/self/status", "Name:\tx\nCapBnd:\t00000000a80425fb\nCapAmb:\t0\n");   /* docker's default */
	ck_assert_int_eq(look(check_capabilities).status, CHECK_FAIL);
	ck_assert_ptr_nonnull(strstr(look(check_capabilities).found, "CAP_SYS_ADMIN is missing"));
	remove_root();
}
END_TEST

START_TEST(control_groups_of_each_layout)
{
	make_root();
	ck_assert_int_eq(look(check_cgroups).status, CHECK_FAIL);
	put("/proc/self/mounts", "cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\n");
	ck_assert_str_eq(look(check_cgroups).found, "v1");
	put("/proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t1\t1\t1\ncpu\t2\t1\t1\nmemory\t3\t1\t0\npids\t4\t1\t1\nblkio\t5\t1\t1\n");
	ck_assert_int_eq(look(check_controllers).status, CHECK_FAIL);
	ck_assert_str_eq(look(check_controllers).found, "missing: memory");
	put("/proc/self/mounts", "cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n");
	ck_assert_str_eq(look(check_cgroups).found, "hybrid");
	ck_assert_int_eq(look(check_cgroups).status, CHECK_WARN);
	put("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory hugetlb pids\n");
	ck_assert_int_eq(look(check_cgroups).status, CHECK_OK);
	ck_assert_str_eq(look(check_controllers).found, "cpu memory pids cpuset io");
	put("/sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n");
	ck_assert_int_eq(look(check_controllers).status, CHECK_WARN);
	remove_root();
}
END_TEST

START_TEST(what_confines_containers)
{
	make_root();
	ck_assert_int_eq(look(check_seccomp).status, CHECK_FAIL);
	ck_assert_int_eq(look(check_apparmor).status, CHECK_WARN);
	ck_assert_int_eq(look(check_namespaces).status, CHECK_FAIL);
	put("/proc/sys/kernel/seccomp/actions_avail", "kill_process kill_thread trap errno user_notif trace log allow\n");
	put("/sys/module/apparmor/parameters/enabled", "Y\n");
	ck_assert_int_eq(look(check_seccomp).status, CHECK_OK);
	ck_assert_int_eq(look(check_apparmor).status, CHECK_WARN);
	put("/sbin/apparmor_parser", "");
	ck_assert_int_eq(look(check_apparmor).status, CHECK_OK);
	put("/proc/filesystems", "nodev\ttmpfs\n");
	put("/proc/filesystems", "nodev\toverlay\n\text4\n");
	ck_assert_int_eq(look(check_overlay).status, CHECK_OK);
	remove_root();
}
END_TEST

START_TEST(without_a_daemon_it_says_what_to_do)
{
	ck_assert_int_eq(look(check_socket).status, CHECK_FAIL);
	ck_assert_int_eq(look(check_daemon).status, CHECK_FAIL);
	ck_assert_int_eq(look(check_warm).status, CHECK_WARN);
	for (const struct check *c = checks; c->name; c++)
		look(c->look);
}
END_TEST

UNIT_MAIN("check_host", kernels_by_their_version, limits_that_are_too_low_are_named, capabilities_that_are_missing_are_named, control_groups_of_each_layout, what_confines_containers, without_a_daemon_it_says_what_to_do)
