/* SPDX-License-Identifier: Apache-2.0 */
/* kiln run: create, attach, start, wait; docker's options, as far as kilnd does them. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "cli/cmd.h"
#include "cli/session.h"
#include "cli/tty.h"

struct options {
	bool detach, interactive, tty, rm, init, read_only, privileged;
	const char *name, *hostname, *user, *workdir, *entrypoint, *network, *restart, *memory, *cpus, *pids_limit, *stop_signal;
	struct str_list env, volume, label, cap_add, cap_drop;
};
#define O(letter, name, type, field, value, help) { letter, name, type, offsetof(struct options, field), value, help }
static const struct opt options[] = {
	O('d', "detach", OPT_BOOL, detach, NULL, "run in the background and print the ID"),
	O('i', "interactive", OPT_BOOL, interactive, NULL, "pass standard input on"),
	O('t', "tty", OPT_BOOL, tty, NULL, "give it a terminal"),
	O(0, "rm", OPT_BOOL, rm, NULL, "remove it when it ends"),
	O(0, "name", OPT_STRING, name, "NAME", "its name"),
	O('h', "hostname", OPT_STRING, hostname, "NAME", "its host name"),
	O('e', "env", OPT_LIST, env, "K=V", "set an environment variable (K alone takes ours)"),
	O('v', "volume", OPT_LIST, volume, "SRC:DST[:ro]", "bind a path of this machine"),
	O('l', "label", OPT_LIST, label, "K=V", "set a label"),
	O('u', "user", OPT_STRING, user, "USER[:GROUP]", "run as this user"),
	O('w', "workdir", OPT_STRING, workdir, "PATH", "working directory"),
	O(0, "entrypoint", OPT_STRING, entrypoint, "PROGRAM", "instead of the image's"),
	O(0, "network", OPT_STRING, network, "none|host|bridge", "its network (default bridge)"),
	O(0, "restart", OPT_STRING, restart, "POLICY", "no, always, unless-stopped or on-failure[:N]"),
	O('m', "memory", OPT_STRING, memory, "BYTES", "limit of memory, with k, m or g"),
	O(0, "cpus", OPT_STRING, cpus, "N", "limit of processor time"),
	O(0, "pids-limit", OPT_STRING, pids_limit, "N", "limit of processes"),
	O(0, "stop-signal", OPT_STRING, stop_signal, "SIGNAL", "what stop sends"),
	O(0, "cap-add", OPT_LIST, cap_add, "CAP", "add a capability"),
	O(0, "cap-drop", OPT_LIST, cap_drop, "CAP", "drop a capability"),
	O(0, "init", OPT_BOOL, init, NULL, "run an init that forwards signals and reaps"),
	O(0, "read-only", OPT_BOOL, read_only, NULL, "make its root read-only"),
	O(0, "privileged", OPT_BOOL, privileged, NULL, "give it all capabilities"),
	{ 0 },
};
#undef O

/* "64m" as bytes */
static int parse_bytes(const char *text, int64_t *ret, struct err *e)
{
	static const char units[] = "bkmgt";
	size_t n = strlen(text);
	AUTO_FREE char *digits = xstrdup(text);
	const char *unit = NULL;
	int64_t v;

	if (n > 1 && (unit = strchr(units, digits[n - 1] | 32)))
		digits[n - 1] = '\0';
	if (!str_to_i64(digits, &v) || v < 0 || v > INT64_MAX >> 40)
		return err_set(e, ERR_INVALID, "memory '%s': expected a number with b, k, m, g or t", text);
	*ret = v << (unit ? 10 * (unit - units) : 0);
	return 0;
}

/* "1.5" as billionths */
static int parse_cpus(const char *text, int64_t *ret, struct err *e)
{
	char *end;
	double v = strtod(text, &end);

	if (*end || end == text || !(v >= 0 && v < 1e6))
		return err_set(e, ERR_INVALID, "cpus '%s': expected a number", text);
	*ret = (int64_t)(v * 1e9 + 0.5);
	return 0;
}

static void print_labels(struct jw *w, const struct str_list *l)
{
	jw_obj(w, "Labels");
	for (size_t i = 0; i < l->n; i++) {
		const char *eq = strchr(l->v[i], '=');
		AUTO_FREE char *key = xstrndup(l->v[i], eq ? (size_t)(eq - l->v[i]) : strlen(l->v[i]));

		jw_str(w, key, eq ? eq + 1 : "");
	}
	jw_obj_end(w);
}

static void print_env(struct jw *w, const struct str_list *l)
{
	jw_arr(w, "Env");
	for (size_t i = 0; i < l->n; i++) {
		const char *ours = strchr(l->v[i], '=') ? NULL : getenv(l->v[i]);
		AUTO_FREE char *pair = ours ? xasprintf("%s=%s", l->v[i], ours) : NULL;

		if (pair || strchr(l->v[i], '='))
			jw_str(w, NULL, pair ? pair : l->v[i]);
	}
	jw_arr_end(w);
}

static void print_restart(struct jw *w, const char *text)
{
	const char *colon = strchr(text, ':');
	AUTO_FREE char *name = xstrndup(text, colon ? (size_t)(colon - text) : strlen(text));
	int64_t n = 0;

	if (colon)
		str_to_i64(colon + 1, &n);
	jw_obj(w, "RestartPolicy");
	jw_str(w, "Name", name);
	jw_i64(w, "MaximumRetryCount", n);
	jw_obj_end(w);
}

static void print_str(struct jw *w, const char *key, const char *value)
{
	if (value)
		jw_str(w, key, value);
}

static int print_host_config(struct jw *w, const struct options *o, struct err *e)
{
	int64_t v;

	jw_obj(w, "HostConfig");
	jw_str(w, "NetworkMode", o->network ? o->network : "default");
	jw_bool(w, "AutoRemove", o->rm);
	jw_bool(w, "Privileged", o->privileged);
	jw_bool(w, "ReadonlyRootfs", o->read_only);
	if (o->init)
		jw_bool(w, "Init", true);
	if (o->restart)
		print_restart(w, o->restart);
	if (o->memory) {
		if (parse_bytes(o->memory, &v, e) < 0)
			return -1;
		jw_i64(w, "Memory", v);
	}
	if (o->cpus) {
		if (parse_cpus(o->cpus, &v, e) < 0)
			return -1;
		jw_i64(w, "NanoCpus", v);
	}
	if (o->pids_limit) {
		if (!str_to_i64(o->pids_limit, &v))
			return err_set(e, ERR_INVALID, "pids-limit '%s': expected a number", o->pids_limit);
		jw_i64(w, "PidsLimit", v);
	}
	jw_strs(w, "Binds", &o->volume);
	jw_strs(w, "CapAdd", &o->cap_add);
	jw_strs(w, "CapDrop", &o->cap_drop);
	jw_obj_end(w);
	return 0;
}

/* The create request. @argv: image and command. */
static int print_create(const struct options *o, int argc, char **argv, struct strbuf *out, struct err *e)
{
	struct str_list cmd = { argv + 1, (size_t)argc - 1 };
	struct str_list entrypoint = { (char **)&o->entrypoint, 1 };
	bool is_foreground = !o->detach;
	struct jw w;

	jw_init(&w, out);
	jw_obj(&w, NULL);
	jw_str(&w, "Image", argv[0]);
	if (cmd.n)
		jw_strs(&w, "Cmd", &cmd);
	if (o->entrypoint)
		jw_strs(&w, "Entrypoint", &entrypoint);
	print_str(&w, "Hostname", o->hostname);
	print_str(&w, "User", o->user);
	print_str(&w, "WorkingDir", o->workdir);
	print_str(&w, "StopSignal", o->stop_signal);
	jw_bool(&w, "Tty", o->tty);
	jw_bool(&w, "OpenStdin", o->interactive);
	jw_bool(&w, "StdinOnce", o->interactive && is_foreground);
	jw_bool(&w, "AttachStdin", o->interactive && is_foreground);
	jw_bool(&w, "AttachStdout", is_foreground);
	jw_bool(&w, "AttachStderr", is_foreground);
	print_env(&w, &o->env);
	print_labels(&w, &o->label);
	if (print_host_config(&w, o, e) < 0)
		return -1;
	jw_obj_end(&w);
	return 0;
}

struct created { char *id; struct str_list warnings; };
static const struct jfield created_fields[] = {
	J_STRING(struct created, id, "Id", J_REQUIRED),
	J_STRINGS(struct created, warnings, "Warnings", 0),
};
static const struct jschema created_schema = J_SCHEMA(struct created, "ContainerCreate", created_fields);

static int create(const struct options *o, int argc, char **argv, struct arena *a, const char **ret_id, struct err *e)
{
	AUTO_STRBUF struct strbuf request = {0};
	AUTO_STRBUF struct strbuf body = {0};
	AUTO_STRBUF struct strbuf path = {0};
	struct created *c = NULL;
	int status;

	strbuf_adds(&path, "/containers/create?name=");
	api_escape(&path, o->name);
	if (print_create(o, argc, argv, &request, e) < 0 ||
	    api_call(api_host(), "POST", path.data, request.data, &status, &body, e) < 0 ||
	    json_decode(strbuf_cstr(&body), body.len, &created_schema, a, NULL, NULL, (void **)&c, e) < 0)
		return -1;
	for (size_t i = 0; i < c->warnings.n; i++)
		fprintf(stderr, "warning: %s\n", c->warnings.v[i]);
	*ret_id = c->id;
	return 0;
}

static int start(const char *id, struct err *e)
{
	AUTO_FREE char *path = xasprintf("/containers/%s/start", id);
	AUTO_STRBUF struct strbuf body = {0};
	int status;

	return api_call(api_host(), "POST", path, NULL, &status, &body, e);
}

/* Docker's exit statuses for what could not be started */
static int start_failed(const struct err *e)
{
	cmd_fail(&cmd_run, e);
	if (strstr(e->msg, "executable file not found") || strstr(e->msg, "no such file or directory"))
		return 127;
	return strstr(e->msg, "permission denied") || strstr(e->msg, "is a directory") ? 126 : 125;
}

struct waited { int64_t code; };
static const struct jfield waited_fields[] = { J_I64(struct waited, code, "StatusCode", J_REQUIRED) };
static const struct jschema waited_schema = J_SCHEMA(struct waited, "ContainerWait", waited_fields);

static int exit_code(int wait_fd, struct arena *a, struct err *e)
{
	AUTO_STRBUF struct strbuf body = {0};
	struct waited *w = NULL;
	int status;

	if (api_receive(wait_fd, "wait", &status, &body, e) < 0 ||
	    json_decode(strbuf_cstr(&body), body.len, &waited_schema, a, NULL, NULL, (void **)&w, e) < 0)
		return cmd_fail(&cmd_run, e);
	return (int)w->code;
}

static int run_foreground(const struct options *o, const char *id, struct arena *a)
{
	AUTO_FREE char *attach = xasprintf("/containers/%s/attach?stream=1&stdout=1&stderr=1&stdin=%d", id, o->interactive);
	AUTO_FREE char *wait = xasprintf("/containers/%s/wait?condition=%s", id, o->rm ? "removed" : "next-exit");
	struct session s = { .host = api_host(), .id = id, .fd = -1, .signal_fd = -1, .is_tty = o->tty, .wants_stdin = o->interactive };
	AUTO_STRBUF struct strbuf prefix = {0};
	AUTO_CLOSE int fd = -1, wait_fd = -1, signal_fd = -1;
	struct err e = {0};

	if (api_hijack(s.host, attach, NULL, &fd, &prefix, &e) < 0 || api_send(s.host, "POST", wait, NULL, &wait_fd, &e) < 0)
		return cmd_fail(&cmd_run, &e);
	/* its headers come at once: now the wait is registered, and the start cannot overtake it */
	poll(&(struct pollfd){ wait_fd, POLLIN, 0 }, 1, 10000);
	signal_fd = tty_signals(!o->tty);
	if (start(id, &e) < 0)
		return start_failed(&e);
	s.fd = fd;
	s.signal_fd = signal_fd;
	session_resize(&s);
	if (o->tty && o->interactive && tty_raw() < 0)
		err_sys(&e, "terminal");
	if (session_pump(&s, &prefix, &e) < 0) {
		tty_restore();
		return cmd_fail(&cmd_run, &e);
	}
	tty_restore();
	return exit_code(TAKE_FD(wait_fd), a, &e);
}

static int run(int argc, char **argv, struct arena *a)
{
	const char *id = NULL;
	struct options o = {0};
	struct err e = {0};
	int first, status;

	if (!cmd_options(&cmd_run, argc, argv, a, &o, &first, &status))
		return status;
	if (first >= argc)
		err_set(&e, ERR_INVALID, "expected an image; 'kiln run --help' tells the rest");
	else if (o.tty && o.interactive && !o.detach && !tty_is_here())
		err_set(&e, ERR_INVALID, "the input device is not a TTY");
	if (e.kind != ERR_NONE || create(&o, argc - first, argv + first, a, &id, &e) < 0)
		return cmd_fail(&cmd_run, &e);
	if (!o.detach)
		return run_foreground(&o, id, a);
	if (start(id, &e) < 0)
		return start_failed(&e);
	printf("%s\n", id);
	return 0;
}

const struct command cmd_run = { "run", "[OPTIONS] IMAGE [COMMAND] [ARG...]", "Create a container and run a command in it", options, run };
