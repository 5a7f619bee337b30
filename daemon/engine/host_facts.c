/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/host_facts.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"
#include "daemon/engine/container.h"

#define DEVICES_MAX   4096
#define DEVICES_DEPTH 8

/* Our own bounding set: what a container can be given, at most. */
static uint64_t read_caps(void)
{
	uint64_t caps = 0;

	for (unsigned cap = 0; cap < 64; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			caps |= UINT64_C(1) << cap;
	return caps;
}

/* "0" or "0-3": the highest number, and one more */
static unsigned read_nodes(void)
{
	AUTO_FREE char *text = NULL;
	size_t n;

	if (file_read(AT_FDCWD, "/sys/devices/system/node/online", 4096, &text, NULL, ERR_IGNORED) < 0)
		return 1;
	n = strcspn(text, "\n");
	text[n] = '\0';
	while (n > 0 && text[n - 1] >= '0' && text[n - 1] <= '9')
		n--;
	return (unsigned)strtoul(text + n, NULL, 10) + 1;
}

static void read_cgroups(struct host_facts *ret)
{
	struct statfs fs;

	ret->is_v2 = statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
	/* v2 has it wherever the kernel has swap; v1 wants it switched on at boot */
	ret->has_swap_limit = access(ret->is_v2 ? "/proc/swaps" : "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes",
				     F_OK) == 0;
	ret->has_cpu_rt = !ret->is_v2 && access("/sys/fs/cgroup/cpu/cpu.rt_runtime_us", F_OK) == 0;
}

void host_facts_read(struct host_facts *ret)
{
	long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);

	memset(ret, 0, sizeof *ret);
	if (gethostname(ret->hostname, sizeof ret->hostname - 1) < 0)
		strncpy(ret->hostname, "localhost", sizeof ret->hostname - 1);
	ret->caps = read_caps();
	ret->n_nodes = read_nodes();
	read_cgroups(ret);
	ret->apparmor = apparmor_read();
	ret->has_selinux = access("/sys/fs/selinux/enforce", F_OK) == 0;
	ret->n_cpus = n_cpus > 0 ? (unsigned)n_cpus : 1;
}

struct options_host host_options(const struct engine *eng)
{
	const struct host_facts *f = &eng->host;

	return (struct options_host){
		.n_cpus = f->n_cpus, .n_nodes = f->n_nodes, .has_cpu_rt = f->has_cpu_rt, .cgroup_parent = eng->cfg.cgroup_parent,
		.is_v2 = f->is_v2, .has_swap_limit = f->has_swap_limit, .raises_limits = (f->caps >> CAP_SYS_RESOURCE & 1) != 0,
		.has_apparmor = f->apparmor.is_on, .has_apparmor_default = f->apparmor.has_default,
		.has_selinux = f->has_selinux,
	};
}

const char *container_apparmor(const struct container *c)
{
	const struct options_host facts = host_options(c->eng);

	return options_apparmor(c->opt->host, &facts);
}

bool engine_has_apparmor(const struct engine *eng)
{
	return eng->host.apparmor.is_on;
}

struct engine_limits engine_limits(const struct engine *eng)
{
	struct host_blkio b;

	host_blkio_read(eng->host.is_v2, &b);
	return (struct engine_limits){ .is_v2 = eng->host.is_v2, .has_swap = eng->host.has_swap_limit,
				       .has_oom_kill_disable = !eng->host.is_v2, .has_io_weight = b.has_weight,
				       .has_io_throttle = b.has_throttle };
}

struct walk {
	struct arena *arena;
	struct oci_device *found; /* malloc'd, DEVICES_MAX */
	size_t n;
};

static void add_device(struct walk *w, const char *path, const struct stat *st)
{
	struct oci_device *d;

	if (w->n == DEVICES_MAX)
		return;
	d = &w->found[w->n++];
	*d = (struct oci_device){ .type = S_ISBLK(st->st_mode) ? (char *)"b" : (char *)"c" };
	d->path = arena_strdup(w->arena, path);
	d->major = major(st->st_rdev);
	d->minor = minor(st->st_rdev);
	d->file_mode = (struct opt_u64){ .set = true, .v = st->st_mode & 07777 };
	d->uid = (struct opt_u64){ .set = true, .v = st->st_uid };
	d->gid = (struct opt_u64){ .set = true, .v = st->st_gid };
}

static bool is_left_out(const char *name)
{
	static const char *const names[] = { "pts",     "ptmx",  "shm",  "fd",         "mqueue",
					     "console", ".udev", ".lxc", ".lxd-mounts" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static void walk_dir(struct walk *w, int dir_fd, const char *path, unsigned depth)
{
	AUTO_DIR DIR *dir = fdopendir(dir_fd);
	struct dirent *de;

	if (!dir) {
		close(dir_fd);
		return;
	}
	while ((de = readdir(dir))) {
		AUTO_FREE char *child = xasprintf("%s/%s", path, de->d_name);
		struct stat st;
		int fd;

		if (de->d_name[0] == '.' && (!de->d_name[1] || !strcmp(de->d_name, "..")))
			continue;
		if (is_left_out(de->d_name) ||
		    fstatat(dirfd(dir), de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
			add_device(w, child, &st);
		if (!S_ISDIR(st.st_mode) || depth == DEVICES_DEPTH)
			continue;
		fd = openat(dirfd(dir), de->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			walk_dir(w, fd, child, depth + 1);
	}
}

void host_devices(struct arena *a, struct oci_device **ret, size_t *ret_n)
{
	struct walk w = { .arena = a, .found = xcalloc(DEVICES_MAX, sizeof *w.found) };
	int fd = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		walk_dir(&w, fd, "/dev", 0);
	*ret = arena_new_array(a, struct oci_device, w.n + 1);
	memcpy(*ret, w.found, w.n * sizeof *w.found);
	*ret_n = w.n;
	free(w.found);
}

/* One of HostConfig.Devices: itself, or all below it. Links are followed: it is the host's own path. */
static int ask_one(const struct opt_device *d, struct walk *w, struct err *e)
{
	const char *in = str_is_empty(d->path_in_container) ? d->path_on_host : d->path_in_container;
	AUTO_CLOSE int fd = -1;
	size_t before = w->n;
	struct stat st;

	if (stat(d->path_on_host, &st) < 0)
		return err_sys(e, "error gathering device information while adding custom device \"%s\"",
			       d->path_on_host);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
		add_device(w, in, &st);
		return 0;
	}
	fd = open(d->path_on_host, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		walk_dir(w, TAKE_FD(fd), in, 0);
	if (w->n == before)
		return err_set(e, ERR_INVALID,
			       "error gathering device information while adding custom device \"%s\": not a device node",
			       d->path_on_host);
	return 0;
}

int host_devices_asked(const struct opt_host_config *h, struct arena *a, struct bundle_device **ret, size_t *ret_n,
		       struct err *e)
{
	AUTO_FREE struct oci_device *found = NULL;
	struct walk w = { .arena = a };
	struct bundle_device *out;
	size_t n = 0;

	if (h->n_devices == 0)
		return 0;
	found = w.found = xcalloc(DEVICES_MAX, sizeof *w.found);
	out = arena_new_array(a, struct bundle_device, DEVICES_MAX);
	for (size_t i = 0; i < h->n_devices; i++) {
		const char *access = h->devices[i].cgroup_permissions;

		if (ask_one(&h->devices[i], &w, e) < 0)
			return -1;
		for (; n < w.n; n++)
			out[n] = (struct bundle_device){ found[n], arena_strdup(a, str_is_empty(access) ? "rwm" : access) };
	}
	*ret = out;
	*ret_n = n;
	return 0;
}
