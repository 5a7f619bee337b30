/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/places.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/defence.h"
#include "base/fd.h"
#include "base/own.h"
#include "base/path.h"
#include "base/scopename.h"
#include "base/str.h"
#include "daemon/engine/engine.h"

#define EXEC_LOCK "kilnd.lock"
#define DATA_LOCK "lock"
#define LOCK_TEXT_MAX 160
#define TELL_EVERY_MS 200
#define LOCK_WAIT_MS  1000
#define LOCK_RETRY_MS 10

static int open_root(const char *path, mode_t mode, int *ret_fd, struct err *e)
{
	if (path_mkdirs(AT_FDCWD, path, mode, e) < 0 || path_open_dir(AT_FDCWD, path, 0, ret_fd, e) < 0)
		return -1;
	if (fchmod(*ret_fd, mode) < 0)
		return err_sys(e, "set the mode of '%s'", path);
	return 0;
}

/* Who holds a lock has written its pid into it. */
static int64_t pid_in(int lock_fd)
{
	char text[24] = "";
	int64_t pid = 0;
	ssize_t n = pread(lock_fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	text[strcspn(text, "\n")] = 0;
	return str_to_i64(text, &pid) && pid > 0 ? pid : 0;
}

static int held_by_another(int lock_fd, const char *dir, struct err *e)
{
	int64_t pid = pid_in(lock_fd);

	if (pid > 0)
		return err_set(e, ERR_CONFLICT, "another kilnd (pid %lld) uses '%s'", (long long)pid, dir);
	return err_set(e, ERR_CONFLICT, "another kilnd uses '%s'", dir);
}

static bool holder_may_live(int lock_fd)
{
	int64_t pid = pid_in(lock_fd);

	return pid > 0 && (kill((pid_t)pid, 0) == 0 || errno != ESRCH);
}

/*
 * One that was killed while it started a process has left its lock to that process, until its exec.
 * Return: 0, or -1 with errno set, EWOULDBLOCK when another one works here
 */
static int take_lock(int fd)
{
	for (int waited_ms = 0;; waited_ms += LOCK_RETRY_MS) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK)
			return -1;
		if (waited_ms >= LOCK_WAIT_MS || holder_may_live(fd)) {
			errno = EWOULDBLOCK;
			return -1;
		}
		poll(NULL, 0, LOCK_RETRY_MS);
	}
}

static int lock(int dir_fd, const char *dir, const char *name, int *ret_fd, struct err *e)
{
	AUTO_CLOSE int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	char pid[24];
	int n;

	if (fd < 0)
		return err_sys(e, "open lock '%s/%s'", dir, name);
	if (take_lock(fd) < 0) {
		if (errno == EWOULDBLOCK)
			return held_by_another(fd, dir, e);
		return err_sys(e, "lock '%s/%s'", dir, name);
	}
	n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	/* In this order, so that on a full disk nobody else gets the block. */
	if (pwrite(fd, pid, (size_t)n, 0) != n || ftruncate(fd, n) < 0)
		return err_sys(e, "write '%s/%s'", dir, name);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int make_private_dirs(int exec_fd, struct err *e)
{
	static const char *const names[] = { "l", "c", "x" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (path_mkdirs(exec_fd, names[i], DEFENCE(SOCKETS_ARE_PRIVATE, 0700, 0755), e) < 0)
			return -1;
	}
	return 0;
}

static void raise_nofile(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);   /* the old one will do, too */
	}
}

int places_init(struct places *p, const char *data_root, const char *exec_root, struct err *e)
{
	umask(0022);
	raise_nofile();
	if (open_root(data_root, DEFENCE(STORE_IS_PRIVATE, 0700, 0755), &p->data_root_fd, e) < 0 ||
	    lock(p->data_root_fd, data_root, DATA_LOCK, &p->data_lock_fd, e) < 0 ||
	    open_root(exec_root, 0711, &p->exec_root_fd, e) < 0 ||
	    lock(p->exec_root_fd, exec_root, EXEC_LOCK, &p->exec_lock_fd, e) < 0 ||
	    make_private_dirs(p->exec_root_fd, e) < 0)
		return -1;
	places_tell(p, "running");
	return 0;
}

void places_done(struct places *p)
{
	close_fd(&p->data_lock_fd);
	close_fd(&p->exec_lock_fd);
	close_fd(&p->data_root_fd);
	close_fd(&p->exec_root_fd);
	free(TAKE_PTR(p->cgroup_parent));
}

int places_find_group(struct places *p, const char *asked, const char *exec_root, struct err *e)
{
	struct scopename scope;

	if (asked)
		p->cgroup_parent = xstrdup(asked);
	else if (scopename_is_systemd())
		p->cgroup_parent = scopename_default(exec_root, e);
	else
		p->cgroup_parent = xstrdup(ENGINE_CGROUP_PARENT);
	if (!p->cgroup_parent)
		return -1;
	if (scopename_is_scope(p->cgroup_parent) && scopename_is_systemd())
		return scopename_parse(p->cgroup_parent, &scope, e);
	return 0;
}

void places_tell(const struct places *p, const char *fmt, ...)
{
	char text[LOCK_TEXT_MAX];
	int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	va_list ap;

	va_start(ap, fmt);
	n += vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	n = n < LOCK_TEXT_MAX ? n : LOCK_TEXT_MAX - 1;
	/* Shorter words first lose their tail: who reads meanwhile sees old or new ones, or a cut of them. */
	if (pwrite(p->exec_lock_fd, text, (size_t)n, 0) == n)
		(void)!ftruncate(p->exec_lock_fd, n);
}

/* ---- telling another kilnd ---- */

struct holder {
	int lock_fd, pidfd;
	int64_t pid;
};

static void holder_done(struct holder *h)
{
	close_fd(&h->lock_fd);
	close_fd(&h->pidfd);
}

/* The pid in the lock is right as long as the lock is held: kilnd holds it until it ends. */
static int find_holder(const char *exec_root, struct holder *h, struct err *e)
{
	AUTO_FREE char *path = path_join(exec_root, EXEC_LOCK);

	h->lock_fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (h->lock_fd < 0)
		return err_sys(e, "no kilnd uses '%s': open '%s'", exec_root, path);
	h->pid = pid_in(h->lock_fd);
	if (h->pid == 0)
		return err_set(e, ERR_INVALID, "'%s' holds no pid", path);
	h->pidfd = (int)syscall(SYS_pidfd_open, (pid_t)h->pid, 0);
	if (flock(h->lock_fd, LOCK_SH | LOCK_NB) == 0 || h->pidfd < 0)
		return err_set(e, ERR_NOT_FOUND, "no kilnd uses '%s'", exec_root);
	return 0;
}

/* What it has told last; "" before it has told anything */
static void read_told(const struct holder *h, char out[LOCK_TEXT_MAX])
{
	ssize_t n = pread(h->lock_fd, out, LOCK_TEXT_MAX - 1, 0);
	char *line;

	out[n > 0 ? n : 0] = 0;
	line = strchr(out, '\n');
	memmove(out, line ? line + 1 : "", strlen(line ? line + 1 : "") + 1);
}

static int wait_for_end(const struct holder *h, void (*said)(int64_t pid, const char *text), struct err *e)
{
	struct pollfd ended = { .fd = h->pidfd, .events = POLLIN };
	char before[LOCK_TEXT_MAX] = "", now[LOCK_TEXT_MAX];

	for (;;) {
		int rc = poll(&ended, 1, TELL_EVERY_MS);

		if (rc < 0 && errno != EINTR)
			return err_sys(e, "wait for the kilnd with pid %lld", (long long)h->pid);
		read_told(h, now);
		if (!str_eq(now, before))
			said(h->pid, now);
		memcpy(before, now, sizeof(before));
		if (rc > 0)
			break;
	}
	/* An older kilnd tells nothing. */
	if (now[0] && !str_eq(now, PLACES_ALL_STOPPED))
		return err_set(e, ERR_SYSTEM, "the kilnd with pid %lld ended; it told last: %s", (long long)h->pid, now);
	return 0;
}

int places_stop_all(const char *exec_root, void (*said)(int64_t pid, const char *text), struct err *e)
{
	AUTO(holder_done) struct holder h = { .lock_fd = -1, .pidfd = -1 };
	AUTO_FREE char *lock_path = path_join(exec_root, EXEC_LOCK);

	if (access(lock_path, F_OK) < 0 && errno == ENOENT)
		return 0;
	if (find_holder(exec_root, &h, e) < 0)
		return -1;
	if (syscall(SYS_pidfd_send_signal, h.pidfd, PLACES_STOP_ALL_SIGNAL, NULL, 0) < 0)
		return err_sys(e, "signal the kilnd of '%s'", exec_root);
	return wait_for_end(&h, said, e);
}
