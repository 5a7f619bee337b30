/* SPDX-License-Identifier: Apache-2.0 */
/* kiln create, run, start, attach. */
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "cli/commands.h"
#include "cli/create.h"
#include "cli/foreground.h"
#include "cli/reply.h"
#include "cli/tty.h"

/* ---- create and run ---- */

struct run_options {
	struct create_options create;   /* first: the rows of create are used */
	bool detach;
	struct opt_bool sig_proxy;
	const char *detach_keys;
};
static const struct opt run_rows[] = {
	OPT_FLAG(struct run_options, detach, 'd', "detach", "Run in the background and print the ID", .group = "Foreground and background"),
	OPT_TEXT(struct run_options, detach_keys, 0, "detach-keys", "KEYS", "What leaves the container's terminal (default ctrl-p,ctrl-q)"),
	OPT_SWITCH(struct run_options, sig_proxy, 0, "sig-proxy", "Pass signals on to the program (default true)"),
	OPT_END,
};

static int run_create(const struct call *c)
{
	struct create_options o = *(const struct create_options *)c->o;
	AUTO_STRBUF struct strbuf request = {0};
	const char *id = NULL;
	struct err e = {0};

	if (create_check(c, &o, &e) < 0)
		return cmd_not_run(c, &e);
	if (create_print(c, &o, &c->args, &request, &e) < 0)
		return cmd_bad_option(c, &e);
	if (create_container(c, &o, &request, &id, &e) < 0)
		return cmd_fail(&e);
	printf("%s\n", id);
	return 0;
}

static int run_detached(const struct call *c, const char *id)
{
	struct err e = {0};
	int status = reply_post(c, "POST", path_of(c->a, "containers", id, "start"), NULL, NULL, &e);

	printf("%s\n", id);
	return status < 0 ? cmd_not_started(c, &e) : 0;
}

static int run_attached(const struct call *c, const struct create_options *create, const char *id)
{
	const struct run_options *o = c->o;
	struct foreground f = {
		.id = id, .is_tty = create->tty, .is_removed_at_end = create->rm, .detach_keys = o->detach_keys,
		.wants_stdin = create_attached(create, "stdin"), .wants_stdout = create_attached(create, "stdout"),
		.wants_stderr = create_attached(create, "stderr"), .passes_signals = !o->sig_proxy.set || o->sig_proxy.v,
	};
	struct err e = {0};
	int status = 0;

	return foreground_run(c, &f, &status, &e) < 0 ? cmd_not_started(c, &e) : status;
}

static int run_run(const struct call *c)
{
	const struct run_options *o = c->o;
	struct create_options create = o->create;
	AUTO_STRBUF struct strbuf request = {0};
	const char *id = NULL;
	struct err e = {0};

	create.is_detached = o->detach;
	if (create.tty && !tty_size(&create.console_height, &create.console_width))
		create.console_height = 0;
	if (create_check(c, &create, &e) < 0)
		return cmd_not_run(c, &e);
	if (create_print(c, &create, &c->args, &request, &e) < 0)
		return cmd_bad_option(c, &e);
	if (o->detach && create.attach.n)
		return cmd_fail_with("conflicting options: cannot specify both --attach and --detach");
	if (foreground_check_tty(create_attached(&create, "stdin"), create.tty, &e) < 0)
		return cmd_fail(&e);
	if (create_container(c, &create, &request, &id, &e) < 0)
		return cmd_not_run(c, &e);
	return o->detach ? run_detached(c, id) : run_attached(c, &create, id);
}

#define CREATE_USAGE "[OPTIONS] IMAGE [COMMAND] [ARG...]"

const struct command cmd_create = {
	.name = "create", .group = "container", .member = "create", .usage = CREATE_USAGE, .help = "Create a container",
	.opts = { { create_rows } }, .options_size = sizeof(struct create_options),
	.args = VALUE_IMAGE, .n_args_min = 1, .n_args_max = ARGS_MANY, .is_prefix = true, .run = run_create,
};

const struct command cmd_run = {
	.name = "run", .group = "container", .member = "run", .usage = CREATE_USAGE, .help = "Create a container and run a command in it",
	.more = "The exit status is the program's own; 125 when kiln or kilnd failed, 126 when the program cannot be executed, 127 when there "
		"is no such program.",
	.opts = { { create_rows, run_rows } }, .options_size = sizeof(struct run_options),
	.args = VALUE_IMAGE, .n_args_min = 1, .n_args_max = ARGS_MANY, .is_prefix = true, .run = run_run,
};

/* ---- start and attach ---- */

struct config { bool tty, open_stdin; };
static const struct jfield config_fields[] = {
	J_BOOLEAN(struct config, tty, "Tty", 0),
	J_BOOLEAN(struct config, open_stdin, "OpenStdin", 0),
};
static const struct jschema config_schema = J_SCHEMA(struct config, "Config", config_fields);

struct state { bool running, paused, restarting; };
static const struct jfield state_fields[] = {
	J_BOOLEAN(struct state, running, "Running", J_REQUIRED),
	J_BOOLEAN(struct state, paused, "Paused", 0),
	J_BOOLEAN(struct state, restarting, "Restarting", 0),
};
static const struct jschema state_schema = J_SCHEMA(struct state, "State", state_fields);

struct host { bool auto_remove; };
static const struct jfield host_fields[] = { J_BOOLEAN(struct host, auto_remove, "AutoRemove", 0) };
static const struct jschema host_schema = J_SCHEMA(struct host, "HostConfig", host_fields);

struct inspect { char *id; struct config *config; struct state *state; struct host *host; };
static const struct jfield inspect_fields[] = {
	J_STRING(struct inspect, id, "Id", J_REQUIRED),
	J_OBJECT(struct inspect, config, "Config", &config_schema, J_REQUIRED),
	J_OBJECT(struct inspect, state, "State", &state_schema, J_REQUIRED),
	J_OBJECT(struct inspect, host, "HostConfig", &host_schema, J_REQUIRED),
};
static const struct jschema inspect_schema = J_SCHEMA(struct inspect, "ContainerInspect", inspect_fields);

struct attach_options { bool attach, interactive, no_stdin; struct opt_bool sig_proxy; const char *detach_keys; };
static const struct opt attach_rows[] = {
	OPT_TEXT(struct attach_options, detach_keys, 0, "detach-keys", "KEYS", "What leaves the container's terminal (default ctrl-p,ctrl-q)"),
	OPT_FLAG(struct attach_options, no_stdin, 0, "no-stdin", "Do not pass standard input on"),
	OPT_SWITCH(struct attach_options, sig_proxy, 0, "sig-proxy", "Pass signals on to the program (default true)"),
	OPT_END,
};
static const struct opt start_rows[] = {
	OPT_FLAG(struct attach_options, attach, 'a', "attach", "Join with its output, and pass signals on"),
	OPT_TEXT(struct attach_options, detach_keys, 0, "detach-keys", "KEYS", "What leaves the container's terminal (default ctrl-p,ctrl-q)"),
	OPT_FLAG(struct attach_options, interactive, 'i', "interactive", "Join with its standard input"),
	OPT_REFUSED_VALUE(0, "checkpoint", "Kiln has no checkpoints"),
	OPT_REFUSED_VALUE(0, "checkpoint-dir", "Kiln has no checkpoints"),
	OPT_END,
};

static int join(const struct call *c, const char *name, bool is_running, bool wants_stdin, int *ret_status, struct err *e)
{
	const struct attach_options *o = c->o;
	struct inspect *i = NULL;
	struct foreground f;

	if (reply_get(c, path_of(c->a, "containers", name, "json"), &inspect_schema, (void **)&i, e) < 0)
		return -1;
	if (is_running && !i->state->running)
		return err_set(e, ERR_CONFLICT, "You cannot attach to a stopped container, start it first");
	if (is_running && i->state->paused)
		return err_set(e, ERR_CONFLICT, "You cannot attach to a paused container, unpause it first");
	if (is_running && i->state->restarting)
		return err_set(e, ERR_CONFLICT, "You cannot attach to a restarting container, wait until it is running");
	wants_stdin = wants_stdin && i->config->open_stdin;
	if (foreground_check_tty(wants_stdin, i->config->tty, e) < 0)
		return -1;
	f = (struct foreground){
		.id = i->id, .is_tty = i->config->tty, .is_running = is_running, .is_removed_at_end = i->host->auto_remove && !is_running,
		.wants_stdin = wants_stdin, .wants_stdout = true, .wants_stderr = true, .detach_keys = o->detach_keys,
		.passes_signals = !o->sig_proxy.set || o->sig_proxy.v,
	};
	return foreground_run(c, &f, ret_status, e);
}

static int run_attach(const struct call *c)
{
	const struct attach_options *o = c->o;
	struct err e = {0};
	int status = 0;

	return join(c, c->args.v[0], true, !o->no_stdin, &status, &e) < 0 ? cmd_fail(&e) : status;
}

static int start_all(const struct call *c)
{
	AUTO_STRBUF struct strbuf failed = {0};

	for (size_t i = 0; i < c->args.n; i++) {
		struct err e = {0};

		if (reply_post(c, "POST", path_of(c->a, "containers", c->args.v[i], "start"), NULL, NULL, &e) == 0) {
			printf("%s\n", c->args.v[i]);
			continue;
		}
		cmd_fail(&e);
		strbuf_addf(&failed, "%s%s", failed.len ? ", " : "", c->args.v[i]);
	}
	if (failed.len)
		fprintf(stderr, "Error: failed to start containers: %s\n", failed.data);
	return failed.len ? EXIT_FAILED : 0;
}

static int run_start(const struct call *c)
{
	const struct attach_options *o = c->o;
	struct err e = {0};
	int status = 0;

	if (!o->attach && !o->interactive)
		return start_all(c);
	if (c->args.n > 1)
		return cmd_fail_with("you cannot start and attach multiple containers at once");
	return join(c, c->args.v[0], false, o->interactive, &status, &e) < 0 ? cmd_fail(&e) : status;
}

const struct command cmd_start = {
	.name = "start", .group = "container", .member = "start", .usage = "[OPTIONS] CONTAINER [CONTAINER...]",
	.help = "Start containers that do not run", .opts = { { start_rows } }, .options_size = sizeof(struct attach_options),
	.args = VALUE_CONTAINER, .n_args_min = 1, .n_args_max = ARGS_MANY, .run = run_start,
};

const struct command cmd_attach = {
	.name = "attach", .group = "container", .member = "attach", .usage = "[OPTIONS] CONTAINER",
	.help = "Join with the standard streams of a container that runs", .opts = { { attach_rows } },
	.options_size = sizeof(struct attach_options), .args = VALUE_RUNNING, .n_args_min = 1, .n_args_max = 1, .run = run_attach,
};
