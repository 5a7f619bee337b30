/* SPDX-License-Identifier: Apache-2.0 */
/* The unix-socket half of base/fd.h: messages with descriptors, listening and connecting. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"

#define LISTEN_BACKLOG 128

/* Room for the descriptors, and for the credentials that a socket with SO_PASSCRED adds. */
#define CONTROL_BYTES (CMSG_SPACE(sizeof(int) * FD_MSG_MAX) + CMSG_SPACE(sizeof(struct ucred)))

ssize_t fd_send_msg(int sock, const void *data, size_t n, const int *fds, size_t n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * FD_MSG_MAX)];
	} control;
	struct iovec iov = { .iov_base = (void *)data, .iov_len = n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t sent;

	if (n_fds > FD_MSG_MAX) {
		errno = EINVAL;
		return -1;
	}
	if (n_fds > 0) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	do {
		sent = sendmsg(sock, &msg, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent;
}

static void close_fds(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close_fd(&fds[i]);
}

/* Move the descriptors of one control message to the caller's array; false when some did not fit. */
static bool take_fds(struct cmsghdr *c, int *fds, size_t max_fds, size_t *n_fds)
{
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	bool did_fit = true;

	for (size_t i = 0; i < n; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
		if (*n_fds < max_fds) {
			fds[(*n_fds)++] = fd;
		} else {
			close_fd(&fd);
			did_fit = false;
		}
	}
	return did_fit;
}

ssize_t fd_recv_msg(int sock, void *data, size_t n, int *fds, size_t max_fds, size_t *ret_n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CONTROL_BYTES];
	} control;
	struct iovec iov = { .iov_base = data, .iov_len = n };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	size_t n_fds = 0;
	bool is_whole, was_reset = false;
	ssize_t got;

	/*
	 * A peer that closed over something unread resets us, and the kernel says so before it gives what the
	 * peer had sent: its last words come with the next call, then the end of the stream.
	 */
	do {
		got = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
		if (got < 0 && errno == ECONNRESET && !was_reset) {
			was_reset = true;
			errno = EINTR;
		}
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -1;

	is_whole = (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
		    !take_fds(c, fds, max_fds, &n_fds))
			is_whole = false;
	}
	if (!is_whole) {
		close_fds(fds, n_fds);
		errno = EMSGSIZE;
		return -1;
	}
	*ret_n_fds = n_fds;
	return got;
}

static int fill_address(struct sockaddr_un *addr, int fd, const char *base, struct err *e)
{
	int n;

	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	n = snprintf(addr->sun_path, sizeof(addr->sun_path), "/proc/self/fd/%d%s%s", fd,
		     base != NULL ? "/" : "", base != NULL ? base : "");
	if (n < 0 || (size_t)n >= sizeof(addr->sun_path))
		return err_set(e, ERR_INVALID, "socket name '%s' is too long", base);
	return 0;
}

/* (dirfd, "a/b/name") -> an O_PATH descriptor of "a/b" and "name" */
static int open_parent(int dirfd, const char *path, const char **ret_base, int *ret_fd,
		       struct err *e)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *dir = NULL;
	int fd;

	if (slash == NULL)
		dir = xstrdup(".");
	else
		dir = xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
	fd = openat(dirfd, dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open directory '%s'", dir);
	*ret_base = slash != NULL ? slash + 1 : path;
	*ret_fd = fd;
	return 0;
}

/* Remove a socket file that nobody listens on; what is alive or no socket is refused. */
static int remove_dead_socket(int dir_fd, const char *base, const struct sockaddr_un *addr,
			      struct err *e)
{
	AUTO_CLOSE int probe = -1;
	struct stat st;

	if (fstatat(dir_fd, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "stat '%s'", base);
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_CONFLICT, "'%s' exists and is not a socket", base);

	/* non-blocking: a full backlog is a live listener too */
	probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe < 0)
		return err_sys(e, "make socket");
	if (connect(probe, (const struct sockaddr *)addr, sizeof(*addr)) == 0 ||
	    errno != ECONNREFUSED)
		return err_set(e, ERR_CONFLICT, "socket '%s' is in use", base);
	if (unlinkat(dir_fd, base, 0) < 0 && errno != ENOENT)
		return err_sys(e, "remove dead socket '%s'", base);
	return 0;
}

int fd_listen_unix(int dirfd, const char *name, int type, mode_t mode, int *ret_fd, struct err *e)
{
	AUTO_CLOSE int dir_fd = -1;
	AUTO_CLOSE int fd = -1;
	const char *base = NULL;
	struct sockaddr_un addr;

	if (open_parent(dirfd, name, &base, &dir_fd, e) < 0 ||
	    fill_address(&addr, dir_fd, base, e) < 0 ||
	    remove_dead_socket(dir_fd, base, &addr, e) < 0)
		return err_wrap(e, "listen on '%s'", name);

	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(e, "listen on '%s': make socket", name);
	/* Linux creates the file with the socket's own mode less the umask: never wider than asked */
	if (fchmod(fd, mode) < 0)
		return err_sys(e, "listen on '%s': set mode", name);
	if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_sys(e, "listen on '%s': bind", name);
	if (fchmodat(dir_fd, base, mode, 0) < 0 || listen(fd, LISTEN_BACKLOG) < 0) {
		err_sys(e, "listen on '%s'", name);
		unlinkat(dir_fd, base, 0);
		return -1;
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int fd_connect_unix(int dirfd, const char *name, int type, int *ret_fd, struct err *e)
{
	AUTO_CLOSE int path_fd = -1;
	AUTO_CLOSE int fd = -1;
	struct sockaddr_un addr;
	int rc;

	path_fd = openat(dirfd, name, O_PATH | O_CLOEXEC);
	if (path_fd < 0)
		return err_sys(e, "connect to '%s'", name);
	if (fill_address(&addr, path_fd, NULL, e) < 0)
		return -1;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(e, "connect to '%s': make socket", name);
	do {
		rc = connect(fd, (const struct sockaddr *)&addr, sizeof(addr));
	} while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return err_sys(e, "connect to '%s'", name);
	*ret_fd = TAKE_FD(fd);
	return 0;
}
