/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/systemd.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"

#define NOTIFY_MAX  512
#define SOCKETS_MAX 16
#define USEC_PER_MS 1000

void systemd_notify(const char *fmt, ...)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	AUTO_CLOSE int fd = -1;
	size_t n = path ? strlen(path) : 0;
	char text[NOTIFY_MAX];
	va_list ap;

	if (n < 2 || n >= sizeof(to.sun_path))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	memcpy(to.sun_path, path, n);
	if (path[0] == '@')
		to.sun_path[0] = 0;   /* an abstract name */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)!sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&to,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
}

void systemd_notify_reloading(void)
{
	systemd_notify("RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=Reading the configuration", (long long)(clock_mono_ns() / 1000));
}

/* Is a variable with a pid ours? An absent one is nobody's. */
static bool is_for_us(const char *variable)
{
	const char *text = getenv(variable);
	int64_t pid;

	return str_to_i64(text, &pid) && pid == getpid();
}

static int check_socket(int fd, struct err *e)
{
	int domain = 0, type = 0, listens = 0;
	socklen_t n = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) < 0)
		return err_sys(e, "descriptor %d of LISTEN_FDS", fd);
	if (domain != AF_UNIX || type != SOCK_STREAM || !listens)
		return err_set(e, ERR_INVALID, "descriptor %d of LISTEN_FDS is no listening unix stream socket: check the .socket unit",
			       fd);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return err_sys(e, "descriptor %d of LISTEN_FDS", fd);
	return 0;
}

int systemd_sockets(struct err *e)
{
	uint64_t n = 0;

	if (is_for_us("LISTEN_PID") && !str_to_u64(getenv("LISTEN_FDS"), &n))
		n = 0;
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (n > SOCKETS_MAX)
		return err_set(e, ERR_INVALID, "LISTEN_FDS: %llu sockets, at most %d", (unsigned long long)n, SOCKETS_MAX);
	for (int i = 0; i < (int)n; i++) {
		if (check_socket(SYSTEMD_FIRST_FD + i, e) < 0)
			return -1;
	}
	return (int)n;
}

uint64_t systemd_watchdog_ms(void)
{
	uint64_t usec;

	if ((getenv("WATCHDOG_PID") && !is_for_us("WATCHDOG_PID")) || !str_to_u64(getenv("WATCHDOG_USEC"), &usec))
		return 0;
	return usec / USEC_PER_MS / 2;
}
