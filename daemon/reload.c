/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/reload.h"

#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "daemon/audit.h"
#include "daemon/engine/events.h"
#include "daemon/systemd.h"

void reload_apply(const struct config *cfg, struct engine *eng)
{
	const struct engine_settings set = {
		.containers = {
			.log_driver = cfg->log_driver,
			.log_opts = cfg->log_opts,
			.ulimits = cfg->default_ulimits,
			.n_ulimits = cfg->n_default_ulimits,
			.shm_size_bytes = cfg->default_shm_bytes,
			.init = cfg->init,
			.no_new_privileges = cfg->no_new_privileges,
		},
		.seccomp = str_eq(cfg->seccomp_profile, "unconfined") ? cfg->seccomp_profile : cfg->seccomp_text,
		.seccomp_name = cfg->seccomp_profile,
		.labels = cfg->labels,
		.shutdown_timeout_sec = cfg->shutdown_timeout_sec,
		.is_debug = cfg->log_level == LOG_LVL_DEBUG,
		.log_level = cfg->log_level,
		.log_is_json = str_eq(cfg->log_format, "json"),
	};

	log_set_level(set.log_level);
	log_set_json(set.log_is_json);
	engine_set(eng, &set);
}

static void said(void *ctx, const char *name, bool needs_restart)
{
	(void)ctx;
	if (needs_restart)
		log_warn("configuration: '%s' has changed, which needs a restart of kilnd: the old value stays", name);
	else
		log_info("configuration: '%s' has changed", name);
}

/* As dockerd's: its options are attributes */
static void publish(const struct config *cfg, struct engine *eng, struct arena *a)
{
	struct str_map all = config_attributes(cfg, a);
	struct str_pair *v = arena_new_array(a, struct str_pair, all.n + 1);
	char host[256] = "";

	gethostname(host, sizeof(host) - 1);
	v[0] = (struct str_pair){ (char *)"name", host };
	memcpy(v + 1, all.v, all.n * sizeof(*v));
	events_publish(engine_events(eng), &(struct event){ .type = "daemon", .action = "reload", .id = engine_id(eng),
							    .attributes = { v, all.n + 1 } });
}

void reload_now(struct reload *r, struct config *cfg, struct engine *eng)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct config fresh;
	struct err e = { 0 };

	systemd_notify_reloading();
	if (config_parse(r->argc, r->argv, a, &fresh, &e) < 0 || audit_open(fresh.audit_log, &e) < 0) {
		log_err("reload: nothing is changed: %s", e.msg);
		systemd_notify("READY=1\nSTATUS=Serving; the configuration is wrong: %.300s", e.msg);
		return;
	}
	config_reload(cfg, &fresh, said, NULL);
	reload_apply(cfg, eng);
	arena_free(r->arena);
	r->arena = TAKE_PTR(a);
	log_info("reloaded '%s'", cfg->config_file);
	publish(cfg, eng, r->arena);
	systemd_notify("READY=1\nSTATUS=Serving");
}

void reload_done(struct reload *r)
{
	arena_free(TAKE_PTR(r->arena));
}
