/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a container's log is: logs/<id>-json.log in its directory, with log.1 and so on beside it. The directory of
 * its own is all that a monitor sees which rotates. A kilnd before rotation had the file in the container's directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "daemon/engine/container_impl.h"
#include "oci/options_rules.h"

#define LOG_REL_MAX (CONTAINER_REL_MAX + 96)

/* Below the data root */
static void rel_log(const struct container *c, const char *folder, char out[LOG_REL_MAX])
{
	char rel[CONTAINER_REL_MAX];

	container_rel_dir(c->id, rel);
	snprintf(out, LOG_REL_MAX, "%s/%s%s-json.log", rel, folder, c->id);
}

void container_place_log(struct container *c, struct arena *a)
{
	const struct opt_log_config *log = c->opt->host->log_config;
	struct options_log bounds = { .max_files = 1 };
	char old[LOG_REL_MAX];

	if (log && str_eq(log->type, "none"))
		return;
	if (log)
		options_log(log, &bounds, ERR_IGNORED);
	c->n_log_files = bounds.max_files;
	rel_log(c, "", old);
	if (faccessat(c->eng->cfg.data_root_fd, old, F_OK, 0) == 0)
		c->log_path = arena_printf(a, "%s/%s-json.log", c->dir, c->id);
	else
		c->log_path = arena_printf(a, "%s/logs/%s-json.log", c->dir, c->id);
}

void container_move_log(struct container *c)
{
	char dir[CONTAINER_REL_MAX], logs[LOG_REL_MAX], from[LOG_REL_MAX], to[LOG_REL_MAX];
	int at = c->eng->cfg.data_root_fd;

	if (!c->log_path || str_starts(c->log_path + strlen(c->dir), "/logs/"))
		return;
	container_rel_dir(c->id, dir);
	snprintf(logs, sizeof logs, "%s/logs", dir);
	rel_log(c, "", from);
	rel_log(c, "logs/", to);
	if ((mkdirat(at, logs, 0700) < 0 && errno != EEXIST) || (renameat(at, from, at, to) < 0 && errno != ENOENT)) {
		log_warn("container '%s': move its log to '%s': %s, going on with it where it is", c->name, logs, strerror(errno));
		return;
	}
	c->log_path = arena_printf(c->priv->arena, "%s/logs/%s-json.log", c->dir, c->id);
}
