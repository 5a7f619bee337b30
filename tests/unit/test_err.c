/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>

#include "tests/unit/unit.h"

START_TEST(set_formats_kind_and_message)
{
	struct err e = { 0 };

	ck_assert_int_eq(err_set(&e, ERR_INVALID, "port %d", 99), -1);
	ck_assert_int_eq(e.kind, ERR_INVALID);
	ck_assert_int_eq(e.sys, 0);
	ck_assert_str_eq(e.msg, "port 99");
}
END_TEST

START_TEST(sys_appends_lower_case_reason_and_keeps_errno)
{
	struct err e = { 0 };

	errno = EACCES;
	ck_assert_int_eq(err_sys(&e, "open '%s'", "/x"), -1);
	ck_assert_int_eq(errno, EACCES);
	ck_assert_int_eq(e.sys, EACCES);
	ck_assert_str_eq(e.msg, "open '/x': permission denied");
}
END_TEST

START_TEST(sys_keeps_acronyms_and_names_unknown_numbers)
{
	struct err e = { 0 };

	errno = EDOTDOT;
	err_sys(&e, "call");
	ck_assert_str_eq(e.msg, "call: RFS specific error");
	errno = 9999;
	err_sys(&e, "call");
	ck_assert_str_eq(e.msg, "call: error 9999");
}
END_TEST

START_TEST(sys_finds_the_kind_by_errno)
{
	static const struct {
		int sys;
		enum err_kind kind;
	} cases[] = {
		{ ENOENT, ERR_NOT_FOUND }, { EACCES, ERR_DENIED },  { EPERM, ERR_DENIED },
		{ EEXIST, ERR_CONFLICT },  { EBUSY, ERR_CONFLICT }, { ENOSPC, ERR_SYSTEM },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = { 0 };

		errno = cases[i].sys;
		err_sys(&e, "x");
		ck_assert_int_eq(e.kind, cases[i].kind);
	}
}
END_TEST

START_TEST(wrap_puts_context_in_front)
{
	struct err e = { 0 };

	errno = ENOENT;
	err_sys(&e, "open '%s'", "a");
	errno = EINTR;
	ck_assert_int_eq(err_wrap(&e, "start container '%s'", "web"), -1);
	ck_assert_int_eq(errno, EINTR);
	ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
	ck_assert_int_eq(e.sys, ENOENT);
	ck_assert_str_eq(e.msg, "start container 'web': open 'a': no such file or directory");
}
END_TEST

START_TEST(an_argument_may_be_the_message_itself)
{
	struct err e = { 0 };

	err_set(&e, ERR_INVALID, "inner");
	err_set(&e, ERR_CONFLICT, "outer: %s", e.msg);
	ck_assert_str_eq(e.msg, "outer: inner");
}
END_TEST

START_TEST(long_messages_are_cut_not_overrun)
{
	struct err e = { 0 };
	char text[2000];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&e, ERR_INVALID, "%s", text);
	ck_assert_uint_eq(strlen(e.msg), sizeof(e.msg) - 1);
	for (int i = 0; i < 100; i++)
		err_wrap(&e, "context %d", i);
	ck_assert_uint_eq(strlen(e.msg), sizeof(e.msg) - 1);
	ck_assert(strncmp(e.msg, "context 99: context 98: ", 24) == 0);
	errno = EIO;
	err_sys(&e, "%s", text);
	ck_assert_uint_eq(strlen(e.msg), sizeof(e.msg) - 1);
}
END_TEST

START_TEST(crosses_a_pipe_in_one_write)
{
	struct err sent = { 0 };
	struct err got = { 0 };
	int p[2];

	ck_assert_int_eq(pipe(p), 0);
	err_set(&sent, ERR_UNSUPPORTED, "no such thing");
	ck_assert_int_eq(write(p[1], &sent, sizeof(sent)), 512);
	ck_assert_int_eq(read(p[0], &got, sizeof(got)), 512);
	ck_assert_int_eq(got.kind, ERR_UNSUPPORTED);
	ck_assert_str_eq(got.msg, "no such thing");
	close(p[0]);
	close(p[1]);
}
END_TEST

START_TEST(no_old_byte_stays_behind_the_message)
{
	struct err e;
	struct err clean = { .kind = ERR_INVALID, .msg = "short" };

	memset(&e, 'x', sizeof(e));
	err_set(&e, ERR_INVALID, "short");
	ck_assert_mem_eq(&e, &clean, sizeof(e));
	err_wrap(&e, "a long context to be seen later");
	err_set(&e, ERR_INVALID, "short");
	ck_assert_mem_eq(&e, &clean, sizeof(e));
}
END_TEST

START_TEST(every_kind_has_status_code_name_and_meaning)
{
	ck_assert_int_eq(err_http_status(ERR_NONE), 200);
	ck_assert_int_eq(err_exit_code(ERR_NONE), 0);
	for (int k = ERR_NONE + 1; k < ERR_KINDS_; k++) {
		ck_assert_int_ge(err_http_status(k), 400);
		ck_assert_int_le(err_http_status(k), 599);
		ck_assert_int_eq(err_exit_code(k), 125);
		ck_assert_uint_gt(strlen(err_kind_name(k)), 0);
		ck_assert_uint_gt(strlen(err_kind_meaning(k)), 0);
	}
	ck_assert_int_eq(err_http_status(ERR_NOT_FOUND), 404);
	ck_assert_int_eq(err_http_status(ERR_CONFLICT), 409);
	ck_assert_int_eq(err_http_status(ERR_UNSUPPORTED), 501);
}
END_TEST

START_TEST(a_kind_out_of_range_is_internal)
{
	ck_assert_int_eq(err_http_status((enum err_kind)77), 500);
	ck_assert_str_eq(err_kind_name((enum err_kind) - 1), "internal");
}
END_TEST

START_TEST(ignored_takes_any_error)
{
	ck_assert_int_eq(err_set(ERR_IGNORED, ERR_INVALID, "nobody reads this"), -1);
}
END_TEST

START_TEST(bug_aborts)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		close(STDERR_FILENO);
		BUG(1 + 1 == 2, "shown in every build");
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGABRT);
}
END_TEST

UNIT_MAIN("err", set_formats_kind_and_message, sys_appends_lower_case_reason_and_keeps_errno,
	  sys_keeps_acronyms_and_names_unknown_numbers, sys_finds_the_kind_by_errno,
	  wrap_puts_context_in_front, an_argument_may_be_the_message_itself,
	  long_messages_are_cut_not_overrun, crosses_a_pipe_in_one_write,
	  no_old_byte_stays_behind_the_message, every_kind_has_status_code_name_and_meaning,
	  a_kind_out_of_range_is_internal, ignored_takes_any_error, bug_aborts)
