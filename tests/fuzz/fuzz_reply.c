/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the client reads of the daemon's answers. The first byte says which command runs, 'a' being the first of lines[]; the
 * others are what it is answered, HTTP and all, whatever it asks and how often. It ends with an exit status, and what it
 * shows moves no cursor. The corpus is what kilnd answered (record.py).
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "cli/cmd.h"
#include "tests/fuzz/fuzz.h"

#define CONNECTIONS_MAX 64

/* record.py reads these, too. */
static const char *const lines[] = {
	"ps -a",
	"ps -a --no-trunc --format {{.ID}}:{{.Names}}:{{.Labels}}:{{.Mounts}}:{{.Ports}}",
	"images -a --digests",
	"history busybox",
	"inspect box1",
	"inspect --format {{.Config.Labels}}{{.State.Status}} box1",
	"version",
	"info",
	"health",
	"system df",
	"stats --no-stream",
	"top box1",
	"port box1",
	"events --until 0s",
	"load",
	"rmi busybox",
	"container prune -f",
	"update --memory 64m box1",
	"wait box1",
	"exec box1 true",
	"run --rm busybox true",
};

static struct {
	int listen_fd, shown_fd, own[2];   /* @own: our stdout and stderr while a command has them */
	char host[128];
	pthread_mutex_t lock;              /* of what follows */
	const uint8_t *answer;
	size_t n;
	int open[CONNECTIONS_MAX];         /* answered: closed when the command has ended */
	size_t n_open;
} here = { .lock = PTHREAD_MUTEX_INITIALIZER };

void __sanitizer_set_report_fd(void *fd) __attribute__((weak));

/* An input is smaller than what a socket holds. Nobody reads what was asked; a command that asks for ever has its end here. */
static void *serve(void *unused)
{
	(void)unused;
	for (;;) {
		int fd = accept4(here.listen_fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		pthread_mutex_lock(&here.lock);
		FUZZ_CHECK(here.n_open < CONNECTIONS_MAX);
		here.open[here.n_open++] = fd;
		if (here.n > 0)
			(void)!send(fd, here.answer, here.n, MSG_NOSIGNAL);
		shutdown(fd, SHUT_WR);
		pthread_mutex_unlock(&here.lock);
	}
	return NULL;
}

static void clean(void)
{
	unlink(here.host + strlen("unix://"));
}

static void set_up(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	pthread_t thread;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	snprintf(to.sun_path, sizeof to.sun_path, "/tmp/kiln-fuzz-%d.sock", (int)getpid());
	snprintf(here.host, sizeof here.host, "unix://%s", to.sun_path);
	unlink(to.sun_path);
	here.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FUZZ_CHECK(bind(here.listen_fd, (struct sockaddr *)&to, sizeof to) == 0 && listen(here.listen_fd, 64) == 0);
	atexit(clean);
	here.shown_fd = memfd_create("shown", MFD_CLOEXEC);
	for (int i = 0; i < 2; i++)
		here.own[i] = fcntl(i + 1, F_DUPFD_CLOEXEC, 3);
	FUZZ_CHECK(null >= 0 && here.shown_fd >= 0 && here.own[1] >= 0 && dup2(null, STDIN_FILENO) == 0);
	if (__sanitizer_set_report_fd)
		__sanitizer_set_report_fd((void *)(intptr_t)here.own[1]);
	signal(SIGPIPE, SIG_IGN);
	FUZZ_CHECK(pthread_create(&thread, NULL, serve, NULL) == 0);
}

static void answer_with(const uint8_t *data, size_t n)
{
	pthread_mutex_lock(&here.lock);
	here.answer = data;
	here.n = n;
	while (here.n_open > 0)
		close(here.open[--here.n_open]);
	pthread_mutex_unlock(&here.lock);
}

/* As main() does it */
static int run(const char *line)
{
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_FREE char *words = xstrdup(line);
	struct call c = { .a = a, .host = here.host };
	struct str_list rest = { arena_new_array(a, char *, strlen(line)), 0 };
	struct err e = { 0 };
	bool wants_help;
	void *into;

	for (char *at = words, *word; (word = strsep(&at, " ")) != NULL;)
		rest.v[rest.n++] = word;
	c.cmd = command_find(NULL, rest.v[0]);
	if (!c.cmd) {
		c.cmd = command_find(rest.v[0], rest.v[1]);
		rest = (struct str_list){ rest.v + 1, rest.n - 1 };
	}
	FUZZ_CHECK(c.cmd);
	c.title = command_title(c.cmd, a);
	rest = (struct str_list){ rest.v + 1, rest.n - 1 };
	c.o = into = arena_alloc(a, c.cmd->options_size + 1);
	FUZZ_CHECK(opt_parse(&c.cmd->opts, !c.cmd->is_prefix, &rest, a, into, &c.args, &wants_help, &e) == 0);
	return c.cmd->run(&c);
}

static void take_output(const int fds[2])
{
	fflush(stdout);
	for (int i = 0; i < 2; i++)
		FUZZ_CHECK(dup2(fds[i], i + 1) == i + 1);
}

static bool is_shown_as_it_is(const char *line)
{
	return strncmp(line, "exec", 4) == 0 || strncmp(line, "run", 3) == 0;
}

/* No control characters. In JSON as it came there may be a DEL, which is one to terminals only. */
static void check_shown(const char *line)
{
	bool is_json = strncmp(line, "inspect", 7) == 0;
	AUTO_FREE char *text = NULL;
	size_t n = 0;
	struct err e = { 0 };

	FUZZ_CHECK(lseek(here.shown_fd, 0, SEEK_SET) == 0 && fd_read_all(here.shown_fd, 16 << 20, &text, &n, &e) == 0);
	for (size_t i = 0; !is_shown_as_it_is(line) && i < n; i++)
		FUZZ_CHECK((unsigned char)text[i] >= 0x20 ? text[i] != 0x7f || is_json : text[i] == '\n' || text[i] == '\t');
	FUZZ_CHECK(ftruncate(here.shown_fd, 0) == 0 && lseek(here.shown_fd, 0, SEEK_SET) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *line;
	int status;

	if (n == 0)
		return 0;
	if (here.host[0] == '\0')
		set_up();
	line = lines[(size_t)(data[0] - 'a') % ARRAY_SIZE(lines)];
	answer_with(data + 1, n - 1);
	take_output((int[2]){ here.shown_fd, here.shown_fd });
	status = run(line);
	take_output(here.own);
	answer_with(NULL, 0);
	FUZZ_CHECK(status >= 0 && status <= 255);
	check_shown(line);
	return 0;
}
