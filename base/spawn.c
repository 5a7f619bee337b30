/* SPDX-License-Identifier: Apache-2.0 */
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"

static char *const path_only[] = {
	(char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL
};

static void file_actions_done(posix_spawn_file_actions_t *fa)
{
	posix_spawn_file_actions_destroy(fa);
}

static void attr_done(posix_spawnattr_t *attr)
{
	posix_spawnattr_destroy(attr);
}

/* Duplicates of the sources above every target number: a dup2 in the child must not overwrite one. */
struct copies {
	int *fds; /* owned, each owned */
	size_t n;
};

static void copies_done(struct copies *c)
{
	for (size_t i = 0; i < c->n; i++)
		close_fd(&c->fds[i]);
	free(TAKE_PTR(c->fds));
	c->n = 0;
}

static int highest_target(const struct spawn_request *req)
{
	int highest = STDERR_FILENO;

	for (size_t i = 0; i < req->n_fds; i++) {
		if (req->fds[i].to > highest)
			highest = req->fds[i].to;
	}
	return highest;
}

static bool is_target(const struct spawn_request *req, int fd)
{
	for (size_t i = 0; i < req->n_fds; i++) {
		if (req->fds[i].to == fd)
			return true;
	}
	return false;
}

static int copy_sources(const struct spawn_request *req, int highest, struct copies *c,
			struct err *e)
{
	c->fds = xcalloc(req->n_fds, sizeof(*c->fds));
	for (; c->n < req->n_fds; c->n++) {
		c->fds[c->n] = fcntl(req->fds[c->n].from, F_DUPFD_CLOEXEC, highest + 1);
		if (c->fds[c->n] < 0)
			return err_sys(e, "duplicate descriptor %d", req->fds[c->n].from);
	}
	return 0;
}

/* Map the listed descriptors and close everything else, whoever left it without CLOEXEC. */
static int plan_fds(const struct spawn_request *req, int highest, const struct copies *c,
		    posix_spawn_file_actions_t *fa)
{
	int rc = 0;

	for (size_t i = 0; i < c->n && rc == 0; i++)
		rc = posix_spawn_file_actions_adddup2(fa, c->fds[i], req->fds[i].to);
	for (int fd = 0; fd < highest && rc == 0; fd++) {
		if (!is_target(req, fd))
			rc = posix_spawn_file_actions_addclose(fa, fd);
	}
	if (rc == 0)
		rc = posix_spawn_file_actions_addclosefrom_np(fa, highest + 1);
	return rc;
}

static int plan_signals(posix_spawnattr_t *attr)
{
	sigset_t all, none;
	int rc;

	sigfillset(&all);
	sigemptyset(&none);
	rc = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	if (rc == 0)
		rc = posix_spawnattr_setsigdefault(attr, &all);
	if (rc == 0)
		rc = posix_spawnattr_setsigmask(attr, &none);
	return rc;
}

/* The child is ours and not yet waited for, so its number cannot have been used again. */
static int open_pidfd(pid_t *pid, int *ret_pidfd, struct err *e)
{
	int fd = (int)syscall(SYS_pidfd_open, *pid, 0);

	if (fd < 0) {
		err_sys(e, "open pidfd of process %d", (int)*pid);
		auto_reap_(pid);
		return -1;
	}
	*ret_pidfd = fd;
	return 0;
}

int spawn_exec(const struct spawn_request *req, pid_t *ret_pid, int *ret_pidfd, struct err *e)
{
	AUTO(copies_done) struct copies copies = { 0 };
	AUTO(file_actions_done) posix_spawn_file_actions_t fa;
	AUTO(attr_done) posix_spawnattr_t attr;
	int highest = highest_target(req);
	pid_t pid = 0;
	int rc;

	BUG(posix_spawn_file_actions_init(&fa) != 0 || posix_spawnattr_init(&attr) != 0,
	    "out of memory");
	BUG(!is_target(req, 0) || !is_target(req, 1) || !is_target(req, 2),
	    "spawn '%s' without standard descriptors", req->path);

	if (copy_sources(req, highest, &copies, e) < 0)
		return err_wrap(e, "spawn '%s'", req->path);
	rc = plan_fds(req, highest, &copies, &fa);
	if (rc == 0)
		rc = plan_signals(&attr);
	if (rc == 0)
		rc = posix_spawn(&pid, req->path, &fa, &attr, req->argv,
				 req->envp != NULL ? req->envp : path_only);
	if (rc != 0) {
		errno = rc;
		return err_sys(e, "spawn '%s'", req->path);
	}
	if (ret_pidfd != NULL && open_pidfd(&pid, ret_pidfd, e) < 0)
		return err_wrap(e, "spawn '%s'", req->path);
	*ret_pid = pid;
	return 0;
}
