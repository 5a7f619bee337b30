/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "oci/runtime_config.h"
#include "runtime/stages.h"
#include "tests/unit/unit.h"

#define MOUNT                           \
	{                               \
		.type = (char *)"mount" \
	}

static int plan(struct oci_namespace *v, size_t n, bool is_v2, struct arena *a,
		struct launch_plan_stages *ret, struct err *e)
{
	const struct oci_linux lin = { .namespaces = v, .n_namespaces = n };

	*ret = (struct launch_plan_stages){ 0 };
	return namespaces_plan(&lin, is_v2, a, ret, e);
}

/* One namespace of @type at @path, opened; what comes of it */
static int open_at(const char *type, const char *path, int *fds, size_t n_fds, struct err *e)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct oci_namespace v[] = {
		MOUNT, { .type = (char *)(uintptr_t)type, .path = (char *)(uintptr_t)path }
	};
	struct launch_plan_stages s;
	int rc;

	*e = (struct err){ 0 };
	if (plan(v, 2, true, a, &s, e) < 0)
		return -1;
	ck_assert_uint_eq(s.n_joins, 1);
	rc = namespaces_open(&s, fds, n_fds, e);
	namespaces_close(&s);
	ck_assert_int_eq(s.joins[0].fd, -1);
	return rc;
}

static void check_refused(const char *type, const char *path, enum err_kind kind, const char *words)
{
	struct err e;

	ck_assert_msg(open_at(type, path, NULL, 0, &e) < 0, "%s of %s is not refused", type, path);
	ck_assert_msg(e.kind == kind && strstr(e.msg, words) != NULL, "%s: %s",
		      err_kind_name(e.kind), e.msg);
}

START_TEST(fresh_joined_and_shared_are_told_apart)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct oci_namespace v[] = { MOUNT,
				     { .type = (char *)"cgroup" },
				     { .type = (char *)"network" },
				     { .type = (char *)"pid", .path = (char *)"/proc/1/ns/pid" } };
	struct launch_plan_stages s;
	struct err e = { 0 };

	ck_assert_int_eq(plan(v, 4, true, a, &s, &e), 0);
	ck_assert_uint_eq(s.clone_flags, CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWNET);
	ck_assert(s.brings_lo_up && !s.unshares_cgroup && namespaces_has(&s, CLONE_NEWPID) &&
		  !namespaces_has(&s, CLONE_NEWIPC));
	ck_assert_int_eq(plan(v, 4, false, a, &s, &e), 0);
	ck_assert(s.unshares_cgroup && (s.clone_flags & CLONE_NEWCGROUP) == 0);
	ck_assert_int_eq(plan(v, 1, false, a, &s, &e), 0);
	ck_assert(!s.unshares_cgroup && !s.brings_lo_up && s.n_joins == 0);
}
END_TEST

START_TEST(what_cannot_be_is_refused_by_name)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct oci_namespace twice[] = { MOUNT,
					 { .type = (char *)"ipc" },
					 { .type = (char *)"ipc", .path = (char *)"/x" } };
	struct oci_namespace mounts[] = { { .type = (char *)"mount", .path = (char *)"/proc/self/ns/mnt" }, { .type = (char *)"user" } };
	struct launch_plan_stages s;
	struct err e = { 0 };

	ck_assert_int_lt(plan(twice, 3, true, a, &s, &e), 0);
	ck_assert_msg(strstr(e.msg, "linux.namespaces[2]: 'ipc' comes twice") != NULL, "%s", e.msg);
	ck_assert_int_lt(plan(twice + 1, 1, true, a, &s, &e), 0);
	ck_assert_msg(strstr(e.msg, "without a mount namespace") != NULL, "%s", e.msg);
	ck_assert_int_lt(plan(mounts, 2, true, a, &s, &e), 0);
	ck_assert_msg(e.kind == ERR_UNSUPPORTED && strstr(e.msg, "mount namespace by path beside a user namespace") != NULL, "%s", e.msg);
	ck_assert_int_eq(plan(mounts, 1, true, a, &s, &e), 0);
	ck_assert_int_lt(namespaces_open(&s, NULL, 0, &e), 0);
	ck_assert_msg(e.kind == ERR_DENIED && strstr(e.msg, "is that of the host") != NULL, "%s", e.msg);
	namespaces_close(&s);
	check_refused("moon", "/x", ERR_UNSUPPORTED, "type 'moon'");
	check_refused("ipc", "proc/self/ns/ipc", ERR_INVALID, "not absolute");
}
END_TEST

START_TEST(a_source_is_a_namespace_of_its_type)
{
	char fifo[64];
	struct err e;

	ck_assert_msg(open_at("ipc", "/proc/self/ns/ipc", NULL, 0, &e) == 0, "%s", e.msg);
	check_refused("ipc", "/proc/self/ns/net", ERR_INVALID, "is a namespace of type network");
	check_refused("network", "/proc/self/ns/user", ERR_INVALID, "is a namespace of type user");
	check_refused("ipc", "/etc/passwd", ERR_INVALID, "'/etc/passwd' is no namespace");
	check_refused("ipc", "/", ERR_INVALID, "is no namespace");
	check_refused("ipc", "/proc/self/ns/nothing", ERR_NOT_FOUND, "open '/proc/self/ns/nothing'");
	/* nobody waits for a writer */
	snprintf(fifo, sizeof(fifo), "/tmp/namespaces-%d", getpid());
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	check_refused("ipc", fifo, ERR_INVALID, "is no namespace");
	unlink(fifo);
}
END_TEST

START_TEST(descriptors_are_namespaces_or_processes)
{
	int fds[] = { open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC),
		      (int)syscall(SYS_pidfd_open, getpid(), 0),
		      open("/dev/null", O_RDONLY | O_CLOEXEC), -1 };
	struct err e;

	ck_assert_msg(open_at("uts", "fd:0", fds, 4, &e) == 0, "%s", e.msg);
	ck_assert_int_eq(fds[0], -1);
	ck_assert_msg(open_at("pid", "fd:1", fds, 4, &e) == 0, "%s", e.msg);
	ck_assert_int_lt(open_at("ipc", "fd:1", fds, 4, &e), 0); /* taken */
	ck_assert_msg(strstr(e.msg, "names no descriptor") != NULL, "%s", e.msg);
	ck_assert_int_lt(open_at("ipc", "fd:2", fds, 4, &e), 0);
	ck_assert_msg(e.kind == ERR_INVALID && strstr(e.msg, "is no namespace") != NULL, "%s",
		      e.msg);
	ck_assert_int_lt(open_at("ipc", "fd:3", fds, 4, &e), 0);
	ck_assert_int_lt(open_at("ipc", "fd:4", fds, 4, &e), 0);
	ck_assert_int_lt(open_at("ipc", "fd:x", fds, 4, &e), 0);
}
END_TEST

START_TEST(a_process_that_has_ended_is_told)
{
	pid_t pid = fork();
	int fds[1];
	struct err e;

	if (pid == 0)
		_exit(0);
	fds[0] = (int)syscall(SYS_pidfd_open, pid, 0);
	ck_assert_int_ge(fds[0], 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_lt(open_at("pid", "fd:0", fds, 1, &e), 0);
	ck_assert_msg(e.kind == ERR_CONFLICT &&
			      strstr(e.msg, "join pid namespace: its process has ended") != NULL,
		      "%s", e.msg);
}
END_TEST

UNIT_MAIN("namespaces", fresh_joined_and_shared_are_told_apart, what_cannot_be_is_refused_by_name,
	  a_source_is_a_namespace_of_its_type, descriptors_are_namespaces_or_processes,
	  a_process_that_has_ended_is_told)
