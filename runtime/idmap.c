/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"
#include "oci/runtime_config.h"

#define MAPPINGS_MAX 340 /* the kernel's own limit */

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

static int fill(pid_t pid, const struct idmap *map, int *ret_fd, struct err *e)
{
	char file[64];

	if (idmap_write(map, pid, e) < 0)
		return -1;
	snprintf(file, sizeof(file), "/proc/%d/ns/user", (int)pid);
	*ret_fd = open(file, O_RDONLY | O_CLOEXEC);
	return *ret_fd >= 0 ? 0 : err_sys(e, "open '%s'", file);
}

/* It does nothing, and dies with us. */
static _Noreturn void be_there(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

static int make_namespace(const struct idmap *map, int *ret_fd, struct err *e)
{
	pid_t pid = (pid_t)syscall(SYS_clone, (unsigned long)(CLONE_NEWUSER | SIGCHLD), NULL, NULL, NULL, 0ul);
	int done;

	if (pid < 0)
		return err_sys(e, "make a user namespace");
	if (pid == 0)
		be_there();
	done = fill(pid, map, ret_fd, e);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return done;
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
