/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/mounts.h"

#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/defence.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/runtime_config.h"
#include "runtime/cgroup.h"
#include "runtime/stages.h"

#define MOUNTS_MAX 1024 /* of a configuration; the list of operations is a little longer */

/* A growing array in an arena, sized before it is filled. */
struct op_list {
	struct arena *arena;
	struct mount_op *v;
	size_t n, max;
	const char *group; /* whose directories are shown as control groups; NULL: the namespace's roots */
};

static struct mount_op *op_add(struct op_list *l, enum mount_kind kind, const char *target)
{
	struct mount_op *op = &l->v[l->n++];

	BUG(l->n > l->max, "%zu mount operations", l->n);
	op->kind = kind;
	op->target = target;
	op->fd = -1;
	return op;
}

/* --- options ---------------------------------------------------------------------------------------------- */

struct mount_option {
	const char *name;
	uint64_t set, clear;
};

static const struct mount_option options[] = {
	{ "defaults", 0, 0 },
	{ "ro", MOUNT_ATTR_RDONLY, 0 },
	{ "rw", 0, MOUNT_ATTR_RDONLY },
	{ "nosuid", MOUNT_ATTR_NOSUID, 0 },
	{ "suid", 0, MOUNT_ATTR_NOSUID },
	{ "nodev", MOUNT_ATTR_NODEV, 0 },
	{ "dev", 0, MOUNT_ATTR_NODEV },
	{ "noexec", MOUNT_ATTR_NOEXEC, 0 },
	{ "exec", 0, MOUNT_ATTR_NOEXEC },
	{ "nodiratime", MOUNT_ATTR_NODIRATIME, 0 },
	{ "diratime", 0, MOUNT_ATTR_NODIRATIME },
	{ "nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0 },
	{ "symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW },
	{ "relatime", 0, MOUNT_ATTR__ATIME },
	{ "noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME },
	{ "strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
	{ "atime", 0, MOUNT_ATTR__ATIME },
	/* the kernel's own way, which is relatime */
	{ "norelatime", 0, 0 },
	{ "nostrictatime", 0, 0 },
};

/* Of the file system, not of a mount of it: a bind cannot change them, and the kernel passes over them there, as we do. */
static const char *const fs_options[] = { "sync", "async", "dirsync", "mand", "nomand", "lazytime", "nolazytime" };

/* What no file system that we make has, or what only the kernel's log shows. */
static const char *const passed_over[] = { "silent", "loud", "acl", "noacl", "iversion", "noiversion" };

static bool is_among(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(names[i], name))
			return true;
	return false;
}

static const struct {
	const char *name;
	uint64_t flag;
} propagations[] = {
	{ "private", MS_PRIVATE },
	{ "slave", MS_SLAVE },
	{ "shared", MS_SHARED },
	{ "unbindable", MS_UNBINDABLE },
};

int mounts_propagation(const char *name, uint64_t *ret, bool *ret_is_recursive)
{
	bool is_recursive = name[0] == 'r';

	for (size_t i = 0; i < ARRAY_SIZE(propagations); i++) {
		if (!str_eq(name + is_recursive, propagations[i].name))
			continue;
		*ret = propagations[i].flag;
		*ret_is_recursive = is_recursive;
		return 0;
	}
	return -1;
}

const char *mounts_option_name(size_t i)
{
	static const char *const single[] = { "bind", "rbind", "idmap", "ridmap", "tmpcopyup" };
	static char name[32];

	if (i < ARRAY_SIZE(single))
		return single[i];
	i -= ARRAY_SIZE(single);
	if (i < ARRAY_SIZE(fs_options))
		return fs_options[i];
	i -= ARRAY_SIZE(fs_options);
	if (i < ARRAY_SIZE(passed_over))
		return passed_over[i];
	i -= ARRAY_SIZE(passed_over);
	/* each also with r in front, where it holds for what is mounted below, too; "defaults" comes first */
	if (i < 2 * ARRAY_SIZE(options) - 1) {
		snprintf(name, sizeof(name), "%s%s", i >= ARRAY_SIZE(options) ? "r" : "", options[i < ARRAY_SIZE(options) ? i : i - ARRAY_SIZE(options) + 1].name);
		return name;
	}
	i -= 2 * ARRAY_SIZE(options) - 1;
	if (i >= 2 * ARRAY_SIZE(propagations))
		return NULL;
	snprintf(name, sizeof(name), "%s%s", i % 2 != 0 ? "r" : "", propagations[i / 2].name);
	return name;
}

/* A later option wins, so what it sets is no longer cleared, and the other way round. */
static bool option_apply(struct mount_op *op, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const struct mount_option *o = &options[i];

		if (!str_eq(name, o->name))
			continue;
		op->attr_set = (op->attr_set & ~o->clear) | o->set;
		op->attr_clr = (op->attr_clr & ~(o->set & ~MOUNT_ATTR__ATIME)) | o->clear;
		return true;
	}
	return false;
}

/* "rro": read-only with all that is mounted below; "ro" is about the topmost mount. */
static bool option_apply_recursive(struct mount_op *op, const char *name)
{
	struct mount_op below = { .attr_set = op->below_set, .attr_clr = op->below_clr };

	if (name[0] != 'r' || !option_apply(op, name + 1) || !option_apply(&below, name + 1))
		return false;
	op->below_set = below.attr_set;
	op->below_clr = below.attr_clr;
	return true;
}

/* Options that are neither flags of the mount nor the file system's own. */
static const char *const refused_options[] = {
	"remount", "copy-symlink",
};

/* What no table knows is the file system's business: "size=64m", "newinstance" */
static void option_to_param(struct mount_op *op, struct mount_param *p, const char *text,
			    struct arena *arena)
{
	const char *eq = strchr(text, '=');

	p->key = eq != NULL ? arena_strndup(arena, text, (size_t)(eq - text)) : text;
	p->value = eq != NULL ? eq + 1 : NULL;
	op->has_mode = op->has_mode || str_eq(p->key, "mode");
	op->n_params++;
}

static int options_plan(struct mount_op *op, const struct oci_mount *m, struct arena *arena,
			struct err *e)
{
	struct mount_param *params = arena_new_array(arena, struct mount_param, m->options.n + 1);
	bool is_recursive;

	op->params = params;
	for (size_t i = 0; i < m->options.n; i++) {
		const char *o = m->options.v[i];

		if (str_eq(o, "bind") || str_eq(o, "rbind") || o[0] == '\0')
			continue;
		if (is_among(refused_options, ARRAY_SIZE(refused_options), o))
			return err_set(e, ERR_UNSUPPORTED, "option '%s' is not supported", o);
		if (option_apply(op, o) || is_among(passed_over, ARRAY_SIZE(passed_over), o))
			continue;
		/* below a file system that is new there is nothing */
		if (op->kind == MOUNT_BIND ? option_apply_recursive(op, o) : o[0] == 'r' && option_apply(op, o + 1))
			continue;
		if (op->kind == MOUNT_BIND && is_among(fs_options, ARRAY_SIZE(fs_options), o))
			continue;
		if (str_eq(o, "idmap") || str_eq(o, "ridmap")) {
			if (m->n_uid_mappings == 0)
				return err_set(e, ERR_INVALID, "option '%s' needs uidMappings and gidMappings", o);
			op->maps_below = o[0] == 'r';
			continue;
		}
		if (str_eq(o, "tmpcopyup")) {
			if (!str_eq(m->type, "tmpfs") || op->kind == MOUNT_BIND)
				return err_set(e, ERR_INVALID, "option 'tmpcopyup' is for a tmpfs");
			op->copies_up = true;
			continue;
		}
		if (mounts_propagation(o, &op->propagation, &is_recursive) == 0)
			continue;
		if (op->kind == MOUNT_BIND)
			return err_set(e, ERR_INVALID, "unknown option '%s' of a bind", o);
		option_to_param(op, &params[op->n_params], o, arena);
	}
	return 0;
}

/* --- mounts ------------------------------------------------------------------------------------------------ */

static bool has_option(const struct oci_mount *m, const char *name)
{
	for (size_t i = 0; i < m->options.n; i++)
		if (str_eq(m->options.v[i], name))
			return true;
	return false;
}

static bool is_bind(const struct oci_mount *m)
{
	return str_eq(m->type, "bind") || str_eq(m->type, "rbind") || has_option(m, "bind") ||
	       has_option(m, "rbind");
}

/* What lxcfs and the like put over procfs, as runc allows it; all else inside /proc is refused (CVE-2019-16884). */
static const char *const proc_files[] = {
	"/proc/cpuinfo",
	"/proc/diskstats",
	"/proc/meminfo",
	"/proc/stat",
	"/proc/swaps",
	"/proc/uptime",
	"/proc/loadavg",
	"/proc/slabinfo",
	"/proc/net/dev",
	"/proc/sys/kernel/ns_last_pid",
	"/proc/sys/crypto/fips_enabled",
};

static int check_proc(struct mount_op *op, const struct oci_mount *m, struct err *e)
{
	if (str_eq(op->target, "/proc")) {
		op->allows_proc = op->kind == MOUNT_FS && str_eq(m->type, "proc");
		if (op->allows_proc)
			return 0;
		return err_set(e, ERR_INVALID, "nothing but procfs may be mounted on /proc");
	}
	if (!str_starts(op->target, "/proc/"))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(proc_files); i++)
		if (str_eq(op->target, proc_files[i]) && op->kind == MOUNT_BIND) {
			op->allows_proc = true;
			return 0;
		}
	return err_set(e, ERR_INVALID, "it is inside /proc");
}

static const char *const file_systems[] = { "proc", "sysfs", "tmpfs", "devpts", "mqueue" };

static int check_type(const struct oci_mount *m, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(file_systems); i++)
		if (str_eq(m->type, file_systems[i]))
			return 0;
	if (str_is_empty(m->type))
		return err_set(e, ERR_INVALID, "neither a type nor a bind");
	return err_set(e, ERR_UNSUPPORTED, "type '%s' is not supported", m->type);
}

/* What is seen of one hierarchy: the container's group, or all of it as the container's own namespace shows it, which is the same. */
static struct mount_op *hierarchy_plan(struct op_list *l, const char *target, const struct cgroup_v1 *h, uint64_t attr)
{
	struct mount_op *op = op_add(l, l->group != NULL ? MOUNT_BIND : MOUNT_FS, target);

	op->attr_set = attr;
	if (l->group != NULL) {
		op->source = arena_printf(l->arena, "%s%s", h->mount, l->group);
		op->is_group = true;
	} else {
		op->type = op->source = "cgroup";
	}
	return op;
}

/* v1: a small tmpfs with a mount of each hierarchy, and a link for each controller. */
static void cgroup_v1_plan(struct op_list *l, struct mount_op *top,
			   const struct cgroup_layout *layout)
{
	uint64_t attr = top->attr_set;
	static const struct mount_param mode = { "mode", "755" };

	top->type = top->source = "tmpfs";
	top->params = &mode;
	top->n_params = 1;
	top->attr_set &= ~(uint64_t)MOUNT_ATTR_RDONLY;
	for (size_t i = 0; i < layout->n_v1; i++) {
		const struct cgroup_v1 *h = &layout->v1[i];
		char *list = arena_strdup(l->arena, h->controllers);
		struct mount_param *params =
			arena_new_array(l->arena, struct mount_param, strlen(list) + 1);
		struct mount_op *op =
			hierarchy_plan(l, arena_printf(l->arena, "%s/%s", top->target, h->name), h, attr);

		op->params = params;
		for (char *c; (c = strsep(&list, ",")) != NULL; op->n_params++) {
			params[op->n_params].key = c;
			if (!str_eq(c, h->name)) {
				struct mount_op *link = op_add(l, MOUNT_LINK, top->target);

				link->name = c;
				link->type = h->name;
			}
		}
	}
	if ((attr & MOUNT_ATTR_RDONLY) != 0)
		op_add(l, MOUNT_SEAL, top->target);
}

static void cgroup_plan(struct op_list *l, struct mount_op *op, const struct cgroup_layout *layout)
{
	if (!layout->is_v2) {
		cgroup_v1_plan(l, op, layout);
		return;
	}
	op->type = op->source = "cgroup2";
}

/* config.md#mounts: one of an old configuration is relative to the root. Return: owned */
static char *clean_destination(const struct oci_mount *m)
{
	AUTO_FREE char *full = path_join("/", m->destination);

	return path_clean(full);
}

static int mount_plan(struct op_list *l, const struct oci_mount *m,
		      const struct cgroup_layout *layout, struct err *e)
{
	AUTO_FREE char *clean = NULL;
	struct mount_op *op;
	bool is_cgroup = str_eq(m->type, "cgroup") || str_eq(m->type, "cgroup2");

	if (str_is_empty(m->destination))
		return err_set(e, ERR_INVALID, "destination: it is empty");
	clean = clean_destination(m);
	if (str_eq(clean, "/"))
		return err_set(e, ERR_INVALID, "destination is the root");

	op = op_add(l, is_bind(m) ? MOUNT_BIND : MOUNT_FS, arena_strdup(l->arena, clean));
	op->type = op->kind == MOUNT_FS ? m->type : NULL;
	op->source = !str_is_empty(m->source) ? m->source : op->type;
	op->is_recursive =
		op->kind == MOUNT_BIND && (str_eq(m->type, "rbind") || has_option(m, "rbind"));
	op->map = (struct idmap){ m->uid_mappings, m->gid_mappings, m->n_uid_mappings, m->n_gid_mappings };
	if (idmap_check(&op->map, e) < 0)
		return -1;
	if (op->map.n_uids != 0 && op->kind != MOUNT_BIND)
		return err_set(e, ERR_UNSUPPORTED, "uidMappings and gidMappings: only binds can be mapped");
	if (op->kind == MOUNT_BIND && str_is_empty(m->source))
		return err_set(e, ERR_INVALID, "a bind needs a source");
	if (op->kind == MOUNT_FS && !is_cgroup && check_type(m, e) < 0)
		return -1;
	if (options_plan(op, m, l->arena, e) < 0 || DEFENCE(PROC_PLACES, check_proc(op, m, e), 0) < 0)
		return -1;
	if (is_cgroup && op->kind == MOUNT_FS)
		cgroup_plan(l, op, layout);
	return 0;
}

/* --- devices and links ------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	unsigned major, minor;
} default_devices[] = {
	{ "null", 1, 3 },   { "zero", 1, 5 },    { "full", 1, 7 },
	{ "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 },
};

static const struct {
	const char *name, *to;
} default_links[] = {
	{ "ptmx", "pts/ptmx" },          { "fd", "/proc/self/fd" },
	{ "stdin", "/proc/self/fd/0" },  { "stdout", "/proc/self/fd/1" },
	{ "stderr", "/proc/self/fd/2" }, { "core", "/proc/kcore" },
};

static void default_devices_plan(struct op_list *l)
{
	for (size_t i = 0; i < ARRAY_SIZE(default_devices); i++) {
		struct mount_op *op = op_add(l, MOUNT_DEVICE, "/dev");

		op->name = default_devices[i].name;
		op->mode = S_IFCHR | 0666;
		op->rdev = makedev(default_devices[i].major, default_devices[i].minor);
	}
	for (size_t i = 0; i < ARRAY_SIZE(default_links); i++) {
		struct mount_op *op = op_add(l, MOUNT_LINK, "/dev");

		op->name = default_links[i].name;
		op->type = default_links[i].to;
	}
}

/* A list of the host's devices has some that every container gets anyway, as a node or as a link (ptmx). */
static bool is_default_device(const char *path)
{
	if (!str_starts(path, "/dev/"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(default_devices); i++)
		if (str_eq(path + strlen("/dev/"), default_devices[i].name))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(default_links); i++)
		if (str_eq(path + strlen("/dev/"), default_links[i].name))
			return true;
	return false;
}

static int device_mode(const struct oci_device *d, mode_t *ret, struct err *e)
{
	mode_t perm = d->file_mode.set ? (mode_t)(d->file_mode.v & 0777) : 0666;

	if (str_eq(d->type, "c") || str_eq(d->type, "u"))
		*ret = S_IFCHR | perm;
	else if (str_eq(d->type, "b"))
		*ret = S_IFBLK | perm;
	else if (str_eq(d->type, "p"))
		*ret = S_IFIFO | perm;
	else
		return err_set(e, ERR_INVALID, "unknown type '%s'", d->type);
	return 0;
}

static int device_plan(struct op_list *l, const struct oci_device *d, struct err *e)
{
	AUTO_FREE char *clean = NULL;
	struct mount_op *op;
	char *path, *slash;
	mode_t mode;

	if (d->path == NULL || d->path[0] != '/')
		return err_set(e, ERR_INVALID, "path is not absolute");
	clean = path_clean(d->path);
	if (is_default_device(clean))
		return 0;
	if (device_mode(d, &mode, e) < 0)
		return -1;
	if (d->major < 0 || d->minor < 0 || d->major > UINT32_MAX || d->minor > UINT32_MAX)
		return err_set(e, ERR_INVALID, "major or minor is out of range");
	if ((d->uid.set && d->uid.v >= UINT32_MAX) || (d->gid.set && d->gid.v >= UINT32_MAX))
		return err_set(e, ERR_INVALID, "uid or gid is out of range");
	path = arena_strdup(l->arena, clean);
	slash = strrchr(path, '/');
	if (slash == path || slash[1] == '\0')
		return err_set(e, ERR_INVALID, "'%s' is no place for a device", path);
	*slash = '\0';
	op = op_add(l, MOUNT_DEVICE, path);
	op->name = slash + 1;
	op->mode = mode;
	op->rdev = S_ISFIFO(mode) ? 0 : makedev((unsigned)d->major, (unsigned)d->minor);
	op->uid = (uid_t)d->uid.v;
	op->gid = (gid_t)d->gid.v;
	return 0;
}

void mounts_bind_devices(struct mount_op *ops, size_t n, struct arena *arena)
{
	for (size_t i = 0; i < n; i++) {
		struct mount_op *op = &ops[i];

		if (op->kind != MOUNT_DEVICE || S_ISFIFO(op->mode))
			continue;
		op->kind = MOUNT_BIND;
		op->target = op->source = arena_printf(arena, "%s/%s", op->target, op->name);
		op->is_device = true;
	}
}

static const struct oci_namespace *find_namespace(const struct oci_linux *lin, const char *type)
{
	for (size_t i = 0; lin != NULL && i < lin->n_namespaces; i++)
		if (str_eq(lin->namespaces[i].type, type))
			return &lin->namespaces[i];
	return NULL;
}

static bool has_namespace(const struct oci_linux *lin, const char *type)
{
	return find_namespace(lin, type) != NULL;
}

static bool is_fresh(const struct oci_linux *lin, const char *type)
{
	const struct oci_namespace *ns = find_namespace(lin, type);

	return ns != NULL && str_is_empty(ns->path);
}

static int devices_plan(struct op_list *l, const struct oci_config *config, struct err *e)
{
	const struct oci_linux *lin = config->linux_;
	size_t from = l->n;

	default_devices_plan(l);
	for (size_t i = 0; lin != NULL && i < lin->n_devices; i++)
		if (device_plan(l, &lin->devices[i], e) < 0)
			return err_wrap(e, "linux.devices[%zu]", i);
	if (has_namespace(lin, "user"))
		mounts_bind_devices(l->v + from, l->n - from, l->arena);
	return 0;
}

/* --- the whole list ----------------------------------------------------------------------------------------- */

static int paths_plan(struct op_list *l, const struct str_list *paths, enum mount_kind kind,
		      const char *what, struct err *e)
{
	for (size_t i = 0; i < paths->n; i++) {
		if (paths->v[i][0] != '/')
			return err_set(e, ERR_INVALID, "linux.%s[%zu]: '%s' is not absolute", what,
				       i, paths->v[i]);
		op_add(l, kind, paths->v[i]);
	}
	return 0;
}

static size_t count_ops(const struct oci_config *config, const struct cgroup_layout *layout)
{
	const struct oci_linux *lin = config->linux_;
	size_t n = config->n_mounts, per_cgroup = 1, n_dev = 0;

	for (size_t i = 0; i < layout->n_v1; i++)
		per_cgroup += 2 + strlen(layout->v1[i].controllers);
	for (size_t i = 0; i < config->n_mounts; i++) {
		const struct oci_mount *m = &config->mounts[i];
		AUTO_FREE char *clean = str_is_empty(m->destination) ? NULL : clean_destination(m);

		if (str_eq(m->type, "cgroup") || str_eq(m->type, "cgroup2"))
			n += per_cgroup;
		n_dev += str_eq(clean, "/dev");
	}
	/* Each file system on /dev has all of them. */
	n += (n_dev > 0 ? n_dev : 1) * (ARRAY_SIZE(default_devices) + ARRAY_SIZE(default_links) + (lin != NULL ? lin->n_devices : 0));
	if (lin != NULL)
		n += lin->masked_paths.n + lin->readonly_paths.n;
	return n;
}

static int all_mounts_plan(struct op_list *l, const struct oci_config *config,
			   const struct cgroup_layout *layout, struct err *e)
{
	bool has_dev = false;

	for (size_t i = 0; i < config->n_mounts; i++) {
		struct mount_op *op = &l->v[l->n];

		if (mount_plan(l, &config->mounts[i], layout, e) < 0)
			return err_wrap(e, "mounts[%zu] ('%s')", i, config->mounts[i].destination);
		if (!str_eq(op->target, "/dev"))
			continue;
		has_dev = true;
		/* a bind of somebody's /dev has what it has */
		if (op->kind == MOUNT_FS && devices_plan(l, config, e) < 0)
			return -1;
	}
	return has_dev ? 0 : devices_plan(l, config, e);
}

int mounts_plan(const struct oci_config *config, const struct cgroup_layout *layout, const char *group,
		struct arena *arena, struct mount_op **ret, size_t *ret_n, struct err *e)
{
	const struct oci_linux *lin = config->linux_;
	struct op_list l = { .arena = arena };

	/* A mount of v1 takes the longer the more groups there are on the machine; a bind of the own one shows the same */
	if (!has_namespace(lin, "cgroup") || (group != NULL && !layout->is_v2 && is_fresh(lin, "cgroup") && !has_namespace(lin, "user")))
		l.group = group != NULL ? group : "";
	l.max = count_ops(config, layout);
	if (l.max > MOUNTS_MAX + 256)
		return err_set(e, ERR_INVALID, "more than %d mounts and devices", MOUNTS_MAX);
	l.v = arena_new_array(arena, struct mount_op, l.max);
	if (all_mounts_plan(&l, config, layout, e) < 0)
		return -1;
	if (lin != NULL &&
	    (paths_plan(&l, &lin->readonly_paths, MOUNT_READONLY, "readonlyPaths", e) < 0 ||
	     paths_plan(&l, &lin->masked_paths, MOUNT_MASK, "maskedPaths", e) < 0))
		return -1;
	*ret = l.v;
	*ret_n = l.n;
	return 0;
}
