/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tty.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved;
static volatile sig_atomic_t is_raw;

bool tty_is_here(void)
{
	return isatty(STDIN_FILENO) == 1;
}

void tty_restore(void)
{
	if (is_raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &saved);
	is_raw = false;
}

/* The terminal as it was, then what the signal does by itself */
static void on_fatal(int signo)
{
	tty_restore();
	signal(signo, SIG_DFL);
	raise(signo);
}

/* Those that end us; the ones that are passed on are blocked and do not get here */
static void restore_on_signals(void)
{
	static const int fatal[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGALRM, SIGUSR1, SIGUSR2, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV };
	struct sigaction how = { .sa_handler = on_fatal };

	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
		struct sigaction was;

		if (sigaction(fatal[i], NULL, &was) == 0 && was.sa_handler == SIG_DFL)
			sigaction(fatal[i], &how, NULL);
	}
}

int tty_raw(void)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &saved) < 0)
		return -1;
	raw = saved;
	cfmakeraw(&raw);
	restore_on_signals();
	is_raw = true;
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) < 0) {
		is_raw = false;
		return -1;
	}
	atexit(tty_restore);
	return 0;
}

bool tty_size(uint16_t *ret_height, uint16_t *ret_width)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_row)
		return false;
	*ret_height = size.ws_row;
	*ret_width = size.ws_col;
	return true;
}

int tty_signals(bool wants_all)
{
	static const int others[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGCONT };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	for (size_t i = 0; wants_all && i < sizeof(others) / sizeof(others[0]); i++)
		sigaddset(&set, others[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}
