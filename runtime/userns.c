/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"
#include "oci/runtime_config.h"
#include "runtime/namespaces.h"
#include "runtime/stages.h"

/* --- the plan ------------------------------------------------------------------------------------------------ */

static int check_map(const struct idmap *map, struct err *e)
{
	if (map->n_uids + map->n_gids == 0)
		return err_set(e, ERR_INVALID, "uidMappings: a user namespace needs them, and gidMappings");
	if (idmap_check(map, e) < 0)
		return -1;
	/* Mounts are made as its root */
	if (!idmap_has(map->uids, map->n_uids, 0))
		return err_set(e, ERR_INVALID, "uidMappings: containerID 0 has no mapping");
	if (!idmap_has(map->gids, map->n_gids, 0))
		return err_set(e, ERR_INVALID, "gidMappings: containerID 0 has no mapping");
	return 0;
}

int userns_plan(const struct oci_linux *lin, bool has_entered, struct launch_plan_stages *s, struct err *e)
{
	const struct idmap map = { lin->uid_mappings, lin->gid_mappings, lin->n_uid_mappings, lin->n_gid_mappings };

	bool is_made = (s->clone_flags & CLONE_NEWUSER) != 0, is_joined = namespaces_has(s, CLONE_NEWUSER);

	s->has_users = is_made || is_joined;
	if (!is_made && map.n_uids + map.n_gids == 0)
		return 0;
	if (!s->has_users)
		return err_set(e, ERR_INVALID, "linux.%s: they need a user namespace of the container's own",
			       map.n_uids != 0 ? "uidMappings" : "gidMappings");
	s->user_map = map;
	if (has_entered && is_made) {
		s->has_users = false;
		s->has_entered_users = true;
		s->clone_flags &= ~(uint64_t)CLONE_NEWUSER;
	}
	return check_map(&map, e) < 0 ? err_wrap(e, "linux") : 0;
}

/* The namespace that a file system shows of who mounts it. 0: none */
static uint64_t shown_by(const char *type)
{
	static const struct {
		const char *type;
		uint64_t flag;
	} shown[] = { { "sysfs", CLONE_NEWNET }, { "mqueue", CLONE_NEWIPC }, { "proc", CLONE_NEWPID }, { "cgroup", CLONE_NEWCGROUP }, { "cgroup2", CLONE_NEWCGROUP } };

	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		if (str_eq(type, shown[i].type))
			return shown[i].flag;
	return 0;
}

void userns_plan_mounts(struct launch_plan_stages *s)
{
	uint64_t own = s->clone_flags | (s->unshares_cgroup ? CLONE_NEWCGROUP : 0);

	if (!s->has_users)
		return;
	s->goes_between = s->n_joins != 0;
	for (size_t i = 0; i < s->n_ops; i++) {
		struct mount_op *op = &s->ops[i];

		op->is_foreign = op->kind == MOUNT_FS && (shown_by(op->type) & ~own) != 0;
		s->goes_between = s->goes_between || op->is_foreign;
	}
}

static const struct oci_namespace *find_users(const struct oci_linux *lin)
{
	for (size_t i = 0; lin != NULL && i < lin->n_namespaces; i++)
		if (str_eq(lin->namespaces[i].type, "user"))
			return &lin->namespaces[i];
	return NULL;
}

int userns_map(const struct oci_linux *lin, struct idmap *ret, struct err *e)
{
	const struct oci_namespace *ns = find_users(lin);

	if (ns == NULL)
		return err_set(e, ERR_INVALID, "linux.namespaces: without root's powers a container needs a user namespace of its own, with uidMappings and gidMappings");
	if (!str_is_empty(ns->path))
		return err_set(e, ERR_UNSUPPORTED, "linux.namespaces: joining a user namespace by path is not supported without root's powers");
	*ret = (struct idmap){ lin->uid_mappings, lin->gid_mappings, lin->n_uid_mappings, lin->n_gid_mappings };
	return check_map(ret, e) < 0 ? err_wrap(e, "linux") : 0;
}

int userns_check_process(const struct launch_plan_stages *s, struct err *e)
{
	const struct stage_identity *id = &s->process.identity;
	const struct idmap *map = &s->user_map;

	/* until it is opened */
	if (map->n_uids == 0)
		return 0;
	if (!idmap_has(map->uids, map->n_uids, id->uid))
		return err_set(e, ERR_INVALID, "process.user.uid: %u has no mapping", id->uid);
	if (!idmap_has(map->gids, map->n_gids, id->gid))
		return err_set(e, ERR_INVALID, "process.user.gid: %u has no mapping", id->gid);
	for (size_t i = 0; i < id->n_groups; i++)
		if (!idmap_has(map->gids, map->n_gids, id->groups[i]))
			return err_set(e, ERR_INVALID, "process.user.additionalGids: %u has no mapping", id->groups[i]);
	return 0;
}

int userns_check_tracing(const struct stage_caps *caps, struct err *e)
{
	uint64_t all = caps->bounding | caps->permitted | caps->effective | caps->inheritable | caps->ambient;

	if ((all >> CAP_SYS_PTRACE & 1) == 0)
		return 0;
	return err_set(e, ERR_UNSUPPORTED, "process.capabilities: without root's powers CAP_SYS_PTRACE takes a pid namespace of the container's own, and no bind of the "
		       "host's procfs: the runtime waits in the same user namespace, and could be traced");
}

static int read_joined(const struct namespace_join *j, struct arena *a, struct idmap *ret, struct err *e)
{
	if (idmap_read(j->fd, a, ret, e) < 0)
		return -1;
	if (!idmap_has(ret->uids, ret->n_uids, 0) || !idmap_has(ret->gids, ret->n_gids, 0))
		return err_set(e, ERR_INVALID, "ID 0 has no mapping in it");
	return 0;
}

int userns_open(struct launch_plan_stages *s, struct arena *a, struct err *e)
{
	struct idmap map = { 0 };

	for (size_t i = 0; i < s->n_joins; i++) {
		const struct namespace_join *j = &s->joins[i];

		if (j->flag != CLONE_NEWUSER)
			continue;
		if (read_joined(j, a, &map, e) < 0)
			return err_wrap(e, "join user namespace '%.200s'", j->source);
		/* engines repeat what it has */
		if (s->user_map.n_uids != 0 && !idmap_equals(&map, &s->user_map))
			return err_set(e, ERR_INVALID, "linux.uidMappings, linux.gidMappings: user namespace '%.200s' has others", j->source);
		s->user_map = map;
		return userns_check_process(s, e);
	}
	return 0;
}

/* --- what the parent does --------------------------------------------------------------------------------------- */

static int write_oom_score(pid_t pid, const char *text, struct err *e)
{
	AUTO_CLOSE int fd = -1;
	char file[64];

	if (text == NULL)
		return 0;
	snprintf(file, sizeof(file), "/proc/%d/oom_score_adj", (int)pid);
	fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open '%s'", file);
	/* lowering takes a power that an unprivileged Kiln has not */
	if (write(fd, text, strlen(text)) < 0 && errno != EPERM && errno != EACCES)
		return err_sys(e, "set the OOM score to %s", text);
	return 0;
}

int userns_settle(const struct launch_plan_stages *s, pid_t pid, struct err *e)
{
	if (!s->has_users)
		return 0;
	stage_raise_limits(pid, &s->process);
	if (write_oom_score(pid, s->process.oom_score_adj, e) < 0)
		return -1;
	if ((s->clone_flags & CLONE_NEWUSER) == 0)
		return 0;
	/* With these it has a root to become, and goes on */
	return idmap_write(&s->user_map, pid, e) < 0 ? err_wrap(e, "user namespace") : 0;
}

/* --- locks ------------------------------------------------------------------------------------------------------ */

/* In a child of ours, not in the container's pid namespace. Return: an exit code: 0, or errno */
static int copy_there_and_back(int pidfd, int sock)
{
	int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC), ns;

	/* Nobody in there has power over us, but we die with our parent */
	if (proc < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return errno;
	if (setns(pidfd, CLONE_NEWNS) < 0 || unshare(CLONE_NEWNS) < 0)
		return errno;
	if (setns(pidfd, CLONE_NEWUSER) < 0 || unshare(CLONE_NEWNS) < 0)
		return errno;
	ns = openat(proc, "self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (ns < 0)
		return errno;
	if (fd_send_msg(sock, "", 1, &ns, 1) == 1)
		return 0;
	return errno == EPIPE || errno == ECONNRESET ? ESRCH : errno;
}

int userns_lock(int pidfd, int sock, struct err *e)
{
	pid_t pid = (pid_t)syscall(SYS_clone, (unsigned long)SIGCHLD, NULL, NULL, NULL, 0ul);
	int status = 0;

	if (pid < 0)
		return err_sys(e, "clone a process that locks the mounts");
	if (pid == 0)
		_exit(copy_there_and_back(pidfd, sock));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	/* ESRCH: the child has died meanwhile, and is heard of */
	if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == ESRCH))
		return 0;
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	return err_sys(e, "lock the mounts");
}
