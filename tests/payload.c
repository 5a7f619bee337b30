/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program that tests/chaos/ runs in its containers: it keeps its own account of what happened to it, in files that
 * lie in the container's upper directory, so that a test can compare what it says with what kilnd says.
 *
 *   main          enters each run and when it began in /ledger, writes numbered lines to stdout and their number to /count
 *   exec ID CODE  one line in /ledger, five of output, one of errors, then exits with CODE
 *   health        exits with 0 when /healthy is there
 *   touch PATH, unlink PATH
 *
 * SIGTERM: says "bye", exits with 10 + run % 100. SIGUSR1: counted. SIGUSR2: exits with 33. Lines of stdin are echoed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define TICK_MS   10
#define CODE_USR2 33

struct program {
	int ledger, count;
	int run, n_lines;
	char in[4096];
	size_t n_in;
};

static void die(const char *what)
{
	perror(what);
	_exit(99);
}

static void put(int fd, const char *text, size_t n)
{
	while (n > 0) {
		ssize_t got = write(fd, text, n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			die("write");
		text += got;
		n -= (size_t)got;
	}
}

static int open_ledger(void)
{
	int fd = open("/ledger", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	if (fd < 0)
		die("/ledger");
	return fd;
}

/* One write each: what is killed leaves whole lines. */
static void enter(int ledger, const char *what, const char *id)
{
	char line[160];
	int n = snprintf(line, sizeof line, "%s %s\n", what, id);

	put(ledger, line, (size_t)n);
}

static void enter_run(const struct program *p, const char *what)
{
	char run[16];

	snprintf(run, sizeof run, "%d", p->run);
	enter(p->ledger, what, run);
}

/* When this process began, in the machine's ticks: by that the host knows which run it is. */
static unsigned long long begun(void)
{
	char text[1024] = "";
	FILE *f = fopen("/proc/self/stat", "re");
	char *p = f && fgets(text, sizeof text, f) ? strrchr(text, ')') : NULL;

	if (f)
		fclose(f);
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p ? strtoull(p + 1, NULL, 10) : 0;
}

static int count_runs(int ledger)
{
	FILE *f = fdopen(dup(ledger), "r");
	char line[256];
	int n = 0;

	if (!f)
		die("fdopen");
	rewind(f);
	while (fgets(line, sizeof line, f))
		n += strncmp(line, "run ", 4) == 0;
	fclose(f);
	return n;
}

/* The line first: killed in between, there is one line more than counted. */
static void say(struct program *p, const char *what, const char *more)
{
	char line[4200], count[33];
	int n = snprintf(line, sizeof line, "R%d %d %s%s\n", p->run, p->n_lines, what, more);

	put(STDOUT_FILENO, line, (size_t)n);
	p->n_lines++;
	snprintf(count, sizeof count, "%d %-20d", p->run, p->n_lines);
	if (pwrite(p->count, count, strlen(count), 0) < 0)
		die("/count");
}

static void leave(struct program *p, const char *word, int code)
{
	say(p, word, "");
	enter_run(p, "end");
	_exit(code);
}

static void take_signal(struct program *p, int fd)
{
	struct signalfd_siginfo si;

	if (read(fd, &si, sizeof si) != sizeof si)
		return;
	switch (si.ssi_signo) {
	case SIGTERM:
		leave(p, "bye", 10 + p->run % 100);
		break;
	case SIGUSR2:
		leave(p, "crash", CODE_USR2);
		break;
	case SIGUSR1:
		enter_run(p, "usr1");
		say(p, "usr1", "");
		break;
	}
}

/* Return: false at its end */
static bool take_input(struct program *p)
{
	ssize_t n = read(STDIN_FILENO, p->in + p->n_in, sizeof p->in - p->n_in);
	char *end;

	if (n <= 0)
		return false;
	p->n_in += (size_t)n;
	while ((end = memchr(p->in, '\n', p->n_in))) {
		size_t used = (size_t)(end - p->in) + 1;

		*end = '\0';
		say(p, "in ", p->in);
		memmove(p->in, p->in + used, p->n_in - used);
		p->n_in -= used;
	}
	return true;
}

static _Noreturn void run_main(void)
{
	struct program p = { .ledger = open_ledger() };
	struct pollfd set[2];
	sigset_t signals;
	char run[64];

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGUSR2);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	set[0] = (struct pollfd){ .fd = signalfd(-1, &signals, SFD_CLOEXEC), .events = POLLIN };
	set[1] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
	p.count = open("/count", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (p.count < 0 || set[0].fd < 0)
		die("begin");
	p.run = count_runs(p.ledger) + 1;
	snprintf(run, sizeof run, "%d %llu", p.run, begun());
	enter(p.ledger, "run", run);
	say(&p, "up", "");
	for (;;) {
		if (poll(set, 2, TICK_MS) == 0) {
			say(&p, "tick", "");
			continue;
		}
		if (set[0].revents)
			take_signal(&p, set[0].fd);
		if (set[1].revents && !take_input(&p))
			set[1].fd = -1;
	}
}

static int run_exec(const char *id, const char *code)
{
	enter(open_ledger(), "exec", id);
	for (int i = 0; i < 5; i++) {
		printf("out %s %d\n", id, i);
		fflush(stdout);
	}
	fprintf(stderr, "err %s\n", id);
	return atoi(code);   /* lint: banned-calls a test's own number */
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "main") == 0)
		run_main();
	if (strcmp(what, "exec") == 0 && argc == 4)
		return run_exec(argv[2], argv[3]);
	if (strcmp(what, "health") == 0)
		return access("/healthy", F_OK) == 0 ? 0 : 1;
	if (strcmp(what, "touch") == 0 && argc == 3)
		return open(argv[2], O_WRONLY | O_CREAT | O_CLOEXEC, 0644) < 0;
	if (strcmp(what, "unlink") == 0 && argc == 3)
		return unlink(argv[2]) != 0;
	fprintf(stderr, "payload: main, exec, health, touch or unlink\n");
	return 98;
}
