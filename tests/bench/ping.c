/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client that costs next to nothing: GETs over one connection to a unix socket, each timed from the request's write to
 * the answer's last byte.
 *
 *   ping SOCKET PATH      a line "N" on stdin is N requests, one after the other; answers N lines "NS"
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX (16u << 20)

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "ping: %s: %s\n", what, strerror(errno));
	exit(125);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int connect_to(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof to.sun_path)
		die(path);
	memcpy(to.sun_path, path, strlen(path));
	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) < 0)
		die(path);
	return fd;
}

/* @text ends with NUL. Either the length is told, or the last chunk is empty; a JSON text has no bare CR in it. */
static bool is_whole(const char *text, size_t n)
{
	const char *body = strstr(text, "\r\n\r\n"),
		   *length = strcasestr(text, "\r\nContent-Length:");

	if (body == NULL)
		return false;
	body += 4;
	if (length != NULL && length < body)
		return n - (size_t)(body - text) >=
		       strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
	return n >= 7 && memcmp(text + n - 7, "\r\n0\r\n\r\n", 7) == 0;
}

static int64_t ask(int fd, const char *request, char *answer)
{
	int64_t begin_ns = now_ns();
	size_t n = 0;

	if (write(fd, request, strlen(request)) != (ssize_t)strlen(request))
		die("write");
	do {
		ssize_t got = read(fd, answer + n, ANSWER_MAX - n);

		if (got <= 0)
			die("read");
		n += (size_t)got;
		answer[n] = '\0';
	} while (!is_whole(answer, n));
	if (strncmp(answer, "HTTP/1.1 200 ", 13) != 0) {
		fprintf(stderr, "ping: %.200s\n", answer);
		exit(125);
	}
	return now_ns() - begin_ns;
}

int main(int argc, char **argv)
{
	char request[512], line[32], *answer = malloc(ANSWER_MAX + 1);
	int fd;

	if (argc != 3 || answer == NULL)
		return fprintf(stderr, "usage: ping SOCKET PATH\n"), 2;
	fd = connect_to(argv[1]);
	snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: ping\r\n\r\n", argv[2]);
	while (fgets(line, sizeof line, stdin) != NULL) {
		for (long n = atol(line); n > 0; n--)
			printf("%lld\n", (long long)ask(fd, request, answer));
		fflush(stdout);
	}
	close(fd);
	return 0;
}
