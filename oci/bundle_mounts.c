/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mounts of a container. Spec: moby oci/defaults.go, daemon/oci_linux.go WithMounts()
 *
 * The user's mounts replace docker's at the same place; one on /dev also replaces all that docker puts below it.
 * They are ordered by depth, so that a mount never hides one that came before it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/defence.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/bundle_parts.h"

#define SHM "/dev/shm"

struct mount_list {
	struct oci_mount *v;
	size_t n;
};

static struct oci_mount *add(struct mount_list *l, char *destination, const char *type, char *source)
{
	struct oci_mount *m = &l->v[l->n++];

	*m = (struct oci_mount){ .destination = destination, .type = (char *)type, .source = source };
	return m;
}

static void add_option(struct oci_mount *m, const char *option, struct arena *a)
{
	struct str_list out = { arena_new_array(a, char *, m->options.n + 1), m->options.n };

	if (out.n > 0)
		memcpy(out.v, m->options.v, out.n * sizeof *out.v);
	out.v[out.n++] = arena_strdup(a, option);
	m->options = out;
}

/* --- the user's, and the files of /etc ---------------------------------------------------------------- */

static void add_binds(struct mount_list *l, const struct bundle_bind *binds, size_t n, struct arena *a)
{
	for (size_t i = 0; i < n; i++) {
		struct oci_mount *m = add(l, binds[i].target, "bind", arena_printf(a, "fd:%zu", i));

		/* What is read-only on the host stays so: nothing makes it writable */
		m->options = BUNDLE_LIST(a, binds[i].is_recursive ? "rbind" : "bind", binds[i].propagation);
		if (binds[i].readonly)
			add_option(m, binds[i].is_top_readonly ? "ro" : "rro", a);
	}
}

static int add_tmpfs(struct mount_list *l, const struct str_map *tmpfs, struct arena *a, struct err *e)
{
	for (size_t i = 0; i < tmpfs->n; i++) {
		AUTO_FREE char *target = path_clean(tmpfs->v[i].key);
		struct oci_mount *m = add(l, arena_strdup(a, target), "tmpfs", arena_strdup(a, "tmpfs"));

		if (options_tmpfs_options(tmpfs->v[i].value, a, &m->options, e) < 0)
			return -1;
	}
	return 0;
}

static int add_tmpfs_mounts(struct mount_list *l, const struct opt_mount *v, size_t n, struct arena *a, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		AUTO_FREE char *target = path_clean(v[i].target);

		if (bundle_mount_tmpfs(&v[i], a, &add(l, arena_strdup(a, target), "tmpfs", arena_strdup(a, "tmpfs"))->options, e) < 0)
			return -1;
	}
	return 0;
}

static bool has_destination(const struct mount_list *l, size_t n, const char *destination)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(l->v[i].destination, destination))
			return true;
	return false;
}

static void add_etc(struct mount_list *l, const struct bundle_input *in, struct arena *a)
{
	static const char *const names[] = { "resolv.conf", "hostname", "hosts" };
	size_t n_user = l->n;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *target = arena_printf(a, "/etc/%s", names[i]);
		struct oci_mount *m;

		if (has_destination(l, n_user, target))
			continue;
		m = add(l, target, "bind",
			arena_printf(a, "%s/%s", in->etc_dir ? in->etc_dir : in->container_dir, names[i]));
		m->options = BUNDLE_LIST(a, "rbind", "rprivate");
		if (in->options->host->readonly_rootfs)
			add_option(m, "ro", a);
	}
}

/* The shared memory that goes with an IPC namespace of somebody else's */
static void add_shm(struct mount_list *l, const struct bundle_input *in, struct arena *a)
{
	enum options_share share = options_share(in->options->host, OPTIONS_IPC, NULL);
	struct oci_mount *m;

	if (share == SHARE_NONE || has_destination(l, l->n, SHM))
		return;
	m = add(l, arena_strdup(a, SHM), "bind", arena_printf(a, share == SHARE_HOST ? "fd:%d" : "fd:%d:" SHM, in->shares.shm));
	m->options = share == SHARE_HOST ? BUNDLE_LIST(a, "rbind", "rprivate") : BUNDLE_LIST(a, "bind", "nosuid", "nodev", "noexec");
}

static size_t depth(const char *path)
{
	size_t n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

/* Insertion: few, and equal depths keep their order */
static void sort_by_depth(struct mount_list *l)
{
	for (size_t i = 1; i < l->n; i++) {
		struct oci_mount m = l->v[i];
		size_t k = i;

		for (; k > 0 && depth(l->v[k - 1].destination) > depth(m.destination); k--)
			l->v[k] = l->v[k - 1];
		l->v[k] = m;
	}
}

/* --- docker's own ------------------------------------------------------------------------------------ */

static const struct {
	const char *destination, *type, *source, *options;
} defaults[] = {
	{ "/proc", "proc", "proc", "nosuid,noexec,nodev" },
	{ "/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k" },
	{ "/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5" },
	{ "/sys", "sysfs", "sysfs", "nosuid,noexec,nodev" },
	{ "/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev" },
	{ "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev" },
	{ SHM, "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777" },
};

static struct str_list split(const char *text, struct arena *a)
{
	char *rest = arena_strdup(a, text);
	struct str_list l = { arena_new_array(a, char *, strlen(text) / 2 + 1), 0 };

	for (char *o; (o = strsep(&rest, ",")) != NULL;)
		l.v[l.n++] = o;
	return l;
}

/* Privileged containers may write to both; but a read-only root keeps /sys read-only */
static bool is_readonly(const char *type, const struct opt_host_config *h)
{
	if (str_eq(type, "sysfs"))
		return !h->privileged || h->readonly_rootfs;
	return DEFENCE(CGROUP_READONLY, str_eq(type, "cgroup") && !h->privileged, false);
}

static void add_defaults(struct mount_list *l, const struct mount_list *user, const struct opt_host_config *h,
			 struct arena *a)
{
	bool has_dev = has_destination(user, user->n, "/dev");

	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
		struct oci_mount *m;

		if (has_destination(user, user->n, defaults[i].destination) ||
		    (str_eq(defaults[i].destination, SHM) && !options_has_shm(h)) ||
		    (has_dev && str_starts(defaults[i].destination, "/dev/")))
			continue;
		m = add(l, arena_strdup(a, defaults[i].destination), defaults[i].type,
			arena_strdup(a, defaults[i].source));
		m->options = split(defaults[i].options, a);
		if (is_readonly(defaults[i].type, h))
			add_option(m, "ro", a);
		if (str_eq(defaults[i].source, "shm"))
			add_option(m, arena_printf(a, "size=%lld", (long long)h->shm_size_bytes), a);
	}
}

int bundle_mounts(const struct bundle_input *in, struct arena *a, struct oci_mount **ret, size_t *ret_n,
		  struct err *e)
{
	const struct opt_host_config *h = in->options->host;
	struct mount_list user = {0}, all = {0};
	struct bundle_bind *binds;
	struct opt_mount *tmpfs;
	size_t n, n_tmpfs;

	if (bundle_binds(in->options, a, &binds, &n, e) < 0)
		return -1;
	bundle_tmpfs_mounts(in->options, a, &tmpfs, &n_tmpfs);
	user.v = arena_new_array(a, struct oci_mount, n + h->tmpfs.n + n_tmpfs + 4);
	add_binds(&user, binds, n, a);
	if (add_tmpfs(&user, &h->tmpfs, a, e) < 0 || add_tmpfs_mounts(&user, tmpfs, n_tmpfs, a, e) < 0)
		return -1;
	add_etc(&user, in, a);
	add_shm(&user, in, a);
	sort_by_depth(&user);

	all.v = arena_new_array(a, struct oci_mount, user.n + ARRAY_SIZE(defaults));
	add_defaults(&all, &user, h, a);
	memcpy(all.v + all.n, user.v, user.n * sizeof *user.v);
	*ret = all.v;
	*ret_n = all.n + user.n;
	return 0;
}
