/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/defence.h"
#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"
#include "oci/runtime_config.h"

#define MAPPINGS_MAX 340 /* the kernel's own limit */
#define MAP_TEXT_MAX (MAPPINGS_MAX * 64)

static bool overlap(uint32_t a, uint32_t n_a, uint32_t b, uint32_t n_b)
{
	return a <= b ? b - a < n_a : a - b < n_b;
}

static int check_apart(const struct oci_id_mapping *v, size_t n, const char *name, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			if (overlap(v[i].container_id, v[i].n_ids, v[j].container_id, v[j].n_ids) ||
			    overlap(v[i].host_id, v[i].n_ids, v[j].host_id, v[j].n_ids))
				return err_set(e, ERR_INVALID, "%s[%zu]: it overlaps %s[%zu]", name, i, name, j);
	return 0;
}

static int check_list(const struct oci_id_mapping *v, size_t n, const char *name, struct err *e)
{
	if (n == 0)
		return err_set(e, ERR_INVALID, "%s: it is missing, and one of uidMappings and gidMappings needs the other", name);
	if (n > MAPPINGS_MAX)
		return err_set(e, ERR_INVALID, "%s: more than %d", name, MAPPINGS_MAX);
	for (size_t i = 0; i < n; i++)
		if (v[i].n_ids == 0 || v[i].container_id > UINT32_MAX - v[i].n_ids || v[i].host_id > UINT32_MAX - v[i].n_ids)
			return err_set(e, ERR_INVALID, "%s[%zu]: %u IDs from %u and %u on are none, or too many", name, i, v[i].n_ids,
				       v[i].container_id, v[i].host_id);
	return check_apart(v, n, name, e);
}

int idmap_check(const struct idmap *map, struct err *e)
{
	if (map->n_uids + map->n_gids == 0)
		return 0;
	return check_list(map->uids, map->n_uids, "uidMappings", e) < 0 ? -1 : check_list(map->gids, map->n_gids, "gidMappings", e);
}

bool idmap_has(const struct oci_id_mapping *v, size_t n, uint64_t id)
{
	for (size_t i = 0; i < n; i++)
		if (id >= v[i].container_id && id - v[i].container_id < v[i].n_ids)
			return true;
	return false;
}

/* --- the namespace --------------------------------------------------------------------------------------------------- */

/* One write: the kernel takes no second one. */
static int write_map(pid_t pid, const char *name, const struct oci_id_mapping *v, size_t n, struct err *e)
{
	AUTO_STRBUF struct strbuf lines = { 0 };
	AUTO_CLOSE int fd = -1;
	char file[64];

	snprintf(file, sizeof(file), "/proc/%d/%s", (int)pid, name);
	for (size_t i = 0; i < n; i++)
		strbuf_addf(&lines, "%u %u %u\n", v[i].container_id, v[i].host_id, v[i].n_ids);
	fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, lines.data, lines.len) < 0)
		return err_sys(e, "write '%s'", file);
	return 0;
}

int idmap_write(const struct idmap *map, pid_t pid, struct err *e)
{
	return write_map(pid, "uid_map", map->uids, map->n_uids, e) < 0 ? -1 : write_map(pid, "gid_map", map->gids, map->n_gids, e);
}

/* It does nothing, and dies with us, also when we have died already. */
static _Noreturn void be_there(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	for (;;)
		pause();
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void parse_map(char *text, struct arena *a, const struct oci_id_mapping **ret, size_t *ret_n)
{
	struct oci_id_mapping *v = arena_new_array(a, struct oci_id_mapping, MAPPINGS_MAX);
	size_t n = 0;

	for (char *at = text + strspn(text, " \n"); *at != '\0' && n < MAPPINGS_MAX; at += strspn(at, " \n"), n++) {
		v[n].container_id = (uint32_t)strtoul(at, &at, 10);
		v[n].host_id = (uint32_t)strtoul(at, &at, 10);
		v[n].n_ids = (uint32_t)strtoul(at, &at, 10);
	}
	*ret = v;
	*ret_n = n;
}

static int read_map(pid_t pid, const char *name, struct arena *a, const struct oci_id_mapping **ret, size_t *ret_n, struct err *e)
{
	AUTO_FREE char *file = xasprintf("/proc/%d/%s", (int)pid, name);
	AUTO_FREE char *text = NULL;

	if (file_read(AT_FDCWD, file, MAP_TEXT_MAX, &text, NULL, e) < 0)
		return -1;
	parse_map(text, a, ret, ret_n);
	return 0;
}

/*
 * In a child, since whoever enters one does not come back. It tells how that went, and dies with us. Whoever lives in there and sees
 * the host's processes has power over it, but none over what cannot be dumped and was executed outside: it is we, our memory and our files.
 */
static _Noreturn void enter(int ns, int to, pid_t parent)
{
	int sys = DEFENCE(USERS_UNSEEN, prctl(PR_SET_DUMPABLE, 0), 0) < 0 || setns(ns, CLONE_NEWUSER) < 0 ? errno : 0;

	DEFENCE_PAUSE(ENTERED);
	if (write(to, &sys, sizeof(sys)) != sizeof(sys) || sys != 0)
		_exit(1);
	be_there(parent);
}

static int hear_entered(int from, struct err *e)
{
	int sys = 0;
	ssize_t n = read(from, &sys, sizeof(sys));

	if (n < 0)
		return err_sys(e, "hear from the process that enters it");
	if (n != sizeof(sys))
		return err_set(e, ERR_INTERNAL, "the process that was to enter it has ended");
	/* The kernel's word for what one is in */
	if (sys == EINVAL)
		return err_set(e, ERR_INVALID, "it is the caller's own");
	errno = sys;
	return sys == 0 ? 0 : err_sys(e, "enter it");
}

int idmap_read(int ns, struct arena *a, struct idmap *ret, struct err *e)
{
	AUTO_CLOSE int from = -1, to = -1;
	pid_t parent = getpid(), pid;
	int ends[2], done;

	if (fd_pipe(ends, 0) < 0)
		return err_sys(e, "make a pipe");
	from = ends[0];
	to = ends[1];
	pid = (pid_t)syscall(SYS_clone, (unsigned long)SIGCHLD, NULL, NULL, NULL, 0ul);
	if (pid < 0)
		return err_sys(e, "clone a process that enters it");
	if (pid == 0)
		enter(ns, to, parent);
	close_fd(&to);
	done = hear_entered(from, e) < 0 || read_map(pid, "uid_map", a, &ret->uids, &ret->n_uids, e) < 0 || read_map(pid, "gid_map", a, &ret->gids, &ret->n_gids, e) < 0;
	end_child(pid);
	return done ? -1 : 0;
}

static int fill(pid_t pid, const struct idmap *map, int *ret_fd, struct err *e)
{
	char file[64];

	if (idmap_write(map, pid, e) < 0)
		return -1;
	snprintf(file, sizeof(file), "/proc/%d/ns/user", (int)pid);
	*ret_fd = open(file, O_RDONLY | O_CLOEXEC);
	return *ret_fd >= 0 ? 0 : err_sys(e, "open '%s'", file);
}

static int make_namespace(const struct idmap *map, int *ret_fd, struct err *e)
{
	pid_t parent = getpid(), pid = (pid_t)syscall(SYS_clone, (unsigned long)(CLONE_NEWUSER | SIGCHLD), NULL, NULL, NULL, 0ul);
	int done;

	if (pid < 0)
		return err_sys(e, "make a user namespace");
	if (pid == 0)
		be_there(parent);
	done = fill(pid, map, ret_fd, e);
	end_child(pid);
	return done;
}

static bool has_all(const struct oci_id_mapping *v, size_t n, const struct oci_id_mapping *other, size_t n_other)
{
	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < n_other && (v[i].container_id != other[k].container_id || v[i].host_id != other[k].host_id || v[i].n_ids != other[k].n_ids))
			k++;
		if (k == n_other)
			return false;
	}
	return n == n_other;
}

bool idmap_equals(const struct idmap *a, const struct idmap *b)
{
	return has_all(a->uids, a->n_uids, b->uids, b->n_uids) && has_all(a->gids, a->n_gids, b->gids, b->n_gids);
}

int idmap_mount(const struct idmap *map, int mount_fd, unsigned flags, struct err *e)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };
	AUTO_CLOSE int ns = -1;

	if (make_namespace(map, &ns, e) < 0)
		return err_wrap(e, "uidMappings");
	attr.userns_fd = (unsigned)ns;
	if (mount_setattr(mount_fd, "", AT_EMPTY_PATH | flags, &attr, sizeof(attr)) == 0)
		return 0;
	if (errno == EINVAL)
		return err_set(e, ERR_UNSUPPORTED, "uidMappings: its file system cannot be mapped");
	return err_sys(e, "uidMappings: map the mount");
}
