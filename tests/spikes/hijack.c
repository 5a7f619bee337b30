/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handing a hijacked HTTP connection to another process: the descriptor over a SEQPACKET socket, together with
 * the bytes of the client's input that were read behind the header.
 */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/un.h>

#include "tests/spikes/spike.h"

#define REQUEST "POST /attach HTTP/1.1\r\nUpgrade: tcp\r\n\r\nearly input\n"

static void send_fd(int to, int fd, const void *bytes, size_t n)
{
	char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = { (void *)(uintptr_t)bytes, n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (sendmsg(to, &m, MSG_NOSIGNAL) != (ssize_t)n)
		spike_die("sendmsg");
}

static ssize_t receive_fd(int from, int *fd, void *bytes, size_t size, int *flags)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { bytes, size };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(from, &m, MSG_CMSG_CLOEXEC);

	*fd = -1;
	if (n > 0 && CMSG_FIRSTHDR(&m))
		memcpy(fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(*fd));
	*flags = m.msg_flags;
	return n;
}

/* The monitor: answers, echoes what comes, says when the client has closed its half. */
static void monitor(int control)
{
	char buf[8192];
	int fd, flags;
	ssize_t n = receive_fd(control, &fd, buf, sizeof(buf), &flags);

	if (n < 0 || fd < 0)
		spike_die("monitor");
	fcntl(fd, F_SETFL, 0);
	dprintf(fd, "HTTP/1.1 101 UPGRADED\r\n\r\n[prefix %.*s]", (int)n, buf);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (write(fd, buf, (size_t)n) != n)
			_exit(1);
	dprintf(fd, "[client closed its half]");
	_exit(0);
}

/* kilnd: parses the header, hands over what is behind it, and is killed. */
static void daemon_role(int listener, int control)
{
	char buf[8192], *body;
	int c = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct pollfd p = { .fd = c, .events = POLLIN };
	ssize_t n;

	poll(&p, 1, -1);
	n = read(c, buf, sizeof(buf) - 1);
	if (n < 0)
		spike_die("read request");
	buf[n] = '\0';
	body = strstr(buf, "\r\n\r\n") + 4;
	send_fd(control, c, body, (size_t)(n - (body - buf)));
	raise(SIGKILL);
}

static void read_until(int fd, const char *text, char *all, size_t size)
{
	size_t len = strlen(all);

	while (!strstr(all, text)) {
		ssize_t n = read(fd, all + len, size - len - 1);

		if (n <= 0)
			return;
		len += (size_t)n;
		all[len] = '\0';
	}
}

static void handover(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), client, control[2], status;
	char all[8192] = "";
	pid_t m, d;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/sock", path);
	if (bind(listener, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(listener, 5) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0)
		spike_die("sockets");
	m = fork();
	if (m == 0)
		monitor(control[1]);
	d = fork();
	if (d == 0)
		daemon_role(listener, control[0]);
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(client, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    write(client, REQUEST, strlen(REQUEST)) < 0)
		spike_die("client");
	waitpid(d, &status, 0);
	read_until(client, "early input", all, sizeof(all));
	spike_say("bytes read behind the header arrive at the monitor", "%s",
		  strstr(all, "[prefix early input\n]") ? "yes" : "no");
	if (write(client, "later\n", 6) < 0)
		spike_die("write");
	read_until(client, "later\n", all, sizeof(all));
	spike_say("the stream goes on after kill -9 of the sender", "%s", strstr(all, "later\n") ? "yes" : "no");
	shutdown(client, SHUT_WR);
	read_until(client, "its half]", all, sizeof(all));
	spike_say("the client's half-close is seen, the other half still works", "%s",
		  strstr(all, "its half]") ? "yes" : "no");
	waitpid(m, &status, 0);
	spike_say("end of file at the client when the monitor ends", "%s", read(client, all, 1) == 0 ? "yes" : "no");
	unlink(a.sun_path);
}

/* The description outlives the closed descriptor, and so does its place in an epoll set. */
static void epoll_trap(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), pair[2], control[2];
	struct epoll_event ev = { .events = EPOLLIN }, got;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, control) < 0)
		spike_die("socketpair");
	epoll_ctl(ep, EPOLL_CTL_ADD, pair[0], &ev);
	send_fd(control[0], pair[0], "x", 1);
	close(pair[0]);
	if (write(pair[1], "input", 5) < 0)
		spike_die("write");
	spike_say("closed after sending, without EPOLL_CTL_DEL: events", "%d", epoll_wait(ep, &got, 1, 50));
}

static void shared_flags(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		spike_die("socketpair");
	int copy = dup(pair[0]);

	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	spike_say("O_NONBLOCK is shared with the copy", "%s", fcntl(copy, F_GETFL) & O_NONBLOCK ? "yes" : "no");
}

static void limits(void)
{
	static const size_t sizes[] = { 4096, 65536, 200000, 300000 };
	int control[2], fd, flags, size_of_buffer;
	socklen_t len = sizeof(size_of_buffer);
	static char bytes[400000], small[16];
	double t[101];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0)
		spike_die("socketpair");
	getsockopt(control[0], SOL_SOCKET, SO_SNDBUF, &size_of_buffer, &len);
	spike_say("SO_SNDBUF", "%d", size_of_buffer);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		char what[64];
		ssize_t n = send(control[0], bytes, sizes[i], MSG_DONTWAIT);

		snprintf(what, sizeof(what), "one SEQPACKET message of %zu bytes", sizes[i]);
		spike_result(what, n);
		if (n > 0 && recv(control[1], bytes, sizeof(bytes), 0) != n)
			spike_die("recv");
	}
	send_fd(control[0], 0, bytes, 100);
	receive_fd(control[1], &fd, small, sizeof(small), &flags);
	spike_say("a message longer than the receiver's buffer", "%s, descriptor %s",
		  flags & MSG_TRUNC ? "MSG_TRUNC" : "not told", fd >= 0 ? "arrived" : "lost");
	close(fd);
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		double from = spike_now_us();

		send_fd(control[0], 0, bytes, 64);
		receive_fd(control[1], &fd, bytes, sizeof(bytes), &flags);
		t[i] = spike_now_us() - from;
		close(fd);
	}
	spike_say("a descriptor sent and received", "median %.1f us", spike_median(t, sizeof(t) / sizeof(*t)));
}

int main(void)
{
	const char *dir;

	spike_title("hijack");
	dir = spike_dir();
	handover(dir);
	epoll_trap();
	shared_flags();
	limits();
	spike_remove(dir);
	return 0;
}
