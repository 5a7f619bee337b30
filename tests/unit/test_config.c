/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config.h"

#include "base/own.h"
#include "tests/unit/unit.h"

#define PARSE(c, a, e, ...) \
	parse((c), (a), (e), (char *[]){ (char *)"kilnd", __VA_ARGS__ }, sizeof((char *[]){ (char *)"kilnd", __VA_ARGS__ }) / sizeof(char *))

static int parse(struct config *c, struct arena *a, struct err *e, char **argv, size_t n)
{
	*e = (struct err){ 0 };
	return config_parse((int)n, argv, a, c, e);
}

START_TEST(defaults_are_complete)
{
	AUTO_ARENA struct arena *a = arena_new();
	char *argv[] = { (char *)"kilnd" };
	struct config c;
	struct err e = { 0 };

	ck_assert_int_eq(config_parse(1, argv, a, &c, &e), 0);
	ck_assert_str_eq(c.data_root, "/var/lib/kiln");
	ck_assert_str_eq(c.exec_root, "/run/kiln");
	ck_assert_str_eq(c.cgroup_parent, "/kiln");
	ck_assert_str_eq(c.group, "kiln");
	ck_assert_uint_eq(c.hosts.n, 1);
	ck_assert_str_eq(c.hosts.v[0], "unix:///run/kiln/kiln.sock");
	ck_assert_int_eq(c.log_level, LOG_LVL_INFO);
	ck_assert_int_eq(c.runtime_path[0], '/');
}
END_TEST

START_TEST(every_spelling_works)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct config c;
	struct err e;

	ck_assert_int_eq(PARSE(&c, a, &e, (char *)"--data-root", (char *)"/d//x/", (char *)"--exec-root=/e",
			       (char *)"-H", (char *)"unix:///a", (char *)"-Hunix:///b", (char *)"--host=unix:///c",
			       (char *)"-D", (char *)"--log-format", (char *)"json", (char *)"-G=wheel",
			       (char *)"--runtime=/bin/x"), 0);
	ck_assert_str_eq(c.data_root, "/d/x");
	ck_assert_str_eq(c.exec_root, "/e");
	ck_assert_uint_eq(c.hosts.n, 3);
	ck_assert_str_eq(c.hosts.v[0], "unix:///a");
	ck_assert_str_eq(c.hosts.v[1], "unix:///b");
	ck_assert_str_eq(c.hosts.v[2], "unix:///c");
	ck_assert_int_eq(c.log_level, LOG_LVL_DEBUG);
	ck_assert_str_eq(c.group, "wheel");
	ck_assert_str_eq(c.runtime_path, "/bin/x");
}
END_TEST

START_TEST(the_default_socket_follows_the_exec_root)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct config c;
	struct err e;

	ck_assert_int_eq(PARSE(&c, a, &e, (char *)"--exec-root=/tmp/e"), 0);
	ck_assert_str_eq(c.hosts.v[0], "unix:///tmp/e/kiln.sock");
}
END_TEST

START_TEST(mistakes_are_named)
{
	static const struct {
		const char *words[2], *says;
	} cases[] = {
		{ { "--nosuch", NULL }, "unknown option '--nosuch'" },
		{ { "-x", NULL }, "unknown option '-x'" },
		{ { "-", NULL }, "unknown option '-'" },
		{ { "file", NULL }, "'file' is no option" },
		{ { "--data-root", NULL }, "--data-root needs a value" },
		{ { "--data-root=", NULL }, "--data-root needs a value" },
		{ { "--data-root", "rel/x" }, "'rel/x' is not an absolute path" },
		{ { "--data-root", "/.." }, "is the root directory" },
		{ { "--log-level", "loud" }, "'loud' is not error, warn, info or debug" },
		{ { "--log-format", "xml" }, "'xml' is neither text nor json" },
		{ { "--debug=perhaps", NULL }, "'perhaps' is neither true nor false" },
	};
	AUTO_ARENA struct arena *a = arena_new();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *argv[] = { (char *)"kilnd", (char *)cases[i].words[0], (char *)cases[i].words[1] };
		struct config c;
		struct err e = { 0 };

		ck_assert_int_eq(config_parse(cases[i].words[1] ? 3 : 2, argv, a, &c, &e), -1);
		ck_assert_int_eq(e.kind, ERR_INVALID);
		ck_assert_msg(strstr(e.msg, cases[i].says) != NULL, "'%s' does not say '%s'", e.msg, cases[i].says);
	}
}
END_TEST

START_TEST(help_names_every_option)
{
	AUTO_STRBUF struct strbuf text = { 0 };
	AUTO_ARENA struct arena *a = arena_new();
	struct config c;
	struct err e;

	config_help(&text);
	ck_assert_ptr_nonnull(strstr(text.data, "--data-root DIR"));
	ck_assert_ptr_nonnull(strstr(text.data, "-H, --host unix://PATH"));
	ck_assert_ptr_nonnull(strstr(text.data, "--stop-all"));
	ck_assert_int_eq(PARSE(&c, a, &e, (char *)"--help", (char *)"--log-level=bad"), 0);
	ck_assert(c.wants_help);
}
END_TEST

UNIT_MAIN("config", defaults_are_complete, every_spelling_works, the_default_socket_follows_the_exec_root,
	  mistakes_are_named, help_names_every_option)
