/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/man.h"

#include "tests/unit/unit.h"

static const struct command *command_of(const char *name)
{
	const struct command *cmd = command_find(NULL, name);

	ck_assert_msg(cmd != NULL, "there is no '%s'", name);
	return cmd;
}

START_TEST(a_page_is_called_by_its_command)
{
	AUTO_STRBUF struct strbuf name = {0};

	man_name(command_of("run"), &name);
	strbuf_addc(&name, ' ');
	man_name(command_find("system", "check"), &name);
	ck_assert_str_eq(name.data, "kiln-run kiln-system-check");
}
END_TEST

START_TEST(all_spellings_are_in_the_synopsis)
{
	AUTO_STRBUF struct strbuf page = {0};

	man_command(command_of("ps"), &page);
	ck_assert_ptr_nonnull(strstr(page.data, ".SH \"SYNOPSIS\"\n\\fBkiln ps\\fR \\fI[OPTIONS]\\fR\n.br\n\\fBkiln container ls\\fR \\fI[OPTIONS]\\fR\n.br\n"
						"\\fBkiln container list\\fR"));
}
END_TEST

/* "--no-trunc" as roff has it */
static void add_name(struct strbuf *out, const char *name)
{
	strbuf_adds(out, "\\-\\-");
	for (const char *p = name; *p; p++)
		strbuf_addf(out, *p == '-' ? "\\-" : "%c", *p);
	strbuf_adds(out, "\\fR");
}

START_TEST(each_page_has_the_options_that_help_has)
{
	for (size_t i = 0; commands[i]; i++) {
		const struct opt_tables *t = &commands[i]->opts;
		AUTO_STRBUF struct strbuf page = {0};

		man_command(commands[i], &page);
		for (const struct opt *o = opt_next(t, NULL); o; o = opt_next(t, o)) {
			AUTO_STRBUF struct strbuf name = {0};

			add_name(&name, o->name);
			ck_assert_msg((strstr(page.data, name.data) != NULL) == !o->is_hidden, "%s: %s", commands[i]->help, o->name);
		}
	}
}
END_TEST

START_TEST(the_page_of_kiln_names_all_commands_and_what_is_refused)
{
	AUTO_STRBUF struct strbuf page = {0};

	man_kiln(&page);
	for (size_t i = 0; commands[i]; i++) {
		AUTO_STRBUF struct strbuf name = {0};
		AUTO_STRBUF struct strbuf escaped = {0};

		man_name(commands[i], &name);
		for (const char *p = name.data; *p; p++)
			strbuf_addf(&escaped, *p == '-' ? "\\-" : "%c", *p);
		ck_assert_msg(strstr(page.data, escaped.data) != NULL, "%s", name.data);
	}
	for (size_t i = 0; commands_refused[i].name; i++)
		ck_assert_msg(strstr(page.data, commands_refused[i].name) != NULL, "%s", commands_refused[i].name);
	ck_assert_ptr_nonnull(strstr(page.data, "KILN_HOST"));
}
END_TEST

UNIT_MAIN("man", a_page_is_called_by_its_command, all_spellings_are_in_the_synopsis, each_page_has_the_options_that_help_has,
	  the_page_of_kiln_names_all_commands_and_what_is_refused)
