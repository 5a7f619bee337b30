/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/rtnetlink.h"

#include <errno.h>

#include "base/own.h"
#include "tests/unit/unit.h"

static bool take_index(void *ctx, const void *body, const struct rtattr *attrs, size_t n)
{
	struct ifinfomsg link;

	(void)attrs;
	(void)n;
	memcpy(&link, body, sizeof(link));
	*(int *)ctx = link.ifi_index;
	return true;
}

static bool take_none(void *ctx, const void *body, const struct rtattr *attrs, size_t n)
{
	(void)ctx;
	(void)body;
	(void)attrs;
	(void)n;
	return false;
}

static int ask(int sock, const char *name, rt_answer_fn fn, int *index)
{
	struct rt_msg m;

	rt_begin(&m, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
	rt_put(&m, IFLA_IFNAME, name, strlen(name) + 1);
	return rt_call(sock, &m, sizeof(struct ifinfomsg), fn, index);
}

START_TEST(the_kernel_answers_or_says_why_not)
{
	AUTO_CLOSE int sock = -1;
	struct err e = { 0 };
	struct rt_msg m;
	int index = 0;

	ck_assert_msg(rt_open(&sock, &e) == 0, "%s", e.msg);
	ck_assert_int_eq(ask(sock, "lo", take_index, &index), 0);
	ck_assert_int_eq(index, 1);
	ck_assert_int_lt(ask(sock, "nosuch", take_index, &index), 0);
	ck_assert_int_eq(errno, ENODEV);
	/* one who has had enough is not asked again */
	ck_assert_int_lt(ask(sock, "lo", take_none, &index), 0);
	ck_assert_int_eq(errno, E2BIG);
	close_fd(&sock);
	ck_assert_msg(rt_open(&sock, &e) == 0, "%s", e.msg);
	rt_begin(&m, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));
	ck_assert_int_eq(rt_call(sock, &m, sizeof(struct ifaddrmsg), NULL, NULL), 0);
}
END_TEST

UNIT_MAIN("rtnetlink", the_kernel_answers_or_says_why_not)
