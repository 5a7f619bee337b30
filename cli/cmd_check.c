/* SPDX-License-Identifier: Apache-2.0 */
/* kiln system check: what an operator wants to know before running, and when it does not run. Works without the daemon. */
#include <stdio.h>

#include "base/own.h"
#include "cli/check.h"
#include "cli/commands.h"
#include "base/jsontext.h"
#include "cli/reply.h"
#include "cli/style.h"

const struct check checks[] = {
	{ "kernel", check_kernel },
	{ "namespaces", check_namespaces },
	{ "cgroups", check_cgroups },
	{ "controllers", check_controllers },
	{ "limits", check_limits },
	{ "capabilities", check_capabilities },
	{ "seccomp", check_seccomp },
	{ "apparmor", check_apparmor },
	{ "overlay", check_overlay },
	{ "data root", check_data_root },
	{ "group", check_group },
	{ "socket", check_socket },
	{ "daemon", check_daemon },
	{ "warm", check_warm },
	{ NULL, NULL },
};

static int check_format(const char *text, struct err *e)
{
	return str_eq(text, "json") ? 0 : err_set(e, ERR_INVALID, "there is 'json'");
}

struct options { const char *format, *data_root; };
static const struct opt rows[] = {
	OPT_TEXT(struct options, data_root, 0, "data-root", "DIR", "Where the daemon keeps its data (default: what it says, else /var/lib/kiln)", .kind = VALUE_DIR),
	OPT_TEXT(struct options, format, 0, "format", "FORMAT", "'json'", .kind = VALUE_CHOICE, .choices = "json", .check = check_format),
	OPT_END,
};

const char *check_status_name(enum check_status status)
{
	static const char *const names[] = { [CHECK_OK] = "ok", [CHECK_WARN] = "warn", [CHECK_FAIL] = "fail" };

	return names[status];
}

static void print_line(const struct check *check, const struct check_result *r)
{
	static const enum style styles[] = { [CHECK_OK] = STYLE_GOOD, [CHECK_WARN] = STYLE_WARN, [CHECK_FAIL] = STYLE_BAD };
	char word[8];

	snprintf(word, sizeof(word), "%-5s", check_status_name(r->status));
	style_print(stdout, styles[r->status], word);
	printf(" %-12s %s\n", check->name, r->found);
	if (r->advice[0])
		printf("%-18s -> %s\n", "", r->advice);
}

static void add_json(struct jw *w, const struct check *check, const struct check_result *r)
{
	jw_obj(w, NULL);
	jw_str(w, "name", check->name);
	jw_str(w, "status", check_status_name(r->status));
	jw_str(w, "found", r->found);
	jw_str(w, "advice", r->advice);
	jw_obj_end(w);
}

/* As the daemon says, when it does */
static const char *data_root_of(const struct call *c)
{
	const struct options *o = c->o;
	AUTO_STRBUF struct strbuf body = {0};
	struct jsontext v;
	const char *path = NULL;

	if (o->data_root)
		return o->data_root;
	if (reply_json(c, "/info", &body, &v, ERR_IGNORED) == 0)
		path = jsontext_string(jsontext_member(v, "DockerRootDir"), c->a);
	return str_is_empty(path) ? "/var/lib/kiln" : path;
}

static int run(const struct call *c)
{
	const struct options *o = c->o;
	struct check_places places = { .root = "", .host = c->host, .data_root = data_root_of(c) };
	AUTO_STRBUF struct strbuf json = {0};
	size_t counts[3] = {0};
	struct jw w;

	jw_init(&w, &json);
	jw_obj(&w, NULL);
	jw_arr(&w, "checks");
	for (const struct check *check = checks; check->name; check++) {
		struct check_result r = {0};

		check->look(&places, &r);
		counts[r.status]++;
		add_json(&w, check, &r);
		if (!o->format)
			print_line(check, &r);
	}
	jw_arr_end(&w);
	jw_bool(&w, "ok", counts[CHECK_FAIL] == 0);
	jw_obj_end(&w);
	if (o->format)
		printf("%s\n", json.data);
	else
		printf("\n%zu ok, %zu to look at, %zu failed\n", counts[CHECK_OK], counts[CHECK_WARN], counts[CHECK_FAIL]);
	return counts[CHECK_FAIL] ? EXIT_FAILED : 0;
}

const struct command cmd_system_check = {
	.group = "system", .member = "check", .usage = "[OPTIONS]", .help = "Show whether this machine and the daemon are as Kiln needs them",
	.more = "Each line is ok, warn (works, but look at it) or fail, with what to do about it. It needs no daemon; some lines say more to root. "
		"The exit status is 1 when a line is fail.",
	.opts = { { rows } }, .options_size = sizeof(struct options), .run = run,
};
