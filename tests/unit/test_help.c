/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of commands, and what --help prints of them. */
#include "cli/cmd.h"
#include "tests/unit/unit.h"

START_TEST(commands_are_found_by_all_their_names)
{
	ck_assert_ptr_nonnull(command_find(NULL, "ps"));
	ck_assert_ptr_eq(command_find("container", "ls"), command_find(NULL, "ps"));
	ck_assert_ptr_eq(command_find("container", "list"), command_find(NULL, "ps"));
	ck_assert_ptr_null(command_find(NULL, "ls"));
	ck_assert_ptr_null(command_find("container", "lis"));
	ck_assert_ptr_null(command_find("image", "ps"));
}
END_TEST

START_TEST(rows_are_complete_and_in_order)
{
	AUTO_ARENA struct arena *a = arena_new();

	for (size_t i = 0; commands[i]; i++) {
		const struct command *c = commands[i];

		ck_assert(c->name || (c->group && c->member));
		ck_assert(c->help && c->usage && c->run);
		ck_assert_msg(c->help[strlen(c->help) - 1] != '.', "%s", c->help);
		ck_assert_msg(c->n_args_min <= c->n_args_max, "%s", c->help);
		ck_assert_msg(!opt_next(&c->opts, NULL) || c->options_size > 0, "%s", c->help);
		if (i)
			ck_assert_msg(strcmp(command_title(commands[i - 1], a), command_title(c, a)) < 0, "%s", command_title(c, a));
	}
}
END_TEST

/* A letter or a name twice would hide the second */
START_TEST(no_option_is_there_twice)
{
	for (size_t i = 0; commands[i]; i++) {
		const struct opt_tables *t = &commands[i]->opts;

		for (const struct opt *o = opt_next(t, NULL); o; o = opt_next(t, o)) {
			ck_assert_msg(opt_find(t, o->name, strlen(o->name)) == o, "%s: --%s", commands[i]->help, o->name);
			ck_assert_msg(!o->letter || opt_find_letter(t, o->letter) == o, "%s: -%c", commands[i]->help, o->letter);
			ck_assert_msg(!o->refused || o->is_hidden, "%s", o->name);
		}
	}
}
END_TEST

START_TEST(what_is_refused_is_nothing_that_is_there)
{
	for (size_t i = 0; commands_refused[i].name; i++) {
		const char *space = strchr(commands_refused[i].name, ' ');
		AUTO_STRBUF struct strbuf group = {0};

		if (space)
			strbuf_add(&group, commands_refused[i].name, (size_t)(space - commands_refused[i].name));
		ck_assert_msg(!command_find(space ? group.data : NULL, space ? space + 1 : commands_refused[i].name), "%s", commands_refused[i].name);
		ck_assert(commands_refused[i].why[0]);
	}
}
END_TEST

START_TEST(help_has_usage_aliases_and_options)
{
	AUTO_STRBUF struct strbuf out = {0};

	help_command(command_find(NULL, "ps"), "ps", &out);
	ck_assert_ptr_nonnull(strstr(out.data, "Usage:  kiln ps [OPTIONS]\n\nList containers\n\nAliases:\n"
					       "  kiln container ls, kiln container list, kiln container ps, kiln ps\n\nOptions:\n  -a, --all "));
	strbuf_reset(&out);
	help_group(&command_groups[0], &out);
	ck_assert_ptr_nonnull(strstr(out.data, "Usage:  kiln container COMMAND\n"));
	ck_assert(strstr(out.data, "\n  attach ") < strstr(out.data, "\n  ls ") && strstr(out.data, "\n  ls ") < strstr(out.data, "\n  wait "));
	strbuf_reset(&out);
	help_all(&out);
	for (size_t i = 0; commands[i]; i++)
		ck_assert(!commands[i]->name || strstr(out.data, commands[i]->help));
}
END_TEST

UNIT_MAIN("help", commands_are_found_by_all_their_names, rows_are_complete_and_in_order, no_option_is_there_twice,
	  what_is_refused_is_nothing_that_is_there, help_has_usage_aliases_and_options)
