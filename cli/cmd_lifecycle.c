/* SPDX-License-Identifier: Apache-2.0 */
/* kiln stop, restart, kill, rm, pause, unpause, wait, rename, update: one request for each container. */
#include <stdio.h>

#include "base/own.h"
#include "cli/commands.h"
#include "cli/create.h"
#include "cli/many.h"
#include "cli/reply.h"

#define MANY "CONTAINER [CONTAINER...]"
#define CONTAINERS .args = VALUE_CONTAINER, .n_args_min = 1, .n_args_max = ARGS_MANY
#define RUNNING    .args = VALUE_RUNNING, .n_args_min = 1, .n_args_max = ARGS_MANY

/* ---- stop, restart, kill ---- */

struct stop_options { const char *signal; struct opt_i64 timeout; };
static const struct opt stop_rows[] = {
	OPT_TEXT(struct stop_options, signal, 's', "signal", "SIGNAL", "What is sent, instead of the container's own stop signal", .kind = VALUE_SIGNAL),
	OPT_NUMBER(struct stop_options, timeout, 't', "timeout", "SECONDS", "How long to wait before it is killed; -1: for ever"),
	OPT_NUMBER(struct stop_options, timeout, 0, "time", "SECONDS", "The same", .is_hidden = true),
	OPT_END,
};
static const struct opt kill_rows[] = {
	OPT_TEXT(struct stop_options, signal, 's', "signal", "SIGNAL", "What is sent (default KILL)", .kind = VALUE_SIGNAL),
	OPT_END,
};

static int run_stopping(const struct call *c, const char *verb, const char *doing)
{
	const struct stop_options *o = c->o;
	AUTO_STRBUF struct strbuf path = {0};

	strbuf_adds(&path, verb);
	path_query(&path, "signal", o->signal);
	path_number(&path, "t", &o->timeout);
	return many_run(c, &(struct many){ .method = "POST", .kind = "containers", .verb = path.data, .doing = doing });
}

static int run_stop(const struct call *c) { return run_stopping(c, "stop", "Stopping"); }
static int run_restart(const struct call *c) { return run_stopping(c, "restart", "Restarting"); }
static int run_kill(const struct call *c) { return run_stopping(c, "kill", "Killing"); }

const struct command cmd_stop = {
	.name = "stop", .group = "container", .member = "stop", .usage = "[OPTIONS] " MANY, .help = "Stop containers",
	.opts = { { stop_rows } }, .options_size = sizeof(struct stop_options), RUNNING, .run = run_stop,
};
const struct command cmd_restart = {
	.name = "restart", .group = "container", .member = "restart", .usage = "[OPTIONS] " MANY, .help = "Stop containers and start them again",
	.opts = { { stop_rows } }, .options_size = sizeof(struct stop_options), CONTAINERS, .run = run_restart,
};
const struct command cmd_kill = {
	.name = "kill", .group = "container", .member = "kill", .usage = "[OPTIONS] " MANY, .help = "Send containers a signal",
	.opts = { { kill_rows } }, .options_size = sizeof(struct stop_options), RUNNING, .run = run_kill,
};

/* ---- rm ---- */

struct rm_options { bool force, link, volumes; };
static const struct opt rm_rows[] = {
	OPT_FLAG(struct rm_options, force, 'f', "force", "Kill what runs"),
	OPT_FLAG(struct rm_options, volumes, 'v', "volumes", "Remove its anonymous volumes, too"),
	OPT_REFUSED_FLAG('l', "link", "there are no links"),
	OPT_END,
};

/* As docker: with --force, what is not there is told, but no failure */
static int run_rm(const struct call *c)
{
	const struct rm_options *o = c->o;
	AUTO_STRBUF struct strbuf query = {0};

	path_flag(&query, "force", o->force);
	path_flag(&query, "v", o->volumes);
	return many_run(c, &(struct many){ .method = "DELETE", .kind = "containers", .verb = strbuf_cstr(&query), .doing = "Removing",
					   .is_missing_fine = o->force });
}

const struct command cmd_rm = {
	.name = "rm", .group = "container", .member = "rm", .aliases = "remove", .usage = "[OPTIONS] " MANY, .help = "Remove containers",
	.opts = { { rm_rows } }, .options_size = sizeof(struct rm_options), CONTAINERS, .run = run_rm,
};

/* ---- pause, unpause ---- */

static int run_pause(const struct call *c)
{
	return many_run(c, &(struct many){ .method = "POST", .kind = "containers", .verb = "pause", .doing = "Pausing" });
}

static int run_unpause(const struct call *c)
{
	return many_run(c, &(struct many){ .method = "POST", .kind = "containers", .verb = "unpause", .doing = "Resuming" });
}

const struct command cmd_pause = {
	.name = "pause", .group = "container", .member = "pause", .usage = MANY, .help = "Freeze all processes of containers",
	RUNNING, .run = run_pause,
};
const struct command cmd_unpause = {
	.name = "unpause", .group = "container", .member = "unpause", .usage = MANY, .help = "Let the processes of containers go on",
	RUNNING, .run = run_unpause,
};

/* ---- wait ---- */

struct waited { int64_t code; };
static const struct jfield waited_fields[] = { J_I64(struct waited, code, "StatusCode", J_REQUIRED) };
static const struct jschema waited_schema = J_SCHEMA(struct waited, "ContainerWait", waited_fields);

static int print_code(const struct call *c, const char *name, const struct strbuf *body, struct err *e)
{
	struct waited *w = NULL;

	(void)name;
	if (reply_decode(c, body, &waited_schema, (void **)&w, e) < 0)
		return -1;
	printf("%lld\n", (long long)w->code);
	return 0;
}

static int run_wait(const struct call *c)
{
	return many_run(c, &(struct many){ .method = "POST", .kind = "containers", .verb = "wait", .doing = "Waiting for",
					   .on_answer = print_code });
}

const struct command cmd_wait = {
	.name = "wait", .group = "container", .member = "wait", .usage = MANY, .help = "Wait until containers end, then print their exit statuses",
	CONTAINERS, .run = run_wait,
};

/* ---- rename, update ---- */

static int run_rename(const struct call *c)
{
	AUTO_STRBUF struct strbuf path = {0};
	struct err e = {0};

	strbuf_adds(&path, path_of(c->a, "containers", c->args.v[0], "rename"));
	path_query(&path, "name", c->args.v[1]);
	if (reply_post(c, "POST", path.data, NULL, NULL, &e) == 0)
		return 0;
	cmd_fail(&e);
	fprintf(stderr, "Error: failed to rename container named %s\n", c->args.v[0]);
	return EXIT_FAILED;
}

const struct command cmd_rename = {
	.name = "rename", .group = "container", .member = "rename", .usage = "CONTAINER NEW_NAME", .help = "Give a container another name",
	.args = VALUE_CONTAINER, .n_args_min = 2, .n_args_max = 2, .run = run_rename,
};

struct updated { struct str_list warnings; };
static const struct jfield updated_fields[] = { J_STRINGS(struct updated, warnings, "Warnings", 0) };
static const struct jschema updated_schema = J_SCHEMA(struct updated, "ContainerUpdate", updated_fields);

static int print_updated(const struct call *c, const char *name, const struct strbuf *body, struct err *e)
{
	struct updated *u = NULL;

	if (reply_decode(c, body, &updated_schema, (void **)&u, e) < 0)
		return -1;
	printf("%s\n", name);
	for (size_t i = 0; i < u->warnings.n; i++)
		cmd_say(stdout, "%s\n", u->warnings.v[i]);
	return 0;
}

static bool asks_nothing(const struct call *c)
{
	for (const struct opt *o = opt_next(&c->cmd->opts, NULL); o; o = opt_next(&c->cmd->opts, o))
		if (!o->refused && opt_is_given(o, c->o))
			return false;
	return true;
}

static int run_update(const struct call *c)
{
	AUTO_STRBUF struct strbuf body = {0};
	struct err e = {0};
	struct jw w;

	if (asks_nothing(c))
		return cmd_fail_with("you must provide one or more flags when using this command");
	jw_init(&w, &body);
	jw_obj(&w, NULL);
	if (opt_emit(&c->cmd->opts, c->o, NULL, &w, &e) < 0)
		return cmd_fail(&e);
	jw_obj_end(&w);
	return many_run(c, &(struct many){ .method = "POST", .kind = "containers", .verb = "update", .doing = "Updating",
					   .json = body.data, .on_answer = print_updated });
}

const struct command cmd_update = {
	.name = "update", .group = "container", .member = "update", .usage = "[OPTIONS] " MANY, .help = "Change the limits of containers",
	.opts = { { update_rows } }, .options_size = sizeof(struct update_options), CONTAINERS, .run = run_update,
};
