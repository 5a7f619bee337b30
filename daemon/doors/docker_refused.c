/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations of the Docker Engine API that Kiln does not do, each refused by name: docker_refused_table.c.
 *
 * Swarm's answer 503 as a Docker that is not part of a swarm does, plugins are an empty list, and what is asked for by
 * name is not there, because clients ask on the way to something else: docker inspect tries one kind after the other.
 */
#include "daemon/doors/docker_refused.h"

#include <string.h>

#include "base/own.h"
#include "daemon/doors/doors.h"

static void refuse(struct request *r, const char *what)
{
	reply_error_status(r, 501, "%s is refused: Kiln does not do this yet", what);
}

/* The row is found again by what the server matched: handlers get no row. */
static bool matches(const char *pattern, const char *path)
{
	for (;;) {
		size_t n = strcspn(pattern, "/"), n_path = strcspn(path, "/");
		bool is_param = pattern[0] == '{', is_long = is_param && n > 4 && strncmp(pattern + n - 4, "...}", 4) == 0;

		if (is_long) {
			const char *rest = pattern + n;
			size_t n_rest = strlen(rest), n_left = strlen(path);

			return n_left > n_rest && str_eq(path + n_left - n_rest, rest);
		}
		if (is_param ? n_path == 0 : n != n_path || memcmp(pattern, path, n) != 0)
			return false;
		pattern += n;
		path += n_path;
		if (!*pattern || !*path)
			return !*pattern && !*path;
		pattern++;
		path++;
	}
}

static void handle_refused(struct request *r)
{
	for (const struct refused_operation *o = docker_refused_operations; o->method; o++)
		if (str_eq(o->method, request_method(r)) && matches(o->pattern + 1, request_path(r) + 1)) {
			refuse(r, o->what);
			return;
		}
	refuse(r, request_path(r));
}

static void handle_no_plugins(struct request *r)
{
	AUTO_STRBUF struct strbuf out = {0};

	strbuf_adds(&out, "[]");
	reply_json(r, 200, &out);
}

/* In dockerd's words. The three networks that a container can be created with are there, though not to look at. */
static void handle_no_network(struct request *r)
{
	const char *name = request_param(r, "id");

	if (str_eq(name, "none") || str_eq(name, "host") || str_eq(name, "bridge"))
		refuse(r, "networks");
	else
		reply_error_status(r, 404, "network %s not found", name);
}

static void handle_no_volume(struct request *r)
{
	reply_error_status(r, 404, "get %s: no such volume", request_param(r, "name"));
}

static void handle_no_plugin(struct request *r)
{
	reply_error_status(r, 404, "plugin \"%s\" not found", request_param(r, "name"));
}

static void handle_no_swarm(struct request *r)
{
	reply_error_status(r, 503, "This node is not a swarm manager. Kiln has no swarm mode.");
}

static const struct route fixed[] = {
	{ "GET",  "/networks/{id}",  0, handle_no_network },
	{ "DELETE", "/networks/{id}", 0, handle_no_network },
	{ "GET",  "/volumes/{name}", 0, handle_no_volume },
	{ "DELETE", "/volumes/{name}", 0, handle_no_volume },
	{ "GET",  "/plugins",        0, handle_no_plugins },
	{ "GET",  "/plugins/{name...}/json", 0, handle_no_plugin },
	{ "DELETE", "/plugins/{name...}", 0, handle_no_plugin },
	{ "GET",  "/swarm",          0, handle_no_swarm },
	{ "POST", "/swarm/init",     0, handle_no_swarm },
	{ "POST", "/swarm/join",     0, handle_no_swarm },
	{ "POST", "/swarm/leave",    0, handle_no_swarm },
	{ "GET",  "/nodes",          0, handle_no_swarm },
	{ "GET",  "/nodes/{id}",     0, handle_no_swarm },
	{ "GET",  "/services",       0, handle_no_swarm },
	{ "GET",  "/services/{id}",  0, handle_no_swarm },
	{ "POST", "/services/create", 0, handle_no_swarm },
	{ "GET",  "/tasks",          0, handle_no_swarm },
	{ "GET",  "/tasks/{id}",     0, handle_no_swarm },
	{ "GET",  "/secrets",        0, handle_no_swarm },
	{ "GET",  "/secrets/{id}",   0, handle_no_swarm },
	{ "POST", "/secrets/create", 0, handle_no_swarm },
	{ "GET",  "/configs",        0, handle_no_swarm },
	{ "GET",  "/configs/{id}",   0, handle_no_swarm },
	{ "POST", "/configs/create", 0, handle_no_swarm },
};

void docker_refused_door(struct server *s, struct engine *eng)
{
	static struct door refusing = { .name = "docker" };
	static struct door others = { .name = "docker", .routes = fixed, .n_routes = ARRAY_SIZE(fixed) };
	static struct route *routes;   /* kept for ever */
	size_t n = 0;

	while (docker_refused_operations[n].method)
		n++;
	routes = routes ? routes : xcalloc(n, sizeof(*routes));
	for (size_t i = 0; i < n; i++)
		routes[i] = (struct route){ docker_refused_operations[i].method, docker_refused_operations[i].pattern, 0, handle_refused };
	refusing.routes = routes;
	refusing.n_routes = n;
	refusing.ctx = others.ctx = eng;
	server_add_door(s, &refusing);
	server_add_door(s, &others);
}
