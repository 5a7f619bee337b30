/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/attend.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"

#define BUFFER_SIZE 8192

struct attend {
	const struct launched *l;
	int signal_fd;         /* owned */
	struct termios before; /* of our own terminal */
	bool is_raw;
	bool wants_input, wants_output;
	char input[BUFFER_SIZE]; /* on its way to the terminal's master */
	size_t input_at, input_n;
	int status;
};

/* Those that tell of an error of our own, or that nobody can catch or pass on. */
static const int kept[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS, SIGTRAP, SIGABRT, SIGPIPE, SIGTTIN, SIGTTOU };

static void fill_set(sigset_t *set)
{
	sigfillset(set);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		sigdelset(set, kept[i]);
}

void attend_prepare(bool is_subreaper)
{
	sigset_t set;

	if (is_subreaper)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	fill_set(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* --- our own terminal ---------------------------------------------------------------------------------------------- */

static void copy_size(const struct attend *a)
{
	struct winsize size;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		ioctl(a->l->pty_fd, TIOCSWINSZ, &size);
}

static int begin_terminal(struct attend *a, struct err *e)
{
	struct termios raw;

	a->wants_input = a->wants_output = a->l->pty_fd >= 0;
	if (!a->wants_input)
		return 0;
	if (fd_set_nonblock(a->l->pty_fd, true) < 0)
		return err_sys(e, "the terminal of the container");
	if (tcgetattr(STDIN_FILENO, &a->before) < 0)
		return 0;
	copy_size(a);
	raw = a->before;
	cfmakeraw(&raw);
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
		return err_sys(e, "set the terminal to raw mode");
	a->is_raw = true;
	return 0;
}

static void end_terminal(const struct attend *a)
{
	if (a->is_raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &a->before);
}

/* --- bytes ---------------------------------------------------------------------------------------------------------- */

static void read_input(struct attend *a)
{
	ssize_t n = read(STDIN_FILENO, a->input, sizeof(a->input));

	if (n > 0) {
		a->input_at = 0;
		a->input_n = (size_t)n;
	} else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
		a->wants_input = false;
	}
}

static void write_input(struct attend *a)
{
	ssize_t n = write(a->l->pty_fd, a->input + a->input_at, a->input_n - a->input_at);

	if (n > 0)
		a->input_at += (size_t)n;
	else if (n < 0 && errno != EINTR && errno != EAGAIN)
		a->input_at = a->input_n;
}

/* Return: whether something came */
static bool relay_output(struct attend *a)
{
	char buffer[BUFFER_SIZE];
	ssize_t n = read(a->l->pty_fd, buffer, sizeof(buffer));

	if (n > 0) {
		/* Who does not want to read it does not keep the program from writing */
		(void)!fd_write_all(STDOUT_FILENO, buffer, (size_t)n, ERR_IGNORED);
		return true;
	}
	/* EIO: nobody has the other side open any more */
	if (n == 0 || (errno != EINTR && errno != EAGAIN))
		a->wants_output = false;
	return false;
}

/* --- signals -------------------------------------------------------------------------------------------------------- */

static bool reap(struct attend *a)
{
	bool is_over = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != a->l->pid)
			continue;
		a->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		is_over = true;
	}
	return is_over;
}

/* Return: whether the program has ended */
static bool take_signal(struct attend *a)
{
	struct signalfd_siginfo info;

	if (read(a->signal_fd, &info, sizeof(info)) != sizeof(info))
		return false;
	if (info.ssi_signo == SIGCHLD)
		return reap(a);
	if (info.ssi_signo == SIGWINCH && a->l->pty_fd >= 0)
		copy_size(a);
	else
		syscall(SYS_pidfd_send_signal, a->l->pidfd, (int)info.ssi_signo, NULL, 0);
	return false;
}

static void loop(struct attend *a)
{
	bool is_over = reap(a);

	while (!is_over) {
		bool has_pending = a->input_at < a->input_n;
		struct pollfd p[] = {
			{ .fd = a->signal_fd, .events = POLLIN },
			{ .fd = a->wants_input && !has_pending ? STDIN_FILENO : -1, .events = POLLIN },
			{ .fd = a->wants_output || has_pending ? a->l->pty_fd : -1,
			  .events = (short)((a->wants_output ? POLLIN : 0) | (has_pending ? POLLOUT : 0)) },
		};

		if (poll(p, ARRAY_SIZE(p), -1) < 0)
			continue;
		if (p[1].revents != 0)
			read_input(a);
		if ((p[2].revents & POLLOUT) != 0)
			write_input(a);
		if ((p[2].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
			relay_output(a);
		if (p[0].revents != 0)
			is_over = take_signal(a);
	}
	/* What it wrote before its end */
	while (a->wants_output && relay_output(a))
		;
}

int attend(const struct launched *l, int *ret_status, struct err *e)
{
	struct attend a = { .l = l, .signal_fd = -1 };
	sigset_t set;

	fill_set(&set);
	a.signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (a.signal_fd < 0)
		return err_sys(e, "wait for signals");
	if (begin_terminal(&a, e) < 0) {
		close_fd(&a.signal_fd);
		return -1;
	}
	loop(&a);
	end_terminal(&a);
	close_fd(&a.signal_fd);
	*ret_status = a.status;
	return 0;
}
