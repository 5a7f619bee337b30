/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/launch.h"
#include "oci/runtime_config.h"
#include "runtime/cgroup_limits.h"
#include "runtime/cgroup_parts.h"
#include "runtime/devices.h"

struct cgroup_handle {
	int dir_fd;                  /* of cgroup2; -1 */
	int oom_fd;                  /* memory.events or memory.oom_control; -1 */
	int join_fds[CGROUP_V1_MAX]; /* tasks of each v1 hierarchy */
	size_t n_join_fds;
};

/* --- handles ------------------------------------------------------------------------------------------------ */

static int open_dir_fd(struct cgroup_handle *h, const char *path, struct err *e)
{
	char dir[512];

	if (cgroup_host()->v2.mount[0] == '\0')
		return 0;
	snprintf(dir, sizeof(dir), "%s%s", cgroup_host()->v2.mount, path);
	h->dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return h->dir_fd >= 0 ? 0 : err_sys(e, "open control group '%s'", dir);
}

static int open_join_fd(struct cgroup_handle *h, const struct cgroup_hierarchy *in, const char *path, struct err *e)
{
	char file[1024];
	int fd;

	snprintf(file, sizeof(file), "%s%s/tasks", in->mount, path);
	fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open '%s'", file);
	h->join_fds[h->n_join_fds++] = fd;
	return 0;
}

static void open_oom_fd(struct cgroup_handle *h, const char *path)
{
	const struct cgroup_value events = { .controller = "memory",
					     .file = cgroup_host()->layout.is_v2
							     ? "memory.events"
							     : "memory.oom_control" };
	char file[512];

	if (cgroup_value_file(path, &events, file))
		h->oom_fd = open(file, O_RDONLY | O_CLOEXEC);
}

/* Does one of the controllers belong to this hierarchy? */
static bool is_of(const char *controllers, const struct cgroup_hierarchy *in)
{
	AUTO_FREE char *copy = xstrdup(controllers);
	char *rest = copy;

	for (char *one; (one = strsep(&rest, ",")) != NULL;)
		if (str_has_word(in->controllers, ",", one))
			return true;
	return false;
}

/* The path in one hierarchy, into out. @in: NULL for cgroup2 */
static void path_in(const char *path, const struct cgroup_below *below, size_t n, const struct cgroup_hierarchy *in, char out[512])
{
	const char *more = "";

	for (size_t i = 0; i < n; i++)
		if (below[i].controllers == NULL || (in != NULL && is_of(below[i].controllers, in)))
			more = str_eq(below[i].path, "/") ? "" : below[i].path;
	snprintf(out, 512, "%s%s", path, more);
}

static int check_below(const char *path, const struct cgroup_below *below, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		AUTO_FREE char *copy = below[i].controllers != NULL ? xstrdup(below[i].controllers) : NULL;
		AUTO_FREE char *full = xasprintf("%s%s", path, below[i].path);
		char *rest = copy;

		if (!str_eq(below[i].path, "/") && cgroup_check_path(full, e) < 0)
			return -1;
		for (char *one; (one = strsep(&rest, ",")) != NULL;)
			if (cgroup_host()->layout.is_v2 || !cgroup_has_controller(one))
				return err_set(e, ERR_INVALID, "there is no v1 hierarchy of controller '%s'", one);
	}
	return 0;
}

static int open_all(struct cgroup_handle *h, const char *path, const struct cgroup_below *below, size_t n, struct err *e)
{
	const struct cgroup_host *host = cgroup_host();
	char in[512];

	path_in(path, below, n, NULL, in);
	/* hybrid: one who joins below in some hierarchies of v1 has nothing of the kind in cgroup2 */
	if (open_dir_fd(h, in, e) < 0 && (host->layout.is_v2 || open_dir_fd(h, path, e) < 0))
		return -1;
	for (size_t i = 0; i < host->layout.n_v1; i++) {
		path_in(path, below, n, &host->v1[i], in);
		if (open_join_fd(h, &host->v1[i], in, e) < 0)
			return -1;
	}
	return 0;
}

int cgroup_open_below(const char *path, const struct cgroup_below *below, size_t n, struct cgroup_handle **ret,
		      struct err *e)
{
	struct cgroup_handle *h;

	if (cgroup_check_path(path, e) < 0 || check_below(path, below, n, e) < 0)
		return -1;
	h = xcalloc(1, sizeof(*h));
	h->dir_fd = h->oom_fd = -1;
	if (open_all(h, path, below, n, e) < 0) {
		cgroup_close(h);
		return -1;
	}
	open_oom_fd(h, path);
	*ret = h;
	return 0;
}

int cgroup_open(const char *path, struct cgroup_handle **ret, struct err *e)
{
	return cgroup_open_below(path, NULL, 0, ret, e);
}

void cgroup_close(struct cgroup_handle *h)
{
	if (h == NULL)
		return;
	close_fd(&h->dir_fd);
	close_fd(&h->oom_fd);
	for (size_t i = 0; i < h->n_join_fds; i++)
		close_fd(&h->join_fds[i]);
	free(h);
}

void cgroup_keep_counter(struct cgroup_handle *h)
{
	close_fd(&h->dir_fd);
	for (size_t i = 0; i < h->n_join_fds; i++)
		close_fd(&h->join_fds[i]);
	h->n_join_fds = 0;
}

int cgroup_dir_fd(const struct cgroup_handle *h)
{
	return h != NULL ? h->dir_fd : -1;
}

size_t cgroup_join_fds(const struct cgroup_handle *h, const int **ret_fds)
{
	*ret_fds = h->join_fds;
	return h->n_join_fds;
}

uint64_t cgroup_oom_kills(const struct cgroup_handle *h)
{
	char text[1024];
	ssize_t n = h->oom_fd >= 0 ? pread(h->oom_fd, text, sizeof(text) - 1, 0) : 0;
	uint64_t count = 0;

	text[n > 0 ? n : 0] = '\0';
	for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;)
		if (str_starts(line, "oom_kill "))
			str_to_u64(line + strlen("oom_kill "), &count);
	return count;
}

/* Hybrid: the directory by which a container is killed; libcgroup cannot address it. */
static int make_unified(const char *path, struct err *e)
{
	char dir[512];

	if (cgroup_host()->layout.is_v2 || cgroup_host()->v2.mount[0] == '\0')
		return 0;
	snprintf(dir, sizeof(dir), "%s%s", cgroup_host()->v2.mount, path);
	return path_mkdirs(AT_FDCWD, dir, 0755, e);
}

int cgroup_mark(const char *path, const char *owner, struct err *e)
{
	char dir[512];

	for (size_t i = 0; cgroup_dir(i, path, dir); i++)
		if (setxattr(dir, CGROUP_OWNER_XATTR, owner, strlen(owner), 0) < 0)
			return err_sys(e, "mark control group '%s'", dir);
	return 0;
}

/* In one hierarchy: they come and go together. Without the power to write such a mark nobody else can take the group, either. */
#define INSTANCE_XATTR "trusted.kiln.instance"

void cgroup_claim(const char *path, const char *who)
{
	char dir[512];

	if (cgroup_dir(0, path, dir))
		setxattr(dir, INSTANCE_XATTR, who, strlen(who), 0);
}

bool cgroup_is_of_another(const char *path, const char *who)
{
	char dir[512], mark[CGROUP_CLAIM_MAX];
	ssize_t n = cgroup_dir(0, path, dir) ? getxattr(dir, INSTANCE_XATTR, mark, sizeof(mark)) : -1;

	return n >= 0 && ((size_t)n != strlen(who) || memcmp(mark, who, (size_t)n) != 0);
}

/* --- create --------------------------------------------------------------------------------------------------- */

static int attach_devices(const struct cgroup_handle *h, const struct oci_resources *r,
			  struct arena *a, struct err *e)
{
	struct device_rule *rules;
	struct bpf_insn *program;
	size_t n, len;

	if (r == NULL || r->n_devices == 0 || cgroup_has_controller("devices") || cgroup_host()->is_rootless)
		return 0;
	if (h->dir_fd < 0)
		return err_set(e, ERR_UNSUPPORTED,
			       "linux.resources.devices: this host has no way to limit devices");
	if (devices_rules(r, a, &rules, &n, e) < 0)
		return err_wrap(e, "linux.resources");
	devices_bpf_build(rules, n, a, &program, &len);
	return devices_bpf_attach(h->dir_fd, program, len, e);
}

static int make(const char *path, bool is_made, const struct oci_resources *r, struct arena *a,
		struct cgroup_handle **ret, struct err *e)
{
	struct cgroup_handle *h = NULL;
	struct cgroup_values values;
	bool is_own = cgroup_host()->is_rootless && cgroup_host()->layout.is_v2 && !is_made;

	if (cgroup_limits(r, cgroup_host()->layout.is_v2, a, &values, e) < 0 || (is_own && cgroup_make_own(path, &values, e) < 0))
		return -1;
	is_made = is_made || is_own || cgroup_make_dirs(path);
	if ((!is_made && make_unified(path, e) < 0) || cgroup_prepare_cpuset(path, e) < 0 ||
	    cgroup_fill(path, is_made, &values, e) < 0)
		return -1;
	if (cgroup_open(path, &h, e) < 0)
		return -1;
	if (attach_devices(h, r, a, e) < 0) {
		cgroup_close(h);
		return -1;
	}
	*ret = h;
	return 0;
}

/* A group of that name is left from before, or belongs to somebody. */
static int check_absent(const char *path, struct err *e)
{
	char dir[512], file[544], first[16];

	for (size_t i = 0; cgroup_dir(i, path, dir); i++) {
		AUTO_CLOSE int fd = -1;

		snprintf(file, sizeof(file), "%s/cgroup.procs", dir);
		fd = open(file, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (read(fd, first, sizeof(first)) != 0)
			return err_set(e, ERR_CONFLICT, "control group '%s' has processes in it",
				       path);
		return cgroup_remove(path, e);
	}
	return 0;
}

int cgroup_create(const char *path, const struct oci_resources *resources,
		  struct cgroup_handle **ret, struct err *e)
{
	AUTO_ARENA struct arena *a = arena_new();

	if (cgroup_check_path(path, e) < 0 || check_absent(path, e) < 0)
		return -1;
	if (make(path, false, resources, a, ret, e) == 0)
		return 0;
	cgroup_remove(path, ERR_IGNORED);
	return -1;
}

int cgroup_adopt(const char *path, const struct oci_resources *resources, struct cgroup_handle **ret, struct err *e)
{
	AUTO_ARENA struct arena *a = arena_new();

	return cgroup_check_path(path, e) < 0 ? -1 : make(path, true, resources, a, ret, e);
}
