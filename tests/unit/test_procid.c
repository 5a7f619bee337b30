/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/procid.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/own.h"
#include "base/str.h"
#include "tests/unit/unit.h"

START_TEST(the_start_is_found_behind_any_name)
{
	static const char tail[] = " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 987654 20 21";
	static const char *const names[] = { "1 (sh)", "1 (a) b) S 1 (c)", "1 ()", "1 (\n)", "1 ())" };
	uint64_t start;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO_FREE char *text = xasprintf("%s%s", names[i], tail);

		ck_assert_int_eq(procid_parse_start(text, &start), 0);
		ck_assert_uint_eq(start, 987654);
	}
	ck_assert_int_lt(procid_parse_start("", &start), 0);
	ck_assert_int_lt(procid_parse_start("1 (sh) S 1 2", &start), 0);
	ck_assert_int_lt(procid_parse_start("1 (sh)", &start), 0);
	ck_assert_int_lt(procid_parse_start("1 (sh) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 -1 20", &start), 0);
}
END_TEST

static pid_t child(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	ck_assert_int_gt(pid, 0);
	return pid;
}

START_TEST(a_process_is_found_until_it_has_ended)
{
	pid_t pid = child();
	struct err e = { 0 };
	struct procid id;
	int fd = -1;

	ck_assert_int_eq(procid_of(pid, &id, &e), 0);
	ck_assert_int_eq(procid_open(&id, &fd, &e), 0);
	close(fd);
	kill(pid, SIGKILL);
	/* a zombie has ended */
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	ck_assert_int_lt(procid_open(&id, &fd, &e), 0);
	ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_lt(procid_open(&id, &fd, &e), 0);
	ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
	ck_assert_int_lt(procid_of(pid, &id, &e), 0);
}
END_TEST

START_TEST(a_pid_alone_is_not_believed)
{
	struct err e = { 0 };
	struct procid id, other;
	int fd = -1;

	ck_assert_int_eq(procid_of(getpid(), &id, &e), 0);
	other = id;
	other.start_ticks--;
	ck_assert_int_lt(procid_open(&other, &fd, &e), 0);
	ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
	other = id;
	other.boot[0] = id.boot[0] == '0' ? '1' : '0';
	ck_assert_int_lt(procid_open(&other, &fd, &e), 0);
	ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
	other = (struct procid){ 0 };
	ck_assert_int_lt(procid_open(&other, &fd, &e), 0);
	ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
	ck_assert_int_eq(fd, -1);
}
END_TEST

UNIT_MAIN("procid", the_start_is_found_behind_any_name, a_process_is_found_until_it_has_ended, a_pid_alone_is_not_believed)
