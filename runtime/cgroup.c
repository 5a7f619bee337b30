/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * libcgroup 2.0.2 has traps that this file walks around: it knows no cgroup2 mount without controllers (hybrid:
 * the directory there is made by mkdir); it wants the empty cpuset files of v1 filled by somebody; it prints
 * errors to stdout; its error codes do not tell which file was refused (the values are written once more by hand
 * to find out); a value appears once for each name in a group (a second run of device rules is a second call).
 */
#include "runtime/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <libcgroup.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/runtime_config.h"
#include "runtime/cgroup_limits.h"
#include "runtime/cgroup_parts.h"
#include "runtime/devices.h"

static const char *const v1_controllers[] = { "cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "pids", "blkio" };
static const char *const v2_controllers[] = { "cpuset", "cpu", "io", "memory", "pids" };

static struct cgroup_host host;

struct cgroup_handle {
	int dir_fd;                         /* of cgroup2; -1 */
	int oom_fd;                         /* memory.events or memory.oom_control; -1 */
	int join_fds[CGROUP_V1_MAX];        /* tasks of each v1 hierarchy */
	size_t n_join_fds;
};

const struct cgroup_host *cgroup_host(void)
{
	return &host;
}

const struct cgroup_layout *cgroup_layout(void)
{
	return &host.layout;
}

/* --- setup ------------------------------------------------------------------------------------------------- */

static void log_nothing(void *data, int level, const char *fmt, va_list ap)
{
	(void)data;
	(void)level;
	(void)fmt;
	(void)ap;
}

/* libcgroup does not tell of a cgroup2 mount that has no controllers. */
static int find_v2_mount(struct err *e)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	struct mntent entry, *m;
	char text[4096];

	if (f == NULL)
		return err_sys(e, "read '/proc/self/mounts'");
	while ((m = getmntent_r(f, &entry, text, sizeof(text))) != NULL) {
		if (!str_eq(m->mnt_type, "cgroup2") || strlen(m->mnt_dir) >= sizeof(host.v2.mount))
			continue;
		snprintf(host.v2.mount, sizeof(host.v2.mount), "%s", m->mnt_dir);
		break;
	}
	endmntent(f);
	return 0;
}

static void append_name(char *list, size_t size, const char *name)
{
	size_t n = strlen(list);

	snprintf(list + n, size - n, "%s%s", n != 0 ? "," : "", name);
}

/* Controllers that are mounted together are one hierarchy. */
static void add_v1(const char *controller, const char *mount)
{
	size_t i = 0;

	while (i < host.layout.n_v1 && !str_eq(host.v1[i].mount, mount))
		i++;
	if (i == CGROUP_V1_MAX || strlen(mount) >= sizeof(host.v1[i].mount))
		return;
	if (i == host.layout.n_v1) {
		snprintf(host.v1[i].mount, sizeof(host.v1[i].mount), "%s", mount);
		host.names[i].name = strrchr(host.v1[i].mount, '/') + 1;
		host.names[i].controllers = host.v1[i].controllers;
		host.layout.n_v1++;
	}
	append_name(host.v1[i].controllers, sizeof(host.v1[i].controllers), controller);
}

static void find_v1(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(v1_controllers); i++) {
		char *mount = NULL;

		if (cgroup_get_subsys_mount_point(v1_controllers[i], &mount) == 0 && mount != NULL &&
		    mount[0] == '/' && !str_eq(mount, host.v2.mount))
			add_v1(v1_controllers[i], mount);
		free(mount);
	}
}

static int write_lines(const char *file, const char *lines, struct err *e)
{
	AUTO_FREE char *copy = xstrdup(lines);
	AUTO_CLOSE int fd = open(file, O_WRONLY | O_CLOEXEC);
	char *rest = copy;

	if (fd < 0)
		return err_sys(e, "open '%s'", strrchr(file, '/') + 1);
	for (char *line; (line = strsep(&rest, "\n")) != NULL;)
		if (write(fd, line, strlen(line)) < 0)
			return err_sys(e, "set %s to '%s'", strrchr(file, '/') + 1, line);
	return 0;
}

/* libcgroup enables controllers for every group above a new one except the root: there it is ours, when nobody has. */
static bool enable_in_root(const char *controller)
{
	AUTO_FREE char *enabled = NULL;
	char file[512], word[64], *rest;

	snprintf(file, sizeof(file), "%s/cgroup.subtree_control", host.v2.mount);
	if (file_read(AT_FDCWD, file, 4096, &enabled, NULL, ERR_IGNORED) < 0)
		return false;
	rest = enabled;
	for (char *name; (name = strsep(&rest, " \n")) != NULL;)
		if (str_eq(name, controller))
			return true;
	snprintf(word, sizeof(word), "+%s", controller);
	return write_lines(file, word, ERR_IGNORED) == 0;
}

static void find_v2(void)
{
	for (size_t i = 0; host.layout.n_v1 == 0 && i < ARRAY_SIZE(v2_controllers); i++) {
		char *mount = NULL;

		if (cgroup_get_subsys_mount_point(v2_controllers[i], &mount) == 0 &&
		    str_eq(mount, host.v2.mount) && enable_in_root(v2_controllers[i]))
			append_name(host.v2.controllers, sizeof(host.v2.controllers), v2_controllers[i]);
		free(mount);
	}
}

int cgroup_setup(struct err *e)
{
	int code;

	memset(&host, 0, sizeof(host));
	cgroup_set_logger(log_nothing, CGROUP_LOG_ERROR, NULL);
	if (find_v2_mount(e) < 0)
		return -1;
	code = cgroup_init();
	if (code != 0)
		return err_set(e, ERR_UNSUPPORTED, "find control groups: %s", cgroup_strerror(code));
	find_v1();
	find_v2();
	host.layout.v1 = host.names;
	host.layout.is_v2 = host.layout.n_v1 == 0;
	if (host.layout.is_v2 && host.v2.mount[0] == '\0')
		return err_set(e, ERR_UNSUPPORTED, "no control group hierarchy is mounted");
	return 0;
}

/* --- paths -------------------------------------------------------------------------------------------------- */

int cgroup_check_path(const char *path, struct err *e)
{
	AUTO_FREE char *clean = path != NULL ? path_clean(path) : NULL;

	if (clean == NULL || path[0] != '/' || !str_eq(path, clean) || str_eq(path, "/"))
		return err_set(e, ERR_INVALID, "control group '%s' is no clean absolute path", path != NULL ? path : "");
	if (strlen(path) > CGROUP_PATH_MAX)
		return err_set(e, ERR_INVALID, "control group '%s' is longer than %d bytes", path, CGROUP_PATH_MAX);
	return 0;
}

bool cgroup_dir(size_t i, const char *path, char out[512])
{
	const struct cgroup_hierarchy *h;

	if (host.v2.mount[0] == '\0')
		i++;
	if (i > host.layout.n_v1)
		return false;
	h = i == 0 ? &host.v2 : &host.v1[i - 1];
	snprintf(out, 512, "%s%s", h->mount, path);
	return true;
}

/* --- filling, by libcgroup ------------------------------------------------------------------------------------ */

/* A group in the making: flushed when it is complete or a name would come twice. */
struct filler {
	const char *path;
	struct cgroup *cg;
	bool is_made;
};

static void filler_begin(struct filler *f)
{
	/* libcgroup's names have no slash in front */
	f->cg = cgroup_new_cgroup(f->path + 1);
	BUG(f->cg == NULL, "out of memory");
}

static int filler_flush(struct filler *f)
{
	int code = f->is_made ? cgroup_modify_cgroup(f->cg) : cgroup_create_cgroup(f->cg, 1);

	cgroup_free(&f->cg);
	f->is_made = true;
	return code;
}

static struct cgroup_controller *filler_controller(struct filler *f, const char *name)
{
	struct cgroup_controller *c = cgroup_get_controller(f->cg, name);

	return c != NULL ? c : cgroup_add_controller(f->cg, name);
}

static int filler_add(struct filler *f, const struct cgroup_value *v)
{
	struct cgroup_controller *c = filler_controller(f, v->controller);
	int code = c != NULL ? cgroup_add_value_string(c, v->file, v->value) : ECGFAIL;

	if (code != ECGVALUEEXISTS)
		return code;
	code = filler_flush(f);
	filler_begin(f);
	c = filler_controller(f, v->controller);
	return code != 0 ? code : c != NULL ? cgroup_add_value_string(c, v->file, v->value) : ECGFAIL;
}

static void filler_add_controllers(struct filler *f, const char *list)
{
	AUTO_FREE char *copy = xstrdup(list);
	char *rest = copy;

	for (char *name; (name = strsep(&rest, ",")) != NULL;)
		if (name[0] != '\0')
			filler_controller(f, name);
}

/* Where is the file of a value? Return: false when the controller is not in use */
static bool value_path(const char *path, const struct cgroup_value *v, char out[512])
{
	if (host.layout.is_v2) {
		snprintf(out, 512, "%s%s/%s", host.v2.mount, path, v->file);
		return true;
	}
	for (size_t i = 0; i < host.layout.n_v1; i++) {
		AUTO_FREE char *copy = xstrdup(host.v1[i].controllers);
		char *rest = copy;

		for (char *name; (name = strsep(&rest, ",")) != NULL;)
			if (str_eq(name, v->controller)) {
				snprintf(out, 512, "%s%s/%s", host.v1[i].mount, path, v->file);
				return true;
			}
	}
	return false;
}

static bool has_controller(const char *controller)
{
	const struct cgroup_value probe = { .controller = controller, .file = "" };
	AUTO_FREE char *copy = xstrdup(host.v2.controllers);
	char *rest = copy, out[512];

	if (!host.layout.is_v2)
		return value_path("", &probe, out);
	for (char *name; (name = strsep(&rest, ",")) != NULL;)
		if (str_eq(name, controller))
			return true;
	return false;
}

/* libcgroup has failed and does not tell where: find out by writing the values by hand. */
static int explain(const char *path, const struct cgroup_values *values, int code, struct err *e)
{
	char file[512], dir[512];

	for (size_t i = 0; cgroup_dir(i, path, dir); i++)
		if (access(dir, F_OK) < 0)
			return err_set(e, ERR_SYSTEM, "make control group '%s': %s", dir, cgroup_strerror(code));
	for (size_t i = 0; i < values->n; i++) {
		if (!value_path(path, &values->v[i], file))
			continue;
		if (write_lines(file, values->v[i].value, e) < 0) {
			e->kind = e->sys == EINVAL || e->sys == ERANGE ? ERR_INVALID : e->kind;
			return err_wrap(e, "control group '%s'", path);
		}
	}
	return err_set(e, ERR_SYSTEM, "control group '%s': %s", path, cgroup_strerror(code));
}

/* Is a value to be written? Return: 1, 0 when it is left out, or -1 with @e set */
static int wants_value(const struct cgroup_value *v, struct err *e)
{
	char file[512];

	if (!has_controller(v->controller)) {
		if (v->is_optional || str_eq(v->controller, "devices"))
			return 0;
		return err_set(e, ERR_UNSUPPORTED, "%s: this host has no controller '%s'", v->file, v->controller);
	}
	/* v1's root has the file when the kernel has it; the root of v2 has no limits, so there the group is looked at */
	if (v->is_optional && !host.layout.is_v2)
		return value_path("", v, file) && access(file, F_OK) == 0;
	return 1;
}

static int fill(const char *path, const struct cgroup_values *values, struct err *e)
{
	struct filler f = { .path = path };
	int code = 0, wanted;

	filler_begin(&f);
	if (host.layout.is_v2)
		filler_add_controllers(&f, host.v2.controllers);
	for (size_t i = 0; i < host.layout.n_v1; i++)
		filler_add_controllers(&f, host.v1[i].controllers);
	for (size_t i = 0; i < values->n && code == 0; i++) {
		wanted = wants_value(&values->v[i], e);
		if (wanted < 0) {
			cgroup_free(&f.cg);
			return -1;
		}
		if (wanted == 1 && !(host.layout.is_v2 && values->v[i].is_optional))
			code = filler_add(&f, &values->v[i]);
	}
	if (code == 0)
		code = filler_flush(&f);
	else
		cgroup_free(&f.cg);
	return code == 0 ? 0 : explain(path, values, code, e);
}

/* v2's swap files exist in the group itself, or not at all. */
static int fill_optional(const char *path, const struct cgroup_values *values, struct err *e)
{
	char file[512];

	for (size_t i = 0; host.layout.is_v2 && i < values->n; i++) {
		const struct cgroup_value *v = &values->v[i];

		if (!v->is_optional || !value_path(path, v, file) || access(file, F_OK) < 0)
			continue;
		if (write_lines(file, v->value, e) < 0)
			return err_wrap(e, "control group '%s'", path);
	}
	return 0;
}

/* --- what the groups above need ------------------------------------------------------------------------------- */

static const char *const cpuset_files[] = { "cpuset.mems", "cpuset.cpus" };

static int read_line(const char *file, char out[1024], struct err *e)
{
	AUTO_FREE char *text = NULL;

	if (file_read(AT_FDCWD, file, 1023, &text, NULL, e) < 0)
		return -1;
	text[strcspn(text, "\n")] = '\0';
	snprintf(out, 1024, "%s", text);
	return 0;
}

/* A v1 cpuset takes no process until it has processors and memory: it gets those of the group above. */
static int inherit_cpuset(const char *mount, const char *above, const char *path, struct err *e)
{
	struct cgroup *cg = NULL;
	struct cgroup_controller *c;
	char file[512], value[1024];
	int code = 0;

	snprintf(file, sizeof(file), "%s%s/cpuset.cpus", mount, path);
	if (read_line(file, value, ERR_IGNORED) == 0 && value[0] != '\0')
		return 0;
	cg = cgroup_new_cgroup(path + 1);
	c = cg != NULL ? cgroup_add_controller(cg, "cpuset") : NULL;
	BUG(c == NULL, "out of memory");
	for (size_t i = 0; i < ARRAY_SIZE(cpuset_files) && code == 0; i++) {
		snprintf(file, sizeof(file), "%s%s/%s", mount, above, cpuset_files[i]);
		if (read_line(file, value, e) < 0) {
			cgroup_free(&cg);
			return -1;
		}
		code = cgroup_add_value_string(c, cpuset_files[i], value);
	}
	if (code == 0)
		code = cgroup_create_cgroup(cg, 1);
	cgroup_free(&cg);
	return code == 0 ? 0 : err_set(e, ERR_SYSTEM, "control group '%s': cpuset: %s", path, cgroup_strerror(code));
}

static int prepare_cpuset(const char *path, struct err *e)
{
	const struct cgroup_value probe = { .controller = "cpuset", .file = "" };
	char mount[512], above[CGROUP_PATH_MAX + 1] = "", part[CGROUP_PATH_MAX + 1];

	if (host.layout.is_v2 || !value_path("", &probe, mount))
		return 0;
	mount[strlen(mount) - 1] = '\0';
	for (const char *end = path; end != NULL && *end != '\0';) {
		end = strchr(end + 1, '/');
		snprintf(part, sizeof(part), "%.*s", end != NULL ? (int)(end - path) : (int)strlen(path), path);
		if (inherit_cpuset(mount, above, part, e) < 0)
			return -1;
		snprintf(above, sizeof(above), "%s", part);
	}
	return 0;
}

/* Hybrid: the directory by which a container is killed; libcgroup cannot address it. */
static int make_unified(const char *path, struct err *e)
{
	char dir[512];

	if (host.layout.is_v2 || host.v2.mount[0] == '\0')
		return 0;
	snprintf(dir, sizeof(dir), "%s%s", host.v2.mount, path);
	return path_mkdirs(AT_FDCWD, dir, 0755, e);
}

/* --- handles ------------------------------------------------------------------------------------------------ */

static int open_dir_fd(struct cgroup_handle *h, const char *path, struct err *e)
{
	char dir[512];

	if (host.v2.mount[0] == '\0')
		return 0;
	snprintf(dir, sizeof(dir), "%s%s", host.v2.mount, path);
	h->dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return h->dir_fd >= 0 ? 0 : err_sys(e, "open control group '%s'", dir);
}

static int open_join_fds(struct cgroup_handle *h, const char *path, struct err *e)
{
	for (size_t i = 0; i < host.layout.n_v1; i++) {
		char file[512];
		int fd;

		snprintf(file, sizeof(file), "%s%s/tasks", host.v1[i].mount, path);
		fd = open(file, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			return err_sys(e, "open '%s'", file);
		h->join_fds[h->n_join_fds++] = fd;
	}
	return 0;
}

static void open_oom_fd(struct cgroup_handle *h, const char *path)
{
	const struct cgroup_value events = { .controller = "memory",
					     .file = host.layout.is_v2 ? "memory.events" : "memory.oom_control" };
	char file[512];

	if (value_path(path, &events, file))
		h->oom_fd = open(file, O_RDONLY | O_CLOEXEC);
}

int cgroup_open(const char *path, struct cgroup_handle **ret, struct err *e)
{
	struct cgroup_handle *h;

	if (cgroup_check_path(path, e) < 0)
		return -1;
	h = xcalloc(1, sizeof(*h));
	h->dir_fd = h->oom_fd = -1;
	if (open_dir_fd(h, path, e) < 0 || open_join_fds(h, path, e) < 0) {
		cgroup_close(h);
		return -1;
	}
	open_oom_fd(h, path);
	*ret = h;
	return 0;
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
	return h->dir_fd;
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

/* --- create --------------------------------------------------------------------------------------------------- */

static int attach_devices(const struct cgroup_handle *h, const struct oci_resources *r, struct arena *a, struct err *e)
{
	struct device_rule *rules;
	struct bpf_insn *program;
	size_t n, len;

	if (r == NULL || r->n_devices == 0 || has_controller("devices"))
		return 0;
	if (h->dir_fd < 0)
		return err_set(e, ERR_UNSUPPORTED, "linux.resources.devices: this host has no way to limit devices");
	if (devices_rules(r, a, &rules, &n, e) < 0)
		return err_wrap(e, "linux.resources");
	devices_bpf_build(rules, n, a, &program, &len);
	return devices_bpf_attach(h->dir_fd, program, len, e);
}

static int make(const char *path, const struct oci_resources *r, struct arena *a, struct cgroup_handle **ret,
		struct err *e)
{
	struct cgroup_handle *h = NULL;
	struct cgroup_values values;

	if (cgroup_limits(r, host.layout.is_v2, a, &values, e) < 0)
		return -1;
	if (prepare_cpuset(path, e) < 0 || fill(path, &values, e) < 0 || fill_optional(path, &values, e) < 0)
		return -1;
	if (make_unified(path, e) < 0 || cgroup_open(path, &h, e) < 0)
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
			return err_set(e, ERR_CONFLICT, "control group '%s' has processes in it", path);
		return cgroup_remove(path, e);
	}
	return 0;
}

int cgroup_create(const char *path, const struct oci_resources *resources, struct cgroup_handle **ret, struct err *e)
{
	AUTO_ARENA struct arena *a = arena_new();

	if (cgroup_check_path(path, e) < 0 || check_absent(path, e) < 0)
		return -1;
	if (make(path, resources, a, ret, e) == 0)
		return 0;
	cgroup_remove(path, ERR_IGNORED);
	return -1;
}
