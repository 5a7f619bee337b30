/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/userns.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/own.h"
#include "base/str.h"
#include "oci/runtime_config.h"
#include "runtime/stages.h"
#include "tests/unit/unit.h"

START_TEST(ids_of_the_process_are_mapped)
{
	const struct oci_id_mapping map[] = { { .container_id = 0, .host_id = 100, .n_ids = 2 }, { .container_id = 10, .host_id = 4294967290u, .n_ids = 5 } };
	static const struct {
		uint32_t uid, gid, group;
		const char *refused;
	} cases[] = {
		{ 0, 1, 10, NULL }, { 14, 14, 14, NULL },
		{ 2, 0, 0, "process.user.uid: 2" }, { 15, 0, 0, "process.user.uid: 15" },
		{ 0, 9, 0, "process.user.gid: 9" }, { 0, 0, 4294967294u, "process.user.additionalGids: 4294967294" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t group = cases[i].group;
		struct launch_plan_stages s = { .user_map = { map, map, 2, 2 },
						.process.identity = { .uid = cases[i].uid, .gid = cases[i].gid, .groups = &group, .n_groups = 1 } };
		struct err e = { 0 };

		ck_assert_int_eq(userns_check_process(&s, &e), cases[i].refused == NULL ? 0 : -1);
		ck_assert_msg(cases[i].refused == NULL || str_starts(e.msg, cases[i].refused), "%s", e.msg);
	}
}
END_TEST

static pid_t child_in_one(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, (unsigned long)(CLONE_NEWUSER | SIGCHLD), NULL, NULL, NULL, 0ul);

	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (pid == 0)
		pause();
	return pid;
}

START_TEST(mappings_are_written_once_and_for_all)
{
	const struct oci_id_mapping uids = { .container_id = 0, .host_id = 1000, .n_ids = 1 }, gids = { .container_id = 0, .host_id = 2000, .n_ids = 3 };
	struct launch_plan_stages s = { .has_users = true, .clone_flags = CLONE_NEWUSER, .user_map = { &uids, &gids, 1, 1 } }, none = { 0 };
	struct err e = { 0 };
	pid_t pid = geteuid() == 0 ? child_in_one() : -1;

	/* nothing to do: whoever it is */
	ck_assert_int_eq(userns_settle(&none, -1, &e), 0);
	if (pid < 0)
		return;
	ck_assert_msg(userns_settle(&s, pid, &e) == 0, "%s", e.msg);
	ck_assert_int_eq(userns_settle(&s, pid, &e), -1);
	ck_assert_msg(strstr(e.msg, "uid_map") != NULL, "%s", e.msg);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
END_TEST

static int open_joined(pid_t pid, struct idmap map, uint32_t uid, struct arena *a, struct err *e)
{
	char path[64];
	struct namespace_join j = { .type = "user", .source = path, .flag = CLONE_NEWUSER };
	struct launch_plan_stages s = { .has_users = true, .user_map = map, .joins = &j, .n_joins = 1, .process.identity.uid = uid };
	AUTO_CLOSE int fd = -1;

	*e = (struct err){ 0 };
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	j.fd = fd = open(path, O_RDONLY | O_CLOEXEC);
	return userns_open(&s, a, e);
}

START_TEST(one_that_is_joined_has_its_own_mappings)
{
	AUTO_ARENA struct arena *a = arena_new();
	const struct oci_id_mapping ids[] = { { .container_id = 0, .host_id = 1000, .n_ids = 1 }, { .container_id = 7, .host_id = 2000, .n_ids = 3 } };
	const struct oci_id_mapping turned[] = { ids[1], ids[0] };
	struct launch_plan_stages s = { .has_users = true, .clone_flags = CLONE_NEWUSER, .user_map = { ids, ids, 2, 2 } };
	struct err e = { 0 };
	pid_t pid = geteuid() == 0 ? child_in_one() : -1;

	if (pid < 0)
		return;
	/* it has none yet */
	ck_assert_int_eq(open_joined(pid, (struct idmap){ 0 }, 0, a, &e), -1);
	ck_assert_msg(strstr(e.msg, "ID 0 has no mapping") != NULL, "%s", e.msg);
	ck_assert_int_eq(userns_settle(&s, pid, &e), 0);
	ck_assert_msg(open_joined(pid, (struct idmap){ 0 }, 9, a, &e) == 0, "%s", e.msg);
	ck_assert_msg(open_joined(pid, (struct idmap){ ids, turned, 2, 2 }, 9, a, &e) == 0, "%s", e.msg);
	ck_assert_int_eq(open_joined(pid, (struct idmap){ ids, ids, 2, 1 }, 0, a, &e), -1);
	ck_assert_msg(strstr(e.msg, "has others") != NULL, "%s", e.msg);
	ck_assert_int_eq(open_joined(pid, (struct idmap){ 0 }, 10, a, &e), -1);
	ck_assert_msg(strstr(e.msg, "process.user.uid: 10") != NULL, "%s", e.msg);
	ck_assert_int_eq(open_joined(getpid(), (struct idmap){ 0 }, 0, a, &e), -1);
	ck_assert_msg(strstr(e.msg, "the caller's own") != NULL, "%s", e.msg);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
END_TEST

UNIT_MAIN("userns", ids_of_the_process_are_mapped, mappings_are_written_once_and_for_all, one_that_is_joined_has_its_own_mappings)
