/* SPDX-License-Identifier: Apache-2.0 */
#include "base/signame.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/own.h"
#include "base/str.h"

/* The kernel's numbers; glibc keeps 32 and 33 for itself, and SIGRTMIN is a function there. */
enum { KERNEL_RTMIN = 34, KERNEL_RTMAX = 64 };

static const struct { const char *name; int signo; } signals[] = {
	{ "HUP", SIGHUP },     { "INT", SIGINT },     { "QUIT", SIGQUIT },   { "ILL", SIGILL },
	{ "TRAP", SIGTRAP },   { "ABRT", SIGABRT },   { "BUS", SIGBUS },     { "FPE", SIGFPE },
	{ "KILL", SIGKILL },   { "USR1", SIGUSR1 },   { "SEGV", SIGSEGV },   { "USR2", SIGUSR2 },
	{ "PIPE", SIGPIPE },   { "ALRM", SIGALRM },   { "TERM", SIGTERM },   { "STKFLT", SIGSTKFLT },
	{ "CHLD", SIGCHLD },   { "CONT", SIGCONT },   { "STOP", SIGSTOP },   { "TSTP", SIGTSTP },
	{ "TTIN", SIGTTIN },   { "TTOU", SIGTTOU },   { "URG", SIGURG },     { "XCPU", SIGXCPU },
	{ "XFSZ", SIGXFSZ },   { "VTALRM", SIGVTALRM }, { "PROF", SIGPROF }, { "WINCH", SIGWINCH },
	{ "IO", SIGIO },       { "PWR", SIGPWR },     { "SYS", SIGSYS },
	/* second names */
	{ "IOT", SIGABRT },    { "CLD", SIGCHLD },    { "POLL", SIGIO },
	{ "RTMIN", KERNEL_RTMIN }, { "RTMAX", KERNEL_RTMAX },
};

static int real_time(const char *name)
{
	uint64_t n;

	if (strncasecmp(name, "RTMIN+", 6) == 0 && str_to_u64(name + 6, &n) && n <= KERNEL_RTMAX - KERNEL_RTMIN)
		return KERNEL_RTMIN + (int)n;
	if (strncasecmp(name, "RTMAX-", 6) == 0 && str_to_u64(name + 6, &n) && n <= KERNEL_RTMAX - KERNEL_RTMIN)
		return KERNEL_RTMAX - (int)n;
	return -1;
}

int signame_parse(const char *text)
{
	uint64_t n;

	if (str_is_empty(text))
		return -1;
	if (str_to_u64(text, &n))
		return n >= 1 && n <= KERNEL_RTMAX ? (int)n : -1;
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (strcasecmp(text, signals[i].name) == 0)
			return signals[i].signo;
	return real_time(text);
}

const char *signame_text(int signo, char out[16])
{
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (signals[i].signo == signo) {
			snprintf(out, 16, "SIG%s", signals[i].name);
			return out;
		}
	if (signo > KERNEL_RTMIN && signo < KERNEL_RTMAX)
		snprintf(out, 16, "SIGRTMIN+%d", signo - KERNEL_RTMIN);
	else
		snprintf(out, 16, "SIG%d", signo);
	return out;
}
