/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the host has: hierarchies, controllers, and where a group's files are.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libcgroup.h>
#include <link.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/cgroup_limits.h"
#include "runtime/cgroup_parts.h"

#define PAGE_BYTES 4096u /* or a part of it: then it is one call for nothing */

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static const char *const v1_controllers[] = { "cpu",     "cpuacct", "cpuset", "memory",
					      "devices", "freezer", "pids",   "blkio" };
static const char *const v2_controllers[] = { "cpuset", "cpu", "io", "memory", "pids" };

static struct cgroup_host host;

const struct cgroup_host *cgroup_host(void)
{
	return &host;
}

const struct cgroup_layout *cgroup_layout(void)
{
	return &host.layout;
}

void cgroup_set_rootless(void)
{
	host.is_rootless = true;
}

/* --- files -------------------------------------------------------------------------------- */

int cgroup_write_lines(const char *file, const char *lines, struct err *e)
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

bool cgroup_value_file(const char *path, const struct cgroup_value *v, char out[512])
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

bool cgroup_has_controller(const char *controller)
{
	const struct cgroup_value probe = { .controller = controller, .file = "" };
	char out[512];

	return host.layout.is_v2 ? str_has_word(host.v2.controllers, ",", controller) : cgroup_value_file("", &probe, out);
}

/* --- paths -------------------------------------------------------------------------------------------------- */

int cgroup_check_path(const char *path, struct err *e)
{
	AUTO_FREE char *clean = path != NULL ? path_clean(path) : NULL;

	if (clean == NULL || path[0] != '/' || !str_eq(path, clean) || str_eq(path, "/"))
		return err_set(e, ERR_INVALID, "control group '%s' is no clean absolute path",
			       path != NULL ? path : "");
	if (strlen(path) > CGROUP_PATH_MAX)
		return err_set(e, ERR_INVALID, "control group '%s' is longer than %d bytes", path,
			       CGROUP_PATH_MAX);
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
		host.names[i].mount = host.v1[i].mount;
		host.layout.n_v1++;
	}
	append_name(host.v1[i].controllers, sizeof(host.v1[i].controllers), controller);
}

static void find_v1(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(v1_controllers); i++) {
		char *mount = NULL;

		if (cgroup_get_subsys_mount_point(v1_controllers[i], &mount) == 0 &&
		    mount != NULL && mount[0] == '/' && !str_eq(mount, host.v2.mount))
			add_v1(v1_controllers[i], mount);
		free(mount);
	}
}

/* libcgroup enables controllers for every group above a new one except the root: there it is ours, when nobody has. */
static bool enable_in_root(const char *controller)
{
	AUTO_FREE char *enabled = NULL;
	char file[512], word[64];

	snprintf(file, sizeof(file), "%s/cgroup.subtree_control", host.v2.mount);
	if (file_read(AT_FDCWD, file, 4096, &enabled, NULL, ERR_IGNORED) < 0)
		return false;
	if (str_has_word(enabled, " \n", controller))
		return true;
	snprintf(word, sizeof(word), "+%s", controller);
	return cgroup_write_lines(file, word, ERR_IGNORED) == 0;
}

static void find_v2(void)
{
	for (size_t i = 0; host.layout.n_v1 == 0 && i < ARRAY_SIZE(v2_controllers); i++) {
		char *mount = NULL;

		if (cgroup_get_subsys_mount_point(v2_controllers[i], &mount) == 0 &&
		    str_eq(mount, host.v2.mount) && enable_in_root(v2_controllers[i]))
			append_name(host.v2.controllers, sizeof(host.v2.controllers),
				    v2_controllers[i]);
		free(mount);
	}
}

/* libcgroup's table of mounts, where it has one that can be seen: 800 KiB in Debian 12. Its whole pages, of which none is of a file. */
struct table {
	char *from, *end;
};

static struct table find_table(void)
{
	char *table = dlsym(RTLD_DEFAULT, "cg_mount_table");
	uintptr_t from = ((uintptr_t)table + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES, end;
	ElfW(Sym) *symbol = NULL;
	Dl_info info;

	if (table == NULL || dladdr1(table, &info, (void **)&symbol, RTLD_DL_SYMENT) == 0 || symbol == NULL)
		return (struct table){ 0 };
	end = ((uintptr_t)table + symbol->st_size) / PAGE_BYTES * PAGE_BYTES;
	return end > from ? (struct table){ (char *)from, (char *)end } : (struct table){ 0 };
}

/*
 * cgroup_init() clears its table, a page fault for each page. Here the kernel fills them at once: 0.2 ms less for `state`. A
 * kernel before 5.14 just goes on.
 */
static void populate_table(struct table t)
{
	if (t.from != NULL)
		madvise(t.from, (size_t)(t.end - t.from), MADV_POPULATE_WRITE);
}

/* What is behind its last mount holds nothing, and need not be copied to each child: read again, it is zero. */
static void empty_table(struct table t)
{
	static const char zero[PAGE_BYTES];
	char *end = t.end;

	while (end > t.from && memcmp(end - PAGE_BYTES, zero, PAGE_BYTES) == 0)
		end -= PAGE_BYTES;
	if (end < t.end)
		madvise(end, (size_t)(t.end - end), MADV_DONTNEED);
}

int cgroup_setup(struct err *e)
{
	struct table table = find_table();
	int code;

	memset(&host, 0, sizeof(host));
	cgroup_set_logger(log_nothing, CGROUP_LOG_ERROR, NULL);
	populate_table(table);
	if (find_v2_mount(e) < 0)
		return -1;
	errno = 0;
	code = cgroup_init();
	/* libcgroup forgets to keep some of what the kernel has said */
	if (code != 0 && errno != 0)
		return err_sys(e, "find control groups");
	if (code != 0)
		return err_set(e, ERR_UNSUPPORTED, "find control groups: %s", cgroup_strerror(code));
	empty_table(table);
	find_v1();
	find_v2();
	host.layout.v1 = host.names;
	host.layout.is_v2 = host.layout.n_v1 == 0;
	if (host.layout.is_v2 && host.v2.mount[0] == '\0')
		return err_set(e, ERR_UNSUPPORTED, "no control group hierarchy is mounted");
	return 0;
}
