/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kilnd: options -> directories and locks -> loop -> sockets -> state -> engine -> doors -> run.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/own.h"
#include "daemon/audit.h"
#include "daemon/config.h"
#include "daemon/doors/doors.h"
#include "daemon/engine/container.h"
#include "daemon/engine/engine.h"
#include "daemon/places.h"
#include "daemon/reload.h"
#include "daemon/server.h"
#include "daemon/sockets.h"
#include "daemon/state.h"
#include "daemon/systemd.h"

#define EXIT_MISUSE 2

struct daemon {
	struct config cfg;
	struct reload reload;
	struct places places;
	struct loop *loop;
	struct loop_timer *watchdog;
	struct state *state;
	struct engine *engine;
	struct server *server;
	bool has_pidfile;
	bool is_failed;              /* the exit status tells it */
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
	loop_timer_free(TAKE_PTR(d->watchdog));
	loop_free(TAKE_PTR(d->loop));
	if (d->has_pidfile)
		unlink(d->cfg.pidfile);
	places_done(&d->places);
	reload_done(&d->reload);
	audit_close();
}

/* ---- signals ---- */

static void on_end_signal(void *ctx)
{
	struct daemon *d = ctx;

	log_info("ending; containers stay");
	systemd_notify("STOPPING=1\nSTATUS=Ending; containers stay");
	loop_stop(d->loop);
}

static void on_stopping(void *ctx, size_t n_left, size_t n_all)
{
	struct daemon *d = ctx;

	log_info("stopping all containers: %zu of %zu left", n_left, n_all);
	systemd_notify("STATUS=Stopping containers: %zu of %zu left", n_left, n_all);
	places_tell(&d->places, "%zu of %zu containers left to stop", n_left, n_all);
}

static void on_all_stopped(void *ctx, const struct err *err)
{
	struct daemon *d = ctx;

	d->is_failed = err->kind != ERR_NONE;
	if (d->is_failed)
		log_err("stop all containers: %s", err->msg);
	places_tell(&d->places, "%s", d->is_failed ? err->msg : PLACES_ALL_STOPPED);
	loop_stop(d->loop);
}

static void on_stop_all_signal(void *ctx)
{
	struct daemon *d = ctx;

	systemd_notify("STOPPING=1");
	engine_stop_all(d->engine, on_stopping, on_all_stopped, d);
}

static void on_reload_signal(void *ctx)
{
	struct daemon *d = ctx;

	reload_now(&d->reload, &d->cfg, d->engine);
}

/* Before threads start: they inherit the mask. */
static int take_signals(struct daemon *d, struct err *e)
{
	/* USR1 means "show stacks" to dockerd: it must not end us. */
	static const int ignored[] = { SIGPIPE, SIGUSR1 };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++) {
		if (sigaction(ignored[i], &ignore, NULL) < 0)
			return err_sys(e, "ignore signal %d", ignored[i]);
	}
	if (loop_on_signal(d->loop, SIGTERM, on_end_signal, d, e) < 0 ||
	    loop_on_signal(d->loop, SIGINT, on_end_signal, d, e) < 0 ||
	    loop_on_signal(d->loop, SIGHUP, on_reload_signal, d, e) < 0 ||
	    loop_on_signal(d->loop, PLACES_STOP_ALL_SIGNAL, on_stop_all_signal, d, e) < 0)
		return -1;
	return 0;
}

/* ---- the parts, in their order ---- */

static int make_engine(struct daemon *d, struct err *e)
{
	struct engine_config ec = {
		.data_root = d->cfg.data_root,
		.exec_root = d->cfg.exec_root,
		.cgroup_parent = d->places.cgroup_parent,
		.cpu_rt_period_usec = (uint64_t)d->cfg.cpu_rt_period_usec,
		.cpu_rt_runtime_usec = (uint64_t)d->cfg.cpu_rt_runtime_usec,
		.runtime_path = d->cfg.runtime_path,
		.log_level = d->cfg.log_level == LOG_LVL_DEBUG ? "debug" : d->cfg.log_level_name,
		.log_format = d->cfg.log_format,
		.stems = d->cfg.stems,
		.data_root_fd = d->places.data_root_fd,
		.exec_root_fd = d->places.exec_root_fd,
		.only_stops = d->cfg.wants_stop_all,
	};

	if (engine_new(&ec, d->loop, d->state, &d->engine, e) < 0)
		return -1;
	reload_apply(&d->cfg, d->engine);
	return 0;
}

static int write_pidfile(struct daemon *d, struct err *e)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	if (!d->cfg.pidfile)
		return 0;
	if (file_replace(AT_FDCWD, d->cfg.pidfile, text, (size_t)n, 0644, e) < 0)
		return err_wrap(e, "pid file");
	d->has_pidfile = true;
	return 0;
}

/* Who comes before the loop runs waits; a socket that cannot be had ends us before anything is begun. */
static int open_sockets(struct daemon *d, struct err *e)
{
	if (write_pidfile(d, e) < 0 || audit_open(d->cfg.audit_log, e) < 0 || server_new(d->loop, &d->server, e) < 0)
		return -1;
	return sockets_open(&d->cfg, d->server, e);
}

static void advise(void *ctx, const struct err *err, struct strbuf *ret)
{
	const struct daemon *d = ctx;

	engine_advise(d->engine, err, ret);
}

static void open_doors(struct daemon *d)
{
	server_set_advice(d->server, advise, d);
	docker_system_door(d->server, d->engine);
	docker_images_door(d->server, d->engine);
	docker_containers_door(d->server, d->engine);
	docker_exec_door(d->server, d->engine);
	kiln_door(d->server, d->engine);
	docker_refused_door(d->server, d->engine);
}

static void on_watchdog(void *ctx)
{
	(void)ctx;
	systemd_notify("WATCHDOG=1");
}

/* A sign of life from the loop itself: when it hangs, nothing is told. */
static void start_watchdog(struct daemon *d)
{
	uint64_t every_ms = systemd_watchdog_ms();

	if (every_ms == 0)
		return;
	d->watchdog = loop_timer_new(d->loop, "watchdog", on_watchdog, d);
	loop_timer_start(d->watchdog, every_ms, every_ms);
}

static int daemon_init(struct daemon *d, struct err *e)
{
	if (places_init(&d->places, d->cfg.data_root, d->cfg.exec_root, e) < 0 ||
	    places_find_group(&d->places, d->cfg.cgroup_parent, d->cfg.exec_root, e) < 0 ||
	    loop_new(&d->loop, e) < 0 ||
	    take_signals(d, e) < 0 ||
	    (!d->cfg.wants_stop_all && open_sockets(d, e) < 0))
		return -1;
	systemd_notify("STATUS=Reading the state, adopting containers");
	if (state_open(d->cfg.data_root, d->loop, &d->state, e) < 0 || make_engine(d, e) < 0)
		return -1;
	if (d->cfg.wants_stop_all) {
		loop_defer(d->loop, on_stop_all_signal, d);
		return 0;
	}
	open_doors(d);
	start_watchdog(d);
	systemd_notify("READY=1\nSTATUS=Serving");
	return 0;
}

static int run(struct daemon *d)
{
	struct err e = { 0 };

	if (daemon_init(d, &e) < 0) {
		log_err("%s", e.msg);
		systemd_notify("STATUS=%s", e.msg);
		d->is_failed = true;
	} else {
		loop_run(d->loop);
	}
	daemon_done(d);
	return d->is_failed ? 1 : 0;
}

/* ---- the command line ---- */

static void print_help(void)
{
	AUTO_STRBUF struct strbuf text = { 0 };

	config_help(&text);
	fputs(strbuf_cstr(&text), stdout);
}

static void print_progress(int64_t pid, const char *text)
{
	log_info("kilnd (pid %lld): %s", (long long)pid, text);
}

/* Where no kilnd runs, but one did, its containers may: this one stops them, and serves nobody. */
static int stop_all(struct daemon *d)
{
	struct err e = { 0 };

	if (places_stop_all(d->cfg.exec_root, print_progress, &e) == 0)
		return 0;
	if (e.kind == ERR_NOT_FOUND) {
		log_info("%s: stopping its containers here", e.msg);
		return run(d);
	}
	log_err("%s", e.msg);
	return 1;
}

static int validate(const struct config *cfg)
{
	struct err e = { 0 };

	if (config_try(cfg, &e) < 0) {
		fprintf(stderr, "kilnd: %s\n", e.msg);
		return 1;
	}
	printf("kilnd: the configuration is valid\n");
	return 0;
}

int main(int argc, char **argv)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct daemon d = { .reload = { .argc = argc, .argv = argv }, .places = PLACES_EMPTY };
	struct err e = { 0 };

	if (config_parse(argc, argv, a, &d.cfg, &e) < 0) {
		fprintf(stderr, "kilnd: %s\nSee 'kilnd --help'.\n", e.msg);
		return d.cfg.wants_validate ? 1 : EXIT_MISUSE;
	}
	if (d.cfg.wants_help) {
		print_help();
		return 0;
	}
	if (d.cfg.wants_version) {
		printf("Kiln version %s\n", KILN_VERSION);
		return 0;
	}
	if (d.cfg.wants_validate)
		return validate(&d.cfg);
	log_init("kilnd", STDERR_FILENO, d.cfg.log_level, str_eq(d.cfg.log_format, "json"));
	return d.cfg.wants_stop_all ? stop_all(&d) : run(&d);
}
