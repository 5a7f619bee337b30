/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "cli/opt.h"

struct values { bool all, quiet; const char *name; struct str_list env; };
static const struct opt opts[] = {
	{ 'a', "all", OPT_BOOL, offsetof(struct values, all), NULL, "all of them" },
	{ 'q', "quiet", OPT_BOOL, offsetof(struct values, quiet), NULL, "less" },
	{ 'n', "name", OPT_STRING, offsetof(struct values, name), "NAME", "a name" },
	{ 'e', "env", OPT_LIST, offsetof(struct values, env), "K=V", "a variable" },
	{ 0 },
};

static struct values v;
static int first;
static bool wants_help;
static struct err e;
static struct arena *a;

static int parse(int argc, const char *const *argv)
{
	a = arena_new();
	memset(&v, 0, sizeof(v));
	memset(&e, 0, sizeof(e));
	return opt_parse(opts, argc, (char **)argv, a, &v, &first, &wants_help, &e);
}

START_TEST(every_spelling_of_an_option)
{
	static const char *const argv[] = { "-aq", "--name=x", "-e", "A=1", "-eB=2", "--env", "C=3", "image", "-a" };

	ck_assert_int_eq(parse(9, argv), 0);
	ck_assert(v.all && v.quiet);
	ck_assert_str_eq(v.name, "x");
	ck_assert_uint_eq(v.env.n, 3);
	ck_assert_str_eq(v.env.v[0], "A=1");
	ck_assert_str_eq(v.env.v[1], "B=2");
	ck_assert_str_eq(v.env.v[2], "C=3");
	ck_assert_int_eq(first, 7);
	arena_free(a);
}
END_TEST

START_TEST(two_dashes_end_the_options)
{
	static const char *const argv[] = { "-a", "--", "-q" };

	ck_assert_int_eq(parse(3, argv), 0);
	ck_assert(v.all && !v.quiet);
	ck_assert_int_eq(first, 2);
	arena_free(a);
}
END_TEST

START_TEST(what_is_wrong_is_named)
{
	static const struct { const char *argv[2]; int n; const char *part; } cases[] = {
		{ { "--nosuch" }, 1, "--nosuch" }, { { "-x" }, 1, "-x" }, { { "--name" }, 1, "--name" }, { { "-n" }, 1, "-n" },
		{ { "--all=maybe" }, 1, "maybe" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_int_eq(parse(cases[i].n, cases[i].argv), -1);
		ck_assert_int_eq(e.kind, ERR_INVALID);
		ck_assert_msg(strstr(e.msg, cases[i].part) != NULL, "%s", e.msg);
		arena_free(a);
	}
}
END_TEST

START_TEST(a_flag_takes_true_and_false)
{
	static const char *const argv[] = { "--all", "--all=false", "--quiet=true" };

	ck_assert_int_eq(parse(3, argv), 0);
	ck_assert(!v.all && v.quiet);
	arena_free(a);
}
END_TEST

START_TEST(help_lists_every_option)
{
	static const struct command cmd = { "x", "[OPTIONS]", "Does x", opts, NULL };
	AUTO_STRBUF struct strbuf out = {0};

	opt_help(&cmd, &out);
	for (const struct opt *o = opts; o->name; o++)
		ck_assert_msg(strstr(out.data, o->name) && strstr(out.data, o->help), "%s is not in the help", o->name);
}
END_TEST

UNIT_MAIN("opt", every_spelling_of_an_option, two_dashes_end_the_options, what_is_wrong_is_named, a_flag_takes_true_and_false,
	  help_lists_every_option)
