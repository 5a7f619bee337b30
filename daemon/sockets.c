/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/sockets.h"

#include <grp.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "daemon/systemd.h"

static int listen_path(const struct config *cfg, const char *url, struct server *s, struct err *e)
{
	if (server_listen(s, url, cfg->group, e) < 0)
		return -1;
	log_info("serving on %s", url);
	return 0;
}

static int listen_given(int n, struct server *s, struct err *e)
{
	if (n == 0)
		return err_set(e, ERR_INVALID, "host 'fd://': systemd has handed over no socket: is kilnd.socket enabled?");
	for (int i = 0; i < n; i++) {
		if (server_listen_fd(s, SYSTEMD_FIRST_FD + i, e) < 0)
			return -1;
	}
	log_info("serving on %d socket%s of systemd's", n, n == 1 ? "" : "s");
	return 0;
}

static void warn_without_group(const struct config *cfg)
{
	if (!getgrnam(cfg->group))
		log_warn("group '%s' does not exist: only root may use the sockets; 'groupadd --system %s' makes it", cfg->group,
			 cfg->group);
}

int sockets_open(const struct config *cfg, struct server *s, struct err *e)
{
	AUTO_FREE char *usual = xasprintf("unix://%s/kiln.sock", cfg->exec_root);
	int n_given = systemd_sockets(e);
	bool is_taken = false;

	if (n_given < 0)
		return -1;
	if (cfg->hosts.n == 0 && n_given > 0)
		return listen_given(n_given, s, e);
	warn_without_group(cfg);
	if (cfg->hosts.n == 0)
		return listen_path(cfg, usual, s, e);
	for (size_t i = 0; i < cfg->hosts.n; i++) {
		bool is_given = str_eq(cfg->hosts.v[i], "fd://");

		if (is_given && is_taken)
			return err_set(e, ERR_INVALID, "host 'fd://' is given twice");
		if ((is_given ? listen_given(n_given, s, e) : listen_path(cfg, cfg->hosts.v[i], s, e)) < 0)
			return -1;
		is_taken = is_taken || is_given;
	}
	for (int i = 0; i < n_given && !is_taken; i++)
		close(SYSTEMD_FIRST_FD + i);
	return 0;
}
