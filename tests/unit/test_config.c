/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
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
	ck_assert_ptr_null(c.cgroup_parent);
	ck_assert_str_eq(c.group, "kiln");
	ck_assert_uint_eq(c.hosts.n, 0);   /* what is served then depends on what systemd hands over */
	ck_assert_str_eq(c.config_file, "/etc/kiln/kilnd.json");
	ck_assert_str_eq(c.log_driver, "json-file");
	ck_assert_str_eq(c.seccomp_profile, "builtin");
	ck_assert_int_eq(c.default_shm_bytes, 64 << 20);
	ck_assert_int_eq(c.shutdown_timeout_sec, 15);
	ck_assert_ptr_null(c.audit_log);
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

START_TEST(defaults_of_containers_are_read_from_flags)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct config c;
	struct err e;

	ck_assert_int_eq(PARSE(&c, a, &e, (char *)"--default-ulimit", (char *)"nofile=10:20", (char *)"--default-ulimit=core=unlimited",
			       (char *)"--default-shm-size=1g", (char *)"--init", (char *)"--no-new-privileges=false",
			       (char *)"--label=a=b", (char *)"--shutdown-timeout=-1"), 0);
	ck_assert_uint_eq(c.n_default_ulimits, 2);
	ck_assert_str_eq(c.default_ulimits[0].name, "nofile");
	ck_assert_int_eq(c.default_ulimits[0].soft, 10);
	ck_assert_int_eq(c.default_ulimits[0].hard, 20);
	ck_assert_int_eq(c.default_ulimits[1].hard, -1);
	ck_assert_int_eq(c.default_shm_bytes, 1 << 30);
	ck_assert(c.init && !c.no_new_privileges);
	ck_assert_str_eq(c.labels.v[0], "a=b");
	ck_assert_int_eq(c.shutdown_timeout_sec, -1);
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
		{ { "--data-root", "//" }, "is the root directory" },
		{ { "--log-level", "loud" }, "'loud' is not one of error|warn|info|debug" },
		{ { "--log-format", "xml" }, "'xml' is not one of text|json" },
		{ { "--debug=perhaps", NULL }, "'perhaps' is neither true nor false" },
		{ { "--", NULL }, "unknown option '--'" },
		{ { "--host=tcp://0.0.0.0:2375", NULL }, "option --host: 'tcp://0.0.0.0:2375' is refused: kilnd serves unix" },
		{ { "--host=unix:///a", "--host=unix:///a" }, "option --host: 'unix:///a' is given twice" },
		{ { "--cgroup-parent=/a/../b", NULL }, "option --cgroup-parent: '/a/../b': '..' is not taken" },
		{ { "--config-file", "/dev/null" }, "open configuration file '/dev/null': it is no regular file" },
		{ { "--host=unix://rel", NULL }, "neither unix:///absolute/path nor fd://" },
		{ { "--dns=1.1.1.1", NULL }, "option --dns: is refused: there are no networks yet" },
		{ { "--tlsverify", NULL }, "option --tlsverify: is refused: kilnd serves unix sockets only" },
		{ { "--default-ulimit=nofile", NULL }, "'nofile' is not NAME=SOFT[:HARD]" },
		{ { "--default-ulimit=nofile=5:4", NULL }, "less than or equal to hard limit" },
		{ { "--default-ulimit=wings=5", NULL }, "invalid ulimit type: wings" },
		{ { "--default-shm-size=big", NULL }, "'big' is no size such as 64m" },
		{ { "--default-shm-size=0", NULL }, "must be greater than 0" },
		{ { "--shutdown-timeout=soon", NULL }, "'soon' is no number" },
		{ { "--shutdown-timeout=-2", NULL }, "-2 is no number of seconds" },
		{ { "--label=x", NULL }, "'x' is not key=value" },
		{ { "--log-driver=syslog", NULL }, "'syslog' is not one of json-file|none" },
		{ { "--seccomp-profile=rel.json", NULL }, "is not builtin, unconfined or an absolute path" },
		{ { "--seccomp-profile=/nonexistent/p", NULL }, "open profile '/nonexistent/p'" },
		{ { "--config-file", "/nonexistent/c" }, "open configuration file '/nonexistent/c'" },
	};
	AUTO_ARENA struct arena *a = arena_new();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *argv[] = { (char *)"kilnd", (char *)cases[i].words[0], (char *)cases[i].words[1] };
		struct config c;
		struct err e = { 0 };

		ck_assert_int_eq(config_parse(cases[i].words[1] ? 3 : 2, argv, a, &c, &e), -1);
		ck_assert_msg(e.kind == ERR_INVALID || e.kind == ERR_UNSUPPORTED || e.kind == ERR_NOT_FOUND, "%s", e.msg);
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
	ck_assert_ptr_nonnull(strstr(text.data, "-H, --host URL"));
	ck_assert_ptr_nonnull(strstr(text.data, "--stop-all"));
	ck_assert_int_eq(PARSE(&c, a, &e, (char *)"--help"), 0);
	ck_assert(c.wants_help);
}
END_TEST

/* ---- the file ---- */

static char file_path[64];

static void write_file(const char *text)
{
	int fd;

	snprintf(file_path, sizeof(file_path), "/tmp/kiln-config-XXXXXX");
	fd = mkstemp(file_path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fd_write_all(fd, text, strlen(text), ERR_IGNORED), 0);
	close(fd);
}

/* With --config-file and one more flag, or NULL */
static int parse_file(const char *text, const char *flag, struct arena *a, struct config *c, struct err *e)
{
	char *argv[] = { (char *)"kilnd", (char *)"--config-file", file_path, (char *)flag };
	int rc;

	write_file(text);
	*e = (struct err){ 0 };
	rc = config_parse(flag ? 4 : 3, argv, a, c, e);
	unlink(file_path);
	return rc;
}

START_TEST(the_file_sets_what_flags_set)
{
	static const char text[] =
		"{\"data-root\": \"/d//x/\", \"hosts\": [\"unix:///a\", \"fd://\"], \"group\": \"wheel\",\n"
		" \"debug\": true, \"labels\": [\"a=b\"], \"default-shm-size\": \"128M\", \"shutdown-timeout\": 30,\n"
		" \"default-ulimits\": {\"nofile\": {\"Name\": \"nofile\", \"Soft\": 10, \"Hard\": 20}, \"core\": {\"Soft\": -1, \"Hard\": -1}},\n"
		" \"live-restore\": true, \"storage-driver\": \"overlay2\", \"runtimes\": {}, \"default-runtime\": \"kiln\",\n"
		" \"init\": true, \"pidfile\": \"/run/k.pid\", \"exec-root\": null}";
	AUTO_ARENA struct arena *a = arena_new();
	struct config c;
	struct err e;

	ck_assert_msg(parse_file(text, "--log-format=json", a, &c, &e) == 0, "%s", e.msg);
	ck_assert_str_eq(c.data_root, "/d/x");
	ck_assert_str_eq(c.exec_root, "/run/kiln");
	ck_assert_uint_eq(c.hosts.n, 2);
	ck_assert_str_eq(c.hosts.v[1], "fd://");
	ck_assert_str_eq(c.group, "wheel");
	ck_assert_int_eq(c.log_level, LOG_LVL_DEBUG);
	ck_assert_str_eq(c.log_format, "json");
	ck_assert_str_eq(c.labels.v[0], "a=b");
	ck_assert_int_eq(c.default_shm_bytes, 128 << 20);
	ck_assert_int_eq(c.shutdown_timeout_sec, 30);
	ck_assert_uint_eq(c.n_default_ulimits, 2);
	ck_assert_str_eq(c.default_ulimits[0].name, "nofile");
	ck_assert_int_eq(c.default_ulimits[0].hard, 20);
	ck_assert_str_eq(c.default_ulimits[1].name, "core");
	ck_assert(c.init);
	ck_assert_str_eq(c.pidfile, "/run/k.pid");
	ck_assert_int_eq(parse_file(" \n", NULL, a, &c, &e), 0);
	ck_assert_int_eq(parse_file("{\"default-shm-size\": 1048576}", NULL, a, &c, &e), 0);
	ck_assert_int_eq(c.default_shm_bytes, 1 << 20);
}
END_TEST

START_TEST(mistakes_in_the_file_are_named_with_their_place)
{
	static const struct {
		const char *text, *flag, *says;
	} cases[] = {
		{ "{\n \"debug\": true,\n  \"colour\": 1}", NULL, "': line 3, column 13, at colour: unknown key" },
		{ "{\"debug\": true,}", NULL, "line 1, column 17" },
		{ "[]", NULL, "expected object, got array" },
		{ "{\"debug\": \"yes\"}", NULL, "line 1, column 11, at debug: expected boolean, got string" },
		{ "{\"debug\": true,\n\"debug\": true}", NULL, "duplicate key" },
		{ "{\n\"hosts\": [\"unix:///a\",\n 7]}", NULL, "line 3, column 2, at hosts[1]: expected string, got number" },
		{ "{\"default-ulimits\": {\"nofile\": {\"Soft\": 1,\n\"Hard\": \"x\"}}}", NULL,
		  "line 2, column 9, at default-ulimits.nofile.Hard: expected integer, got string" },
		{ "{\"default-ulimits\": {\"nofile\": {\"Soft\": 1, \"Hard\": 2, \"Firm\": 3}}}", NULL,
		  "at default-ulimits.nofile.Firm: unknown key" },
		{ "{\"default-ulimits\": {\"nofile\": {\"Soft\": 3, \"Hard\": 2}}}", NULL, "less than or equal to hard limit" },
		{ "{\"log-level\": \"loud\"}", NULL, "at log-level: 'loud' is not one of error|warn|info|debug" },
		{ "{\"data-root\": \"\"}", NULL, "at data-root: is empty" },
		{ "{\"data-root\": \"d\"}", NULL, "at data-root: 'd' is not an absolute path" },
		{ "{\"dns\": [\"1.1.1.1\"]}", NULL, "at dns: is refused: there are no networks yet" },
		{ "{\"live-restore\": false}", NULL, "at live-restore: is refused: containers always outlive kilnd" },
		{ "{\"runtimes\": {\"runc\": {}}}", NULL, "at runtimes: is refused: there is one runtime" },
		{ "{\"log-level\": \"info\"}", "--log-level=debug", "at log-level: is given by the flag --log-level, too" },
		{ "{\"hosts\": [\"unix:///a\"]}", "-Hunix:///b", "at hosts: is given by the flag --host, too" },
		{ "{\"shutdown-timeout\": 1.5}", NULL, "at shutdown-timeout: expected integer, got number" },
		{ "{\"default-shm-size\": true}", NULL, "at default-shm-size: 'true' is no size" },
	};
	AUTO_ARENA struct arena *a = arena_new();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config c;
		struct err e;

		ck_assert_msg(parse_file(cases[i].text, cases[i].flag, a, &c, &e) == -1, "'%s' was taken", cases[i].text);
		ck_assert_msg(strstr(e.msg, file_path) != NULL, "'%s' does not name the file", e.msg);
		ck_assert_msg(strstr(e.msg, cases[i].says) != NULL, "'%s' does not say '%s'", e.msg, cases[i].says);
	}
}
END_TEST

static char said_text[512];

static void said(void *ctx, const char *name, bool needs_restart)
{
	(void)ctx;
	snprintf(said_text + strlen(said_text), sizeof(said_text) - strlen(said_text), "%s%s ", name, needs_restart ? "!" : "");
}

START_TEST(a_reload_changes_what_can_change_and_names_the_rest)
{
	AUTO_ARENA struct arena *a = arena_new(), *b = arena_new();
	struct config c, fresh;
	struct str_map shown;
	struct err e;

	ck_assert_int_eq(parse_file("{\"data-root\": \"/a\", \"hosts\": [\"unix:///a\"], \"labels\": [\"x=1\"]}", NULL, a, &c, &e), 0);
	ck_assert_int_eq(parse_file("{\"data-root\": \"/b\", \"hosts\": [\"unix:///b\"], \"labels\": [\"x=2\"], \"debug\": true}",
				    NULL, b, &fresh, &e), 0);
	fresh.config_file = c.config_file;   /* its name is random here */
	said_text[0] = '\0';
	config_reload(&c, &fresh, said, NULL);
	ck_assert_str_eq(said_text, "data-root! hosts! debug labels ");
	ck_assert_str_eq(c.data_root, "/a");
	ck_assert_str_eq(c.hosts.v[0], "unix:///a");
	ck_assert_str_eq(c.labels.v[0], "x=2");
	ck_assert_int_eq(c.log_level, LOG_LVL_DEBUG);
	shown = config_attributes(&c, b);
	ck_assert_str_eq(str_map_get(&shown, "labels"), "x=2");
	ck_assert_str_eq(str_map_get(&shown, "debug"), "true");
	ck_assert_str_eq(str_map_get(&shown, "default-shm-size"), "67108864");
	ck_assert_ptr_null(str_map_get(&shown, "data-root"));
}
END_TEST

START_TEST(manual_pages_name_every_option_and_key)
{
	AUTO_STRBUF struct strbuf kilnd = { 0 }, file = { 0 };

	config_man_kilnd(&kilnd);
	config_man_file(&file);
	ck_assert_ptr_nonnull(strstr(kilnd.data, "\\fB\\-H, \\-\\-host\\fR \\fIURL\\fR\n"));
	ck_assert_ptr_nonnull(strstr(kilnd.data, "\\fB\\-\\-stop\\-all\\fR\n"));
	ck_assert_ptr_nonnull(strstr(file.data, "\\fBdefault\\-shm\\-size\\fR"));
	ck_assert_ptr_null(strstr(file.data, "\\fBstop\\-all"));
}
END_TEST

UNIT_MAIN("config", defaults_are_complete, every_spelling_works, defaults_of_containers_are_read_from_flags,
	  mistakes_are_named, help_names_every_option, the_file_sets_what_flags_set,
	  mistakes_in_the_file_are_named_with_their_place, a_reload_changes_what_can_change_and_names_the_rest,
	  manual_pages_name_every_option_and_key)
