/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/slots.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "tests/unit/unit.h"

static struct slots table;

static struct slot *take(const char *id, bool is_exec, pid_t monitor)
{
	struct err e = { 0 };
	size_t i;

	ck_assert_int_eq(slots_take(&table, id, is_exec, open("/dev/null", O_RDONLY | O_CLOEXEC), &i, &e), 0);
	table.v[i].monitor = monitor;
	return &table.v[i];
}

START_TEST(a_slot_is_found_by_monitor_and_by_program)
{
	struct err e = { 0 };
	struct slot *a;

	ck_assert_int_eq(slots_init(&table, &e), 0);
	take("a", false, 100);
	take("b", false, 200);
	a = slots_by_monitor(&table, 100);
	ck_assert_str_eq(a->id, "a");
	a->page->marks.init = 101;
	ck_assert_ptr_eq(slots_by_init(&table, 101), slots_by_monitor(&table, 100));
	ck_assert(slots_is_running(&table, "a"));
	atomic_store(&a->page->is_recorded, 1);
	ck_assert_ptr_null(slots_by_init(&table, 101));
	ck_assert(!slots_is_running(&table, "a"));
	ck_assert(slots_is_running(&table, "b"));
	ck_assert_ptr_null(slots_by_monitor(&table, 300));
}
END_TEST

START_TEST(a_freed_slot_is_used_again_with_an_empty_page)
{
	struct err e = { 0 };
	struct slot *s;

	ck_assert_int_eq(slots_init(&table, &e), 0);
	s = take("a", false, 100);
	s->page->marks.init = 5;
	atomic_store(&s->page->is_recorded, 1);
	slots_free(&table, s);
	ck_assert_uint_eq(table.n_in_use, 0);
	ck_assert_ptr_null(slots_by_monitor(&table, 100));
	s = take("b", false, 200);
	ck_assert_uint_eq(table.n, 1);
	ck_assert_int_eq(s->page->marks.init, 0);
	ck_assert_uint_eq(atomic_load(&s->page->is_recorded), 0);
}
END_TEST

START_TEST(containers_and_execs_of_one_id_are_different)
{
	struct err e = { 0 };

	ck_assert_int_eq(slots_init(&table, &e), 0);
	take("a", false, 100);
	take("a", true, 101);
	take("a", false, 102);
	ck_assert_uint_eq(slots_count(&table, "a", false), 2);
	ck_assert_uint_eq(slots_count(&table, "a", true), 1);
	ck_assert_uint_eq(slots_count(&table, "b", true), 0);
}
END_TEST

START_TEST(a_monitor_shares_its_own_page_and_no_other)
{
	struct slot_page *mine, *other;
	struct err e = { 0 };
	int status;
	pid_t pid;

	ck_assert_int_eq(slots_init(&table, &e), 0);
	take("a", false, 100);
	take("b", false, 101);
	mine = slots_by_monitor(&table, 100)->page;
	other = slots_by_monitor(&table, 101)->page;
	pid = fork();
	if (pid == 0) {
		slots_keep_only(&table, 0);
		mine->marks.init = 7;
		_exit(msync(other, SLOT_PAGE_BYTES, MS_ASYNC) == 0 || errno != ENOMEM);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(mine->marks.init, 7);
	ck_assert_int_eq(other->marks.init, 0);
}
END_TEST

START_TEST(the_table_is_bounded)
{
	struct err e = { 0 };
	size_t i;

	ck_assert_int_eq(slots_init(&table, &e), 0);
	for (int n = 0; n < SLOTS_MAX; n++)
		ck_assert_int_eq(slots_take(&table, "x", false, -1, &i, &e), 0);
	ck_assert_int_eq(slots_take(&table, "x", false, -1, &i, &e), -1);
	ck_assert_int_eq(e.kind, ERR_CONFLICT);
}
END_TEST

UNIT_MAIN("slots", a_slot_is_found_by_monitor_and_by_program,
	  a_freed_slot_is_used_again_with_an_empty_page, containers_and_execs_of_one_id_are_different,
	  a_monitor_shares_its_own_page_and_no_other, the_table_is_bounded)
