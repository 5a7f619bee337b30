/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one without power over the host may do with control groups.
 *
 * systemd gives a user's manager a part of the cgroup2 tree (Delegate=), and an administrator may give one by hand: its directory,
 * cgroup.procs, cgroup.threads and cgroup.subtree_control are the user's. A process may be moved within such a part only, and a
 * group with processes gives no controllers to groups below it: so a container's group is made beside the one that we are in,
 * where that is ours too, or below it, without limits.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"
#include "runtime/cgroup_limits.h"
#include "runtime/cgroup_parts.h"

#define OWN_MAX_BYTES (64u << 10)

/* --- where we are -------------------------------------------------------------------------------------------------- */

/* A line is "4:cpu,cpuacct:/path", of cgroup2 "0::/path". @controller: NULL: cgroup2. Return: into the line, or NULL */
static const char *path_of_line(char *line, const char *controller)
{
	const char *number = strsep(&line, ":");
	char *controllers = line != NULL ? strsep(&line, ":") : NULL;

	if (controllers == NULL || line == NULL || line[0] != '/')
		return NULL;
	if (controller == NULL ? str_eq(number, "0") && controllers[0] == '\0' : str_has_word(controllers, ",", controller))
		return str_eq(line, "/") ? "" : line;
	return NULL;
}

static bool own_path(const char *controller, char out[CGROUP_PATH_MAX * 2])
{
	AUTO_FREE char *text = NULL;
	const char *path;

	if (file_read(AT_FDCWD, "/proc/self/cgroup", OWN_MAX_BYTES, &text, NULL, ERR_IGNORED) < 0)
		return false;
	for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;) {
		path = path_of_line(line, controller);
		if (path == NULL || strlen(path) >= CGROUP_PATH_MAX * 2)
			continue;
		snprintf(out, CGROUP_PATH_MAX * 2, "%s", path);
		return true;
	}
	return false;
}

bool cgroup_own_dir(const char *controller, char out[512])
{
	const struct cgroup_value probe = { .controller = controller, .file = "" };
	char path[CGROUP_PATH_MAX * 2];

	if (!own_path(controller, path))
		return false;
	if (controller == NULL)
		return snprintf(out, 512, "%s%s", cgroup_host()->v2.mount, path) < 512;
	if (!cgroup_value_file(path, &probe, out))
		return false;
	out[strlen(out) - 1] = '\0';
	return true;
}

bool cgroup_dir_of(const char *path, char out[512])
{
	return cgroup_host()->v2.mount[0] != '\0' && cgroup_dir(0, path, out);
}

/* --- what is ours --------------------------------------------------------------------------------------------------- */

static bool may_write(const char *dir, const char *file)
{
	AUTO_FREE char *path = xasprintf("%s/%s", dir, file);

	return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
}

/* The nearest directory that is there. */
static bool may_make_below(char dir[512])
{
	while (access(dir, F_OK) < 0 && errno == ENOENT && strrchr(dir, '/') != dir)
		*strrchr(dir, '/') = '\0';
	return faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) == 0;
}

/* Moving from one group of cgroup2 into another takes power over the nearest group that both are below. */
static bool may_move_to(const char *path)
{
	char own[CGROUP_PATH_MAX * 2], dir[1024];
	size_t n = 0, common = 0;

	if (!own_path(NULL, own))
		return false;
	for (;; n++) {
		bool is_end = (own[n] == '\0' || own[n] == '/') && (path[n] == '\0' || path[n] == '/');

		common = is_end ? n : common;
		if (own[n] != path[n] || own[n] == '\0')
			break;
	}
	snprintf(dir, sizeof(dir), "%s%.*s", cgroup_host()->v2.mount, (int)common, own);
	return may_write(dir, "cgroup.procs");
}

bool cgroup_may_make(const char *path)
{
	char dir[512];

	if (cgroup_check_path(path, ERR_IGNORED) < 0 || !cgroup_dir(0, path, dir))
		return false;
	for (size_t i = 0; cgroup_dir(i, path, dir); i++)
		if (!may_make_below(dir))
			return false;
	return cgroup_host()->v2.mount[0] == '\0' || may_move_to(path);
}

bool cgroup_delegated(char out[512])
{
	char own[CGROUP_PATH_MAX * 2];
	char *slash;

	if (!cgroup_layout()->is_v2 || !own_path(NULL, own))
		return false;
	snprintf(out, 512, "%s", own);
	slash = strrchr(out, '/');
	if (slash != NULL) {
		AUTO_FREE char *beside = xasprintf("%.*s/beside", (int)(slash - out), out);

		if (cgroup_may_make(beside)) {
			*slash = '\0';
			return true;
		}
	}
	AUTO_FREE char *below = xasprintf("%s/below", out);

	return cgroup_may_make(below);
}

/* --- making --------------------------------------------------------------------------------------------------------- */

static bool has_processes(const char *dir)
{
	AUTO_FREE char *file = xasprintf("%s/cgroup.procs", dir);
	AUTO_CLOSE int fd = open(file, O_RDONLY | O_CLOEXEC);
	char first;

	return fd < 0 || read(fd, &first, 1) != 0;
}

/*
 * Of each group above, as far as it is ours and has it itself. Where processes are, the kernel refuses memory and the like, but takes
 * pids, which are about threads, too: that would make a tree of threads of it, with no place for further processes below.
 */
static void enable_above(const char *path, const char *controller)
{
	AUTO_FREE char *word = xasprintf("+%s", controller);

	for (const char *end = path; end != NULL; end = strchr(end + 1, '/')) {
		AUTO_FREE char *dir = xasprintf("%s%.*s", cgroup_host()->v2.mount, (int)(end - path), path);
		AUTO_FREE char *file = xasprintf("%s/cgroup.subtree_control", dir);

		if (may_write(dir, "cgroup.subtree_control") && !has_processes(dir))
			cgroup_write_lines(file, word, ERR_IGNORED);
	}
}

static int check_controllers(const char *dir, const char *path, const struct cgroup_values *values, struct err *e)
{
	for (size_t i = 0; i < values->n; i++) {
		const struct cgroup_value *v = &values->v[i];
		AUTO_FREE char *file = xasprintf("%s/%s", dir, v->file);

		if (v->is_optional || v->or_file != NULL || access(file, F_OK) == 0)
			continue;
		return err_set(e, ERR_DENIED, "linux.resources: control group '%s' has no %s: controller '%s' is not delegated to this user there, or processes are in a group above", path,
			       v->file, v->controller);
	}
	return 0;
}

int cgroup_make_own(const char *path, const struct cgroup_values *values, struct err *e)
{
	char dir[512];

	if (!cgroup_dir(0, path, dir))
		return err_set(e, ERR_UNSUPPORTED, "no control group hierarchy is mounted");
	for (size_t i = 0; i < values->n; i++)
		enable_above(path, values->v[i].controller);
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return err_sys(e, "make control group '%s'", dir);
	return check_controllers(dir, path, values, e);
}
