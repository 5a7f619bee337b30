/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths inside a container's root, which is not trusted: an image may hold any links, and another container that
 * shares a volume may exchange its parts while we look. The kernel resolves (openat2, RESOLVE_IN_ROOT); what has
 * to be made is made step by step, each step by descriptor and without following a link that we have not read.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/defence.h"
#include "runtime/stages.h"

#define LINKS_MAX  40 /* as the kernel's own limit */
#define EAGAIN_MAX 32 /* openat2 asks to try again when a rename crossed a ".." */

static int stage_openat2(int root_fd, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = resolve };
	long fd;
	int tries = 0;

	do {
		fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	} while (fd < 0 && (errno == EAGAIN || errno == EINTR) && ++tries < EAGAIN_MAX);
	return (int)fd;
}

int stage_open_in_root(int root_fd, const char *path, uint64_t flags)
{
	return DEFENCE(IN_ROOT,
		       stage_openat2(root_fd, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS),
		       stage_openat2(root_fd, path[1] != '\0' ? path + 1 : ".", flags, 0));
}

int stage_open_plain(int root_fd, const char *path, uint64_t flags)
{
	return stage_openat2(root_fd, path, flags,
			     RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS);
}

void stage_close(int fd)
{
	int keep = errno;

	if (fd >= 0)
		close(fd);
	errno = keep;
}

/* A walk from the root: what is resolved (no links in it) and what is still to do. */
struct stage_walk {
	char done[PATH_MAX]; /* "" or "/a/b" */
	char rest[PATH_MAX];
	size_t n_links;
};

static int stage_fail(int sys)
{
	errno = sys;
	return -1;
}

static void stage_walk_up(struct stage_walk *w)
{
	char *slash = strrchr(w->done, '/');

	if (slash != NULL)
		*slash = '\0';
}

/* Take the next name off rest. Return: its length (0: none is left), or -1 */
static int stage_walk_next(struct stage_walk *w, char name[NAME_MAX + 1])
{
	size_t skip = 0, n = 0;

	while (w->rest[skip] == '/')
		skip++;
	while (w->rest[skip + n] != '\0' && w->rest[skip + n] != '/')
		n++;
	if (n > NAME_MAX)
		return stage_fail(ENAMETOOLONG);
	memcpy(name, w->rest + skip, n);
	name[n] = '\0';
	memmove(w->rest, w->rest + skip + n, strlen(w->rest + skip + n) + 1);
	return (int)n;
}

static bool stage_walk_is_last(const struct stage_walk *w)
{
	const char *p = w->rest;

	while (*p == '/')
		p++;
	return *p == '\0';
}

/* Open what is resolved so far. No link may have come into it meanwhile. */
static int stage_walk_open(int root_fd, const char *done, uint64_t flags)
{
	return DEFENCE(PLAIN_WALK, stage_open_plain(root_fd, done[0] == '\0' ? "/" : done, flags),
		       openat(root_fd, done[0] == '\0' ? "." : done + 1, (int)flags | O_CLOEXEC));
}

static int stage_walk_make(int root_fd, const char *parent, const char *name, bool is_dir)
{
	int dir, made, fd;

	DEFENCE_PAUSE(WALK);
	dir = stage_walk_open(root_fd, parent, O_PATH | O_DIRECTORY);
	if (dir < 0)
		return -1;
	if (is_dir) {
		made = mkdirat(dir, name, 0755);
	} else {
		made = openat(dir, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0644);
		stage_close(made);
	}
	if (made < 0 && errno != EEXIST) {
		stage_close(dir);
		return -1;
	}
	fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	stage_close(dir);
	return fd;
}

/* A link was met: what it says goes before what is still to do. */
static int stage_walk_link(struct stage_walk *w, int link_fd)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(link_fd, "", text, sizeof(text) - 1);
	size_t rest = strlen(w->rest);

	if (n < 0)
		return -1;
	if (++w->n_links > LINKS_MAX)
		return stage_fail(ELOOP);
	if (n == 0 || (size_t)n + 1 + rest >= sizeof(w->rest))
		return stage_fail(n == 0 ? ENOENT : ENAMETOOLONG);
	text[n] = '\0';
	memmove(w->rest + n + 1, w->rest, rest + 1);
	w->rest[n] = '/';
	memcpy(w->rest, text, (size_t)n);
	if (text[0] == '/')
		w->done[0] = '\0';
	return 0;
}

/* One name further. Return: a descriptor that is no link, -1, or -2 when a link was put into rest */
static int stage_walk_step(struct stage_walk *w, int root_fd, const char *name, bool makes_dir)
{
	char parent[PATH_MAX];
	size_t len = strlen(w->done), n = strlen(name);
	struct stat st;
	int fd;

	if (len + 1 + n >= sizeof(w->done))
		return stage_fail(ENAMETOOLONG);
	memcpy(parent, w->done, len + 1);
	w->done[len] = '/';
	memcpy(w->done + len + 1, name, n + 1);

	fd = stage_walk_open(root_fd, w->done, O_PATH | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		fd = stage_walk_make(root_fd, parent, name, makes_dir);
	if (fd < 0 || fstat(fd, &st) < 0) {
		stage_close(fd);
		return -1;
	}
	if (!S_ISLNK(st.st_mode))
		return fd;
	memcpy(w->done, parent, len + 1);
	n = (size_t)stage_walk_link(w, fd);
	stage_close(fd);
	return (int)n < 0 ? -1 : -2;
}

static int stage_make_target(int root_fd, const char *path, bool wants_dir)
{
	struct stage_walk w;
	char name[NAME_MAX + 1];
	int n, fd;

	if (strlen(path) >= sizeof(w.rest))
		return stage_fail(ENAMETOOLONG);
	w.done[0] = '\0';
	w.n_links = 0;
	memcpy(w.rest, path, strlen(path) + 1);

	while ((n = stage_walk_next(&w, name)) > 0) {
		bool is_last = stage_walk_is_last(&w);

		if (strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0) {
			stage_walk_up(&w);
			continue;
		}
		fd = stage_walk_step(&w, root_fd, name, !is_last || wants_dir);
		if (fd == -1)
			return -1;
		if (fd >= 0 && is_last)
			return fd;
		stage_close(fd);
	}
	return n < 0 ? -1 : stage_walk_open(root_fd, w.done, O_PATH);
}

/* The usual case: only the last name is missing, and it is no dangling link. Return: a descriptor, or -1 */
static int stage_make_last(int root_fd, const char *path, bool wants_dir)
{
	char parent[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t n = slash != NULL ? (size_t)(slash - path) : 0;
	int dir, fd = -1, made;

	if (slash == NULL || slash[1] == '\0' || n >= sizeof(parent) ||
	    strcmp(slash + 1, ".") == 0 || strcmp(slash + 1, "..") == 0)
		return -1;
	memcpy(parent, path, n);
	parent[n] = '\0';
	dir = stage_open_in_root(root_fd, n == 0 ? "/" : parent, O_PATH | O_DIRECTORY);
	if (dir < 0)
		return -1;
	if (wants_dir)
		made = mkdirat(dir, slash + 1, 0755);
	else
		made = openat(dir, slash + 1, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC,
			      0644);
	if (made >= 0)
		fd = openat(dir, slash + 1, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (!wants_dir)
		stage_close(made);
	stage_close(dir);
	return fd;
}

int stage_open_target(int root_fd, const char *path, bool wants_dir)
{
	int fd = stage_open_in_root(root_fd, path, O_PATH);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	fd = stage_make_last(root_fd, path, wants_dir);
	return fd >= 0 ? fd : stage_make_target(root_fd, path, wants_dir);
}
