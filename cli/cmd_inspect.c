/* SPDX-License-Identifier: Apache-2.0 */
/* kiln inspect: what the daemon knows of containers and images, as it says it. Also port, which is a part of that. */
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "base/jsontext.h"
#include "cli/reply.h"

struct options { bool size; const char *format, *type; };
#define FORMAT_ROW OPT_TEXT(struct options, format, 'f', "format", "FORMAT", "'json', or a TEMPLATE as '{{.State.Status}}'", .choices = "json")

static int check_type(const char *text, struct err *e)
{
	return str_eq(text, "container") || str_eq(text, "image") ? 0 : err_set(e, ERR_INVALID, "Kiln has 'container' and 'image'");
}

static const struct opt rows[] = {
	FORMAT_ROW,
	OPT_FLAG(struct options, size, 's', "size", "Also how much a container has written"),
	OPT_TEXT(struct options, type, 0, "type", "TYPE", "Only 'container' or 'image'", .kind = VALUE_CHOICE, .choices = "container|image",
		 .check = check_type),
	OPT_END,
};
static const struct opt container_rows[] = {
	FORMAT_ROW,
	OPT_FLAG(struct options, size, 's', "size", "Also how much it has written"),
	OPT_END,
};
static const struct opt image_rows[] = {
	FORMAT_ROW,
	OPT_REFUSED_VALUE(0, "platform", "an image is stored for this machine's platform only"),
	OPT_END,
};

struct inspection {
	const struct call *c;
	bool wants_containers, wants_images;
	bool has_template;           /* else a list is printed, on one line for --format json */
	struct format f;
	struct strbuf all;           /* values with commas, or lines of the template */
	size_t n;
};

static int get(struct inspection *in, const char *kind, const char *name, const char *verb, struct strbuf *body, struct err *e)
{
	return reply_post(in->c, "GET", path_of(in->c->a, kind, name, verb), NULL, body, e);
}

/* As docker: a container first, then an image */
static int find(struct inspection *in, const char *name, struct strbuf *body, struct err *e)
{
	const struct options *o = in->c->o;

	if (in->wants_containers && get(in, "containers", name, o->size ? "json?size=1" : "json", body, e) == 0)
		return 0;
	if (in->wants_containers && (e->kind != ERR_NOT_FOUND || !in->wants_images || !strstr(e->msg, "No such")))
		return -1;
	strbuf_reset(body);
	*e = (struct err){0};
	if (get(in, "images", name, "json", body, e) == 0)
		return 0;
	if (in->wants_containers && e->kind == ERR_NOT_FOUND)
		return err_set(e, ERR_NOT_FOUND, "error: no such object: %s", name);
	return -1;
}

static int add(struct inspection *in, const struct strbuf *body, struct err *e)
{
	struct jsontext v;

	if (in->has_template)
		return format_answer(&in->f, strbuf_cstr(body), body->len, &in->all, e);
	if (jsontext_check(strbuf_cstr(body), body->len, &v, e) < 0)
		return err_wrap(e, "the daemon's answer");
	strbuf_adds(&in->all, in->n++ ? "," : "");
	strbuf_add(&in->all, v.at, v.n);
	return 0;
}

static void show(struct inspection *in)
{
	const struct options *o = in->c->o;
	AUTO_STRBUF struct strbuf list = {0};
	AUTO_STRBUF struct strbuf out = {0};

	if (in->has_template) {
		fputs(strbuf_cstr(&in->all), stdout);
		return;
	}
	strbuf_addf(&list, "[%s]", strbuf_cstr(&in->all));
	if (!o->format)
		jsontext_indent(&out, (struct jsontext){ list.data, list.len }, "", "    ");
	printf("%s\n", o->format ? list.data : out.data);
}

static int inspect(const struct call *c, bool wants_containers, bool wants_images)
{
	struct inspection in = { .c = c, .wants_containers = wants_containers, .wants_images = wants_images };
	const struct options *o = c->o;
	AUTO_STRBUF struct strbuf errors = {0};
	struct err e = {0};

	in.has_template = !str_is_empty(o->format) && !str_eq(o->format, "json");
	if (in.has_template && format_parse(o->format, c->a, &in.f, &e) < 0)
		return cmd_fail(&e);
	for (size_t i = 0; i < c->args.n; i++) {
		AUTO_STRBUF struct strbuf body = {0};

		e = (struct err){0};
		if (find(&in, c->args.v[i], &body, &e) < 0 || add(&in, &body, &e) < 0)
			strbuf_addf(&errors, "%s\n", e.msg);
	}
	show(&in);
	fflush(stdout);
	cmd_say(stderr, "%s", strbuf_cstr(&errors));
	strbuf_done(&in.all);
	return errors.len ? EXIT_FAILED : 0;
}

static int run_inspect(const struct call *c)
{
	const struct options *o = c->o;

	return inspect(c, !str_eq(o->type, "image"), !str_eq(o->type, "container"));
}

static int run_containers(const struct call *c) { return inspect(c, true, false); }
static int run_images(const struct call *c) { return inspect(c, false, true); }

const struct command cmd_inspect = {
	.name = "inspect", .usage = "[OPTIONS] NAME|ID [NAME|ID...]", .help = "Show all that is known of containers and images",
	.opts = { { rows } }, .options_size = sizeof(struct options),
	.args = VALUE_OBJECT, .n_args_min = 1, .n_args_max = ARGS_MANY, .run = run_inspect,
};
const struct command cmd_container_inspect = {
	.group = "container", .member = "inspect", .usage = "[OPTIONS] CONTAINER [CONTAINER...]", .help = "Show all that is known of containers",
	.opts = { { container_rows } }, .options_size = sizeof(struct options),
	.args = VALUE_CONTAINER, .n_args_min = 1, .n_args_max = ARGS_MANY, .run = run_containers,
};
const struct command cmd_image_inspect = {
	.group = "image", .member = "inspect", .usage = "[OPTIONS] IMAGE [IMAGE...]", .help = "Show all that is known of images",
	.opts = { { image_rows } }, .options_size = sizeof(struct options),
	.args = VALUE_IMAGE, .n_args_min = 1, .n_args_max = ARGS_MANY, .run = run_images,
};

/* ---- port ---- */

/* {"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}]} */
static void print_bindings(const struct call *c, const char *port, struct jsontext bindings, const char *only)
{
	struct jsontext b;
	size_t pos = 0;
	char *key;

	while (jsontext_next(bindings, &pos, c->a, &key, &b)) {
		const char *ip = jsontext_string(jsontext_member(b, "HostIp"), c->a), *outside = jsontext_string(jsontext_member(b, "HostPort"), c->a);

		if (!only)
			cmd_say(stdout, "%s -> ", port);
		cmd_say(stdout, strchr(ip, ':') ? "[%s]:%s\n" : "%s:%s\n", ip, outside);
	}
}

/* "80" is "80/tcp" */
static const char *port_name(const struct call *c, const char *text)
{
	return !text || strchr(text, '/') ? text : arena_printf(c->a, "%s/tcp", text);
}

static int run_port(const struct call *c)
{
	const char *asked = c->args.n > 1 ? c->args.v[1] : NULL, *only = port_name(c, asked);
	AUTO_STRBUF struct strbuf body = {0};
	struct jsontext v, ports, bindings;
	struct err e = {0};
	size_t pos = 0, n = 0;
	char *port;

	if (reply_json(c, path_of(c->a, "containers", c->args.v[0], "json"), &body, &v, &e) < 0)
		return cmd_fail(&e);
	ports = jsontext_member(jsontext_member(v, "NetworkSettings"), "Ports");
	while (jsontext_next(ports, &pos, c->a, &port, &bindings))
		if (!only || str_eq(only, port)) {
			print_bindings(c, port, bindings, only);
			n += bindings.n && *bindings.at == '[';
		}
	return only && n == 0 ? cmd_fail_with(arena_printf(c->a, "Error: No public port '%s' published for %s", asked, c->args.v[0])) : 0;
}

const struct command cmd_port = {
	.name = "port", .group = "container", .member = "port", .usage = "CONTAINER [PRIVATE_PORT[/PROTO]]", .help = "Show the ports that are published",
	.args = VALUE_CONTAINER, .n_args_min = 1, .n_args_max = 2, .run = run_port,
};
