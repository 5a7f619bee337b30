/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations of the Docker Engine API that Kiln does not do, each refused by name. One table.
 *
 * Swarm's answer 503 as a Docker that is not part of a swarm does, and plugins are an empty list, because clients
 * ask on the way to something else.
 */
#include <string.h>

#include "base/own.h"
#include "daemon/doors/doors.h"

struct refused {
	const char *method, *pattern, *what;
};

static const struct refused refused[] = {
	{ "POST",   "/auth",                          "logging in to a registry" },
	{ "GET",    "/system/df",                     "disk usage" },
	{ "GET",    "/containers/{id}/top",           "top" },
	{ "GET",    "/containers/{id}/changes",       "diff" },
	{ "GET",    "/containers/{id}/export",        "export" },
	{ "GET",    "/containers/{id}/stats",         "stats" },
	{ "POST",   "/containers/{id}/update",        "update" },
	{ "POST",   "/containers/{id}/rename",        "rename" },
	{ "POST",   "/containers/{id}/pause",         "pause" },
	{ "POST",   "/containers/{id}/unpause",       "unpause" },
	{ "GET",    "/containers/{id}/attach/ws",     "attaching by websocket" },
	{ "HEAD",   "/containers/{id}/archive",       "cp" },
	{ "GET",    "/containers/{id}/archive",       "cp" },
	{ "PUT",    "/containers/{id}/archive",       "cp" },
	{ "POST",   "/containers/prune",              "prune" },
	{ "POST",   "/build",                         "build" },
	{ "POST",   "/build/prune",                   "build" },
	{ "GET",    "/images/search",                 "search" },
	{ "POST",   "/images/prune",                  "prune" },
	{ "POST",   "/images/{name...}/push",         "push" },
	{ "POST",   "/commit",                        "commit" },
	{ "GET",    "/volumes",                       "volumes" },
	{ "POST",   "/volumes/create",                "volumes" },
	{ "GET",    "/volumes/{name}",                "volumes" },
	{ "PUT",    "/volumes/{name}",                "volumes" },
	{ "DELETE", "/volumes/{name}",                "volumes" },
	{ "POST",   "/volumes/prune",                 "volumes" },
	{ "GET",    "/networks",                      "networks" },
	{ "GET",    "/networks/{id}",                 "networks" },
	{ "DELETE", "/networks/{id}",                 "networks" },
	{ "POST",   "/networks/create",               "networks" },
	{ "POST",   "/networks/{id}/connect",         "networks" },
	{ "POST",   "/networks/{id}/disconnect",      "networks" },
	{ "POST",   "/networks/prune",                "networks" },
	{ "GET",    "/distribution/{name...}/json",   "asking a registry" },
	{ "POST",   "/session",                       "buildkit sessions" },
	{ "POST",   "/grpc",                          "buildkit" },
	{ "GET",    "/plugins/{name...}/json",        "plugins" },
	{ "POST",   "/plugins/pull",                  "plugins" },
	{ "POST",   "/plugins/create",                "plugins" },
};

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
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (str_eq(refused[i].method, request_method(r)) && matches(refused[i].pattern + 1, request_path(r) + 1)) {
			refuse(r, refused[i].what);
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

static void handle_no_swarm(struct request *r)
{
	reply_error_status(r, 503, "This node is not a swarm manager. Kiln has no swarm mode.");
}

static const struct route fixed[] = {
	{ "GET",  "/plugins",        0, handle_no_plugins },
	{ "GET",  "/swarm",          0, handle_no_swarm },
	{ "POST", "/swarm/init",     0, handle_no_swarm },
	{ "POST", "/swarm/join",     0, handle_no_swarm },
	{ "POST", "/swarm/leave",    0, handle_no_swarm },
	{ "GET",  "/nodes",          0, handle_no_swarm },
	{ "GET",  "/services",       0, handle_no_swarm },
	{ "POST", "/services/create", 0, handle_no_swarm },
	{ "GET",  "/tasks",          0, handle_no_swarm },
	{ "GET",  "/secrets",        0, handle_no_swarm },
	{ "POST", "/secrets/create", 0, handle_no_swarm },
	{ "GET",  "/configs",        0, handle_no_swarm },
	{ "POST", "/configs/create", 0, handle_no_swarm },
};

void docker_refused_door(struct server *s, struct engine *eng)
{
	static struct route routes[ARRAY_SIZE(refused)];
	static struct door refusing = { .name = "docker", .routes = routes, .n_routes = ARRAY_SIZE(routes) };
	static struct door others = { .name = "docker", .routes = fixed, .n_routes = ARRAY_SIZE(fixed) };

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		routes[i] = (struct route){ refused[i].method, refused[i].pattern, 0, handle_refused };
	refusing.ctx = others.ctx = eng;
	server_add_door(s, &refusing);
	server_add_door(s, &others);
}
