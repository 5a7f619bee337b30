/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What clients ask before they ask for anything: _ping and version. The routes of info and events.
 *
 * Spec: Docker Engine API 1.51, SystemPing, SystemVersion
 */
#include <sys/utsname.h>

#include "base/own.h"
#include "daemon/doors/docker_system.h"
#include "daemon/doors/doors.h"
#include "oci/image.h"

static void ping(struct request *r)
{
	reply_header(r, "Cache-Control", "no-cache, no-store, must-revalidate");
	reply_header(r, "Pragma", "no-cache");
	/* 1: no BuildKit. */
	reply_header(r, "Builder-Version", "1");
	reply_header(r, "Swarm", "inactive");
	reply_text(r, 200, "text/plain; charset=utf-8", str_eq(request_method(r), "HEAD") ? "" : "OK");
}

static void print_component(struct jw *w, const char *kernel)
{
	jw_arr(w, "Components");
	jw_obj(w, NULL);
	jw_str(w, "Name", "Engine");
	jw_str(w, "Version", KILN_VERSION);
	jw_obj(w, "Details");
	jw_str(w, "ApiVersion", "1.51");
	jw_str(w, "MinAPIVersion", "1.24");
	jw_str(w, "Os", "linux");
	jw_str(w, "Arch", image_host_arch());
	jw_str(w, "KernelVersion", kernel);
	jw_str(w, "Experimental", "false");
	jw_obj_end(w);
	jw_obj_end(w);
	jw_arr_end(w);
}

static void version(struct request *r)
{
	AUTO_STRBUF struct strbuf out = { 0 };
	struct utsname host = { 0 };
	struct jw w;

	uname(&host);
	jw_init(&w, &out);
	jw_obj(&w, NULL);
	jw_obj(&w, "Platform");
	jw_str(&w, "Name", "Kiln");
	jw_obj_end(&w);
	print_component(&w, host.release);
	jw_str(&w, "Version", KILN_VERSION);
	jw_str(&w, "ApiVersion", "1.51");
	jw_str(&w, "MinAPIVersion", "1.24");
	jw_str(&w, "GitCommit", "");
	jw_str(&w, "GoVersion", "");
	jw_str(&w, "Os", "linux");
	jw_str(&w, "Arch", image_host_arch());
	jw_str(&w, "KernelVersion", host.release);
	jw_str(&w, "BuildTime", "");
	jw_obj_end(&w);
	reply_json(r, 200, &out);
}

static const struct route routes[] = {
	{ "GET", "/_ping", 0, ping },
	{ "GET", "/version", 0, version },
	{ "GET", "/info", 0, docker_info },
	{ "GET", "/events", 0, docker_events },
};

void docker_system_door(struct server *s, struct engine *eng)
{
	server_add_door(s, &(struct door){
		.name = "docker system", .routes = routes, .n_routes = ARRAY_SIZE(routes), .ctx = eng });
}
