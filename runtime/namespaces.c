/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/defence.h"
#include "base/own.h"
#include "base/str.h"
#include "oci/runtime_config.h"
#include "runtime/stages.h"
#include "runtime/watchers.h"

static const struct {
	const char *type;
	int flag;
} kinds[] = {
	{ "pid", CLONE_NEWPID }, { "network", CLONE_NEWNET },   { "mount", CLONE_NEWNS }, { "ipc", CLONE_NEWIPC },
	{ "uts", CLONE_NEWUTS }, { "cgroup", CLONE_NEWCGROUP }, { "time", CLONE_NEWTIME }, { "user", CLONE_NEWUSER },
};

static const char *name_of(int flag)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].flag == flag)
			return kinds[i].type;
	return "unknown";
}

const char *namespaces_type(size_t i)
{
	return i < ARRAY_SIZE(kinds) ? kinds[i].type : NULL;
}

/* --- the plan ------------------------------------------------------------------------------------------------ */

int namespaces_listed(const struct oci_linux *lin)
{
	int flags = 0;

	for (size_t i = 0; lin != NULL && i < lin->n_namespaces; i++)
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
			if (str_eq(lin->namespaces[i].type, kinds[k].type))
				flags |= kinds[k].flag;
	return flags;
}

bool namespaces_has(const struct launch_plan_stages *s, int flag)
{
	for (size_t i = 0; i < s->n_joins; i++)
		if (s->joins[i].flag == flag)
			return true;
	return false;
}

static int add(struct launch_plan_stages *s, const struct oci_namespace *ns, int flag, struct err *e)
{
	if ((s->clone_flags & (uint64_t)flag) != 0 || namespaces_has(s, flag))
		return err_set(e, ERR_INVALID, "'%s' comes twice", ns->type);
	if (str_is_empty(ns->path)) {
		s->clone_flags |= (uint64_t)flag;
		return 0;
	}
	if (ns->path[0] != '/' && !str_starts(ns->path, "fd:"))
		return err_set(e, ERR_INVALID, "path '%.200s' is not absolute", ns->path);
	s->joins[s->n_joins++] = (struct namespace_join){
		.type = ns->type, .source = ns->path, .flag = flag, .fd = -1
	};
	return 0;
}

static int plan_one(struct launch_plan_stages *s, const struct oci_namespace *ns, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (str_eq(ns->type, kinds[i].type))
			return add(s, ns, kinds[i].flag, e);
	return err_set(e, ERR_UNSUPPORTED, "type '%s' is not supported", ns->type);
}

static int plan_offset(const struct oci_time_offset *o, struct strbuf *lines, struct err *e)
{
	if (!str_eq(o->clock, "monotonic") && !str_eq(o->clock, "boottime"))
		return err_set(e, ERR_INVALID, "'%.64s' is no clock that can be set: monotonic, boottime", o->clock);
	if (o->nanosecs > 999999999)
		return err_set(e, ERR_INVALID, "%s.nanosecs: %u is no part of a second", o->clock, o->nanosecs);
	strbuf_addf(lines, "%s %lld %u\n", o->clock, (long long)o->secs, o->nanosecs);
	return 0;
}

static int plan_offsets(const struct oci_linux *lin, struct arena *a, struct launch_plan_stages *ret, struct err *e)
{
	AUTO_STRBUF struct strbuf lines = { 0 };

	if (lin->n_time_offsets == 0)
		return 0;
	if (!ret->unshares_time)
		return err_set(e, ERR_INVALID, "they need a time namespace of the container's own");
	for (size_t i = 0; i < lin->n_time_offsets; i++)
		if (plan_offset(&lin->time_offsets[i], &lines, e) < 0)
			return -1;
	ret->time_offsets = arena_strdup(a, lines.data);
	return 0;
}

static int check_mount(const struct launch_plan_stages *s, struct err *e)
{
	bool has_user = (s->clone_flags & CLONE_NEWUSER) != 0 || namespaces_has(s, CLONE_NEWUSER);

	if ((s->clone_flags & CLONE_NEWNS) != 0)
		return 0;
	if (!namespaces_has(s, CLONE_NEWNS))
		return err_set(e, ERR_UNSUPPORTED, "a container without a mount namespace is not supported");
	/* Its mounts could not be locked: that takes a namespace of its own */
	if (has_user)
		return err_set(e, ERR_UNSUPPORTED, "joining a mount namespace by path beside a user namespace is not supported");
	return 0;
}

int namespaces_plan(const struct oci_linux *lin, bool is_v2, struct arena *a,
		    struct launch_plan_stages *ret, struct err *e)
{
	ret->joins = arena_new_array(a, struct namespace_join, ARRAY_SIZE(kinds));
	for (size_t i = 0; i < lin->n_namespaces; i++)
		if (plan_one(ret, &lin->namespaces[i], e) < 0)
			return err_wrap(e, "linux.namespaces[%zu]", i);
	if (check_mount(ret, e) < 0)
		return err_wrap(e, "linux.namespaces");
	/* Before it has joined its groups, its namespace would have the caller's as roots: v2 joins by the clone itself */
	if (!is_v2 && (ret->clone_flags & CLONE_NEWCGROUP) != 0) {
		ret->clone_flags &= ~(uint64_t)CLONE_NEWCGROUP;
		ret->unshares_cgroup = true;
	}
	/* Clone would enter it at once, and then its clocks cannot be set any more */
	ret->unshares_time = (ret->clone_flags & CLONE_NEWTIME) != 0;
	ret->clone_flags &= ~(uint64_t)CLONE_NEWTIME;
	if (plan_offsets(lin, a, ret, e) < 0)
		return err_wrap(e, "linux.timeOffsets");
	ret->brings_lo_up = (ret->clone_flags & CLONE_NEWNET) != 0;
	return 0;
}

void namespaces_print(const struct launch_plan_stages *s, struct strbuf *out)
{
	strbuf_adds(out, "clone:");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if ((s->clone_flags & (uint64_t)kinds[i].flag) != 0)
			strbuf_addf(out, " %s", kinds[i].type);
	strbuf_addc(out, '\n');
	if (s->unshares_cgroup)
		strbuf_adds(out, "unshare: cgroup\n");
	if (s->unshares_time)
		strbuf_adds(out, "unshare: time\n");
	for (const char *line = s->time_offsets; line != NULL && *line != '\0'; line = strchr(line, '\n') + 1)
		strbuf_addf(out, "clock: %.*s\n", (int)strcspn(line, "\n"), line);
	for (size_t i = 0; i < s->n_joins; i++)
		strbuf_addf(out, "join: %s of %s\n", s->joins[i].type, s->joins[i].source);
}

/* --- opening -------------------------------------------------------------------------------------------------- */

static int take_fd(struct namespace_join *j, int *fds, size_t n_fds, struct err *e)
{
	uint64_t n;

	if (!str_to_u64(j->source + strlen("fd:"), &n) || n >= n_fds || fds[n] < 0)
		return err_set(e, ERR_INVALID, "'%.60s' names no descriptor", j->source);
	j->fd = TAKE_FD(fds[n]);
	return 0;
}

/* A pidfd says so by taking signals; no signal is sent. */
static int check_pidfd(const struct namespace_join *j, struct err *e)
{
	if (syscall(SYS_pidfd_send_signal, j->fd, 0, NULL, 0) == 0)
		return 0;
	if (errno == ESRCH)
		return err_set(e, ERR_CONFLICT, "its process has ended");
	return err_set(e, ERR_INVALID, "'%.200s' is no namespace", j->source);
}

static int check_type(const struct namespace_join *j, struct err *e)
{
	int flag = ioctl(j->fd, NS_GET_NSTYPE);

	if (flag < 0 && str_starts(j->source, "fd:"))
		return check_pidfd(j, e);
	if (flag < 0 && errno != ENOTTY)
		return err_sys(e, "ask for the type of '%.200s'", j->source);
	if (flag < 0)
		return err_set(e, ERR_INVALID, "'%.200s' is no namespace", j->source);
	if (flag != j->flag)
		return err_set(e, ERR_INVALID, "'%.200s' is a namespace of type %s", j->source,
			       name_of(flag));
	return 0;
}

static int open_one(struct namespace_join *j, int *fds, size_t n_fds, struct err *e)
{
	if (str_starts(j->source, "fd:")) {
		if (take_fd(j, fds, n_fds, e) < 0)
			return -1;
	} else {
		/* It may be anything, a FIFO too: it is not waited for */
		j->fd = open(j->source, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (j->fd < 0)
			return err_sys(e, "open '%s'", j->source);
	}
	return check_type(j, e);
}

/* Of a launch all stages are walked by a process that can be seen in there. */
static int check_watchers(const struct namespace_join *j, struct err *e)
{
	bool is_watched = false;

	if (j->flag != CLONE_NEWPID || watchers_look(j->fd, &is_watched, e) < 0)
		return j->flag != CLONE_NEWPID ? 0 : -1;
	if (!DEFENCE(PID_NOT_WATCHED, is_watched, false))
		return 0;
	return err_set(e, ERR_DENIED, "a process in it has CAP_SYS_PTRACE, and would see what starts there with powers that it has not");
}

/* The container's root replaces what is in there: not the one that we live in, nor that of the machine. */
static int check_not_ours(const struct namespace_join *j, struct err *e)
{
	static const char *const ours[] = { "/proc/self/ns/mnt", "/proc/1/ns/mnt" };
	struct stat st, other;

	if (j->flag != CLONE_NEWNS)
		return 0;
	if (fstat(j->fd, &st) < 0)
		return err_sys(e, "look at '%.200s'", j->source);
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (stat(ours[i], &other) == 0 && other.st_ino == st.st_ino && other.st_dev == st.st_dev)
			return err_set(e, ERR_DENIED, "'%.200s' is that of the host, whose root the container's would replace", j->source);
	return 0;
}

int namespaces_open(struct launch_plan_stages *s, int *fds, size_t n_fds, struct err *e)
{
	for (size_t i = 0; i < s->n_joins; i++)
		if (open_one(&s->joins[i], fds, n_fds, e) < 0 || check_watchers(&s->joins[i], e) < 0 || check_not_ours(&s->joins[i], e) < 0)
			return err_wrap(e, "join %s namespace", s->joins[i].type);
	return 0;
}

void namespaces_close(struct launch_plan_stages *s)
{
	for (size_t i = 0; i < s->n_joins; i++)
		close_fd(&s->joins[i].fd);
}

/* --- the pid namespace ------------------------------------------------------------------------------------------ */

int namespaces_enter_pid(const struct launch_plan_stages *s, struct err *e)
{
	for (size_t i = 0; i < s->n_joins; i++) {
		const struct namespace_join *j = &s->joins[i];

		if (j->flag != CLONE_NEWPID || setns(j->fd, CLONE_NEWPID) == 0)
			continue;
		if (errno == ESRCH)
			return err_set(e, ERR_CONFLICT, "join pid namespace: its process has ended");
		return err_sys(e, "join pid namespace '%s'", j->source);
	}
	return 0;
}

int namespaces_leave_pid(const struct launch_plan_stages *s, struct err *e)
{
	AUTO_CLOSE int self = -1;

	if (!namespaces_has(s, CLONE_NEWPID))
		return 0;
	/* By our own pidfd: what a process lives in is always open to its children */
	self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (self < 0 || setns(self, CLONE_NEWPID) < 0)
		return err_sys(e, "go back to the own pid namespace");
	return 0;
}
