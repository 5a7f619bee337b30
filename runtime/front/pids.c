/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/pids.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/own.h"
#include "base/str.h"
#include "runtime/cgroup.h"
#include "runtime/front/groups.h"
#include "runtime/front/instance.h"

/* Return: 0 when we may not know, or it has ended */
static ino_t namespace_of(const char *pid)
{
	char file[64];
	struct stat st;

	snprintf(file, sizeof(file), "/proc/%.20s/ns/pid", pid);
	return stat(file, &st) == 0 ? st.st_ino : 0;
}

static int list_namespace(ino_t ns, struct cgroup_pids *ret, struct err *e)
{
	AUTO_DIR DIR *proc = opendir("/proc");
	struct dirent *entry;
	uint64_t pid;

	if (proc == NULL)
		return err_sys(e, "open '/proc'");
	while ((entry = readdir(proc)) != NULL) {
		if (!str_to_u64(entry->d_name, &pid) || pid > INT32_MAX || namespace_of(entry->d_name) != ns)
			continue;
		ret->v = xrealloc(ret->v, (ret->n + 1) * sizeof(*ret->v));
		ret->v[ret->n++] = (pid_t)pid;
	}
	return 0;
}

int pids_list(const struct instance *i, struct cgroup_pids *ret, struct err *e)
{
	enum instance_status s;
	const char *group;
	char pid[24];
	ino_t ns;

	if (i->record == NULL)
		return 0;
	if (!i->record->own_pid_ns || !str_is_empty(i->record->cgroup_path))
		return groups_of(i, &group, e) < 0 ? -1 : cgroup_list(group, ret, e);
	if (instance_status(i, &s, NULL, e) < 0)
		return -1;
	snprintf(pid, sizeof(pid), "%lld", (long long)i->record->pid);
	ns = s != INSTANCE_STOPPED ? namespace_of(pid) : 0;
	return ns != 0 ? list_namespace(ns, ret, e) : 0;
}
