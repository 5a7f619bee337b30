/* SPDX-License-Identifier: Apache-2.0 */
/* kiln exec: another program in a container that runs. */
#include "base/own.h"
#include "cli/commands.h"
#include "cli/create_emit.h"
#include "cli/env_file.h"
#include "cli/foreground.h"
#include "cli/reply.h"
#include "cli/session.h"
#include "cli/tty.h"

struct options {
	bool detach, interactive, tty, privileged;
	const char *detach_keys, *user, *workdir;
	struct str_list env, env_file;
};
static const struct opt rows[] = {
	OPT_FLAG(struct options, detach, 'd', "detach", "Run it in the background"),
	OPT_TEXT(struct options, detach_keys, 0, "detach-keys", "KEYS", "What leaves its terminal (default ctrl-p,ctrl-q)", .json = "DetachKeys"),
	OPT_TEXTS(struct options, env, 'e', "env", "KEY=VALUE", "Set an environment variable; KEY alone takes ours", .json = "Env", .emit = emit_env, .check = emit_check_env),
	OPT_TEXTS(struct options, env_file, 0, "env-file", "FILE", "Read environment variables from a file, one a line", .kind = VALUE_FILE),
	OPT_FLAG(struct options, interactive, 'i', "interactive", "Pass standard input on"),
	OPT_FLAG(struct options, privileged, 0, "privileged", "Give it all capabilities", .json = "Privileged"),
	OPT_FLAG(struct options, tty, 't', "tty", "Give it a terminal", .json = "Tty"),
	OPT_TEXT(struct options, user, 'u', "user", "USER[:GROUP]", "Run as this user, by name or number", .json = "User"),
	OPT_TEXT(struct options, workdir, 'w', "workdir", "DIR", "Its working directory", .json = "WorkingDir"),
	OPT_END,
};

static void print_size(struct jw *w, bool wants_tty)
{
	uint16_t height, width;

	if (!wants_tty || !tty_size(&height, &width))
		return;
	jw_arr(w, "ConsoleSize");
	jw_u64(w, NULL, height);
	jw_u64(w, NULL, width);
	jw_arr_end(w);
}

static int print_create(const struct call *c, const struct options *o, struct strbuf *out, struct err *e)
{
	struct str_list cmd = { c->args.v + 1, c->args.n - 1 };
	struct jw w;

	jw_init(&w, out);
	jw_obj(&w, NULL);
	if (opt_emit(&c->cmd->opts, o, NULL, &w, e) < 0)
		return -1;
	jw_bool(&w, "AttachStdin", o->interactive && !o->detach);
	jw_bool(&w, "AttachStdout", !o->detach);
	jw_bool(&w, "AttachStderr", !o->detach);
	jw_strs(&w, "Cmd", &cmd);
	print_size(&w, o->tty);
	jw_obj_end(&w);
	return 0;
}

static const char *start_body(const struct call *c, const struct options *o)
{
	AUTO_STRBUF struct strbuf out = {0};
	struct jw w;

	jw_init(&w, &out);
	jw_obj(&w, NULL);
	jw_bool(&w, "Detach", o->detach);
	jw_bool(&w, "Tty", o->tty);
	print_size(&w, o->tty);
	jw_obj_end(&w);
	return arena_strdup(c->a, out.data);
}

struct created { char *id; };
static const struct jfield created_fields[] = { J_STRING(struct created, id, "Id", J_REQUIRED) };
static const struct jschema created_schema = J_SCHEMA(struct created, "ExecCreate", created_fields);

static int create(const struct call *c, const struct options *o, const char **ret_id, struct err *e)
{
	AUTO_STRBUF struct strbuf request = {0};
	AUTO_STRBUF struct strbuf body = {0};
	struct created *made = NULL;

	if (print_create(c, o, &request, e) < 0 ||
	    reply_post(c, "POST", path_of(c->a, "containers", c->args.v[0], "exec"), request.data, &body, e) < 0 ||
	    reply_decode(c, &body, &created_schema, (void **)&made, e) < 0)
		return -1;
	*ret_id = made->id;
	return 0;
}

struct ended { struct opt_i64 code; };
static const struct jfield ended_fields[] = { J_OPT_I64(struct ended, code, "ExitCode", 0) };
static const struct jschema ended_schema = J_SCHEMA(struct ended, "ExecInspect", ended_fields);

static int run_attached(const struct call *c, const struct options *o, const char *id, int *ret_status, struct err *e)
{
	struct session s = { .host = c->host, .path = path_of(c->a, "exec", id, ""), .fd = -1, .is_tty = o->tty, .wants_stdin = o->interactive };
	AUTO_STRBUF struct strbuf prefix = {0};
	AUTO_CLOSE int fd = -1, signal_fd = -1;
	struct ended *end = NULL;
	int status;

	if (detach_keys_set(&s.keys, o->detach_keys, e) < 0 ||
	    api_hijack(c->host, path_of(c->a, "exec", id, "start"), start_body(c, o), &fd, &prefix, e) < 0)
		return -1;
	s.fd = fd;
	s.signal_fd = signal_fd = tty_signals(false);
	if (o->tty && o->interactive && tty_raw() < 0)
		return err_sys(e, "set the terminal up");
	status = session_pump(&s, &prefix, e);
	tty_restore();
	if (status < 0)
		return -1;
	*ret_status = s.is_detached ? 0 : stream_ended(&s.out);
	if (s.is_detached || *ret_status)
		return 0;
	if (reply_get(c, path_of(c->a, "exec", id, "json"), &ended_schema, (void **)&end, e) < 0)
		return -1;
	*ret_status = (int)end->code.v;
	return 0;
}

static int run(const struct call *c)
{
	struct options o = *(const struct options *)c->o;
	const char *id = NULL;
	struct err e = {0};
	int status = 0;

	if (env_files_read(&o.env, &o.env_file, true, c->a, &e) < 0 || foreground_check_tty(o.interactive && !o.detach, o.tty, &e) < 0 ||
	    create(c, &o, &id, &e) < 0)
		return cmd_fail(&e);
	if (o.detach)
		status = reply_post(c, "POST", path_of(c->a, "exec", id, "start"), start_body(c, &o), NULL, &e);
	else
		status = run_attached(c, &o, id, &status, &e) < 0 ? -1 : status;
	return status < 0 ? cmd_fail(&e) : status;
}

const struct command cmd_exec = {
	.name = "exec", .group = "container", .member = "exec", .usage = "[OPTIONS] CONTAINER COMMAND [ARG...]",
	.help = "Run another program in a container that runs", .opts = { { rows } }, .options_size = sizeof(struct options),
	.args = VALUE_RUNNING, .n_args_min = 2, .n_args_max = ARGS_MANY, .is_prefix = true, .run = run,
};
