/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/process_table.h"

#include "base/own.h"
#include "tests/unit/unit.h"

static struct err e;
static struct strbuf out;

static const char *picked(const char *table, pid_t pid)
{
	const pid_t pids[] = { 7, pid };
	AUTO_FREE char *text = xstrdup(table);

	strbuf_reset(&out);
	return process_table_pick(text, pids, 2, &out, &e) == 0 ? strbuf_cstr(&out) : NULL;
}

START_TEST(lines_of_these_processes_stay)
{
	ck_assert_str_eq(picked("UID        PID  CMD\nroot        12  a 13\nroot 13 b 12\n", 12), "UID        PID  CMD\nroot        12  a 13\n");
	ck_assert_str_eq(picked("PID\n1\n 7\n", 12), "PID\n 7\n");
}
END_TEST

START_TEST(a_heading_that_only_contains_it_is_another_column)
{
	ck_assert_str_eq(picked("PPID PID\n12 1\n1 12\n", 12), "PPID PID\n1 12\n");
}
END_TEST

START_TEST(without_the_column_it_is_refused)
{
	ck_assert_ptr_null(picked("USER PPID\nroot 12\n", 12));
	ck_assert_int_eq(e.kind, ERR_INVALID);
	ck_assert_ptr_null(picked("", 12));
}
END_TEST

START_TEST(short_and_strange_lines_are_left_out)
{
	ck_assert_str_eq(picked("A B PID\nx\n\nx y 12345678901234567890\nx y z\nx y 12", 12), "A B PID\nx y 12\n");
	strbuf_done(&out);
}
END_TEST

UNIT_MAIN("process_table", lines_of_these_processes_stay, a_heading_that_only_contains_it_is_another_column,
	  without_the_column_it_is_refused, short_and_strange_lines_are_left_out)
