/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What makes the container look like a host of its own: names, loopback, system controls; before that, how the
 * child cuts itself from its parent and gets into its groups.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/openat2.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/defence.h"
#include "runtime/stages.h"

/* Dispositions that a daemon or a shell may leave ignored, which execve would pass on. */
static const int stage_signals[] = { SIGPIPE, SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGCHLD,
				     SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU, SIGTSTP, SIGXFSZ };

/* glibc's own two, which its sigaction() refuses and its posix_spawn() leaves ignored in the launcher. */
static void stage_reset_internal_signals(void)
{
	static const unsigned long plain[8]; /* the kernel's struct sigaction: all zero is SIG_DFL */

	syscall(SYS_rt_sigaction, 32, plain, NULL, 8);
	syscall(SYS_rt_sigaction, 33, plain, NULL, 8);
}

void stage_die_with_parent(struct stage_ctx *c)
{
	char byte;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		stage_die(c, "prepare the process", NULL);
	/* the parent may have died before that line: then its end of the socket is closed */
	if (recv(c->report_fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0)
		_exit(125);
}

/*
 * STAGE_PREPARE. Must: die with the parent until execve, start with default signals, be invisible to ptrace
 * and /proc of others.
 * Must not: allocate, or use what the parent's threads might have locked (there are none).
 */
void stage_prepare(struct stage_ctx *c)
{
	struct sigaction plain = { .sa_handler = SIG_DFL };
	sigset_t none;

	stage_enter(c, STAGE_PREPARE);
	stage_die_with_parent(c);
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		stage_die(c, "prepare the process", NULL);
	for (size_t i = 0; i < sizeof(stage_signals) / sizeof(stage_signals[0]); i++)
		sigaction(stage_signals[i], &plain, NULL);
	stage_reset_internal_signals();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * The score is written through the procfs of the launcher, not the container's (CVE-2025-52881).
 * EPERM is fine: lowering takes a power that an unprivileged Kiln has not.
 */
void stage_oom_score(struct stage_ctx *c, const char *text)
{
	int fd;

	if (text == NULL)
		return;
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		stage_die(c, "open '/proc/self/oom_score_adj'", NULL);
	if (write(fd, text, strlen(text)) < 0 && errno != EPERM && errno != EACCES)
		stage_die(c, "set the OOM score to ", text, NULL);
	stage_close(fd);
}

/*
 * STAGE_CGROUP_JOIN, STAGE_CGROUPNS. Must: join by itself: "0" takes 0.03 ms, a pid written by another process 9 ms.
 * Must not: unshare the namespace before the last join, or its roots would be the parent's groups.
 */
void stage_cgroup(struct stage_ctx *c, const int *fds, size_t n, bool unshares)
{
	stage_enter(c, STAGE_CGROUP_JOIN);
	for (size_t i = 0; i < n; i++) {
		if (DEFENCE(CGROUP_FIRST, write(fds[i], "0", 1), 1) < 0)
			stage_die(c, "join the control group", NULL);
		stage_close(fds[i]);
	}
	stage_enter(c, STAGE_CGROUPNS);
	if (unshares && DEFENCE(CGROUP_NAMESPACE, unshare(CLONE_NEWCGROUP), 0) < 0)
		stage_die(c, "make a cgroup namespace", NULL);
}

int stage_lo_up(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = (int)syscall(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	/* a kernel without IPv4 has no 127.0.0.1 to bring up */
	if (fd < 0)
		return errno == EAFNOSUPPORT ? 0 : -1;
	if (ioctl(fd, SIOCSIFFLAGS, &lo) < 0)
		return -1;
	stage_close(fd);
	return 0;
}

int stage_own_proc(const struct stage_ctx *c)
{
	int fs = fsopen("proc", FSOPEN_CLOEXEC);
	int fd;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		stage_die(c, "make a procfs", NULL);
	fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (fd < 0)
		stage_die(c, "make a procfs", NULL);
	stage_close(fs);
	return fd;
}

static int stage_open_sysctl(const struct stage_ctx *c, const char *path, int *own_proc)
{
	struct open_how how = { .flags = O_WRONLY | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV };
	int fd = -1;

	if (c->sysctl_fd >= 0) {
		fd = (int)syscall(SYS_openat2, c->sysctl_fd, path + strlen("sys/"), &how, sizeof(how));
		/* the container protects some of it */
		if (fd >= 0 || errno != EXDEV)
			return fd;
	}
	if (*own_proc < 0)
		*own_proc = stage_own_proc(c);
	return (int)syscall(SYS_openat2, *own_proc, path, &how, sizeof(how));
}

/*
 * Through what was opened of the container's procfs before it was mounted; where something has been mounted in that since, or there
 * is none, through one that nobody else can see.
 */
static void stage_sysctls(struct stage_ctx *c, const struct sysctl_op *ops, size_t n)
{
	int own_proc = -1;

	for (size_t i = 0; i < n; i++) {
		int fd = stage_open_sysctl(c, ops[i].path, &own_proc);

		if (fd < 0 || write(fd, ops[i].value, strlen(ops[i].value)) < 0)
			stage_die(c, "set system control '", ops[i].path + strlen("sys/"), "' to '",
				  ops[i].value, "'", NULL);
		stage_close(fd);
	}
	stage_close(own_proc);
	stage_close(c->sysctl_fd);
	c->sysctl_fd = -1;
}

/*
 * STAGE_HOST. Must: touch only what fresh namespaces own; the plan has checked that they are fresh.
 * Must not: look for anything by the container's own names: its /proc may be anything by now.
 */
void stage_host(struct stage_ctx *c, const struct launch_plan_stages *plan)
{
	stage_enter(c, STAGE_HOST);
	if (plan->hostname != NULL && sethostname(plan->hostname, strlen(plan->hostname)) < 0)
		stage_die(c, "set the host name '", plan->hostname, "'", NULL);
	if (plan->domainname != NULL && setdomainname(plan->domainname, strlen(plan->domainname)) < 0)
		stage_die(c, "set the domain name '", plan->domainname, "'", NULL);
	if (plan->brings_lo_up && stage_lo_up() < 0)
		stage_die(c, "bring the loopback interface up", NULL);
	stage_sysctls(c, plan->sysctls, plan->n_sysctls);
}

/*
 * STAGE_KEYRING. Must: leave the keys of whoever started the daemon behind.
 * Must not: fail the start when the kernel has no keyrings or the quota is used up: then there is none to inherit
 * but the parent's own, which holds nothing of ours.
 */
void stage_keyring(struct stage_ctx *c, const struct process_plan *p)
{
	stage_enter(c, STAGE_KEYRING);
	if (p->keeps_keyring)
		return;
	if (DEFENCE(KEYRING, syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL), 0) < 0 && errno != ENOSYS &&
	    errno != EPERM && errno != EDQUOT && errno != EACCES && errno != ENOMEM)
		stage_die(c, "make a session keyring", NULL);
}
