/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/proto.h"

#include "tests/unit/unit.h"

static union {
	struct msg_head head;
	struct msg_hello hello;
	struct msg_launch launch;
	struct msg_clean clean;
	struct msg_failed failed;
	struct msg_exited exited;
	struct msg_attach attach;
	struct msg_resize resize;
	char bytes[PROTO_MAX_BYTES];
} u;

static void make(enum msg_type type, size_t n)
{
	memset(&u, 0, sizeof u);
	u.head = proto_head(type, n);
}

static int check(size_t n)
{
	struct err e = { 0 };
	int rc = proto_check(&u, n, &e);

	if (rc < 0)
		ck_assert_int_eq(e.kind, ERR_INVALID);
	return rc;
}

START_TEST(whole_messages_of_every_type_pass)
{
	for (unsigned type = MSG_HELLO; type < MSG_TYPES_; type++) {
		make(type, proto_min_bytes_(type));
		ck_assert_int_eq(check(proto_min_bytes_(type)), (int)type);
	}
}
END_TEST

START_TEST(short_messages_of_every_type_are_refused)
{
	for (unsigned type = MSG_HELLO; type < MSG_TYPES_; type++) {
		for (size_t n = 0; n < proto_min_bytes_(type); n++) {
			make(type, n);
			ck_assert_int_eq(check(n), -1);
		}
	}
}
END_TEST

START_TEST(a_length_that_lies_is_refused)
{
	make(MSG_STATUS, 100);
	ck_assert_int_eq(check(8), -1);
	make(MSG_RESIZE, 8);
	ck_assert_int_eq(check(sizeof(struct msg_resize)), -1);
}
END_TEST

START_TEST(unknown_types_and_versions_are_refused)
{
	make(MSG_TYPES_, 8);
	ck_assert_int_eq(check(8), -1);
	make(0, 8);
	ck_assert_int_eq(check(8), -1);
	make(MSG_STATUS, 8);
	u.head.version = PROTO_VERSION + 1;
	ck_assert_int_eq(check(8), -1);
	u.head.version = 0;
	ck_assert_int_eq(check(8), -1);
}
END_TEST

START_TEST(counts_must_agree_with_the_length)
{
	size_t n = offsetof(struct msg_attach, prefix) + 10;

	make(MSG_ATTACH, n);
	u.attach.n_prefix = 10;
	ck_assert_int_eq(check(n), MSG_ATTACH);
	u.attach.n_prefix = 11;
	ck_assert_int_eq(check(n), -1);
	u.attach.n_prefix = 9;
	ck_assert_int_eq(check(n), -1);
	n = offsetof(struct msg_exited, captured) + 10;
	make(MSG_EXITED, n);
	u.exited.n_captured = 10;
	ck_assert_int_eq(check(n), MSG_EXITED);
	u.exited.n_captured = UINT32_MAX;
	ck_assert_int_eq(check(n), -1);
}
END_TEST

START_TEST(texts_that_do_not_end_are_refused)
{
	make(MSG_LAUNCH, sizeof u.launch);
	memset(u.launch.id, 'a', sizeof u.launch.id);
	ck_assert_int_eq(check(sizeof u.launch), -1);
	make(MSG_CLEAN, sizeof u.clean);
	memset(u.clean.cgroup_path, 'a', sizeof u.clean.cgroup_path);
	ck_assert_int_eq(check(sizeof u.clean), -1);
	make(MSG_HELLO, sizeof u.hello);
	memset(u.hello.build, 'a', sizeof u.hello.build);
	ck_assert_int_eq(check(sizeof u.hello), -1);
	make(MSG_FAILED, sizeof u.failed);
	memset(u.failed.err.msg, 'a', sizeof u.failed.err.msg);
	ck_assert_int_eq(check(sizeof u.failed), -1);
	make(MSG_ATTACH, offsetof(struct msg_attach, prefix));
	memset(u.attach.detach_keys, 'a', sizeof u.attach.detach_keys);
	ck_assert_int_eq(check(offsetof(struct msg_attach, prefix)), -1);
}
END_TEST

UNIT_MAIN("proto", whole_messages_of_every_type_pass, short_messages_of_every_type_are_refused,
	  a_length_that_lies_is_refused, unknown_types_and_versions_are_refused,
	  counts_must_agree_with_the_length, texts_that_do_not_end_are_refused)
