/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tty.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved;
static bool is_raw;

bool tty_is_here(void)
{
	return isatty(STDIN_FILENO) == 1;
}

void tty_restore(void)
{
	if (is_raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
	is_raw = false;
}

int tty_raw(void)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &saved) < 0)
		return -1;
	raw = saved;
	cfmakeraw(&raw);
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) < 0)
		return -1;
	is_raw = true;
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
	static const int others[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	for (size_t i = 0; wants_all && i < sizeof(others) / sizeof(others[0]); i++)
		sigaddset(&set, others[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}
