/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kiln's own door: GET /kiln/v1/health.
 *
 * One JSON for the daemon, the launcher, the storage and every container. 200 when all that should be warm is warm;
 * else 503 with the reasons in "reasons".
 */
#include "base/own.h"
#include "daemon/doors/doors.h"
#include "daemon/doors/door_util.h"
#include "daemon/engine/health.h"

struct health_print {
	struct jw w;
	struct strbuf reasons;     /* a JSON array without its brackets */
	size_t n_reasons;
};

static void add_reason(struct health_print *h, const char *who, const char *why)
{
	AUTO_STRBUF struct strbuf text = {0};
	AUTO_STRBUF struct strbuf one = {0};
	struct jw w;

	strbuf_addf(&text, "%s: %s", who, why);
	jw_init(&w, &one);
	jw_str(&w, NULL, text.data);
	strbuf_addf(&h->reasons, "%s%s", h->n_reasons++ ? "," : "", strbuf_cstr(&one));
}

static void print_part(struct health_print *h, const char *name, bool is_ok, const char *why)
{
	jw_obj(&h->w, name);
	jw_bool(&h->w, "ok", is_ok);
	if (!is_ok) {
		jw_str(&h->w, "reason", why);
		add_reason(h, name, why);
	}
	jw_obj_end(&h->w);
}

static void print_container(struct health_print *h, const struct container *c)
{
	AUTO_FREE char *who = xasprintf("container '%s'", c->name);
	bool should = container_should_be_warm(c);
	char why[256] = "";
	bool is_warm = container_is_warm(c, why);
	struct jw *w = &h->w;

	jw_obj(w, NULL);
	jw_str(w, "id", c->id);
	jw_str(w, "name", c->name);
	jw_str(w, "state", container_state_name(c));
	jw_str(w, "health", health_state_name(c->health));
	jw_i64(w, "failing_streak", c->health_failing_streak);
	jw_bool(w, "should_be_warm", should);
	jw_bool(w, "warm", is_warm);
	if (should && !is_warm) {
		jw_str(w, "reason", why);
		add_reason(h, who, why);
	}
	jw_bool(w, "degraded", c->is_degraded);
	jw_i64(w, "pid", c->pid);
	jw_i64(w, "exit_code", c->exit_code);
	jw_i64(w, "restart_count", c->restart_count);
	jw_time(w, "started_at", c->started_wall_ns);
	jw_time(w, "finished_at", c->finished_wall_ns);
	jw_obj_end(w);
}

static void handle_health(struct request *r)
{
	struct engine *eng = request_ctx(r);
	AUTO_STRBUF struct strbuf out = {0};
	struct health_print h = {0};
	struct err why = {0};
	bool is_ok;

	jw_init(&h.w, &out);
	jw_obj(&h.w, NULL);
	print_part(&h, "daemon", true, "");
	print_part(&h, "launcher", engine_launcher_is_up(eng), "no launcher: running containers go on, none can start");
	is_ok = engine_storage_is_ok(eng, &why);
	print_part(&h, "storage", is_ok, why.msg);
	jw_arr(&h.w, "containers");
	for (struct container *c = container_first(eng); c; c = container_next(eng, c))
		print_container(&h, c);
	jw_arr_end(&h.w);
	jw_bool(&h.w, "warm", h.n_reasons == 0);
	strbuf_addf(&out, ",\"reasons\":[%s]", strbuf_cstr(&h.reasons));
	jw_obj_end(&h.w);
	strbuf_done(&h.reasons);
	reply_json(r, h.n_reasons ? 503 : 200, &out);
}

static const struct route routes[] = {
	{ "GET", "/kiln/v1/health", 0, handle_health },
};

void kiln_door(struct server *s, struct engine *eng)
{
	static struct door door = { .name = "kiln", .routes = routes, .n_routes = ARRAY_SIZE(routes) };

	door.ctx = eng;
	server_add_door(s, &door);
}
