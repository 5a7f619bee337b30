/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/instance.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "tests/unit/unit.h"

static struct arena *a;
static struct err e;

static struct instance reserved(const char *root, const char *id)
{
	struct instance i;

	a = arena_new();
	ck_assert_msg(instance_reserve(root, id, a, &i, &e) == 0, "%s", e.msg);
	i.record = arena_new_obj(a, struct instance_record);
	*i.record = (struct instance_record){
		.version = INSTANCE_VERSION,
		.oci_version = arena_strdup(a, "1.0.0"),
		.id = arena_strdup(a, id),
		.bundle = arena_strdup(a, "/b"),
		.rootfs = arena_strdup(a, "/b/rootfs"),
		.created = arena_strdup(a, "2026-11-29T08:15:49Z"),
	};
	ck_assert_msg(instance_save(&i, &e) == 0, "%s", e.msg);
	return i;
}

static enum instance_status status_of(const struct instance *i)
{
	enum instance_status s;

	ck_assert_msg(instance_status(i, &s, NULL, &e) == 0, "%s", e.msg);
	return s;
}

START_TEST(ids_are_names)
{
	static const char *const good[] = { "a", "A_b+c.d-9", "-x", "+", "_", "0" };
	static const char *const bad[] = { "", ".", "..", ".cache", "a/b", "a b", "a\n", "\xc3\xa4", "a:b", "a%b" };
	char longest[258];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		ck_assert_msg(instance_check_id(good[i], &e) == 0, "%s", e.msg);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(instance_check_id(bad[i], &e) < 0 && e.kind == ERR_INVALID, "'%s'", bad[i]);
	ck_assert_int_lt(instance_check_id(NULL, &e), 0);
	memset(longest, 'a', sizeof(longest));
	longest[256] = '\0';
	ck_assert_int_lt(instance_check_id(longest, &e), 0);
	longest[255] = '\0';
	ck_assert_int_eq(instance_check_id(longest, &e), 0);
}
END_TEST

START_TEST(an_id_is_reserved_once)
{
	const char *root = unit_dir();
	struct instance i = reserved(root, "x"), other;

	ck_assert_int_lt(instance_reserve(root, "x", a, &other, &e), 0);
	ck_assert_int_eq(e.kind, ERR_CONFLICT);
	ck_assert_ptr_nonnull(strstr(e.msg, "already exists"));
	ck_assert_int_eq(instance_remove(&i, &e), 0);
	ck_assert_int_lt(instance_open(root, "x", a, &other, &e), 0);
	ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(e.msg, "does not exist"));
	/* whoever had it open finds it removed */
	ck_assert_int_lt(instance_lock(&i, 0, &e), 0);
	ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
	instance_close(&i);
}
END_TEST

START_TEST(it_is_being_created_while_the_lock_is_held)
{
	const char *root = unit_dir();
	struct instance i = reserved(root, "x"), other;

	ck_assert_int_eq(instance_open(root, "x", a, &other, &e), 0);
	ck_assert_int_eq(status_of(&other), INSTANCE_CREATING);
	ck_assert_int_lt(instance_lock(&other, 0, &e), 0);
	ck_assert_int_eq(e.kind, ERR_TIMEOUT);
	instance_unlock(&i);
	/* cut off before it had a process */
	ck_assert_int_eq(status_of(&other), INSTANCE_STOPPED);
	ck_assert_int_eq(instance_lock(&other, 0, &e), 0);
	instance_close(&other);
	instance_close(&i);
}
END_TEST

START_TEST(one_without_a_record_can_be_opened)
{
	const char *root = unit_dir();
	struct instance i = reserved(root, "x"), other;

	ck_assert_int_eq(unlinkat(i.dir_fd, "state.json", 0), 0);
	instance_unlock(&i);
	ck_assert_int_eq(instance_open(root, "x", a, &other, &e), 0);
	ck_assert_ptr_null(other.record);
	ck_assert_int_eq(status_of(&other), INSTANCE_STOPPED);
	ck_assert_int_eq(instance_remove(&other, &e), 0);
	ck_assert_int_lt(instance_open(root, "x", a, &i, &e), 0);
}
END_TEST

START_TEST(the_record_says_what_was_written)
{
	const char *root = unit_dir();
	struct instance i = reserved(root, "x"), other;
	struct str_pair pair = { arena_strdup(a, "k"), arena_strdup(a, "v") };

	i.record->pid = 4194304;
	i.record->start_ticks = UINT64_MAX;
	i.record->own_pid_ns = true;
	i.record->annotations = (struct str_map){ &pair, 1 };
	ck_assert_int_eq(instance_save(&i, &e), 0);
	ck_assert_msg(instance_open(root, "x", a, &other, &e) == 0, "%s", e.msg);
	ck_assert_int_eq(other.record->pid, 4194304);
	ck_assert_uint_eq(other.record->start_ticks, UINT64_MAX);
	ck_assert(other.record->own_pid_ns);
	ck_assert_str_eq(other.record->annotations.v[0].value, "v");
	ck_assert_str_eq(other.record->bundle, "/b");
}
END_TEST

START_TEST(a_record_of_another_version_is_refused)
{
	const char *root = unit_dir();
	struct instance i = reserved(root, "x"), other;

	i.record->version = INSTANCE_VERSION + 1;
	ck_assert_int_eq(instance_save(&i, &e), 0);
	ck_assert_int_lt(instance_open(root, "x", a, &other, &e), 0);
	ck_assert_int_eq(e.kind, ERR_UNSUPPORTED);
}
END_TEST

START_TEST(created_is_who_has_the_fifo_open)
{
	const char *root = unit_dir();
	struct instance i = reserved(root, "x");
	int start = -1, report = -1, to_start = -1, from = -1;
	struct procid id;
	pid_t pid;

	ck_assert_msg(instance_make_fifos(&i, &start, &report, &e) == 0, "%s", e.msg);
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	ck_assert_int_eq(procid_of(pid, &id, &e), 0);
	i.record->pid = pid;
	i.record->start_ticks = id.start_ticks;
	i.record->boot = id.boot;
	ck_assert_int_eq(status_of(&i), INSTANCE_CREATING);
	instance_unlock(&i);
	close(start);
	close(report);
	ck_assert_int_eq(status_of(&i), INSTANCE_CREATED);
	ck_assert_int_eq(instance_open_fifos(&i, &to_start, &from, &e), 0);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(status_of(&i), INSTANCE_STOPPED);
	close(to_start);
	close(from);
	ck_assert_int_lt(instance_open_fifos(&i, &to_start, &from, &e), 0);
	ck_assert_int_eq(e.kind, ERR_CONFLICT);
	/* one that lives, and has it open no more, runs */
	ck_assert_int_eq(procid_of(getpid(), &id, &e), 0);
	i.record->pid = getpid();
	i.record->start_ticks = id.start_ticks;
	ck_assert_int_eq(status_of(&i), INSTANCE_RUNNING);
}
END_TEST

START_TEST(filters_are_kept_where_nobody_else_can_write)
{
	const char *root = unit_dir();

	a = arena_new();
	ck_assert_int_eq(chmod(root, 01755), 0);
	ck_assert_str_eq(instance_filters_dir(root, a), arena_printf(a, "%s/.filters", root));
	ck_assert_int_lt(instance_check_id(".filters", &e), 0);
	ck_assert_int_eq(chmod(root, 0775), 0);
	ck_assert_ptr_null(instance_filters_dir(root, a));
	ck_assert_int_eq(chmod(root, 01777), 0);
	ck_assert_ptr_null(instance_filters_dir(root, a));
	ck_assert_int_eq(chmod(root, 0700), 0);
	ck_assert_ptr_null(instance_filters_dir(arena_printf(a, "%s/nosuch", root), a));
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(root, 65534, 65534), 0);
		ck_assert_ptr_null(instance_filters_dir(root, a));
		ck_assert_int_eq(chown(root, 0, 0), 0);
	}
	arena_free(a);
}
END_TEST

START_TEST(one_of_another_user_is_looked_at_and_not_touched)
{
	const char *root = unit_dir();
	struct instance i = reserved(root, "x"), other = INSTANCE_EMPTY;

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(fchown(i.dir_fd, 1000, 1000), 0);
	ck_assert_int_lt(instance_open(root, "x", a, &other, &e), 0);
	ck_assert_int_eq(e.kind, ERR_DENIED);
	ck_assert_int_lt(instance_find(root, "x", a, &other, &e), 0);
	ck_assert_int_eq(instance_look(root, "x", a, &other, &e), 0);
	instance_close(&other);
	instance_close(&i);
	arena_free(a);
}
END_TEST

UNIT_MAIN("instance", one_of_another_user_is_looked_at_and_not_touched, filters_are_kept_where_nobody_else_can_write, ids_are_names, an_id_is_reserved_once, it_is_being_created_while_the_lock_is_held,
	  one_without_a_record_can_be_opened, the_record_says_what_was_written, a_record_of_another_version_is_refused,
	  created_is_who_has_the_fifo_open)
