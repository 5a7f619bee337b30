/* SPDX-License-Identifier: Apache-2.0 */
/* kiln version: of the client, and of the daemon when it answers. */
#include <stdio.h>
#include <sys/utsname.h>

#include "base/own.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/reply.h"

struct options { const char *format; };
static const struct opt rows[] = {
	OPT_TEXT(struct options, format, 'f', "format", "FORMAT", "'json' or a TEMPLATE as '{{.Server.Version}}'", .choices = "json"),
	OPT_END,
};

struct server { char *version, *api, *min_api, *os, *arch, *kernel; };
static const struct jfield server_fields[] = {
	J_STRING(struct server, version, "Version", J_REQUIRED),
	J_STRING(struct server, api, "ApiVersion", J_REQUIRED),
	J_STRING(struct server, min_api, "MinAPIVersion", J_REQUIRED),
	J_STRING(struct server, os, "Os", J_REQUIRED),
	J_STRING(struct server, arch, "Arch", J_REQUIRED),
	J_STRING(struct server, kernel, "KernelVersion", J_REQUIRED),
};
static const struct jschema server_schema = J_SCHEMA(struct server, "SystemVersion", server_fields);

/* As Go names it */
static const char *architecture(const struct utsname *host)
{
	return str_eq(host->machine, "x86_64") ? "amd64" : str_eq(host->machine, "aarch64") ? "arm64" : host->machine;
}

static void print_text(const struct call *c, const struct server *s)
{
	struct utsname host = {0};

	uname(&host);
	printf("Client: Kiln\n Version:           " KILN_VERSION "\n API version:       " API_VERSION "\n"
	       " OS/Arch:           linux/%s\n Host:              %s\n", architecture(&host), c->host);
	if (s)
		cmd_say(stdout, "\nServer: Kiln\n Version:           %s\n API version:       %s (minimum version %s)\n"
		       " OS/Arch:           %s/%s\n Kernel version:    %s\n", s->version, s->api, s->min_api, s->os, s->arch, s->kernel);
}

/* {"Client":{…},"Server":{…} or null} */
static void print_json(const struct strbuf *server, struct strbuf *out)
{
	struct utsname host = {0};
	struct jw w;

	uname(&host);
	jw_init(&w, out);
	jw_obj(&w, NULL);
	jw_obj(&w, "Client");
	jw_str(&w, "Version", KILN_VERSION);
	jw_str(&w, "ApiVersion", API_VERSION);
	jw_str(&w, "Os", "linux");
	jw_str(&w, "Arch", architecture(&host));
	jw_obj_end(&w);
	jw_raw(&w, "Server", server->len ? server->data : NULL);
	jw_obj_end(&w);
}

static int print_format(const struct call *c, const char *format, const struct strbuf *server, struct err *e)
{
	AUTO_STRBUF struct strbuf json = {0};
	AUTO_STRBUF struct strbuf out = {0};
	struct format f;

	print_json(server, &json);
	if (format_parse(format, c->a, &f, e) < 0 || format_answer(&f, json.data, json.len, &out, e) < 0)
		return -1;
	fputs(out.data, stdout);
	return 0;
}

static int run(const struct call *c)
{
	AUTO_STRBUF struct strbuf body = {0};
	const struct options *o = c->o;
	struct server *s = NULL;
	struct err e = {0}, why = {0};
	bool is_there = reply_post(c, "GET", "/version", NULL, &body, &why) == 0 &&
			reply_decode(c, &body, &server_schema, (void **)&s, &why) == 0;

	if (!is_there)
		strbuf_reset(&body);
	if (!o->format)
		print_text(c, s);
	else if (print_format(c, o->format, &body, &e) < 0)
		return cmd_fail(&e);
	return is_there ? 0 : cmd_fail(&why);
}

const struct command cmd_version = {
	.name = "version", .usage = "[OPTIONS]", .help = "Show the versions of this client and of the daemon",
	.opts = { { rows } }, .options_size = sizeof(struct options), .run = run,
};
