/* SPDX-License-Identifier: Apache-2.0 */
/* containers/{id}/exec and exec/...: create, start (hijacked or detached), resize, inspect. */
#include "daemon/doors/docker_exec.h"

#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "daemon/doors/docker_attach.h"
#include "daemon/doors/doors.h"
#include "daemon/doors/door_util.h"
#include "runtime/proto.h"

struct exec_body {
	bool attach_stdin, attach_stdout, attach_stderr, tty, privileged;
	struct str_list cmd, env;
	char *user, *working_dir, *detach_keys;
	struct json_raw console_size;
};
static const struct jfield exec_body_fields[] = {
	J_BOOLEAN(struct exec_body, attach_stdin,  "AttachStdin", 0),
	J_BOOLEAN(struct exec_body, attach_stdout, "AttachStdout", 0),
	J_BOOLEAN(struct exec_body, attach_stderr, "AttachStderr", 0),
	J_BOOLEAN(struct exec_body, tty,           "Tty", 0),
	J_BOOLEAN(struct exec_body, privileged,    "Privileged", 0),
	J_STRINGS(struct exec_body, cmd,           "Cmd", 0),
	J_STRINGS(struct exec_body, env,           "Env", 0),
	J_STRING (struct exec_body, user,          "User", 0),
	J_STRING (struct exec_body, working_dir,   "WorkingDir", 0),
	J_STRING (struct exec_body, detach_keys,   "DetachKeys", 0),
	J_RAW    (struct exec_body, console_size,  "ConsoleSize", 0),
};
static const struct jschema exec_body_schema = J_SCHEMA_FOLD(struct exec_body, "ExecConfig", exec_body_fields);

struct start_body {
	bool detach, tty;
	struct json_raw console_size;
};
static const struct jfield start_body_fields[] = {
	J_BOOLEAN(struct start_body, detach,       "Detach", 0),
	J_BOOLEAN(struct start_body, tty,          "Tty", 0),
	J_RAW    (struct start_body, console_size, "ConsoleSize", 0),
};
static const struct jschema start_body_schema = J_SCHEMA_FOLD(struct start_body, "ExecStartConfig", start_body_fields);

/* What old clients send besides, and what it has to be */
static int exec_unknown(void *ctx, const char *path, const char *value, struct err *e)
{
	static const char *const silent[] = { "false", "null", "0", "\"\"", "[]", "{}" };

	(void)ctx;
	if (strcasecmp(path, "Container") == 0 || strcasecmp(path, "Detach") == 0)   /* sent, never used, by older clients */
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
		if (str_eq(value, silent[i]))
			return 0;
	return err_set(e, ERR_UNSUPPORTED, "%.64s is refused: unknown field", path);
}

/* [height, width], or nothing */
static int console_size(const struct json_raw *raw, uint32_t *ret_h, uint32_t *ret_w, struct err *e)
{
	unsigned h = 0, w = 0;
	int n = 0;

	if (!raw->text || str_eq(raw->text, "null"))
		return 0;
	if (sscanf(raw->text, "[%5u,%5u]%n", &h, &w, &n) != 2 || (size_t)n != raw->len || h > UINT16_MAX || w > UINT16_MAX)
		return err_set(e, ERR_INVALID, "ConsoleSize: expected [height, width], got %.64s", raw->text);
	*ret_h = h;
	*ret_w = w;
	return 0;
}

int docker_exec_parse(const char *body, size_t n, struct arena *a, struct exec_options *ret, struct err *e)
{
	struct exec_body *b = NULL;

	if (json_decode(body, n, &exec_body_schema, a, exec_unknown, NULL, (void **)&b, e) < 0)
		return -1;
	if (b->cmd.n == 0)
		return err_set(e, ERR_INVALID, "No exec command specified");
	*ret = (struct exec_options){
		.attach_stdin = b->attach_stdin, .attach_stdout = b->attach_stdout, .attach_stderr = b->attach_stderr,
		.tty = b->tty, .privileged = b->privileged, .cmd = b->cmd, .env = b->env,
		.user = b->user, .working_dir = b->working_dir, .detach_keys = b->detach_keys,
	};
	return console_size(&b->console_size, &ret->height, &ret->width, e);
}

int docker_exec_start_parse(const char *body, size_t n, struct arena *a, struct exec_start_options *io, struct err *e)
{
	struct start_body *b = NULL;

	if (json_decode(n ? body : "{}", n ? n : 2, &start_body_schema, a, exec_unknown, NULL, (void **)&b, e) < 0 ||
	    console_size(&b->console_size, &io->height, &io->width, e) < 0)
		return -1;
	io->is_detached = b->detach;
	return 0;
}

static void handle_create(struct request *r)
{
	AUTO_STRBUF struct strbuf out = {0};
	struct container *c = door_container(r);
	struct exec_options opt = {0};
	struct exec *x = NULL;
	struct err e = {0};
	const char *body;
	char keys[16];
	struct jw w;
	size_t n;

	if (!c)
		return;
	body = request_body(r, &n);
	if (docker_exec_parse(body, n, request_arena(r), &opt, &e) < 0 || detach_keys_parse(opt.detach_keys, keys, sizeof(keys), &e) < 0 ||
	    exec_create(c, &opt, &x, &e) < 0) {
		reply_error(r, &e);
		return;
	}
	jw_init(&w, &out);
	jw_obj(&w, NULL);
	jw_str(&w, "Id", x->id);
	jw_obj_end(&w);
	reply_json(r, 201, &out);
}

static struct exec *door_exec(struct request *r)
{
	struct exec *x = exec_find(request_ctx(r), request_param(r, "id"));

	if (!x)
		reply_error_status(r, 404, "No such exec instance: %.64s", request_param(r, "id"));
	else
		request_object(r, x->c->id);
	return x;
}

static void started_detached(void *ctx, const struct err *err)
{
	struct request *r = pending_take(ctx);

	if (!r)
		return;
	if (err->kind == ERR_NOT_FOUND || err->kind == ERR_DENIED)
		reply_error_status(r, 400, "%s", err->msg);
	else if (err->kind != ERR_NONE)
		reply_error(r, err);
	else
		reply_empty(r, 200);
}

/* The error is in the stream already. */
static void started_attached(void *ctx, const struct err *err)
{
	(void)ctx;
	(void)err;
}

static unsigned exec_streams(const struct exec *x, bool is_tty)
{
	return (x->opt->attach_stdin ? ATTACH_STDIN : 0) | (x->opt->attach_stdout ? ATTACH_STDOUT : 0) |
	       (x->opt->attach_stderr ? ATTACH_STDERR : 0) | (is_tty ? 0 : ATTACH_MUX);
}

static void start_attached(struct request *r, struct exec *x, uint32_t height, uint32_t width)
{
	bool is_tty = x->opt->tty;
	char prefix[HIJACK_PREFIX_MAX];
	struct err e = {0};
	size_t n_prefix = 0;
	char keys[16];
	int fd = -1;

	if (detach_keys_parse(x->opt->detach_keys, keys, sizeof(keys), &e) < 0 ||
	    reply_hijack(r, docker_stream_type(r, is_tty, docker_wants_upgrade(r)), true, &fd, prefix, sizeof(prefix),
			 &n_prefix, &e) < 0) {
		reply_error(r, &e);
		return;
	}
	exec_start(x, fd, exec_streams(x, is_tty), keys, prefix, n_prefix, is_tty, (uint16_t)height, (uint16_t)width,
		   started_attached, NULL);
}

static void handle_start(struct request *r)
{
	struct exec *x = door_exec(r);
	struct exec_start_options o;
	struct err e = {0};
	const char *body;
	size_t n;

	if (!x)
		return;
	body = request_body(r, &n);
	o = (struct exec_start_options){ .height = x->opt->height, .width = x->opt->width };
	if (docker_exec_start_parse(body, n, request_arena(r), &o, &e) < 0 || exec_can_start(x, &e) < 0) {
		reply_error(r, &e);
		return;
	}
	if (!o.is_detached)
		start_attached(r, x, o.height, o.width);
	else
		exec_start(x, -1, 0, "", NULL, 0, x->opt->tty, (uint16_t)o.height, (uint16_t)o.width, started_detached, pending_new(r));
}

static void handle_resize(struct request *r)
{
	struct exec *x = door_exec(r);
	int64_t height, width;
	struct err e = {0};

	if (!x)
		return;
	if (query_i64(r, "h", 0, UINT16_MAX, 0, &height, &e) < 0 || query_i64(r, "w", 0, UINT16_MAX, 0, &width, &e) < 0 ||
	    exec_resize(x, (uint16_t)height, (uint16_t)width, &e) < 0)
		reply_error(r, &e);
	else
		reply_empty(r, 200);
}

static void print_process(struct jw *w, const struct exec *x)
{
	struct str_list args = { x->opt->cmd.v + 1, x->opt->cmd.n - 1 };

	jw_obj(w, "ProcessConfig");
	jw_bool(w, "tty", x->opt->tty);
	jw_str(w, "entrypoint", x->opt->cmd.v[0]);
	jw_strs(w, "arguments", &args);
	jw_bool(w, "privileged", x->opt->privileged);
	if (!str_is_empty(x->opt->user))
		jw_str(w, "user", x->opt->user);
	jw_obj_end(w);
}

static void handle_inspect(struct request *r)
{
	AUTO_STRBUF struct strbuf out = {0};
	struct exec *x = door_exec(r);
	struct jw w;

	if (!x)
		return;
	jw_init(&w, &out);
	jw_obj(&w, NULL);
	jw_str(&w, "ID", x->id);
	jw_bool(&w, "Running", x->is_running);
	if (x->is_done)
		jw_i64(&w, "ExitCode", x->exit_code);
	else
		jw_null(&w, "ExitCode");
	print_process(&w, x);
	jw_bool(&w, "OpenStdin", x->opt->attach_stdin);
	jw_bool(&w, "OpenStderr", x->opt->attach_stderr);
	jw_bool(&w, "OpenStdout", x->opt->attach_stdout);
	jw_bool(&w, "CanRemove", x->is_done);
	jw_str(&w, "ContainerID", x->c->id);
	jw_str(&w, "DetachKeys", x->opt->detach_keys);
	jw_i64(&w, "Pid", x->pid);
	jw_obj_end(&w);
	reply_json(r, 200, &out);
}

static const struct route routes[] = {
	{ "POST", "/containers/{id}/exec", ROUTE_BODY_JSON, handle_create },
	{ "POST", "/exec/{id}/start",      ROUTE_BODY_JSON, handle_start },
	{ "POST", "/exec/{id}/resize",     ROUTE_BODY_JSON, handle_resize },
	{ "GET",  "/exec/{id}/json",       0, handle_inspect },
};

void docker_exec_door(struct server *s, struct engine *eng)
{
	static struct door door = { .name = "docker", .routes = routes, .n_routes = ARRAY_SIZE(routes) };

	door.ctx = eng;
	server_add_door(s, &door);
}
