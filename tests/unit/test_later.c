/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/later.h"

#include "tests/unit/unit.h"

struct fixture {
	struct engine eng;
	_Atomic int n_worked; /* by more than one thread at once */
	int n_done, n_dropped;
};

static void work(void *ctx)
{
	((struct fixture *)ctx)->n_worked++;
}

static void done(void *ctx)
{
	struct fixture *f = ctx;

	f->n_done++;
	loop_stop(f->eng.loop);
}

static void drop(void *ctx)
{
	((struct fixture *)ctx)->n_dropped++;
}

static struct fixture *begin(void)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct err e = { 0 };

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(loop_new(&f->eng.loop, &e), 0);
	return f;
}

START_TEST(answers_come)
{
	struct fixture *f = begin();

	later_work(&f->eng, LOOP_JOB_SHORT, work, done, drop, f);
	loop_run(f->eng.loop);
	later_defer(&f->eng, done, f);
	loop_run(f->eng.loop);
	ck_assert_int_eq(f->n_worked, 1);
	ck_assert_int_eq(f->n_done, 2);
	ck_assert_int_eq(f->n_dropped, 0);
	ck_assert_ptr_null(f->eng.laters);
	loop_free(f->eng.loop);
	free(f);
}
END_TEST

START_TEST(after_the_engine_they_are_dropped)
{
	struct fixture *f = begin();

	for (int i = 0; i < 3; i++)
		later_work(&f->eng, LOOP_JOB_LONG, work, done, drop, f);
	later_defer(&f->eng, done, f);
	later_forget(&f->eng);
	loop_free(f->eng.loop);
	ck_assert_int_eq(f->n_done, 0);
	ck_assert_int_ge(f->n_dropped, 1);
	ck_assert_int_le(f->n_dropped, 3);
	free(f);
}
END_TEST

UNIT_MAIN("later", answers_come, after_the_engine_they_are_dropped)
