/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From root's powers to the program's: limits, stdio, working directory, identity, capabilities, seccomp.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/defence.h"
#include "runtime/stages.h"

/*
 * STAGE_RLIMITS. Must: set what the document says.
 * Must not: fail where the hard limit may not be raised (no CAP_SYS_RESOURCE): then the one we have stays, as it
 * would for any user who asks.
 */
void stage_limits(struct stage_ctx *c, const struct process_plan *p)
{
	stage_enter(c, STAGE_RLIMITS);
	for (size_t i = 0; i < p->n_rlimits; i++) {
		const struct stage_rlimit *l = &p->rlimits[i];
		struct rlimit want = l->limit, have;

		if (prlimit(0, (__rlimit_resource_t)l->resource, &want, NULL) == 0)
			continue;
		if (errno != EPERM || prlimit(0, (__rlimit_resource_t)l->resource, NULL, &have) < 0)
			stage_die(c, "set ", l->name, NULL);
		want.rlim_max = want.rlim_max < have.rlim_max ? want.rlim_max : have.rlim_max;
		want.rlim_cur = want.rlim_cur < want.rlim_max ? want.rlim_cur : want.rlim_max;
		if (prlimit(0, (__rlimit_resource_t)l->resource, &want, NULL) < 0)
			stage_die(c, "set ", l->name, NULL);
	}
}

void stage_raise_limits(pid_t pid, const struct process_plan *p)
{
	for (size_t i = 0; i < p->n_rlimits; i++) {
		const struct stage_rlimit *l = &p->rlimits[i];
		struct rlimit have;

		if (prlimit(pid, (__rlimit_resource_t)l->resource, NULL, &have) < 0 || have.rlim_max >= l->limit.rlim_max)
			continue;
		have.rlim_max = l->limit.rlim_max;
		/* where that is not possible, stage_limits() has the answer */
		prlimit(pid, (__rlimit_resource_t)l->resource, &have, NULL);
	}
}

/* A program that is not root must be able to open /dev/stdout again: pipes and terminals become its own. */
static void stage_own_stdio(const struct stage_ctx *c, uid_t uid)
{
	struct stat st;

	for (int fd = 0; fd < 3; fd++) {
		if (fstat(fd, &st) < 0)
			stage_die(c, "look at a standard descriptor", NULL);
		if (st.st_uid == uid || (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)))
			continue;
		if (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
			continue;
		/* a stream from somewhere that does not let itself be given away stays as it is */
		if (fchown(fd, uid, (gid_t)-1) < 0 && errno != EINVAL && errno != EPERM &&
		    errno != EROFS)
			stage_die(c, "give a standard descriptor to the user", NULL);
	}
}

/* Descriptors to the places 0, 1, 2, whatever order they come in. */
static void stage_place_stdio(const struct stage_ctx *c, int fds[3])
{
	for (int i = 0; i < 3; i++) {
		if (fds[i] < 3 && fds[i] != i)
			fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (fds[i] < 0)
			stage_die(c, "place a standard descriptor", NULL);
	}
	for (int i = 0; i < 3; i++) {
		int done = fds[i] == i ? fcntl(i, F_SETFD, 0)
				       : dup2(fds[i], i); /* lint: cloexec standard streams */

		if (done < 0)
			stage_die(c, "place a standard descriptor", NULL);
	}
}

/*
 * Must: lead a session of its own, so that no terminal of the host can be pushed characters into (CVE-2016-10124).
 * Must not: take the controlling terminal from somebody else.
 */
void stage_session(struct stage_ctx *c, const struct process_plan *p)
{
	if (DEFENCE(SESSION, setsid(), 0) < 0 && errno != EPERM)
		stage_die(c, "make a session", NULL);
	if (p->tty && ioctl(c->tty_fd, TIOCSCTTY, 0) < 0)
		stage_die(c, "take the terminal", NULL);
}

/* STAGE_STDIO. Must: leave nothing but 0, 1, 2 and CLOEXEC descriptors. */
void stage_stdio(struct stage_ctx *c, const struct process_plan *p)
{
	int fds[3] = { p->in_fd, p->out_fd, p->err_fd };

	stage_enter(c, STAGE_STDIO);
	if (p->tty)
		fds[0] = fds[1] = fds[2] = c->tty_fd;
	stage_place_stdio(c, fds);
	stage_own_stdio(c, p->identity.uid);
	if (close_range(3 + p->n_preserve, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		stage_die(c, "mark descriptors to be closed", NULL);
}

/*
 * STAGE_CHDIR. Must: end in a directory that is inside the root (CVE-2024-21626: "/proc/self/fd/7" is not).
 * Must not: run after the powers are gone: root may enter what the user may not, as with docker.
 */
void stage_chdir(struct stage_ctx *c, const struct process_plan *p)
{
	char at[4096];
	int fd = stage_open_in_root(c->root_fd, p->cwd, O_PATH | O_DIRECTORY);

	stage_enter(c, STAGE_CHDIR);
	if (fd < 0 || fchdir(fd) < 0)
		stage_refuse(c, ERR_NONE, 127, errno, "chdir to cwd (\"", p->cwd,
			     "\") set in config.json failed", NULL);
	/* Where no path leads from the root, the kernel says ENOENT or begins it with "(unreachable)" */
	if (syscall(SYS_getcwd, at, sizeof(at)) < 0) {
		if (errno != ENOENT)
			stage_die(c, "look at cwd '", p->cwd, "'", NULL);
		at[0] = '\0';
	}
	if (DEFENCE(CWD_INSIDE, at[0] != '/', false))
		stage_refuse(c, ERR_DENIED, 126, 0, "cwd '", p->cwd,
			     "' is outside of the container's root", NULL);
	stage_close(fd);
}

/*
 * STAGE_IDS. Must: set the groups always, also to nothing but the primary one (CVE-2022-2989), unless the caller's are asked for, or the
 * user namespace forbids it to keep a caller without privileges from dropping groups that keep it out of something; keep the
 * capabilities over the change of user, STAGE_CAPS decides about them.
 * Must not: leave a saved id behind.
 */
void stage_ids(struct stage_ctx *c, const struct process_plan *p)
{
	const struct stage_identity *id = &p->identity;

	stage_enter(c, STAGE_IDS);
	umask(p->umask);
	if (!id->keeps_groups && syscall(SYS_setgroups, id->n_groups, id->groups) < 0)
		stage_die(c, "set the supplementary groups", NULL);
	if (prctl(PR_SET_KEEPCAPS, 1) < 0)
		stage_die(c, "keep capabilities", NULL);
	for (unsigned cap = 0; cap <= p->caps.last; cap++)
		if ((p->caps.bounding >> cap & 1) == 0 && prctl(PR_CAPBSET_DROP, cap) < 0)
			stage_die(c, "drop from the bounding set", NULL);
	if (syscall(SYS_setresgid, id->gid, id->gid, id->gid) < 0)
		stage_die(c, "set the group", NULL);
	if (syscall(SYS_setresuid, id->uid, id->uid, id->uid) < 0)
		stage_die(c, "set the user", NULL);
}

static int stage_capset(uint64_t permitted, uint64_t effective, uint64_t inheritable)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	for (int half = 0; half < 2; half++) {
		data[half].effective = (uint32_t)(effective >> 32 * half);
		data[half].permitted = (uint32_t)(permitted >> 32 * half);
		data[half].inheritable = (uint32_t)(inheritable >> 32 * half);
	}
	return (int)syscall(SYS_capset, &head, data);
}

/* A change of user has emptied the effective set; loading without no_new_privs needs one power of it back. */
static void stage_regain(const struct stage_ctx *c, const struct process_plan *p)
{
	uint64_t set = p->caps.permitted | 1ull << CAP_SYS_ADMIN;

	if (!p->no_new_privs && p->identity.uid != 0 &&
	    stage_capset(set, set, p->caps.inheritable) < 0)
		stage_die(c, "raise the power to load a seccomp filter", NULL);
}

/*
 * STAGE_SECCOMP_EARLY and _LATE: the same filter, at one of two places.
 * Must: be early without no_new_privs (loading needs CAP_SYS_ADMIN, else EACCES) and late with it.
 * Must not: be followed by a system call that a profile might forbid: behind the early one come capset (and prctl
 * where there are ambient capabilities), execve and, when that fails, the report of it. A listener is sent before anything else:
 * who makes a call that the filter leaves to an agent waits until there is one.
 */
void stage_seccomp(struct stage_ctx *c, const struct process_plan *p, enum stage at)
{
	bool is_now = (at == STAGE_SECCOMP_LATE) == p->no_new_privs;
	long listener;

	stage_enter(c, at);
	if (!is_now)
		return;
	if (p->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		stage_die(c, "set no_new_privs", NULL);
	if (DEFENCE(SECCOMP, p->filter.len == 0, true))
		return;
	stage_regain(c, p);
	listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, p->filter_flags, &p->filter);
	if (listener < 0)
		stage_die(c, "load the seccomp filter", NULL);
	if (p->has_listener)
		stage_send_listener(c, (int)listener, p->tells_listener);
}

/*
 * STAGE_CAPS. Must: set exactly the plan's sets; the inheritable one holds nothing but what is ambient
 * (CVE-2022-29162). execve clears KEEPCAPS.
 * Must not: come before the bounding set is cut, which takes CAP_SETPCAP.
 */
void stage_caps(struct stage_ctx *c, const struct process_plan *p)
{
	stage_enter(c, STAGE_CAPS);
	if (stage_capset(p->caps.permitted, p->caps.effective, p->caps.inheritable) < 0)
		stage_die(c, "set the capabilities", NULL);
	for (unsigned cap = 0; p->caps.ambient != 0 && cap <= p->caps.last; cap++)
		if ((p->caps.ambient >> cap & 1) != 0 &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			stage_die(c, "set the ambient capabilities", NULL);
}
