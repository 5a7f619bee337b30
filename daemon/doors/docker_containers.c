/* SPDX-License-Identifier: Apache-2.0 */
/* containers/...: create, list, inspect, and the operations on one. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/signame.h"
#include "daemon/doors/docker_attach.h"
#include "daemon/doors/docker_create.h"
#include "daemon/doors/docker_list.h"
#include "daemon/doors/docker_logs.h"
#include "daemon/doors/docker_print.h"
#include "daemon/doors/docker_sizes.h"
#include "daemon/doors/doors.h"
#include "daemon/doors/door_util.h"

#define NETWORK_WARNING \
	"there are no bridge networks yet: the container has a network namespace of its own with loopback only"

static int check_platform(const char *platform, struct err *e)
{
	static const char *const known[] = { "linux", "linux/amd64", "linux/x86_64" };

	if (str_is_empty(platform))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (str_eq(platform, known[i]))
			return 0;
	return err_set(e, ERR_UNSUPPORTED, "platform '%.64s' is refused: this machine runs linux/amd64", platform);
}

struct creation {
	struct pending *pending;
	bool is_bridge;
};

static void created(void *ctx, const struct err *err, struct container *c)
{
	AUTO_FREE struct creation *job = ctx;
	AUTO_STRBUF struct strbuf out = {0};
	struct request *r = pending_take(job->pending);
	struct jw w;

	if (!r)
		return;
	if (err->kind != ERR_NONE) {
		reply_error(r, err);
		return;
	}
	request_object(r, c->id);
	jw_init(&w, &out);
	jw_obj(&w, NULL);
	jw_str(&w, "Id", c->id);
	jw_arr(&w, "Warnings");
	if (job->is_bridge)
		jw_str(&w, NULL, NETWORK_WARNING);
	for (size_t i = 0; i < c->warnings.n; i++)
		jw_str(&w, NULL, c->warnings.v[i]);
	jw_arr_end(&w);
	jw_obj_end(&w);
	reply_json(r, 201, &out);
}

static void handle_create(struct request *r)
{
	struct container_options opt = {0};
	struct creation *job;
	struct err e = {0};
	const char *body;
	size_t n;

	body = request_body(r, &n);
	if (check_platform(request_query(r, "platform"), &e) < 0 ||
	    docker_create_parse(body, n, request_arena(r), &opt, &e) < 0) {
		reply_error(r, &e);
		return;
	}
	job = xcalloc(1, sizeof(*job));
	job->is_bridge = str_eq(docker_network_mode(&opt), "bridge");
	job->pending = pending_new(r);
	container_create(request_ctx(r), request_query(r, "name"), &opt, created, job);
}

static void measured(void *ctx, const struct err *err, const struct container_size *v, size_t n)
{
	AUTO_STRBUF struct strbuf out = {0};
	struct request *r = pending_take(ctx);
	struct container *c = NULL;
	struct err e = *err;

	(void)n;
	if (!r)
		return;
	if (e.kind != ERR_NONE || container_find(request_ctx(r), v->id, &c, &e) < 0) {
		reply_error(r, &e);
		return;
	}
	docker_print_inspect(c, &v->rw_bytes, &out);
	reply_json(r, 200, &out);
}

static void handle_inspect(struct request *r)
{
	AUTO_STRBUF struct strbuf out = {0};
	struct container *c = door_container(r);

	if (!c)
		return;
	if (request_query_bool(r, "size")) {
		docker_sizes(request_ctx(r), &c, 1, measured, pending_new(r));
		return;
	}
	docker_print_inspect(c, NULL, &out);
	reply_json(r, 200, &out);
}

/*
 * The docker CLI derives run's exit code (127, 126, 125) from the text of the error, and docker gives
 * the status 400 for a program that cannot be executed.
 */
static void started(void *ctx, const struct err *err, bool changed)
{
	struct request *r;

	if (err->kind != ERR_NOT_FOUND && err->kind != ERR_DENIED) {
		pending_reply_changed(ctx, err, changed);
		return;
	}
	r = pending_take(ctx);
	if (r)
		reply_error_status(r, 400, "%s", err->msg);
}

static void handle_start(struct request *r)
{
	struct container *c = door_container(r);
	size_t n;

	if (!c)
		return;
	request_body(r, &n);
	if (!str_is_empty(request_query(r, "checkpoint"))) {
		reply_error_status(r, 501, "parameter 'checkpoint': Kiln has no checkpoints");
		return;
	}
	/* Before API 1.24 it was a HostConfig. The shortest that says anything is {"A":1}; clients do send "{}". */
	if (n >= 7) {
		reply_error_status(r, 400, "a start takes no body: options are given when the container is created");
		return;
	}
	container_start(c, started, pending_new(r));
}

/* The signal and time-out that stop and restart share. */
static int stop_params(struct request *r, int *ret_signo, int64_t *ret_timeout, struct err *e)
{
	const char *name = request_query(r, "signal");
	int signo = 0;

	if (!str_is_empty(name) && (signo = signame_parse(name)) < 0)
		return err_set(e, ERR_INVALID, "invalid signal: %.32s", name);
	if (query_i64(r, "t", -1, INT32_MAX, INT64_MIN, ret_timeout, e) < 0)
		return -1;
	*ret_signo = signo;
	return 0;
}

static void handle_stop(struct request *r)
{
	struct container *c = door_container(r);
	struct err e = {0};
	int64_t timeout;
	int signo;

	if (!c)
		return;
	if (stop_params(r, &signo, &timeout, &e) < 0)
		reply_error(r, &e);
	else
		container_stop(c, signo, timeout, pending_reply_changed, pending_new(r));
}

static void handle_restart(struct request *r)
{
	struct container *c = door_container(r);
	struct err e = {0};
	int64_t timeout;
	int signo;

	if (!c)
		return;
	if (stop_params(r, &signo, &timeout, &e) < 0)
		reply_error(r, &e);
	else
		container_restart(c, signo, timeout, pending_reply_204, pending_new(r));
}

static void killed(void *ctx, int32_t exit_code, const char *error)
{
	struct err none = {0};

	(void)exit_code;
	(void)error;
	pending_reply_204(ctx, &none);
}

/* As docker: SIGKILL is answered when it has had its effect, so that a remove behind it does not come too early. */
static void handle_kill(struct request *r)
{
	struct container *c = door_container(r);
	const char *name = request_query(r, "signal");
	int signo = SIGKILL;
	struct pending *p;
	struct err e = {0};

	if (!c)
		return;
	if (!str_is_empty(name) && (signo = signame_parse(name)) < 0) {
		reply_error_status(r, 400, "invalid signal: %.32s", name);
		return;
	}
	p = pending_new(r);
	if (container_kill(c, signo, signo == SIGKILL ? NULL : pending_reply_204, p, &e) < 0)
		pending_reply_204(p, &e);
	else if (signo == SIGKILL)
		container_wait(c, WAIT_NOT_RUNNING, killed, p);
}

static void handle_remove(struct request *r)
{
	struct container *c = door_container(r);

	if (!c)
		return;
	if (request_query_bool(r, "link")) {
		reply_error_status(r, 501, "parameter 'link' is refused: there are no links");
		return;
	}
	container_remove(c, request_query_bool(r, "force"), pending_reply_204, pending_new(r));
}

static void handle_resize(struct request *r)
{
	struct container *c = door_container(r);
	int64_t height, width;
	struct err e = {0};

	if (!c)
		return;
	if (query_i64(r, "h", 0, UINT16_MAX, 0, &height, &e) < 0 || query_i64(r, "w", 0, UINT16_MAX, 0, &width, &e) < 0 ||
	    container_resize(c, (uint16_t)height, (uint16_t)width, &e) < 0)
		reply_error(r, &e);
	else
		reply_empty(r, 200);
}

/* ---- wait: the headers go at once, the body when the condition is met ---- */

struct waiting {
	struct request *r;
	struct wait_reg *reg;
};

static void wait_met(void *ctx, int32_t exit_code, const char *error)
{
	AUTO_FREE struct waiting *wait = ctx;
	AUTO_STRBUF struct strbuf out = {0};
	struct jw w;

	jw_init(&w, &out);
	jw_obj(&w, NULL);
	jw_i64(&w, "StatusCode", exit_code);
	if (!str_is_empty(error)) {
		jw_obj(&w, "Error");
		jw_str(&w, "Message", error);
		jw_obj_end(&w);
	}
	jw_obj_end(&w);
	strbuf_addc(&out, '\n');
	request_on_gone(wait->r, NULL, NULL);
	reply_stream_write(wait->r, out.data, out.len);
	reply_stream_end(wait->r);
}

static void wait_gone(void *ctx)
{
	AUTO_FREE struct waiting *wait = ctx;

	container_wait_cancel(wait->reg);
}

static void handle_wait(struct request *r)
{
	static const struct { const char *name; enum wait_condition cond; } conditions[] = {
		{ "", WAIT_NOT_RUNNING }, { "not-running", WAIT_NOT_RUNNING },
		{ "next-exit", WAIT_NEXT_EXIT }, { "removed", WAIT_REMOVED },
	};
	const char *name = request_query(r, "condition");
	struct container *c = door_container(r);
	struct waiting *wait;
	size_t i = 0;

	if (!c)
		return;
	while (i < ARRAY_SIZE(conditions) && !str_eq(conditions[i].name, name ? name : ""))
		i++;
	if (i == ARRAY_SIZE(conditions)) {
		reply_error_status(r, 400, "invalid condition: \"%.64s\"", name);
		return;
	}
	wait = xcalloc(1, sizeof(*wait));
	wait->r = r;
	reply_stream_begin(r, 200, "application/json");
	request_on_gone(r, wait_gone, wait);
	wait->reg = container_wait(c, conditions[i].cond, wait_met, wait);
}

static const struct route routes[] = {
	{ "POST",   "/containers/create",       ROUTE_BODY_JSON, handle_create },
	{ "GET",    "/containers/json",         0, docker_list },
	{ "GET",    "/containers/{id}/json",    0, handle_inspect },
	{ "GET",    "/containers/{id}/logs",    0, docker_logs },
	{ "POST",   "/containers/{id}/start",   ROUTE_BODY_JSON, handle_start },
	{ "POST",   "/containers/{id}/stop",    ROUTE_BODY_JSON, handle_stop },
	{ "POST",   "/containers/{id}/restart", ROUTE_BODY_JSON, handle_restart },
	{ "POST",   "/containers/{id}/kill",    ROUTE_BODY_JSON, handle_kill },
	{ "POST",   "/containers/{id}/wait",    ROUTE_BODY_JSON, handle_wait },
	{ "POST",   "/containers/{id}/resize",  ROUTE_BODY_JSON, handle_resize },
	{ "POST",   "/containers/{id}/attach",  0, docker_attach },
	{ "DELETE", "/containers/{id}",         0, handle_remove },
};

void docker_containers_door(struct server *s, struct engine *eng)
{
	static struct door door = { .name = "docker", .routes = routes, .n_routes = ARRAY_SIZE(routes) };

	door.ctx = eng;
	server_add_door(s, &door);
}
