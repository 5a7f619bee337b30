/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/front.h"

#include <stdlib.h>

#include "base/own.h"
#include "runtime/rootless.h"
#include "tests/unit/unit.h"

static struct err e;

START_TEST(every_command_has_its_help)
{
	AUTO_STRBUF struct strbuf all = { 0 };

	front_help(&all);
	for (size_t i = 0; front_commands[i] != NULL; i++) {
		const struct front_command *c = front_commands[i];
		AUTO_STRBUF struct strbuf out = { 0 };

		ck_assert_ptr_eq(front_find(c->name), c);
		ck_assert(!str_is_empty(c->help));
		if (c->run == NULL)
			continue;
		front_help_command(c, &out);
		ck_assert_ptr_nonnull(strstr(out.data, c->help));
		ck_assert_ptr_nonnull(strstr(all.data, c->help));
		for (const struct opt *o = opt_next(&c->opts, NULL); o != NULL; o = opt_next(&c->opts, o)) {
			ck_assert_msg(o->offset < c->options_size, "%s --%s", c->name, o->name);
			ck_assert_msg(o->is_hidden || strstr(out.data, o->name) != NULL, "%s --%s", c->name, o->name);
		}
	}
	ck_assert_ptr_null(front_find("nosuch"));
}
END_TEST

START_TEST(the_root_is_absolute)
{
	AUTO_ARENA struct arena *a = arena_new();
	const char *dir = unit_dir(), *root;
	struct stat st;
	char want[256];

	ck_assert_int_eq(front_root("/x", a, &root, &e), 0);
	ck_assert_str_eq(root, "/x");
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_int_eq(front_root("y", a, &root, &e), 0);
	snprintf(want, sizeof(want), "%s/y", dir);
	ck_assert_str_eq(root, want);
	ck_assert_int_lt(front_root("", a, &root, &e), 0);
	setenv("XDG_RUNTIME_DIR", dir, 1);
	rootless_setup();
	ck_assert_msg(front_root(NULL, a, &root, &e) == 0, "%s", e.msg);
	if (geteuid() == 0) {
		ck_assert_str_eq(root, "/run/kiln-runtime");
		return;
	}
	/* the sticky bit keeps it from being cleaned up */
	ck_assert_int_eq(stat(root, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 01700);
}
END_TEST

START_TEST(the_root_of_a_user_is_that_users)
{
	AUTO_ARENA struct arena *a = arena_new();
	const char *dir = unit_dir(), *root;
	AUTO_FREE char *own = xasprintf("%s/kiln-runtime", dir), *other = xasprintf("%s/other", dir), *above = xstrdup(dir);
	struct stat st;

	if (geteuid() != 0)
		return;
	*strrchr(above, '/') = '\0';
	ck_assert_int_eq(chmod(above, 0711), 0);
	ck_assert_int_eq(chmod(dir, 0777), 0);
	ck_assert_int_eq(mkdir(own, 0777), 0);
	ck_assert_int_eq(mkdir(other, 0755), 0);
	ck_assert_int_eq(chown(other, 1000, 1000), 0);
	ck_assert_int_eq(setresuid(1000, 1000, 1000), 0);
	rootless_setup();
	setenv("XDG_RUNTIME_DIR", dir, 1);
	ck_assert_int_lt(front_root(NULL, a, &root, &e), 0);
	ck_assert_int_eq(e.kind, ERR_DENIED);
	/* nor has somebody else chosen which one */
	ck_assert_int_eq(rmdir(own), 0);
	ck_assert_int_eq(symlink(other, own), 0);
	ck_assert_int_lt(front_root(NULL, a, &root, &e), 0);
	ck_assert_int_eq(stat(other, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0755);
	ck_assert_int_eq(unlink(own), 0);
	ck_assert_int_eq(front_root(NULL, a, &root, &e), 0);
	ck_assert_str_eq(root, own);
}
END_TEST

UNIT_MAIN("front", every_command_has_its_help, the_root_is_absolute, the_root_of_a_user_is_that_users)
