/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/criu.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"

#define PROGRAM       "criu"
#define LOG_MAX_BYTES (16u << 20)
#define NOT_PLACED    126

void criu_begin(struct criu_args *args, struct arena *a, const char *action, const char *image_dir, const char *work_dir)
{
	*args = (struct criu_args){ .a = a };
	criu_add(args, PROGRAM);
	criu_add(args, "%s", action);
	criu_add(args, "--images-dir=%s", image_dir);
	criu_add(args, "--work-dir=%s", work_dir);
	criu_add(args, "--log-file=%s.log", action);
	criu_add(args, "-v4");
}

void criu_add(struct criu_args *args, const char *fmt, ...)
{
	AUTO_FREE char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	BUG(vasprintf(&text, fmt, ap) < 0, "out of memory");
	va_end(ap);
	if (args->n + 1 >= args->max) {
		size_t max = 2 * args->max + 32;
		char **v = arena_new_array(args->a, char *, max);

		if (args->n != 0)
			memcpy(v, args->v, args->n * sizeof(*v));
		args->v = v;
		args->max = max;
	}
	args->v[args->n++] = arena_strdup(args->a, text);
	args->v[args->n] = NULL;
}

/* --- the child --------------------------------------------------------------------------------------------------------- */

/*
 * It looks for the root among its mounts, and nobody else is to see that one. Keyrings are not in an image: the container has one of its own
 * again, and not the caller's.
 */
static int enter_place(const struct criu_place *place)
{
	int procs = openat(place->cgroup_dir_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);

	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0) < 0 && errno != ENOSYS)
		return -1;
	if (procs < 0 || write(procs, "0", 1) != 1 || unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return -1;
	return mount(place->root, place->root, NULL, MS_BIND | MS_REC, NULL);
}

/* It praises the kernel on standard output. */
static void stay_silent(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
}

static _Noreturn void become(const char *file, const struct criu_args *args, const struct criu_place *place)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (place != NULL && enter_place(place) < 0)
		_exit(NOT_PLACED);
	if (str_eq(args->v[1], "check"))
		stay_silent();
	execv(file, args->v);
	_exit(EXIT_FAILURE);
}

/* Return: its exit status, or -1 with @e set */
static int run(const struct criu_args *args, const struct criu_place *place, struct err *e)
{
	AUTO_FREE char *file = path_find_program(PROGRAM);
	int status;
	pid_t pid;

	if (file == NULL)
		return err_set(e, ERR_UNSUPPORTED, PROGRAM " is not installed: it is in the package '" CRIU_PACKAGE "'");
	pid = fork();
	if (pid < 0)
		return err_sys(e, "fork");
	if (pid == 0)
		become(file, args, place);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, "wait for " PROGRAM);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* --- what went wrong ----------------------------------------------------------------------------------------------------- */

/* "(00.012) Error (criu/vdso.c:381): vdso: …": the last two, the second is often what the first has led to. Return: owned, or NULL */
static char *last_errors(const char *work_dir, const char *log)
{
	AUTO_FREE char *path = path_join(work_dir, log);
	AUTO_FREE char *text = NULL;
	char *before = NULL, *last = NULL;

	if (file_read(AT_FDCWD, path, LOG_MAX_BYTES, &text, NULL, ERR_IGNORED) < 0)
		return NULL;
	for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;) {
		char *error = strstr(line, "Error (");
		char *words = error != NULL ? strstr(error, "): ") : NULL;

		/* what comes last is only that it failed */
		if (words == NULL || strstr(words, "FAILED") != NULL || strstr(words, "exited, status") != NULL)
			continue;
		before = last;
		last = words + strlen("): ");
	}
	return before != NULL ? xasprintf("%s; %s", before, last) : last != NULL ? xstrdup(last) : NULL;
}

/* Does it say of itself that it cannot work here? */
static int check_kernel(const char *work_dir, struct arena *a, struct err *e)
{
	AUTO_FREE char *why = NULL;
	struct criu_args args;

	criu_begin(&args, a, "check", work_dir, work_dir);
	if (run(&args, NULL, e) == 0)
		return 0;
	why = last_errors(work_dir, "check.log");
	return err_set(e, ERR_UNSUPPORTED, "'" PROGRAM " check' says that it cannot work with this kernel: %.200s", why != NULL ? why : "it fails");
}

int criu_run(const struct criu_args *args, const char *work_dir, const struct criu_place *place, struct err *e)
{
	AUTO_FREE char *log = xasprintf("%s.log", args->v[1]);
	AUTO_FREE char *why = NULL;
	int status = run(args, place, e);

	if (status <= 0)
		return status;
	if (status == NOT_PLACED)
		return err_set(e, ERR_SYSTEM, "make a place to restore to at '%s'", place->root);
	if (check_kernel(work_dir, args->a, e) < 0)
		return -1;
	why = last_errors(work_dir, log);
	return err_set(e, ERR_SYSTEM, PROGRAM " %s failed: %.200s (see '%.200s/%s')", args->v[1], why != NULL ? why : "it tells no more", work_dir, log);
}
