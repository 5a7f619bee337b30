/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "base/opt.h"

struct values {
	bool all, quiet;
	const char *name, *old;
	struct str_list env;
	struct opt_bool init;
	struct opt_i64 count, memory, interval, cpus;
};
static const struct opt first_rows[] = {
	OPT_FLAG(struct values, all, 'a', "all", "all of them"),
	OPT_FLAG(struct values, quiet, 'q', "quiet", "less"),
	OPT_TEXT(struct values, name, 'n', "name", "NAME", "a name", .json = "Name"),
	OPT_TEXTS(struct values, env, 'e', "env", "K=V", "a variable", .json = "Env"),
	OPT_END,
};
static const struct opt second_rows[] = {
	OPT_SWITCH(struct values, init, 0, "init", "an init", .json = "Host.Init"),
	OPT_NUMBER(struct values, count, 'c', "count", "N", "how many", .json = "Host.Count"),
	OPT_SIZE(struct values, memory, 'm', "memory", "a size", .json = "Host.Memory"),
	OPT_TIME(struct values, interval, 0, "interval", "a time"),
	OPT_BILLIONTHS(struct values, cpus, 0, "cpus", "N", "a decimal"),
	OPT_REFUSED_VALUE('p', "publish", "there are no ports"),
	OPT_REFUSED_FLAG(0, "gpus", "there are none"),
	OPT_END,
};
static const struct opt_tables tables = { { first_rows, second_rows } };

static struct values v;
static struct str_list args;
static bool wants_help, is_mixed = true;
static struct err e;
static struct arena *a;

static int parse_list(const char *const *argv)
{
	struct str_list l = { (char **)argv, 0 };

	while (argv[l.n])
		l.n++;
	arena_free(a);
	a = arena_new();
	memset(&v, 0, sizeof(v));
	memset(&e, 0, sizeof(e));
	return opt_parse(&tables, is_mixed, &l, a, &v, &args, &wants_help, &e);
}
#define PARSE(...) parse_list((const char *const[]){ __VA_ARGS__, NULL })

START_TEST(every_spelling_of_an_option)
{
	ck_assert_int_eq(PARSE("-aq", "--name=x", "-e", "A=1", "-eB=2", "--env", "C=3", "-e=D", "-c7", "image"), 0);
	ck_assert(v.all && v.quiet);
	ck_assert_str_eq(v.name, "x");
	ck_assert_uint_eq(v.env.n, 4);
	ck_assert_str_eq(v.env.v[0], "A=1");
	ck_assert_str_eq(v.env.v[1], "B=2");
	ck_assert_str_eq(v.env.v[2], "C=3");
	ck_assert_str_eq(v.env.v[3], "D");
	ck_assert(v.count.set && v.count.v == 7);
	ck_assert_uint_eq(args.n, 1);
	ck_assert_str_eq(args.v[0], "image");
}
END_TEST

START_TEST(options_and_arguments_mix)
{
	ck_assert_int_eq(PARSE("one", "-a", "two", "--", "-q"), 0);
	ck_assert(v.all && !v.quiet);
	ck_assert_uint_eq(args.n, 3);
	ck_assert_str_eq(args.v[2], "-q");
}
END_TEST

START_TEST(another_command_line_is_not_looked_at)
{
	is_mixed = false;
	ck_assert_int_eq(PARSE("-a", "image", "-q", "--nosuch"), 0);
	ck_assert(v.all && !v.quiet);
	ck_assert_uint_eq(args.n, 3);
	ck_assert_int_eq(PARSE("--", "-q"), 0);
	ck_assert(!v.quiet);
	ck_assert_str_eq(args.v[0], "-q");
	is_mixed = true;
}
END_TEST

START_TEST(values_have_types)
{
	ck_assert_int_eq(PARSE("--memory", "64m", "--interval", "1m30s", "--cpus", "0.5", "--init=false", "--count=-3"), 0);
	ck_assert_int_eq(v.memory.v, 64 << 20);
	ck_assert_int_eq(v.interval.v, 90000000000);
	ck_assert_int_eq(v.cpus.v, 500000000);
	ck_assert(v.init.set && !v.init.v);
	ck_assert_int_eq(v.count.v, -3);
}
END_TEST

START_TEST(a_flag_takes_true_and_false)
{
	ck_assert_int_eq(PARSE("--all", "--all=false", "--quiet=1", "-a=t", "-a=0"), 0);
	ck_assert(!v.all && v.quiet);
	ck_assert(!v.init.set);
}
END_TEST

START_TEST(what_is_wrong_is_named)
{
	static const struct { const char *argv[3]; const char *part; enum err_kind kind; } cases[] = {
		{ { "--nosuch" }, "unknown flag: --nosuch", ERR_INVALID },
		{ { "-ax" }, "unknown shorthand flag: 'x' in -ax", ERR_INVALID },
		{ { "--name" }, "flag needs an argument: --name", ERR_INVALID },
		{ { "-n" }, "flag needs an argument: 'n' in -n", ERR_INVALID },
		{ { "--all=maybe" }, "invalid argument \"maybe\" for \"-a, --all\" flag", ERR_INVALID },
		{ { "--memory", "x" }, "invalid argument \"x\" for \"-m, --memory\" flag: invalid size: 'x'", ERR_INVALID },
		{ { "--interval", "5" }, "for \"--interval\" flag: invalid duration", ERR_INVALID },
		{ { "--count", "1x" }, "expected a whole number", ERR_INVALID },
		{ { "-p", "80" }, "option '--publish' is refused: there are no ports", ERR_UNSUPPORTED },
		{ { "--gpus" }, "option '--gpus' is refused", ERR_UNSUPPORTED },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_int_eq(parse_list(cases[i].argv), -1);
		ck_assert_int_eq(e.kind, cases[i].kind);
		ck_assert_msg(strstr(e.msg, cases[i].part) != NULL, "%s", e.msg);
	}
}
END_TEST

START_TEST(help_is_seen)
{
	ck_assert_int_eq(PARSE("-a", "--help", "--nosuch"), 0);
	ck_assert(wants_help);
	ck_assert_int_eq(PARSE("-h"), 0);
	ck_assert(wants_help);
	ck_assert_int_eq(PARSE("-n", "--help"), 0);
	ck_assert(!wants_help);
}
END_TEST

START_TEST(the_walk_goes_over_all_tables)
{
	size_t n = 0;

	for (const struct opt *o = opt_next(&tables, NULL); o; o = opt_next(&tables, o))
		n++;
	ck_assert_uint_eq(n, 11);
	ck_assert(opt_next(&(struct opt_tables){ { NULL } }, NULL) == NULL);
}
END_TEST

START_TEST(given_values_go_where_the_rows_say)
{
	AUTO_STRBUF struct strbuf out = {0};
	struct jw w;

	ck_assert_int_eq(PARSE("--name", "x", "-e", "A=1", "-m", "1k", "--init"), 0);
	jw_init(&w, &out);
	jw_obj(&w, NULL);
	ck_assert_int_eq(opt_emit(&tables, &v, NULL, &w, &e), 0);
	jw_obj(&w, "Host");
	ck_assert_int_eq(opt_emit(&tables, &v, "Host", &w, &e), 0);
	jw_obj_end(&w);
	jw_obj_end(&w);
	ck_assert_str_eq(out.data, "{\"Name\":\"x\",\"Env\":[\"A=1\"],\"Host\":{\"Init\":true,\"Memory\":1024}}");
}
END_TEST

static const struct opt printed_rows[] = {
	OPT_FLAG(struct values, all, 'a', "all", "all of them"),
	OPT_FLAG(struct values, quiet, 0, "secret", "nobody knows", .is_hidden = true),
	OPT_TEXT(struct values, name, 0, "name", "NAME", "a name", .group = "Names", .more = "It is any."),
	OPT_TEXT(struct values, old, 0, "an-option-with-a-very-long-name", "VALUE", "a text that goes on behind the right edge of the page and is "
		 "broken there\nand here"),
	OPT_REFUSED_FLAG(0, "gpus", "there are none"),
	OPT_END,
};
static const struct opt_tables printed = { { printed_rows } };

START_TEST(help_has_a_left_column_headings_and_wrapped_text)
{
	AUTO_STRBUF struct strbuf out = {0};

	opt_help(&printed, &out);
	ck_assert_str_eq(out.data,
			 "\nOptions:\n"
			 "  -a, --all         all of them\n"
			 "\nNames:\n"
			 "      --name NAME   a name\n"
			 "      --an-option-with-a-very-long-name VALUE   \n"
			 "                    a text that goes on behind the right edge of the page and is broken there\n"
			 "                    and here\n");
}
END_TEST

START_TEST(one_long_word_is_not_broken)
{
	AUTO_STRBUF struct strbuf out = {0};
	char word[201];

	memset(word, 'x', 200);
	word[200] = '\0';
	opt_wrap(&out, 10, word);
	ck_assert_uint_eq(out.len, 201);
	ck_assert_uint_eq(strcspn(out.data, "\n"), 200);
}
END_TEST

START_TEST(the_manual_has_what_help_has)
{
	AUTO_STRBUF struct strbuf out = {0};

	opt_man(&printed, &out);
	ck_assert_msg(strstr(out.data,
			      ".TP\n\\fB\\-a, \\-\\-all\\fR\nall of them\n"
			      ".SS \"Names\"\n"
			      ".TP\n\\fB\\-\\-name\\fR \\fINAME\\fR\na name. It is any.\n.TP\n") == out.data, "%s", out.data);
	ck_assert(!strstr(out.data, "secret") && !strstr(out.data, "gpus"));
}
END_TEST

UNIT_MAIN("opt", every_spelling_of_an_option, options_and_arguments_mix, another_command_line_is_not_looked_at, values_have_types,
	  a_flag_takes_true_and_false, what_is_wrong_is_named, help_is_seen, the_walk_goes_over_all_tables,
	  given_values_go_where_the_rows_say,
	  help_has_a_left_column_headings_and_wrapped_text, one_long_word_is_not_broken, the_manual_has_what_help_has)
