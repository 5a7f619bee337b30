/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt_place.h"

#include "tests/unit/unit.h"

struct values { bool all; const char *name; struct str_list env; };
static const struct opt rows[] = {
	OPT_FLAG(struct values, all, 'a', "all", "all of them"),
	OPT_TEXT(struct values, name, 'n', "name", "NAME", "a name"),
	OPT_TEXTS(struct values, env, 'e', "env", "K=V", "a variable"),
	OPT_END,
};
static const struct opt_tables tables = { { rows } };

static struct opt_place place;
static struct arena *a;

/* Words divided by spaces; the last, which is being typed, is behind the last space */
static const char *seen(const char *line, bool is_mixed)
{
	static struct strbuf out;
	struct str_list words;
	char *rest;

	arena_free(a);
	a = arena_new();
	rest = arena_strdup(a, line);
	words = (struct str_list){ arena_new_array(a, char *, 32), 0 };
	for (char *word; (word = strsep(&rest, " "));)
		words.v[words.n++] = word;
	opt_place(&tables, is_mixed, &words, a, &place);
	strbuf_reset(&out);
	strbuf_addf(&out, "%s|%s|%s|%zu", place.is_option ? "option" : place.value_of ? place.value_of->name : "argument", place.before, place.typed, place.args.n);
	return out.data;
}

START_TEST(arguments_and_names)
{
	ck_assert_str_eq(seen("", true), "argument|||0");
	ck_assert_str_eq(seen("on", true), "argument||on|0");
	ck_assert_str_eq(seen("one two ", true), "argument|||2");
	ck_assert_str_eq(seen("-", true), "option||-|0");
	ck_assert_str_eq(seen("--al", true), "option||--al|0");
	ck_assert_str_eq(seen("one -a", true), "option||-a|1");
}
END_TEST

START_TEST(values_in_the_next_word_and_in_the_same)
{
	ck_assert_str_eq(seen("--name ", true), "name|||0");
	ck_assert_str_eq(seen("--name -x", true), "name||-x|0");
	ck_assert_str_eq(seen("--name=fo", true), "name|--name=|fo|0");
	ck_assert_str_eq(seen("-e A=", true), "env||A=|0");
	ck_assert_str_eq(seen("-eA", true), "env|-e|A|0");
	ck_assert_str_eq(seen("-ae=A", true), "env|-ae=|A|0");
	ck_assert_str_eq(seen("-an ", true), "name|||0");
	ck_assert_str_eq(seen("--name x one", true), "argument||one|0");
	ck_assert_str_eq(seen("--name=x -ey one", true), "argument||one|0");
}
END_TEST

START_TEST(flags_take_no_value)
{
	ck_assert_str_eq(seen("-a ", true), "argument|||0");
	ck_assert_str_eq(seen("--all ", true), "argument|||0");
	ck_assert_str_eq(seen("--all=tr", true), "argument||--all=tr|0");
	ck_assert(!place.is_option);
}
END_TEST

START_TEST(options_end_at_two_dashes_or_at_another_command_line)
{
	ck_assert_str_eq(seen("-- -", true), "argument||-|0");
	ck_assert_str_eq(seen("image -", false), "argument||-|1");
	ck_assert_str_eq(seen("-a image --name", false), "argument||--name|1");
	ck_assert_uint_eq(place.first_arg, 1);
	ck_assert_str_eq(seen("image -", true), "option||-|1");
}
END_TEST

START_TEST(what_is_not_known_is_passed_over)
{
	ck_assert_str_eq(seen("--nosuch -zx one ", true), "argument|||1");
	ck_assert_str_eq(seen("--nosuch=x", true), "argument||--nosuch=x|0");
	ck_assert_uint_eq(place.first_arg, 1);
	ck_assert_str_eq(seen("-z", true), "option||-z|0");
}
END_TEST

UNIT_MAIN("opt_place", arguments_and_names, values_in_the_next_word_and_in_the_same, flags_take_no_value,
	  options_end_at_two_dashes_or_at_another_command_line, what_is_not_known_is_passed_over)
