/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every spike shares: a line per finding, a clock, and helpers that end the program when the set-up
 * itself fails. A spike is a question to the kernel or to a library, asked in C; its output is the answer
 * on this machine. It asserts nothing: docs/decisions/ says what follows.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SPIKE_UNUSED __attribute__((unused))

__attribute__((format(printf, 1, 2), noreturn)) SPIKE_UNUSED
static void spike_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "set-up failed: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, ": %s\n", strerror(errno));
	va_end(ap);
	exit(1);
}

/* "question ........ answer", one line, flushed so that children do not print it again. */
__attribute__((format(printf, 2, 3))) SPIKE_UNUSED
static void spike_say(const char *what, const char *fmt, ...)
{
	va_list ap;

	printf("  %-66s ", what);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

/* The outcome of a call that returned @rc. */
SPIKE_UNUSED
static void spike_result(const char *what, long rc)
{
	if (rc < 0)
		spike_say(what, "%s (%s)", strerrorname_np(errno), strerror(errno));
	else
		spike_say(what, "ok");
}

SPIKE_UNUSED
static void spike_title(const char *title)
{
	struct utsname u;

	uname(&u);
	printf("%s on %s\n", title, u.release);
	fflush(stdout);
}

SPIKE_UNUSED
static double spike_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

SPIKE_UNUSED
static int spike_compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

SPIKE_UNUSED
static double spike_median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), spike_compare_doubles);
	return v[n / 2];
}

SPIKE_UNUSED
static void spike_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		spike_die("write %s", path);
	close(fd);
}

/* First line of a file, without its newline; "-" when it cannot be read. */
SPIKE_UNUSED
static const char *spike_read(const char *path)
{
	static char buf[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return "-";
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return buf;
}

SPIKE_UNUSED
static void spike_mkdir(const char *path)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		spike_die("mkdir %s", path);
}

/* A fresh directory on a real file system (overlay wants one for its upper directory). */
SPIKE_UNUSED
static const char *spike_dir(void)
{
	static char path[] = "/var/tmp/kiln-spike.XXXXXX";

	if (!mkdtemp(path))
		spike_die("mkdtemp");
	return path;
}

SPIKE_UNUSED
static void spike_private_mounts(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		spike_die("private mount namespace");
}

/* Runs @fn in a child so that what it does to its process is gone afterwards. */
SPIKE_UNUSED
static int spike_in_child(void (*fn)(void *), void *arg)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		spike_die("fork");
	if (pid == 0) {
		fn(arg);
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

SPIKE_UNUSED
static void spike_remove(const char *dir)
{
	char cmd[PATH_MAX + 16];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	if (system(cmd) != 0)
		fprintf(stderr, "left behind: %s\n", dir);
}
