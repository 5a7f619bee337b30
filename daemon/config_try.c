/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/own.h"
#include "base/scopename.h"
#include "daemon/config_priv.h"

/* A file that is made: its directory must be there, and what has its name now must be a file. */
static int try_file(const char *key, const char *path, struct err *e)
{
	AUTO_FREE char *dir = NULL;
	struct stat st;

	if (!path)
		return 0;
	dir = xstrndup(path, (size_t)(strrchr(path, '/') - path) + 1);
	if (stat(dir, &st) < 0)
		return err_sys(e, "%s: '%s' cannot be made: '%s'", key, path, dir);
	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID, "%s: '%s' is no regular file", key, path);
	return 0;
}

static int try_program(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_sys(e, "runtime: '%s'", path);
	if (!S_ISREG(st.st_mode) || access(path, X_OK) < 0)
		return err_set(e, ERR_INVALID, "runtime: '%s' is no program", path);
	return 0;
}

/* Roots are made with the directories above them: what is there on the way must be directories. */
static int try_root(const char *key, const char *path, struct err *e)
{
	AUTO_FREE char *part = xstrdup(path);
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
		return err_set(e, ERR_INVALID, "%s: '%s' is a link: say where it leads", key, path);
	for (;;) {
		char *end;

		if (stat(part, &st) == 0)
			break;
		if (errno != ENOENT)
			return err_sys(e, "%s: '%s'", key, part);
		end = strrchr(part, '/');
		if (end == part)
			return 0;
		*end = '\0';
	}
	return S_ISDIR(st.st_mode) ? 0 : err_set(e, ERR_INVALID, "%s: '%s' is no directory", key, part);
}

/* What listens there now is not asked: it may be the kilnd that this one is to follow. */
static int try_host(const struct config *c, const char *url, struct err *e)
{
	const char *path = url + strlen("unix://");
	struct sockaddr_un addr;
	AUTO_FREE char *dir = NULL;
	struct stat st;

	if (!str_starts(url, "unix://"))
		return 0;
	if (strlen(path) >= sizeof(addr.sun_path))
		return err_set(e, ERR_INVALID, "hosts: '%s' is longer than the %zu bytes that a socket's name may have", url, sizeof(addr.sun_path) - 1);
	dir = xstrndup(path, (size_t)(strrchr(path, '/') - path) + 1);
	/* the exec root is made */
	if (stat(dir, &st) < 0 && !(str_starts(dir, c->exec_root) && str_eq(dir + strlen(c->exec_root), "/")))
		return err_sys(e, "hosts: '%s' cannot be made: '%s'", url, dir);
	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return err_set(e, ERR_INVALID, "hosts: '%s' is there, and no socket", url);
	return 0;
}

static int try_group(const char *parent, struct err *e)
{
	struct scopename scope;

	if (!parent || !scopename_is_scope(parent) || !scopename_is_systemd())
		return 0;
	if (scopename_parse(parent, &scope, e) < 0)
		return err_wrap(e, "cgroup-parent");
	return 0;
}

int config_try(const struct config *c, struct err *e)
{
	if (try_root("data-root", c->data_root, e) < 0 || try_root("exec-root", c->exec_root, e) < 0 ||
	    try_file("pidfile", c->pidfile, e) < 0 || try_file("audit-log", c->audit_log, e) < 0 || try_program(c->runtime_path, e) < 0)
		return -1;
	for (size_t i = 0; i < c->hosts.n; i++)
		if (try_host(c, c->hosts.v[i], e) < 0)
			return -1;
	return try_group(c->cgroup_parent, e);
}
