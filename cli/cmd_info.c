/* SPDX-License-Identifier: Apache-2.0 */
/* kiln info: what the daemon is and what it runs on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/human.h"
#include "base/jsontext.h"
#include "cli/reply.h"

struct options { const char *format; };
static const struct opt rows[] = {
	OPT_TEXT(struct options, format, 'f', "format", "FORMAT", "'json' or a TEMPLATE as '{{.ServerVersion}}'", .choices = "json"),
	OPT_END,
};

typedef void (*print_fn)(const char *label, struct jsontext v, struct arena *a);

static void print_plain(const char *label, struct jsontext v, struct arena *a)
{
	AUTO_STRBUF struct strbuf out = {0};

	jsontext_print(&out, v, a);
	cmd_say(stdout, "%s: %s\n", label, strbuf_cstr(&out));
}

static void print_bytes(const char *label, struct jsontext v, struct arena *a)
{
	char out[HUMAN_MAX];

	printf("%s: %s\n", label, human_bytes(v.n ? strtod(arena_strndup(a, v.at, v.n), NULL) : 0, out));
}

/* ["a","b"]: "a b"; {"a":…}: "a" */
static void print_names(const char *label, struct jsontext v, struct arena *a)
{
	struct jsontext one;
	size_t pos = 0;
	char *key;

	cmd_say(stdout, "%s:", label);
	while (jsontext_next(v, &pos, a, &key, &one))
		cmd_say(stdout, " %s", key ? key : jsontext_string(one, a));
	printf("\n");
}

/* [["Backing Filesystem","extfs"]] */
static void print_pairs(const char *label, struct jsontext v, struct arena *a)
{
	struct jsontext one;
	size_t pos = 0;
	char *key;

	while (jsontext_next(v, &pos, a, &key, &one))
		cmd_say(stdout, "%s%s: %s\n", label, jsontext_string(jsontext_element(one, 0), a), jsontext_string(jsontext_element(one, 1), a));
}

/* ["name=seccomp,profile=builtin"] */
static void print_security(const char *label, struct jsontext v, struct arena *a)
{
	struct jsontext one;
	size_t pos = 0;
	char *key;

	printf("%s:\n", label);
	while (jsontext_next(v, &pos, a, &key, &one)) {
		char *rest = jsontext_string(one, a), *part;

		while ((part = strsep(&rest, ","))) {
			char *value = strchr(part, '=');

			if (!value)
				continue;
			*value++ = 0;
			if (str_eq(part, "name"))
				cmd_say(stdout, "  %s\n", value);
			else if (str_eq(part, "profile"))
				cmd_say(stdout, "   Profile: %s\n", value);
		}
	}
}

static void print_warnings(const char *label, struct jsontext v, struct arena *a)
{
	struct jsontext one;
	size_t pos = 0;
	char *key;

	(void)label;
	fflush(stdout);
	while (jsontext_next(v, &pos, a, &key, &one))
		cmd_say(stderr, "%s\n", jsontext_string(one, a));
}

static const struct { const char *label, *path; print_fn print; } lines[] = {
	{ " Containers", "Containers", print_plain },
	{ "  Running", "ContainersRunning", print_plain },
	{ "  Paused", "ContainersPaused", print_plain },
	{ "  Stopped", "ContainersStopped", print_plain },
	{ " Images", "Images", print_plain },
	{ " Server Version", "ServerVersion", print_plain },
	{ " Storage Driver", "Driver", print_plain },
	{ "  ", "DriverStatus", print_pairs },
	{ " Logging Driver", "LoggingDriver", print_plain },
	{ " Cgroup Driver", "CgroupDriver", print_plain },
	{ " Cgroup Version", "CgroupVersion", print_plain },
	{ " Runtimes", "Runtimes", print_names },
	{ " Default Runtime", "DefaultRuntime", print_plain },
	{ " Init Binary", "InitBinary", print_plain },
	{ " Security Options", "SecurityOptions", print_security },
	{ " Kernel Version", "KernelVersion", print_plain },
	{ " Operating System", "OperatingSystem", print_plain },
	{ " OSType", "OSType", print_plain },
	{ " Architecture", "Architecture", print_plain },
	{ " CPUs", "NCPU", print_plain },
	{ " Total Memory", "MemTotal", print_bytes },
	{ " Name", "Name", print_plain },
	{ " ID", "ID", print_plain },
	{ " Docker Root Dir", "DockerRootDir", print_plain },
	{ " Debug Mode", "Debug", print_plain },
	{ " Experimental", "ExperimentalBuild", print_plain },
	{ " Live Restore Enabled", "LiveRestoreEnabled", print_plain },
	{ "", "Warnings", print_warnings },
};

static int run(const struct call *c)
{
	AUTO_STRBUF struct strbuf body = {0};
	AUTO_STRBUF struct strbuf out = {0};
	const struct options *o = c->o;
	struct format f = {0};
	struct err e = {0};
	struct jsontext v;

	if ((o->format && format_parse(o->format, c->a, &f, &e) < 0) || reply_json(c, "/info", &body, &v, &e) < 0 ||
	    (o->format && format_answer(&f, v.at, v.n, &out, &e) < 0))
		return cmd_fail(&e);
	if (o->format) {
		fputs(out.data, stdout);
		return 0;
	}
	printf("Client: Kiln\n Version:    " KILN_VERSION "\n Host:       %s\n\nServer:\n", c->host);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		lines[i].print(lines[i].label, jsontext_member(v, lines[i].path), c->a);
	return 0;
}

const struct command cmd_info = {
	.name = "info", .group = "system", .member = "info", .usage = "[OPTIONS]", .help = "Show what the daemon is and what it runs on",
	.opts = { { rows } }, .options_size = sizeof(struct options), .run = run,
};
