/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ports.h"

#include "tests/unit/unit.h"

static char any[] = "0.0.0.0", six[] = "::", tcp[] = "tcp", udp[] = "udp", none[] = "";

#define SHOWN(...) shown((struct port[]){ __VA_ARGS__ }, sizeof((struct port[]){ __VA_ARGS__ }) / sizeof(struct port))
static const char *shown(struct port *ports, size_t n)
{
	static struct strbuf out;

	strbuf_reset(&out);
	ports_print(&out, ports, n);
	return strbuf_cstr(&out);
}

START_TEST(ports_are_sorted_and_those_that_are_moved_come_last)
{
	ck_assert_str_eq(SHOWN({ any, tcp, 80, 8080 }, { six, tcp, 80, 8080 }, { NULL, tcp, 443, 0 }), "443/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp");
	ck_assert_str_eq(SHOWN({ none, udp, 53, 0 }, { none, tcp, 53, 0 }), "53/tcp, 53/udp");
}
END_TEST

START_TEST(ports_that_follow_each_other_are_a_range)
{
	ck_assert_str_eq(SHOWN({ any, tcp, 8001, 8001 }, { any, tcp, 8000, 8000 }, { any, tcp, 8002, 8002 }), "0.0.0.0:8000-8002->8000-8002/tcp");
	ck_assert_str_eq(SHOWN({ NULL, tcp, 1, 0 }, { NULL, tcp, 2, 0 }, { NULL, tcp, 4, 0 }, { NULL, udp, 2, 0 }), "1-2/tcp, 4/tcp, 2/udp");
}
END_TEST

START_TEST(any_numbers_are_shown)
{
	ck_assert_str_eq(shown(NULL, 0), "");
	ck_assert_str_eq(SHOWN({ NULL, NULL, INT64_MAX, 0 }, { NULL, NULL, INT64_MIN, 0 }), "-9223372036854775808/tcp, 9223372036854775807/tcp");
}
END_TEST

UNIT_MAIN("ports", ports_are_sorted_and_those_that_are_moved_come_last, ports_that_follow_each_other_are_a_range, any_numbers_are_shown)
