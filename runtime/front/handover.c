/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"

int handover_connect(const char *path, const char *what, int *ret_sock, struct err *e)
{
	if (path == NULL)
		return 0;
	if (fd_connect_unix(AT_FDCWD, path, SOCK_STREAM, ret_sock, e) < 0)
		return err_wrap(e, "%s", what);
	return 0;
}

static int send_fd(int sock, const char *word, int fd, const char *what, struct err *e)
{
	ssize_t n;

	do
		n = fd_send_msg(sock, word, strlen(word), &fd, 1);
	while (n < 0 && errno == EINTR);
	return n < 0 ? err_sys(e, "send the %s", what) : 0;
}

int handover_terminal(int sock, int master_fd, struct err *e)
{
	unsigned number = 0;
	char name[32];

	if (sock < 0)
		return 0;
	if (ioctl(master_fd, TIOCGPTN, &number) < 0)
		return err_sys(e, "ask the terminal for its name");
	snprintf(name, sizeof(name), "/dev/pts/%u", number);
	return send_fd(sock, name, master_fd, "terminal to the console socket", e);
}

int handover_pidfd(int sock, int pidfd, const char *word, struct err *e)
{
	return sock < 0 ? 0 : send_fd(sock, word, pidfd, "pidfd to its socket", e);
}

int handover_pid(const char *file, pid_t pid, struct err *e)
{
	AUTO_FREE char *dir = NULL;
	AUTO_CLOSE int dir_fd = -1;
	const char *slash;
	char text[16];

	if (file == NULL)
		return 0;
	slash = strrchr(file, '/');
	dir = slash == NULL ? xstrdup(".") : slash == file ? xstrdup("/") : xstrndup(file, (size_t)(slash - file));
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return err_sys(e, "--pid-file: open '%s'", dir);
	snprintf(text, sizeof(text), "%d", (int)pid);
	if (file_replace(dir_fd, slash != NULL ? slash + 1 : file, text, strlen(text), 0644, e) < 0)
		return err_wrap(e, "--pid-file");
	return 0;
}
