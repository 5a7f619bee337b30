/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Execs, as docker has them: created, started once, looked at afterwards.
 *
 * The exit code is in memory before the monitor is released, and the monitor keeps the client's
 * connection until then: so a client that asks after the end of its stream gets the code. kilnd
 * keeps a copy of the connection until it is known whether the program runs, to write into it why
 * not. Done execs are kept for a while.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defence.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/own.h"
#include "daemon/engine/container_impl.h"
#include "daemon/engine/exec_run.h"
#include "daemon/engine/names.h"

#define DONE_KEEP_NS      (600 * CLOCK_NS_PER_SEC)
#define DONE_KEEP_MAX     256
#define PER_CONTAINER_MAX 1024
#define LOST_CODE         255

static const struct err no_error;

/* ---- the list ---- */

static void answer(struct exec *x, const struct err *err)
{
	engine_done_fn done = TAKE_PTR(x->priv->done);

	if (done)
		done(x->priv->ctx, err);
}

static void exec_free(struct exec *x)
{
	struct err e = { 0 };

	err_set(&e, ERR_CONFLICT, "Container %s is not running", x->c->id);
	answer(x, &e); /* whoever still waits for its start */
	for (struct exec **at = &x->c->eng->first_exec; *at; at = &(*at)->priv->next) {
		if (*at != x)
			continue;
		*at = x->priv->next;
		break;
	}
	exec_run_abandon(TAKE_PTR(x->priv->run));
	close_fd(&x->priv->client_fd);
	arena_free(x->priv->arena);
}

struct exec *exec_find(struct engine *eng, const char *id)
{
	for (struct exec *x = eng->first_exec; x; x = x->priv->next) {
		if (strcmp(x->id, id) == 0)
			return x;
	}
	return NULL;
}

size_t container_exec_ids(const struct container *c, const char **ids, size_t max)
{
	size_t n = 0;

	for (struct exec *x = c->eng->first_exec; x && n < max; x = x->priv->next) {
		if (x->c == c && !x->is_done)
			ids[n++] = x->id;
	}
	return n;
}

/* Newest first: the done ones beyond the limits are at the end of the list. */
static void forget_old(struct engine *eng)
{
	int64_t now_ns = clock_mono_ns();
	struct exec *next;
	size_t n_done = 0;

	for (struct exec *x = eng->first_exec; x; x = next) {
		next = x->priv->next;
		if (!x->is_done)
			continue;
		if (++n_done > DONE_KEEP_MAX || now_ns - x->priv->done_mono_ns > DONE_KEEP_NS)
			exec_free(x);
	}
}

void exec_forget(struct container *c, bool all)
{
	struct exec *next;

	for (struct exec *x = c->eng->first_exec; x; x = next) {
		next = x->priv->next;
		if (x->c != c || (!all && x->priv->has_started))
			continue;
		/* What could not be removed when it ended */
		if (x->is_done)
			exec_run_sweep(c->eng, x->id);
		exec_free(x);
	}
}

void exec_free_all(struct engine *eng)
{
	while (eng->first_exec)
		exec_free(eng->first_exec);
}

/* ---- create ---- */

static int can_run(const struct container *c, struct err *e)
{
	if (c->is_restarting)
		return err_set(e, ERR_CONFLICT,
			       "Container %s is restarting, wait until the container is running",
			       c->id);
	if (c->is_paused)
		return err_set(e, ERR_CONFLICT,
			       "Container %s is paused, unpause the container before exec", c->id);
	if (c->state != CT_RUNNING)
		return err_set(e, ERR_CONFLICT, "Container %s is not running", c->id);
	return 0;
}

static struct str_list copy_list(const struct str_list *l, struct arena *a)
{
	struct str_list out = { .v = arena_new_array(a, char *, l->n + 1), .n = l->n };

	for (size_t i = 0; i < l->n; i++)
		out.v[i] = arena_strdup(a, l->v[i]);
	return out;
}

static struct exec_options *copy_options(const struct exec_options *o, struct arena *a)
{
	struct exec_options *copy = arena_new_obj(a, struct exec_options);

	*copy = *o;
	copy->cmd = copy_list(&o->cmd, a);
	copy->env = copy_list(&o->env, a);
	copy->user = arena_strdup(a, o->user ? o->user : "");
	copy->working_dir = arena_strdup(a, o->working_dir ? o->working_dir : "");
	copy->detach_keys = arena_strdup(a, o->detach_keys ? o->detach_keys : "");
	return copy;
}

/* docker names these events "exec_create: <command>". */
static void command_event(struct exec *x, const char *what)
{
	AUTO_STRBUF struct strbuf action = { 0 };

	strbuf_addf(&action, "%s:", what);
	for (size_t i = 0; i < x->opt->cmd.n; i++)
		strbuf_addf(&action, " %s", x->opt->cmd.v[i]);
	container_event(x->c, strbuf_cstr(&action), "execID", x->id);
}

static struct exec *exec_new(struct container *c, const struct exec_options *opt, const char *id)
{
	struct arena *a = arena_new();
	struct exec *x = arena_new_obj(a, struct exec);

	*x = (struct exec){ .c = c, .id = arena_strdup(a, id), .opt = copy_options(opt, a) };
	x->priv = arena_new_obj(a, struct exec_priv);
	x->priv->arena = a;
	x->priv->client_fd = -1;
	x->priv->next = c->eng->first_exec;
	c->eng->first_exec = x;
	return x;
}

int exec_create(struct container *c, const struct exec_options *opt, struct exec **ret,
		struct err *e)
{
	const char *ids[PER_CONTAINER_MAX];
	char id[65];

	forget_old(c->eng);
	if (opt->cmd.n == 0)
		return err_set(e, ERR_INVALID, "No exec command specified");
	if (can_run(c, e) < 0)
		return -1;
	if (DEFENCE(EXECS_BOUNDED, container_exec_ids(c, ids, PER_CONTAINER_MAX) == PER_CONTAINER_MAX, false))
		return err_set(e, ERR_CONFLICT, "container %s has %d execs already", c->id,
			       PER_CONTAINER_MAX);
	*ret = exec_new(c, opt, name_random_id(id));
	command_event(*ret, "exec_create");
	return 0;
}

int exec_can_start(const struct exec *x, struct err *e)
{
	if (x->is_done)
		return err_set(e, ERR_CONFLICT, "exec command %s has already run", x->id);
	if (x->priv->has_started)
		return err_set(e, ERR_CONFLICT, "exec command %s is already running", x->id);
	return can_run(x->c, e);
}

/* ---- how it goes ---- */

static void mark_done(struct exec *x, int32_t exit_code)
{
	x->is_running = false;
	x->is_done = true;
	x->exit_code = exit_code;
	x->pid = 0;
	x->priv->done_mono_ns = clock_mono_ns();
	exec_run_abandon(TAKE_PTR(x->priv->run));
}

static void run_started(void *ctx, int32_t pid)
{
	struct exec *x = ctx;

	x->is_running = true;
	x->pid = pid;
	close_fd(&x->priv->client_fd);
	answer(x, &no_error);
}

/* Into the client's stream, as docker does; a frame of stdout when it is multiplexed. One write: it is short. */
static void write_failure(struct exec *x, const char *text)
{
	AUTO_STRBUF struct strbuf out = { 0 };
	size_t n = strlen(text) + 2;
	const unsigned char frame[8] = { 1,
					 0,
					 0,
					 0,
					 (unsigned char)(n >> 24),
					 (unsigned char)(n >> 16),
					 (unsigned char)(n >> 8),
					 (unsigned char)n };

	if (x->priv->client_fd < 0)
		return;
	if (x->priv->attach_flags & ATTACH_MUX)
		strbuf_add(&out, frame, sizeof frame);
	strbuf_addf(&out, "%s\r\n", text);
	if (write(x->priv->client_fd, out.data, out.len) != (ssize_t)out.len)
		log_debug("exec %.12s: the client does not take the error", x->id);
}

static void start_failed(struct exec *x, int32_t exit_code, const struct err *why)
{
	struct err e = { .kind = exit_code == 125 ? why->kind : ERR_INVALID };
	char code[16];

	snprintf(e.msg, sizeof e.msg, "OCI runtime exec failed: exec failed: %.420s", why->msg);
	mark_done(x, exit_code == 125 ? 126 : exit_code);
	write_failure(x, e.msg);
	close_fd(&x->priv->client_fd);
	snprintf(code, sizeof code, "%d", x->exit_code);
	container_event2(x->c, "exec_die", "execID", x->id, "exitCode", code);
	answer(x, &e);
}

static void run_failed(void *ctx, int32_t exit_code, const struct err *why)
{
	start_failed(ctx, exit_code, why);
}

static void run_ended(struct exec *x, int32_t exit_code)
{
	char code[16];

	mark_done(x, exit_code);
	close_fd(&x->priv->client_fd);
	snprintf(code, sizeof code, "%d", exit_code);
	container_event2(x->c, "exec_die", "execID", x->id, "exitCode", code);
	answer(x, &no_error);
}

static void run_exited(void *ctx, const struct msg_exited *m)
{
	run_ended(ctx, m->record.code);
}

static void run_lost(void *ctx)
{
	struct exec *x = ctx;
	struct err e = { 0 };

	if (x->is_running) {
		run_ended(x, LOST_CODE);
		return;
	}
	err_set(&e, ERR_SYSTEM, "its monitor was not made, or died before it told anything");
	start_failed(x, 125, &e);
}

static const struct exec_run_handlers exec_handlers = {
	.started = run_started,
	.failed = run_failed,
	.exited = run_exited,
	.lost = run_lost,
};

/* ---- across a restart of kilnd ---- */

/* Beside the monitor's socket, as long as the exec runs: what the next kilnd needs to answer for it. */
struct memory {
	char *container_id;
	bool attach_stdin, attach_stdout, attach_stderr, tty, privileged;
	struct str_list cmd;
	char *user;
};

static const struct jfield memory_fields[] = {
	J_STRING(struct memory, container_id, "container", J_REQUIRED),
	J_BOOLEAN(struct memory, attach_stdin, "stdin", J_OMIT_EMPTY),
	J_BOOLEAN(struct memory, attach_stdout, "stdout", J_OMIT_EMPTY),
	J_BOOLEAN(struct memory, attach_stderr, "stderr", J_OMIT_EMPTY),
	J_BOOLEAN(struct memory, tty, "tty", J_OMIT_EMPTY),
	J_BOOLEAN(struct memory, privileged, "privileged", J_OMIT_EMPTY),
	J_STRINGS(struct memory, cmd, "cmd", J_REQUIRED),
	J_STRING(struct memory, user, "user", J_OMIT_EMPTY),
};
static const struct jschema memory_schema = J_SCHEMA(struct memory, "exec record", memory_fields);

static void remember(const struct exec *x)
{
	const struct exec_options *o = x->opt;
	const struct memory m = { (char *)(uintptr_t)x->c->id,
				  o->attach_stdin,
				  o->attach_stdout,
				  o->attach_stderr,
				  o->tty,
				  o->privileged,
				  o->cmd,
				  o->user };
	AUTO_STRBUF struct strbuf text = { 0 };
	char name[CONTAINER_REL_MAX];
	struct err e = { 0 };

	snprintf(name, sizeof name, "x/%s.json", x->id);
	json_emit(&memory_schema, &m, &text);
	if (file_replace(x->c->eng->cfg.exec_root_fd, name, text.data, text.len, 0600, &e) < 0)
		log_warn("exec %.12s: %s, ignoring", x->id, e.msg);
}

bool exec_adopt(struct engine *eng, const char *id, int fd)
{
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_FREE char *text = NULL;
	struct container *c = NULL;
	char name[CONTAINER_REL_MAX];
	struct memory *m;
	struct exec *x;
	void *obj;
	size_t n;

	snprintf(name, sizeof name, "x/%s.json", id);
	if (file_read(eng->cfg.exec_root_fd, name, LAUNCH_MAX_BYTES, &text, &n, ERR_IGNORED) < 0 ||
	    json_decode(text, n, &memory_schema, a, NULL, NULL, &obj, ERR_IGNORED) < 0)
		return false;
	m = obj;
	if (container_find(eng, m->container_id, &c, ERR_IGNORED) < 0)
		return false;
	x = exec_new(c,
		     &(struct exec_options){ .attach_stdin = m->attach_stdin,
					     .attach_stdout = m->attach_stdout,
					     .attach_stderr = m->attach_stderr,
					     .tty = m->tty,
					     .privileged = m->privileged,
					     .cmd = m->cmd,
					     .user = m->user },
		     id);
	x->priv->has_started = true;
	x->is_running = true;
	x->priv->run = exec_run_adopt(eng, id, fd, &exec_handlers, x);
	return true;
}

/* ---- start ---- */

void exec_start(struct exec *x, int fd, unsigned flags, const char *detach_keys, const void *prefix,
		size_t n_prefix, bool tty, uint16_t height, uint16_t width, engine_done_fn done,
		void *ctx)
{
	const struct exec_options *o = x->opt;
	const struct bundle_exec_input in = {
		.id = x->id,
		.cmd = &o->cmd,
		.env = &o->env,
		.user = o->user,
		.working_dir = o->working_dir,
		.tty = tty,
		.open_stdin = o->attach_stdin && fd >= 0,
		.privileged = o->privileged,
		.height = height ? height : o->height,
		.width = width ? width : o->width,
	};
	AUTO_CLOSE int client_fd = fd;
	const struct monitor_attach client = { .fd = fd,
					       .flags = flags,
					       .detach_keys = detach_keys,
					       .prefix = prefix,
					       .n_prefix = n_prefix };
	struct err e = { 0 };

	x->priv->done = done;
	x->priv->ctx = ctx;
	x->priv->attach_flags = flags;
	x->priv->has_started = true;
	/* The connection has two owners until the program runs: the monitor, and we for the text of a failure. */
	if (client_fd >= 0)
		x->priv->client_fd = fcntl(client_fd, F_DUPFD_CLOEXEC, 3);
	if (can_run(x->c, &e) < 0 ||
	    exec_run_begin(x->c, &in, fd >= 0 ? &client : NULL, &exec_handlers, x, &x->priv->run,
			   &e) < 0) {
		start_failed(x, 125, &e);
		return;
	}
	(void)TAKE_FD(client_fd);
	remember(x);
	command_event(x, "exec_start");
}

int exec_resize(struct exec *x, uint16_t height, uint16_t width, struct err *e)
{
	if (!x->is_running || !x->priv->run)
		return err_set(e, ERR_CONFLICT, "exec command %s is not running", x->id);
	exec_run_resize(x->priv->run, height, width);
	return 0;
}
