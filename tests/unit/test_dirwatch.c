/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/dirwatch.h"

#include <dirent.h>
#include <fcntl.h>

#include "base/own.h"
#include "tests/unit/unit.h"

#define MANY 1000

static struct loop *loop;

struct heard {
	struct dirwatch *w;
	int n;
	bool ends;            /* with the first call */
	struct heard *other;  /* ended inside our call; NULL: none */
};

static void on_change(void *ctx)
{
	struct heard *h = ctx;

	h->n++;
	if (h->other)
		dirwatch_free(TAKE_PTR(h->other->w));
	if (h->ends)
		dirwatch_free(TAKE_PTR(h->w));
}

static void stop(void *ctx)
{
	(void)ctx;
	loop_stop(loop);
}

/* Long enough for what was written before to be heard. */
static void turn(void)
{
	struct loop_timer *t = loop_timer_new(loop, "stop", stop, NULL);

	loop_timer_start(t, 50, 0);
	loop_run(loop);
	loop_timer_free(t);
}

static void touch(const char *dir, const char *name)
{
	AUTO_FREE char *path = xasprintf("%s/%s", dir, name);
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_eq(write(fd, "x", 1), 1);
}

static size_t n_open(void)
{
	AUTO_DIR DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(d))
		n++;
	return n;
}

static void watch(const char *dir, struct heard *h)
{
	struct err e = { 0 };

	ck_assert_msg(dirwatch_new(loop, dir, on_change, h, &h->w, &e) == 0, "%s", e.msg);
}

START_TEST(each_hears_of_its_own_directory)
{
	struct heard a = { 0 }, again = { 0 }, b = { 0 };
	AUTO_FREE char *dir = xasprintf("%s/a", unit_dir());
	AUTO_FREE char *other = xasprintf("%s/b", unit_dir());
	struct err e = { 0 };

	ck_assert_int_eq(loop_new(&loop, &e), 0);
	mkdir(dir, 0700);
	mkdir(other, 0700);
	watch(dir, &a);
	watch(dir, &again);
	watch(other, &b);
	touch(dir, "one");
	turn();
	ck_assert_int_gt(a.n, 0);
	ck_assert_int_eq(a.n, again.n);
	ck_assert_int_eq(b.n, 0);
	/* The other one of the same directory goes on hearing. */
	dirwatch_free(a.w);
	a.n = again.n = 0;
	touch(dir, "two");
	touch(other, "three");
	turn();
	ck_assert_int_eq(a.n, 0);
	ck_assert_int_gt(again.n, 0);
	ck_assert_int_gt(b.n, 0);
	dirwatch_free(again.w);
	dirwatch_free(b.w);
	loop_free(loop);
}
END_TEST

START_TEST(they_may_end_inside_a_call)
{
	struct heard a = { 0 }, b = { .ends = true }, c = { 0 };
	const char *dir = unit_dir();
	struct err e = { 0 };

	ck_assert_int_eq(loop_new(&loop, &e), 0);
	watch(dir, &a);
	watch(dir, &b);
	watch(dir, &c);   /* called first */
	c.other = &a;
	touch(dir, "f");
	turn();
	ck_assert_int_eq(a.n, 0);
	ck_assert_int_gt(b.n, 0);
	ck_assert_int_gt(c.n, 0);
	ck_assert_ptr_null(a.w);
	ck_assert_ptr_null(b.w);
	c.other = NULL;
	dirwatch_free(c.w);
	loop_free(loop);
}
END_TEST

START_TEST(a_thousand_cost_one_descriptor)
{
	static struct heard all[MANY];
	const char *dir = unit_dir();
	struct err e = { 0 };
	size_t before;

	ck_assert_int_eq(loop_new(&loop, &e), 0);
	before = n_open();
	for (size_t i = 0; i < MANY; i++)
		watch(dir, &all[i]);
	ck_assert_uint_eq(n_open(), before + 1);
	touch(dir, "f");
	turn();
	for (size_t i = 0; i < MANY; i++) {
		ck_assert_int_gt(all[i].n, 0);
		dirwatch_free(all[i].w);
	}
	ck_assert_uint_eq(n_open(), before);
	loop_free(loop);
}
END_TEST

START_TEST(a_directory_that_is_not_there_is_not_found)
{
	struct heard a = { 0 };
	struct err e = { 0 };
	size_t before;

	ck_assert_int_eq(loop_new(&loop, &e), 0);
	before = n_open();
	ck_assert_int_eq(dirwatch_new(loop, "/nowhere/at/all", on_change, &a, &a.w, &e), -1);
	ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
	ck_assert_uint_eq(n_open(), before);
	loop_free(loop);
}
END_TEST

UNIT_MAIN("dirwatch", each_hears_of_its_own_directory, they_may_end_inside_a_call, a_thousand_cost_one_descriptor,
	  a_directory_that_is_not_there_is_not_found)
