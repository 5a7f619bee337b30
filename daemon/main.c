/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kilnd: options -> directories and locks -> loop -> sockets -> state -> engine -> doors -> run.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "daemon/config.h"
#include "daemon/doors/doors.h"
#include "daemon/engine/engine.h"
#include "daemon/places.h"
#include "daemon/server.h"
#include "daemon/state.h"

struct daemon {
	const struct config *cfg;
	struct places places;
	struct loop *loop;
	struct state *state;
	struct engine *engine;
	struct server *server;
};

static void daemon_done(struct daemon *d)
{
	server_free(TAKE_PTR(d->server));
	/* The engine still hears what was committed for it. */
	if (d->state)
		state_drain(d->state);
	if (d->loop)
		loop_run_pending(d->loop);
	engine_free(TAKE_PTR(d->engine));
	state_close(TAKE_PTR(d->state));
	loop_free(TAKE_PTR(d->loop));
	places_done(&d->places);
}

static void on_end_signal(void *ctx)
{
	struct daemon *d = ctx;

	log_info("ending; containers stay");
	loop_stop(d->loop);
}

static void on_all_stopped(void *ctx, const struct err *err)
{
	struct daemon *d = ctx;

	if (err->kind != ERR_NONE)
		log_err("stop all containers: %s", err->msg);
	loop_stop(d->loop);
}

static void on_stop_all_signal(void *ctx)
{
	struct daemon *d = ctx;

	log_info("stopping all containers, then ending");
	engine_stop_all(d->engine, on_all_stopped, d);
}

/* Before threads start: they inherit the mask. */
static int take_signals(struct daemon *d, struct err *e)
{
	/* HUP and USR1 mean "read the configuration" and "show stacks" to dockerd: they must not end us. */
	static const int ignored[] = { SIGPIPE, SIGHUP, SIGUSR1 };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++) {
		if (sigaction(ignored[i], &ignore, NULL) < 0)
			return err_sys(e, "ignore signal %d", ignored[i]);
	}
	if (loop_on_signal(d->loop, SIGTERM, on_end_signal, d, e) < 0 ||
	    loop_on_signal(d->loop, SIGINT, on_end_signal, d, e) < 0 ||
	    loop_on_signal(d->loop, PLACES_STOP_ALL_SIGNAL, on_stop_all_signal, d, e) < 0)
		return -1;
	return 0;
}

static int make_engine(struct daemon *d, struct err *e)
{
	struct engine_config ec = {
		.data_root = d->cfg->data_root,
		.exec_root = d->cfg->exec_root,
		.cgroup_parent = d->cfg->cgroup_parent,
		.runtime_path = d->cfg->runtime_path,
		.data_root_fd = d->places.data_root_fd,
		.exec_root_fd = d->places.exec_root_fd,
	};

	return engine_new(&ec, d->loop, d->state, &d->engine, e);
}

/* Who comes before the loop runs waits; a socket that cannot be had ends us before anything is begun. */
static int open_sockets(struct daemon *d, struct err *e)
{
	if (server_new(d->loop, &d->server, e) < 0)
		return -1;
	for (size_t i = 0; i < d->cfg->hosts.n; i++) {
		if (server_listen(d->server, d->cfg->hosts.v[i], d->cfg->group, e) < 0)
			return -1;
	}
	return 0;
}

static void open_doors(struct daemon *d)
{
	docker_system_door(d->server, d->engine);
	docker_images_door(d->server, d->engine);
	docker_containers_door(d->server, d->engine);
	docker_exec_door(d->server, d->engine);
	kiln_door(d->server, d->engine);
	docker_refused_door(d->server, d->engine);
	for (size_t i = 0; i < d->cfg->hosts.n; i++)
		log_info("serving on %s", d->cfg->hosts.v[i]);
}

static int daemon_init(struct daemon *d, struct err *e)
{
	if (places_init(&d->places, d->cfg->data_root, d->cfg->exec_root, e) < 0 ||
	    loop_new(&d->loop, e) < 0 ||
	    take_signals(d, e) < 0 ||
	    open_sockets(d, e) < 0 ||
	    state_open(d->cfg->data_root, d->loop, &d->state, e) < 0 ||
	    make_engine(d, e) < 0)
		return -1;
	open_doors(d);
	places_notify("READY=1");
	return 0;
}

static int run(const struct config *cfg)
{
	struct daemon d = { .cfg = cfg, .places = PLACES_EMPTY };
	struct err e = { 0 };
	int status = 0;

	if (daemon_init(&d, &e) < 0) {
		log_err("%s", e.msg);
		status = 1;
	} else {
		loop_run(d.loop);
		places_notify("STOPPING=1");
	}
	daemon_done(&d);
	return status;
}

static void print_help(void)
{
	AUTO_STRBUF struct strbuf text = { 0 };

	config_help(&text);
	fputs(strbuf_cstr(&text), stdout);
}

int main(int argc, char **argv)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct config cfg = { 0 };
	struct err e = { 0 };

	if (config_parse(argc, argv, a, &cfg, &e) < 0) {
		fprintf(stderr, "kilnd: %s\nSee 'kilnd --help'.\n", e.msg);
		return 2;
	}
	if (cfg.wants_help) {
		print_help();
		return 0;
	}
	if (cfg.wants_version) {
		printf("Kiln version %s\n", KILN_VERSION);
		return 0;
	}
	log_init("kilnd", STDERR_FILENO, cfg.log_level, str_eq(cfg.log_format, "json"));
	if (cfg.wants_stop_all) {
		if (places_stop_all(cfg.exec_root, &e) == 0)
			return 0;
		log_err("%s", e.msg);
		return 1;
	}
	return run(&cfg);
}
