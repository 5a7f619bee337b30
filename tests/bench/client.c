/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client that costs next to nothing, for the API of Docker on a unix socket; one connection for all but the streams of
 * execs. A line "N" on stdin is N times the same, one after the other, each timed from the first request's write to the
 * last answer's last byte; answers are lines of nanoseconds.
 *
 *   client SOCKET get PATH                 GET PATH
 *   client SOCKET start IMAGE PROGRAM...   a container without a network: a line for create, one for start, and its ID
 *   client SOCKET exec ID PROGRAM...       create, start until its streams end, and its exit code, which is 0
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

#define ANSWER_MAX  (16u << 20)
#define REQUEST_MAX 4096
#define ID_MAX      64

struct job {
	const char *socket;
	int fd;              /* connected there */
	char *const *argv;   /* behind the job's name */
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "client: %s: %s\n", what, strerror(errno));
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

/* @text ends with NUL. There is no body, or its length is told, or the last chunk is empty; a JSON text has no bare CR in it. */
static bool is_whole(const char *text, size_t n)
{
	const char *body = strstr(text, "\r\n\r\n"),
		   *length = strcasestr(text, "\r\nContent-Length:");

	if (body == NULL)
		return false;
	body += 4;
	if (strncmp(text, "HTTP/1.1 204 ", 13) == 0)
		return true;
	if (length != NULL && length < body)
		return n - (size_t)(body - text) >=
		       strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
	return n >= 7 && memcmp(text + n - 7, "\r\n0\r\n\r\n", 7) == 0;
}

static void send_request(int fd, const char *method, const char *path, const char *body, const char *headers)
{
	char text[REQUEST_MAX];
	int n = snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: client\r\n%sContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
			 method, path, headers, strlen(body), body);

	if (n >= (int)sizeof text)
		die("request: too long");
	if (write(fd, text, (size_t)n) != n)
		die("write");
}

/* Return: what it said, until the next call */
static const char *ask(int fd, const char *method, const char *path, const char *body)
{
	static char answer[ANSWER_MAX + 1];
	size_t n = 0;

	send_request(fd, method, path, body, "");
	do {
		ssize_t got = read(fd, answer + n, ANSWER_MAX - n);

		if (got <= 0)
			die("read");
		n += (size_t)got;
		answer[n] = '\0';
	} while (!is_whole(answer, n));
	if (strncmp(answer, "HTTP/1.1 20", 11) != 0) {
		fprintf(stderr, "client: %s %s: %.300s\n", method, path, answer);
		exit(125);
	}
	return answer;
}

/* The "Id" of an answer, which is all that is read of one. */
static void get_id(const char *answer, char ret[ID_MAX + 1])
{
	const char *at = strstr(answer, "\"Id\":\"");
	size_t n = at != NULL ? strspn(at + 6, "0123456789abcdef") : 0;

	if (n == 0 || n > ID_MAX)
		die("no \"Id\" in the answer");
	memcpy(ret, at + 6, n);
	ret[n] = '\0';
}

/* ["program","argument"], of words that need no escaping */
static const char *json_words(char *const *words)
{
	static char text[REQUEST_MAX / 2];
	size_t n = 0;

	for (size_t i = 0; words[i] != NULL && n < sizeof text; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s\"%s\"", i > 0 ? "," : "[", words[i]);
	if (n + 2 > sizeof text)
		die("program: too long");
	memcpy(text + n, "]", 2);
	return text;
}

static void print_ns(int64_t begin_ns, int64_t end_ns)
{
	printf("%lld\n", (long long)(end_ns - begin_ns));
}

static void get_once(const struct job *j)
{
	int64_t begin_ns = now_ns();

	ask(j->fd, "GET", j->argv[0], "");
	print_ns(begin_ns, now_ns());
}

static void start_once(const struct job *j)
{
	char body[REQUEST_MAX / 2], path[ID_MAX + 64], id[ID_MAX + 1];
	int64_t begin_ns, created_ns, end_ns;

	if (snprintf(body, sizeof body, "{\"Image\":\"%s\",\"Cmd\":%s,\"HostConfig\":{\"NetworkMode\":\"none\"}}", j->argv[0], json_words(j->argv + 1)) >= (int)sizeof body)
		die("program: too long");
	begin_ns = now_ns();
	get_id(ask(j->fd, "POST", "/containers/create", body), id);
	created_ns = now_ns();
	snprintf(path, sizeof path, "/containers/%s/start", id);
	ask(j->fd, "POST", path, "");
	end_ns = now_ns();
	print_ns(begin_ns, created_ns);
	print_ns(created_ns, end_ns);
	puts(id);
}

/* Attached, until the streams end. */
static void follow(const struct job *j, const char *exec_id)
{
	char path[ID_MAX + 64], text[4096];
	int fd = connect_to(j->socket);
	ssize_t n;

	snprintf(path, sizeof path, "/exec/%s/start", exec_id);
	send_request(fd, "POST", path, "{\"Detach\":false,\"Tty\":false}", "Connection: Upgrade\r\nUpgrade: tcp\r\n");
	do
		n = read(fd, text, sizeof text);
	while (n > 0);
	if (n < 0)
		die("read");
	close(fd);
}

static void exec_once(const struct job *j)
{
	char body[REQUEST_MAX / 2], path[ID_MAX + 64], id[ID_MAX + 1];
	int64_t begin_ns;
	const char *answer;

	if (snprintf(body, sizeof body, "{\"AttachStdout\":true,\"AttachStderr\":true,\"Cmd\":%s}", json_words(j->argv + 1)) >= (int)sizeof body)
		die("program: too long");
	snprintf(path, sizeof path, "/containers/%s/exec", j->argv[0]);
	begin_ns = now_ns();
	get_id(ask(j->fd, "POST", path, body), id);
	follow(j, id);
	snprintf(path, sizeof path, "/exec/%s/json", id);
	answer = ask(j->fd, "GET", path, "");
	print_ns(begin_ns, now_ns());
	if (strstr(answer, "\"ExitCode\":0") == NULL)
		die(answer);
}

static const struct { const char *name; int min_words; void (*once)(const struct job *j); } jobs[] = {
	{ "get", 1, get_once }, { "start", 2, start_once }, { "exec", 2, exec_once },
};

int main(int argc, char **argv)
{
	struct job j = { .socket = argc > 1 ? argv[1] : NULL, .argv = argv + 3 };
	void (*once)(const struct job *) = NULL;
	char line[32];

	for (size_t i = 0; argc > 3 && i < sizeof jobs / sizeof jobs[0]; i++)
		if (strcmp(argv[2], jobs[i].name) == 0 && argc - 3 >= jobs[i].min_words)
			once = jobs[i].once;
	if (once == NULL)
		return fprintf(stderr, "usage: client SOCKET get PATH | start IMAGE PROGRAM... | exec ID PROGRAM...\n"), 2;
	j.fd = connect_to(j.socket);
	while (fgets(line, sizeof line, stdin) != NULL) {
		for (long n = atol(line); n > 0; n--)
			once(&j);
		fflush(stdout);
	}
	close(j.fd);
	return 0;
}
