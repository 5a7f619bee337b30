/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who inherits a container when its monitor is killed, whether its pid is known at every instant and its exit
 * code is exact; and what happens to a program whose output the monitor was reading.
 *
 * Roles as in the architecture: this process is the launcher (subreaper); it forks monitors, which clone inits
 * in a pid namespace of their own.
 */
#include <linux/sched.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <termios.h>

#include "tests/spikes/spike.h"

enum { ROUNDS = 2000 };

/* What launcher and monitor share. */
struct page {
	volatile pid_t init;
	volatile int go;
};
static struct page *page;

static pid_t clone_init(uint64_t flags)
{
	struct clone_args args = {
		.flags = CLONE_NEWPID | CLONE_PARENT_SETTID | flags,
		.exit_signal = SIGCHLD,
		.parent_tid = (uint64_t)(uintptr_t)&page->init,
	};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* The next child that ended, seen and left for the caller to reap. */
static siginfo_t wait_peek(void)
{
	siginfo_t si = {0};

	if (waitid(P_ALL, 0, &si, WEXITED | WNOWAIT) < 0)
		spike_die("waitid");
	return si;
}

static void reap(pid_t pid)
{
	siginfo_t si;

	if (waitid(P_PID, (id_t)pid, &si, WEXITED) < 0)
		spike_die("reap %d", pid);
}

/* Kills the monitor at a random instant around its clone: whatever is inherited must be what the page says. */
static void pid_is_always_known(void)
{
	int inherited = 0, none = 0, wrong = 0, never_seen = 0;

	srand(1);
	for (int i = 0; i < ROUNDS; i++) {
		pid_t monitor, init = 0;
		siginfo_t si;
		int spin;

		page->init = 0;
		page->go = 0;
		monitor = fork();
		if (monitor == 0) {
			page->go = 1;
			if (clone_init(0) == 0) {
				pause();
				_exit(0);
			}
			pause();
			_exit(0);
		}
		while (!page->go)
			;
		for (spin = rand() % 200000; spin; spin--)
			__asm__ volatile("");
		kill(monitor, SIGKILL);
		reap(monitor);
		/* What the page says is decided now; kill it and see who comes to us. */
		init = page->init;
		if (init)
			kill(init, SIGKILL);
		if (waitid(P_ALL, 0, &si, WEXITED | WNOWAIT | (init ? 0 : WNOHANG)) < 0) {
			if (errno != ECHILD)
				spike_die("waitid");
			if (init)
				never_seen++;
			none++;
			continue;
		}
		if (!init || si.si_pid != init)
			wrong++;
		inherited++;
		if (si.si_pid)
			reap(si.si_pid);
	}
	spike_say("monitor killed at a random instant around clone3, rounds", "%d", ROUNDS);
	spike_say("  killed before the clone / container inherited", "%d / %d", none, inherited);
	spike_say("  page wrong or empty / in the page but never seen", "%d / %d", wrong, never_seen);
}

enum when { MONITOR_DIES_FIRST, INIT_DIES_FIRST, BETWEEN_PEEK_AND_REAP };

static int code_of(const siginfo_t *si)
{
	return si->si_code == CLD_EXITED ? si->si_status : 128 + si->si_status;
}

/* @code above 255: the signal code-256. */
static int inherited_code(enum when when, int code)
{
	pid_t monitor;
	siginfo_t si;
	int result = -1;

	page->init = 0;
	page->go = 0;
	monitor = fork();
	if (monitor == 0) {
		if (clone_init(0) == 0) {
			while (when == MONITOR_DIES_FIRST && !page->go)
				usleep(100);
			/* The init of a pid namespace dies of SIGKILL only when it comes from outside. */
			if (code > 255)
				pause();
			_exit(code);
		}
		if (when == BETWEEN_PEEK_AND_REAP)
			waitid(P_ALL, 0, &si, WEXITED | WNOWAIT);
		else if (when == INIT_DIES_FIRST)
			usleep(2000);
		raise(SIGKILL);
	}
	if (code > 255) {
		while (!page->init)
			usleep(100);
		kill(page->init, code - 256);
	}
	for (int left = 2; left; left--) {
		si = wait_peek();
		if (si.si_pid == monitor)
			page->go = 1;
		if (si.si_pid == page->init)
			result = code_of(&si);
		reap(si.si_pid);
	}
	return result;
}

static void codes_are_exact(void)
{
	static const char *const what[] = {
		"exit codes 0..255 when the monitor dies first",
		"  when init is a zombie already",
		"  when the monitor dies between waitid(WNOWAIT) and reaping",
	};

	for (enum when when = MONITOR_DIES_FIRST; when <= BETWEEN_PEEK_AND_REAP; when++) {
		int wrong = 0;

		for (int code = 0; code < 256; code += when == INIT_DIES_FIRST ? 5 : 1)
			wrong += inherited_code(when, code) != code;
		spike_say(what[when], "%d wrong", wrong);
	}
	spike_say("  killed by SIGKILL", "%d", inherited_code(MONITOR_DIES_FIRST, 256 + SIGKILL));
}

/* What kilnd could still learn by a pidfd when the parent has reaped, or launcher and monitor are both gone. */
struct pidfd_info_v1 {
	uint64_t mask, cgroupid;
	uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;
};
#define SPIKE_PIDFD_INFO_EXIT (1ULL << 3)
#define SPIKE_PIDFD_GET_INFO  _IOWR(0xFF, 11, struct pidfd_info_v1)

static void exit_code_by_pidfd(void)
{
	struct pidfd_info_v1 info = { .mask = SPIKE_PIDFD_INFO_EXIT };
	pid_t pid = fork();
	siginfo_t si;
	int fd;

	if (pid == 0) {
		usleep(1000);
		_exit(42);
	}
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	reap(pid);
	spike_result("waitid(P_PIDFD) after another has reaped", waitid(P_PIDFD, (id_t)fd, &si, WEXITED | WNOHANG));
	if (ioctl(fd, SPIKE_PIDFD_GET_INFO, &info) < 0)
		spike_result("ioctl(PIDFD_GET_INFO) for the exit code after reaping", -1);
	else
		spike_say("ioctl(PIDFD_GET_INFO) for the exit code after reaping", "exit code %d",
			  WEXITSTATUS(info.exit_code));
	close(fd);
}

struct output_case {
	const char *what;
	bool tty, keep;
};

/* The monitor holds the reading side and dies; the program goes on writing. */
static void output_without_monitor(const struct output_case *c)
{
	int out[2] = { -1, -1 }, status;
	pid_t monitor, init;
	siginfo_t si;
	char buf[4096];

	page->init = 0;
	if (c->tty) {
		if (openpty(&out[0], &out[1], NULL, NULL, NULL) < 0)
			spike_die("openpty");
	} else if (pipe(out) < 0) {
		spike_die("pipe");
	}
	monitor = fork();
	if (monitor == 0) {
		if (clone_init(0) == 0) {
			close(out[0]);
			/* The init of a pid namespace is spared by signals without a handler: use its child. */
			pid_t program = fork();

			if (program == 0) {
				setsid();
				if (c->tty)
					ioctl(out[1], TIOCSCTTY, 0);
				usleep(100000);
				for (int i = 0; i < 20; i++)
					if (write(out[1], "line\n", 5) < 0)
						_exit(errno);
				_exit(0);
			}
			waitpid(program, &status, 0);
			_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
		}
		usleep(20000);
		raise(SIGKILL);
	}
	close(out[1]);
	if (!c->keep)
		close(out[0]);
	reap(monitor);
	init = page->init;
	si = wait_peek();
	if (c->keep) {
		ssize_t n = read(out[0], buf, sizeof(buf));

		spike_say(c->what, "program ended with %d, %zd bytes to be read", code_of(&si), n);
		close(out[0]);
	} else {
		spike_say(c->what, "program ended with %d%s", code_of(&si),
			  code_of(&si) == 128 + SIGPIPE ? " (SIGPIPE)" : code_of(&si) == 128 + SIGHUP ? " (SIGHUP)" : "");
	}
	reap(init);
}

static void clone_does_not_need_sigchld(void)
{
	pid_t monitor;
	siginfo_t si;

	page->init = 0;
	monitor = fork();
	if (monitor == 0) {
		prctl(PR_SET_PDEATHSIG, 0);
		if (clone_init(0) == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			pause();
			_exit(0);
		}
		usleep(20000);
		raise(SIGKILL);
	}
	reap(monitor);
	si = wait_peek();
	spike_say("an init with PR_SET_PDEATHSIG=SIGKILL when the monitor dies", "ended with %d", code_of(&si));
	reap(si.si_pid);
}

int main(void)
{
	static const struct output_case cases[] = {
		{ "pipe: only the monitor had the reading end", false, false },
		{ "pipe: the launcher has a copy of the reading end", false, true },
		{ "terminal: only the monitor had the master", true, false },
		{ "terminal: the launcher has a copy of the master", true, true },
	};

	spike_title("orphan");
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (page == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		spike_die("launcher");
	pid_is_always_known();
	codes_are_exact();
	exit_code_by_pidfd();
	clone_does_not_need_sigchld();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		output_without_monitor(&cases[i]);
	return 0;
}
