/* SPDX-License-Identifier: Apache-2.0 */
/* What the tables know; names of the daemon are tests/e2e/test_kiln_shell.py's. */
#include "cli/complete.h"

#include <stdlib.h>

#include "cli/cmd.h"
#include "tests/unit/unit.h"

static struct arena *a;

/* The answer for a line behind "kiln ", words divided by spaces, without descriptions */
static const char *offered(const char *line)
{
	static struct strbuf out, plain;
	struct str_list words;
	char *rest, *one;

	setenv("KILN_HOST", "unix:///nonexistent", 1);
	arena_free(a);
	a = arena_new();
	rest = arena_strdup(a, line);
	words = (struct str_list){ arena_new_array(a, char *, 32), 0 };
	while ((one = strsep(&rest, " ")))
		words.v[words.n++] = one;
	strbuf_reset(&out);
	strbuf_reset(&plain);
	complete_words(&words, a, &out);
	rest = arena_strdup(a, out.data);
	while ((one = strsep(&rest, "\n")))
		if (one[0])
			strbuf_addf(&plain, "%.*s ", (int)strcspn(one, "\t"), one);
	return strbuf_cstr(&plain);
}

START_TEST(commands_and_groups)
{
	ck_assert_str_eq(offered("r"), "rename restart rm rmi run :words ");
	ck_assert_str_eq(offered("sys"), "system :words ");
	ck_assert_str_eq(offered("image r"), "rm :words ");
	ck_assert_str_eq(offered("help hea"), "health :words ");
	ck_assert_str_eq(offered("help system c"), "check :words ");
	ck_assert_str_eq(offered("nosuch "), ":words ");
	ck_assert_str_eq(offered("container nosuch "), ":words ");
}
END_TEST

START_TEST(options_of_the_command)
{
	ck_assert_str_eq(offered("ps --n"), "--no-trunc :words ");
	ck_assert_str_eq(offered("container ls --la"), "--last --latest :words ");
	ck_assert_str_eq(offered("run --publ"), ":words ");
	ck_assert_str_eq(offered("--h"), "--host --help :words ");
	ck_assert_str_eq(offered("ps -q"), "-q :words ");
	ck_assert_str_eq(offered("top web -"), ":words ");
}
END_TEST

START_TEST(values_that_the_tables_know)
{
	ck_assert_str_eq(offered("run --restart on"), "on-failure :words ");
	ck_assert_str_eq(offered("run --restart=on"), "--restart=on-failure :words ");
	ck_assert_str_eq(offered("ps -f na"), "name= :words ");
	ck_assert_str_eq(offered("ps -fna"), "-fname= :words ");
	ck_assert_str_eq(offered("kill -s US"), "USR1 USR2 :words ");
	ck_assert_str_eq(offered("run --cap-add NET_A"), "NET_ADMIN :words ");
	ck_assert_str_eq(offered("completion "), "bash zsh :words ");
	ck_assert_str_eq(offered("completion bash "), ":words ");
}
END_TEST

START_TEST(files_and_directories_are_the_shells)
{
	ck_assert_str_eq(offered("load -i "), ":files ");
	ck_assert_str_eq(offered("save -o x"), ":files ");
	ck_assert_str_eq(offered("run -v /"), ":directories ");
	ck_assert_str_eq(offered("import "), ":files ");
}
END_TEST

START_TEST(behind_the_image_comes_another_command_line)
{
	ck_assert_str_eq(offered("run busybox --r"), ":words ");
	ck_assert_str_eq(offered("run --rm busybox "), ":words ");
}
END_TEST

START_TEST(every_option_of_help_is_offered)
{
	for (size_t i = 0; commands[i]; i++) {
		const struct command *cmd = commands[i];
		const char *title = cmd->name ? cmd->name : NULL;

		for (const struct opt *o = opt_next(&cmd->opts, NULL); o; o = opt_next(&cmd->opts, o)) {
			AUTO_STRBUF struct strbuf line = {0};
			AUTO_STRBUF struct strbuf want = {0};

			strbuf_addf(&line, title ? "%s" : "%s %s", title ? title : cmd->group, cmd->member);
			strbuf_addf(&line, " --%s", o->name);
			strbuf_addf(&want, "--%s ", o->name);
			ck_assert_msg((strstr(offered(line.data), want.data) != NULL) == !o->is_hidden, "%s: %s", line.data, offered(line.data));
		}
	}
}
END_TEST

START_TEST(there_is_a_script_for_two_shells)
{
	ck_assert_ptr_nonnull(strstr(complete_script("bash"), "complete -F _kiln kiln"));
	ck_assert_ptr_nonnull(strstr(complete_script("zsh"), "#compdef kiln"));
	ck_assert_ptr_null(complete_script("fish"));
}
END_TEST

UNIT_MAIN("complete", commands_and_groups, options_of_the_command, values_that_the_tables_know, files_and_directories_are_the_shells,
	  behind_the_image_comes_another_command_line, every_option_of_help_is_offered, there_is_a_script_for_two_shells)
