/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include <signal.h>

#include "base/signame.h"

START_TEST(names_numbers_and_case)
{
	static const struct { const char *text; int signo; } cases[] = {
		{ "TERM", SIGTERM }, { "SIGTERM", SIGTERM }, { "sigterm", SIGTERM }, { "15", 15 }, { "KILL", 9 },
		{ "RTMIN", 34 }, { "RTMIN+3", 37 }, { "SIGRTMAX-1", 63 }, { "64", 64 },
		{ "", -1 }, { "0", -1 }, { "65", -1 }, { "-9", -1 }, { "SIG", -1 }, { "NOSUCH", -1 }, { "RTMIN+99", -1 }, { "15 ", -1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(signame_parse(cases[i].text) == cases[i].signo, "'%s' gave %d", cases[i].text,
			      signame_parse(cases[i].text));
}
END_TEST

START_TEST(text_of_a_signal)
{
	char out[16];

	ck_assert_str_eq(signame_text(SIGTERM, out), "SIGTERM");
	ck_assert_str_eq(signame_text(36, out), "SIGRTMIN+2");
}
END_TEST

UNIT_MAIN("signame", names_numbers_and_case, text_of_a_signal)
