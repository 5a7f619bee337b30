/* SPDX-License-Identifier: Apache-2.0 */
/* The launcher's forks: monitors, made when one is asked for or ahead of that, as stems. See launcher_stems.h. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/own.h"
#include "runtime/launcher_parts.h"
#include "runtime/monitor.h"
#include "runtime/rehearsal.h"

#define LAUNCH_NS (50 * 1000000LL) /* longer than most launches take */
#define BORN_MS   1000

int launcher_keep_high(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, LAUNCHER_LOW_FDS);

	if (high < 0)
		return fd;
	close(fd);
	return high;
}

/* Close every descriptor but 0, 1, 2 and the given ones, which are sorted here. */
static void close_all_but(int *fds, size_t n)
{
	unsigned next = 3;

	for (size_t i = 1; i < n; i++) {
		for (size_t k = i; k > 0 && fds[k - 1] > fds[k]; k--) {
			int t = fds[k];

			fds[k] = fds[k - 1];
			fds[k - 1] = t;
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (fds[i] < (int)next)
			continue;
		if (fds[i] > (int)next)
			close_range(next, (unsigned)fds[i] - 1, 0);
		next = (unsigned)fds[i] + 1;
	}
	close_range(next, ~0u, 0);
}

/* In the child, which has nothing of the launcher's any more but memory. The descriptors are the monitor's. */
static int be_monitor(struct launcher *l, const struct order *o, const int *fds, size_t n_fds, const struct stem_namespaces *ready)
{
	struct monitor_args args = {
		.is_exec = o->is_exec,
		.id = o->id,
		.spec_fd = fds[0],
		.record_fd = fds[1],
		.control_fd = fds[2],
		.container_pidfd = o->is_exec ? fds[3] : -1,
		.bind_fds = o->is_exec ? NULL : fds + 3,
		.n_bind_fds = o->is_exec ? 0 : n_fds - 3,
		.poke_fd = l->poke[1],
		.slot_index = o->slot,
		.page = slots_page(&l->slots, o->slot),
		.clears_group = o->clears_group,
		.ready = *ready,
	};

	slots_keep_only(&l->slots, o->slot);
	return monitor_main(&args);
}

/* In a child that has just been forked. */
static void leave_launcher(struct launcher *l, const int *fds, size_t n_fds)
{
	int keep[FD_MSG_MAX + 1];
	sigset_t none;

	memcpy(keep, fds, n_fds * sizeof keep[0]);
	keep[n_fds] = l->poke[1];
	close_all_but(keep, n_fds + 1);
	free(l->data_root);
	free(l->exec_root);
	free(l->scope);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* --- stems ----------------------------------------------------------------------------------------- */

/* When nobody else wants the processor. Return: false: we would stay so, and so would the program */
static bool get_ready(const char *data_root, bool can_idle)
{
	struct sched_param none = { 0 };

	if (can_idle && sched_setscheduler(0, SCHED_IDLE, &none) < 0)
		can_idle = false;
	rehearse(data_root, ERR_IGNORED);
	return !can_idle || sched_setscheduler(0, SCHED_OTHER, &none) == 0;
}

/* The launcher waits for the word: one byte, or none where it has failed. See the theory in launcher.c. */
static bool take_own_descriptors(const struct launcher *l, int sock)
{
	int low = LAUNCHER_LOW_FDS;
	bool has_own;

	low = sock >= low ? sock + 1 : low;
	low = l->poke[1] >= low ? l->poke[1] + 1 : low;
	has_own = close_range((unsigned)low, ~0u, CLOSE_RANGE_UNSHARE) == 0;
	return send(sock, "", has_own, MSG_NOSIGNAL) >= 0 && has_own;
}

/* Return: the exit status of the process */
static int be_stem(struct launcher *l, enum stem_kind kind, int sock)
{
	AUTO_FREE char *data_root = NULL;
	struct stem_namespaces ready = STEM_NAMESPACES_EMPTY;
	struct order o;
	int fds[FD_MSG_MAX];
	size_t n_fds = 0;
	ssize_t n;

	if (prctl(PR_SET_NAME, "kiln-stem") < 0 || !take_own_descriptors(l, sock))
		return 1;
	data_root = xstrdup(l->data_root);
	leave_launcher(l, &sock, 1);
	signal(SIGTERM, SIG_IGN);   /* of systemd, which stops the scope: our socket closes then */
	if (kind == STEM_LAUNCH)
		stem_namespaces_make(&ready);
	if (!get_ready(data_root, l->can_idle))
		return 1;
	if (send(sock, "", 1, MSG_NOSIGNAL) < 0)
		return 0;
	do {
		n = fd_recv_msg(sock, &o, sizeof o, fds, FD_MSG_MAX, &n_fds);
	} while (n < 0 && errno == EINTR);
	close_fd(&sock);
	if (n != sizeof o || n_fds < 3)
		return 0;
	return be_monitor(l, &o, fds, n_fds, &ready);
}

/* The processor that a stem would take is better used by the program that somebody waits for. */
static bool is_launching(const struct launcher *l, int64_t now_ns)
{
	const struct slot *s;

	if (l->newest_ns == 0 || now_ns - l->newest_ns >= LAUNCH_NS)
		return false;
	s = &l->slots.v[l->newest];
	return s->in_use && !atomic_load(&s->page->is_settled);
}

/* A child that shares our descriptors; not by fork(3), which copies them. Return: its pid; 0 in it; -1 with errno */
static pid_t fork_sharing_descriptors(int *ret_pidfd)
{
	return (pid_t)syscall(SYS_clone, (unsigned long)(CLONE_FILES | CLONE_PIDFD | SIGCHLD), NULL, ret_pidfd, NULL, 0ul);
}

/* Until it has its own, what we close or open is closed or opened in it: if it does not come so far, it has to be gone before we go on. */
static bool wait_until_born(pid_t pid, int pidfd, int sock)
{
	struct pollfd set[] = { { .fd = sock, .events = POLLIN }, { .fd = pidfd, .events = POLLIN } };
	char byte;
	int n;

	do {
		n = poll(set, ARRAY_SIZE(set), BORN_MS);
	} while (n < 0 && errno == EINTR);
	if (n > 0 && recv(sock, &byte, 1, MSG_DONTWAIT) == 1)
		return true;
	log_warn("launcher: a stem could not have descriptors of its own, going on without it");
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	return false;
}

void launcher_make_stem(struct launcher *l)
{
	enum stem_kind kind = stems_lacking(&l->stems, clock_mono_ns());
	AUTO_CLOSE int ours = -1, theirs = -1, pidfd = -1;
	int pair[2];
	pid_t pid;

	if (kind == STEM_KINDS_ || is_launching(l, clock_mono_ns()))
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		stems_failed(&l->stems, clock_mono_ns());
		return;
	}
	ours = launcher_keep_high(pair[0]);
	theirs = pair[1];
	pid = fork_sharing_descriptors(&pidfd);
	if (pid == 0)
		_exit(be_stem(l, kind, theirs));
	if (pid > 0 && wait_until_born(pid, pidfd, ours))
		stems_add(&l->stems, kind, pid, TAKE_FD(ours));
	else
		stems_failed(&l->stems, clock_mono_ns());
}

/* Return: the pid of a stem that has its order; 0: there is none */
static pid_t order_stem(struct launcher *l, const struct order *o, const int *fds, size_t n_fds)
{
	enum stem_kind kind = o->is_exec ? STEM_EXEC : STEM_LAUNCH;
	struct stem t;
	bool has_it;

	if (!stems_take(&l->stems, kind, clock_mono_ns(), &t))
		return 0;
	has_it = fd_send_msg(t.fd, o, sizeof *o, fds, n_fds) >= 0;
	close(t.fd);
	return has_it ? t.pid : 0;
}

pid_t launcher_fork_monitor(struct launcher *l, const struct order *o, const int *fds, size_t n_fds)
{
	struct stem_namespaces none = STEM_NAMESPACES_EMPTY;
	pid_t pid = order_stem(l, o, fds, n_fds);

	if (pid > 0)
		return pid;
	pid = fork();
	if (pid == 0) {
		leave_launcher(l, fds, n_fds);
		_exit(be_monitor(l, o, fds, n_fds, &none));
	}
	return pid;
}
