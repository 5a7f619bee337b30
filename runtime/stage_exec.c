/* SPDX-License-Identifier: Apache-2.0 */
/*
 * STAGE_EXEC: the program of the user.
 *
 * Must: search $PATH of the program's own environment, inside its own root and as its own user, and fail with the
 * words that runc and docker use: clients derive the exit codes 126 and 127 from them.
 * Must not: search relative elements of $PATH (Go's exec.LookPath refuses them too).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/stages.h"

static const char *stage_path_of(char *const *env)
{
	for (; *env != NULL; env++)
		if (strncmp(*env, "PATH=", 5) == 0)
			return *env + 5;
	return "";
}

/* The next element of $PATH with the name behind it. Return: what follows it, or NULL at the end; *ret_fits tells of out */
static const char *stage_next_candidate(const char *path, const char *name, char out[4096],
					bool *ret_fits)
{
	const char *end = strchrnul(path, ':');
	size_t dir = (size_t)(end - path), n = strlen(name);

	*ret_fits = path[0] == '/' && dir + 1 + n + 1 <= 4096;
	if (*ret_fits) {
		memcpy(out, path, dir);
		out[dir] = '/';
		memcpy(out + dir + 1, name, n + 1);
	}
	return *end == ':' ? end + 1 : NULL;
}

/* The file is there and execve has said no. */
static _Noreturn void stage_die_exec(const struct stage_ctx *c, const char *file, int sys)
{
	/* ENOENT: the interpreter of a script, or the dynamic linker, is not there */
	stage_refuse(c, ERR_NONE, sys == ENOENT ? 127 : 126, sys, "exec ", file, NULL);
}

/* It can be executed as far as one sees from outside. @sys: what execve or access has said, or 0 */
static void stage_check_file(const struct stage_ctx *c, const char *file, int sys)
{
	struct stat st;

	if (fstatat(AT_FDCWD, file, &st, 0) < 0) {
		sys = errno;
		stage_refuse(c, ERR_NONE, sys == EACCES ? 126 : 127, sys, "exec: \"", file,
			     "\": stat ", file, NULL);
	}
	if (S_ISDIR(st.st_mode))
		stage_refuse(c, ERR_NONE, 126, EISDIR, "exec: \"", file, "\"", NULL);
	if (sys == EACCES)
		stage_refuse(c, ERR_NONE, 126, sys, "exec: \"", file, "\"", NULL);
}

static _Noreturn void stage_exec_file(const struct stage_ctx *c, const struct process_plan *p)
{
	const char *file = p->argv[0];
	int sys;

	execve(file, p->argv, p->env);
	sys = errno;
	stage_check_file(c, file, sys);
	stage_die_exec(c, file, sys);
}

static _Noreturn void stage_die_missing(const struct stage_ctx *c, const char *name)
{
	stage_refuse(c, ERR_NOT_FOUND, 127, 0, "exec: \"", name,
		     "\": executable file not found in $PATH", NULL);
}

/* Nothing could be executed: was there a file whose interpreter or dynamic linker is missing? */
static void stage_die_if_found(const struct stage_ctx *c, const struct process_plan *p)
{
	const char *path = stage_path_of(p->env);
	char file[4096];
	struct stat st;
	bool fits;

	while (path != NULL) {
		path = stage_next_candidate(path, p->argv[0], file, &fits);
		if (fits && fstatat(AT_FDCWD, file, &st, 0) == 0 && S_ISREG(st.st_mode) &&
		    (st.st_mode & 0111) != 0)
			stage_die_exec(c, file, ENOENT);
	}
}

static bool stage_is_miss(int sys)
{
	return sys == ENOENT || sys == ENOTDIR || sys == EACCES || sys == ELOOP ||
	       sys == ENAMETOOLONG;
}

static _Noreturn void stage_exec_by_path(const struct stage_ctx *c, const struct process_plan *p)
{
	const char *name = p->argv[0];
	const char *path = *name != '\0' ? stage_path_of(p->env) : NULL;
	char file[4096];
	bool fits, is_missing_only = true;

	while (path != NULL) {
		path = stage_next_candidate(path, name, file, &fits);
		if (!fits)
			continue;
		execve(file, p->argv, p->env);
		if (!stage_is_miss(errno))
			stage_die_exec(c, file, errno);
		is_missing_only = is_missing_only && errno == ENOENT;
	}
	if (*name != '\0' && is_missing_only)
		stage_die_if_found(c, p);
	stage_die_missing(c, name);
}

static bool stage_is_executable(const char *file)
{
	struct stat st;

	return fstatat(AT_FDCWD, file, &st, 0) == 0 && S_ISREG(st.st_mode) && access(file, X_OK) == 0;
}

void stage_find_program(const struct stage_ctx *c, const struct process_plan *p)
{
	const char *name = p->argv[0], *path = *name != '\0' ? stage_path_of(p->env) : NULL;
	char file[4096];
	bool fits;

	if (strchr(name, '/') != NULL) {
		stage_check_file(c, name, access(name, X_OK) < 0 ? errno : 0);
		return;
	}
	while (path != NULL) {
		path = stage_next_candidate(path, name, file, &fits);
		if (fits && stage_is_executable(file))
			return;
	}
	stage_die_missing(c, name);
}

_Noreturn void stage_exec(struct stage_ctx *c, const struct process_plan *p)
{
	stage_enter(c, STAGE_EXEC);
	if (strchr(p->argv[0], '/') != NULL)
		stage_exec_file(c, p);
	stage_exec_by_path(c, p);
}
