/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/places.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"

#define EXEC_LOCK "kilnd.lock"
#define DATA_LOCK "lock"

static int open_root(const char *path, mode_t mode, int *ret_fd, struct err *e)
{
	if (path_mkdirs(AT_FDCWD, path, mode, e) < 0 || path_open_dir(AT_FDCWD, path, 0, ret_fd, e) < 0)
		return -1;
	if (fchmod(*ret_fd, mode) < 0)
		return err_sys(e, "set the mode of '%s'", path);
	return 0;
}

static int lock(int dir_fd, const char *dir, const char *name, int *ret_fd, struct err *e)
{
	AUTO_CLOSE int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	char pid[24];
	int n;

	if (fd < 0)
		return err_sys(e, "open lock '%s/%s'", dir, name);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return err_set(e, ERR_CONFLICT, "another kilnd uses '%s'", dir);
		return err_sys(e, "lock '%s/%s'", dir, name);
	}
	n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)n, 0) != n)
		return err_sys(e, "write '%s/%s'", dir, name);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int make_private_dirs(int exec_fd, struct err *e)
{
	static const char *const names[] = { "l", "c", "x" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (path_mkdirs(exec_fd, names[i], 0700, e) < 0)
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
	if (open_root(data_root, 0700, &p->data_root_fd, e) < 0 ||
	    lock(p->data_root_fd, data_root, DATA_LOCK, &p->data_lock_fd, e) < 0 ||
	    open_root(exec_root, 0711, &p->exec_root_fd, e) < 0 ||
	    lock(p->exec_root_fd, exec_root, EXEC_LOCK, &p->exec_lock_fd, e) < 0 ||
	    make_private_dirs(p->exec_root_fd, e) < 0)
		return -1;
	return 0;
}

void places_done(struct places *p)
{
	close_fd(&p->data_lock_fd);
	close_fd(&p->exec_lock_fd);
	close_fd(&p->data_root_fd);
	close_fd(&p->exec_root_fd);
}

void places_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	AUTO_CLOSE int fd = -1;
	size_t n = path ? strlen(path) : 0;

	if (n < 2 || n >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, n);
	if (path[0] == '@')
		to.sun_path[0] = 0;   /* an abstract name */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&to,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
}

/* The pid in the lock is right as long as the lock is held: kilnd holds it until it ends. */
static int find_holder(const char *exec_root, int *ret_pidfd, struct err *e)
{
	AUTO_FREE char *path = path_join(exec_root, EXEC_LOCK);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	AUTO_CLOSE int pidfd = -1;
	char text[24] = "";
	int64_t pid;
	ssize_t n;

	if (fd < 0)
		return err_sys(e, "open '%s'", path);
	n = pread(fd, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = 0;
	text[strcspn(text, "\n")] = 0;
	if (!str_to_i64(text, &pid) || pid <= 0)
		return err_set(e, ERR_INVALID, "'%s' holds no pid", path);
	pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	if (flock(fd, LOCK_SH | LOCK_NB) == 0 || pidfd < 0)
		return err_set(e, ERR_NOT_FOUND, "no kilnd uses '%s'", exec_root);
	*ret_pidfd = TAKE_FD(pidfd);
	return 0;
}

int places_stop_all(const char *exec_root, struct err *e)
{
	AUTO_CLOSE int pidfd = -1;
	struct pollfd ended = { .events = POLLIN };

	if (find_holder(exec_root, &pidfd, e) < 0)
		return -1;
	if (syscall(SYS_pidfd_send_signal, pidfd, PLACES_STOP_ALL_SIGNAL, NULL, 0) < 0)
		return err_sys(e, "signal the kilnd of '%s'", exec_root);
	ended.fd = pidfd;
	while (poll(&ended, 1, -1) < 0) {
		if (errno != EINTR)
			return err_sys(e, "wait for the kilnd of '%s'", exec_root);
	}
	return 0;
}
