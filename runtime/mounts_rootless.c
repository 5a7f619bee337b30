/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What mounts are without power over the host: the kernel would refuse some of them with EPERM or EINVAL and no word why.
 */
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include "base/defence.h"
#include "base/str.h"
#include "oci/runtime_config.h"
#include "runtime/cgroup.h"
#include "runtime/mounts.h"
#include "runtime/namespaces.h"
#include "runtime/stages.h"

/* sysfs shows a network namespace, and only who has power over that may have it mounted. */
static int check_sysfs(const struct launch_plan_stages *s, const struct mount_op *op, struct err *e)
{
	if (!str_eq(op->type, "sysfs") || (s->clone_flags & CLONE_NEWNET) != 0 || namespaces_has(s, CLONE_NEWNET))
		return 0;
	return err_set(e, ERR_DENIED, "without root's powers, and without a network namespace of the container's own, there is no new sysfs: bind /sys instead");
}

static int check_owner(const struct idmap *map, const struct mount_param *p, struct err *e)
{
	bool is_gid = str_eq(p->key, "gid");
	uint64_t id;

	if (map->n_uids == 0 || (!is_gid && !str_eq(p->key, "uid")) || p->value == NULL || !str_to_u64(p->value, &id))
		return 0;
	if (is_gid ? idmap_has(map->gids, map->n_gids, id) : idmap_has(map->uids, map->n_uids, id))
		return 0;
	return err_set(e, ERR_INVALID, "option '%s=%s': that ID has no mapping in the user namespace", p->key, p->value);
}

static int check(const struct launch_plan_stages *s, const struct mount_op *op, struct err *e)
{
	if (op->kind != MOUNT_FS)
		return 0;
	for (size_t i = 0; i < op->n_params; i++)
		if (check_owner(&s->user_map, &op->params[i], e) < 0)
			return -1;
	return check_sysfs(s, op, e);
}

/*
 * In a cgroup namespace that is not the container's, nobody without power over the host mounts control groups: bound is what is the
 * container's, or, where it has no group, read-only the one that we are in (CVE-2023-25809).
 */
static int show_groups(const struct launch_plan_stages *s, struct mount_op *op, const char *group, struct arena *arena, struct err *e)
{
	bool has_namespace = s->unshares_cgroup || (s->clone_flags & CLONE_NEWCGROUP) != 0 || namespaces_has(s, CLONE_NEWCGROUP);
	bool is_fs = op->kind == MOUNT_FS && (str_eq(op->type, "cgroup") || str_eq(op->type, "cgroup2"));
	char own[512];

	if (!is_fs && !op->is_group)
		return 0;
	if (DEFENCE(CALLERS_GROUP, group == NULL, false))
		op->attr_set |= MOUNT_ATTR_RDONLY;
	if (is_fs && has_namespace)
		return 0;
	if (op->is_group && group != NULL)
		return 0;
	if (group != NULL ? !cgroup_dir_of(group, own) : !cgroup_own_dir(op->n_params != 0 ? op->params[0].key : NULL, own))
		return err_set(e, ERR_UNSUPPORTED, "there is no control group to show");
	op->kind = MOUNT_BIND;
	op->is_group = true;
	op->source = arena_strdup(arena, own);
	return 0;
}

/* A procfs shows its processes to whoever sees it, wherever that one lives. */
static bool is_hosts_procfs(const struct mount_op *op)
{
	struct statfs fs;

	if (op->kind != MOUNT_BIND || op->source == NULL)
		return false;
	return (op->is_recursive && str_eq(op->source, "/")) || (statfs(op->source, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC);
}

bool mounts_show_processes(const struct launch_plan_stages *s)
{
	for (size_t i = 0; i < s->n_ops; i++)
		if (is_hosts_procfs(&s->ops[i]))
			return true;
	return false;
}

int mounts_plan_rootless(struct launch_plan_stages *s, const char *group, struct arena *arena, struct err *e)
{
	for (size_t i = 0; i < s->n_ops; i++)
		if (check(s, &s->ops[i], e) < 0 || show_groups(s, &s->ops[i], group, arena, e) < 0)
			return err_wrap(e, "mount '%s'", s->ops[i].target);
	mounts_bind_devices(s->ops, s->n_ops, arena);
	return 0;
}
