/* SPDX-License-Identifier: Apache-2.0 */
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"
#include "tests/unit/unit.h"

/* Run a shell script with the pipe as its output, and give its status and what it wrote. */
static int run(const char *script, char *const *envp, const struct spawn_fd *extra, size_t n_extra,
	       char **ret_out)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)script, NULL };
	AUTO_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct spawn_fd fds[8];
	struct spawn_request req = { .path = "/bin/sh", .argv = argv, .envp = envp, .fds = fds };
	struct err e = { 0 };
	siginfo_t info = { 0 };
	int pidfd = -1;
	pid_t pid = 0;
	int p[2];

	ck_assert_int_eq(fd_pipe(p, 0), 0);
	fds[req.n_fds++] = (struct spawn_fd){ null, 0 };
	fds[req.n_fds++] = (struct spawn_fd){ p[1], 1 };
	fds[req.n_fds++] = (struct spawn_fd){ null, 2 };
	for (size_t i = 0; i < n_extra; i++)
		fds[req.n_fds++] = extra[i];
	ck_assert_msg(spawn_exec(&req, &pid, &pidfd, &e) == 0, "%s", e.msg);
	ck_assert_int_eq(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
	close(p[1]);
	ck_assert_int_eq(fd_read_all(p[0], 65536, ret_out, NULL, &e), 0);
	close(p[0]);
	ck_assert_int_eq(poll(&(struct pollfd){ .fd = pidfd, .events = POLLIN }, 1, 4000), 1);
	ck_assert_int_eq(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED), 0);
	ck_assert_int_eq(info.si_pid, pid);
	close(pidfd);
	return info.si_status;
}

START_TEST(a_program_runs_and_its_pidfd_tells_the_end)
{
	AUTO_FREE char *out = NULL;

	ck_assert_int_eq(run("echo hello; exit 7", NULL, NULL, 0, &out), 7);
	ck_assert_str_eq(out, "hello\n");
}
END_TEST

START_TEST(the_environment_is_what_was_given)
{
	char *const envp[] = { (char *)"ONLY=this", NULL };
	AUTO_FREE char *given = NULL;
	AUTO_FREE char *none = NULL;

	setenv("SECRET", "x", 1);
	run("tr '\\0' '\\n' </proc/$$/environ", NULL, NULL, 0, &none);
	ck_assert(str_starts(none, "PATH=/"));
	ck_assert_ptr_eq(strchr(none, '\n'), none + strlen(none) - 1);
	run("/usr/bin/tr '\\0' '\\n' </proc/$$/environ", envp, NULL, 0, &given);
	ck_assert_str_eq(given, "ONLY=this\n");
}
END_TEST

START_TEST(only_listed_descriptors_arrive)
{
	AUTO_CLOSE int leaked = open("/dev/null", O_RDONLY); /* cloexec: left out on purpose */
	AUTO_CLOSE int given = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	AUTO_FREE char *out = NULL;

	ck_assert_int_ge(dup2(leaked, 50), 0);
	ck_assert_int_ge(dup2(leaked, 5), 0);
	run("i=0; while [ $i -lt 60 ]; do [ -e /proc/$$/fd/$i ] && echo $i; i=$((i + 1)); done",
	    NULL, &(struct spawn_fd){ given, 7 }, 1, &out);
	ck_assert_str_eq(out, "0\n1\n2\n7\n");
}
END_TEST

START_TEST(descriptors_may_trade_places)
{
	AUTO_FREE char *out = NULL;
	struct err e = { 0 };
	int p[2];

	/* 8 and 9 are exchanged: a mapping in the order of the list would overwrite one */
	ck_assert_int_eq(fd_pipe(p, 0), 0);
	ck_assert_int_eq(fd_write_all(p[1], "traded\n", 7, &e), 0);
	ck_assert_int_eq(dup3(p[0], 8, O_CLOEXEC), 8);
	ck_assert_int_eq(dup3(p[1], 9, O_CLOEXEC), 9);
	run("echo more >&8; head -n 1 <&9", NULL, (struct spawn_fd[]){ { 8, 9 }, { 9, 8 } }, 2,
	    &out);
	ck_assert_str_eq(out, "traded\n");
}
END_TEST

START_TEST(signals_are_default_and_unblocked)
{
	AUTO_FREE char *out = NULL;
	sigset_t all;

	sigfillset(&all);
	ck_assert_int_eq(sigprocmask(SIG_BLOCK, &all, NULL), 0);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	run("grep -E '^Sig(Blk|Ign)' /proc/self/status", NULL, NULL, 0, &out);
	/* glibc's posix_spawn leaves its own signals, 32 and 33, ignored */
	ck_assert_str_eq(out, "SigBlk:\t0000000000000000\nSigIgn:\t0000000180000000\n");
}
END_TEST

START_TEST(a_missing_program_is_told_at_once)
{
	char *argv[] = { (char *)"x", NULL };
	struct spawn_fd fds[] = { { 0, 0 }, { 1, 1 }, { 2, 2 } };
	struct spawn_request req = {
		.path = "/nonexistent/program",
		.argv = argv,
		.fds = fds,
		.n_fds = 3,
	};
	struct err e = { 0 };
	int pidfd = -1;
	pid_t pid = 0;

	ck_assert_int_eq(spawn_exec(&req, &pid, &pidfd, &e), -1);
	ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
	ck_assert_str_eq(e.msg, "spawn '/nonexistent/program': no such file or directory");
	ck_assert_int_eq(pid, 0);
	ck_assert_int_eq(pidfd, -1);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	req.path = "/etc/passwd";
	ck_assert_int_eq(spawn_exec(&req, &pid, &pidfd, &e), -1);
	ck_assert_int_eq(e.kind, ERR_DENIED);
}
END_TEST

START_TEST(a_bad_descriptor_is_told)
{
	char *argv[] = { (char *)"sh", NULL };
	struct spawn_fd fds[] = { { 0, 0 }, { 1, 1 }, { 2, 2 }, { 999, 3 } };
	struct spawn_request req = { .path = "/bin/sh", .argv = argv, .fds = fds, .n_fds = 4 };
	struct err e = { 0 };
	pid_t pid = 0;

	ck_assert_int_eq(spawn_exec(&req, &pid, NULL, &e), -1);
	ck_assert_str_eq(e.msg, "spawn '/bin/sh': duplicate descriptor 999: bad file descriptor");
}
END_TEST

UNIT_MAIN("spawn", a_program_runs_and_its_pidfd_tells_the_end, the_environment_is_what_was_given,
	  only_listed_descriptors_arrive, descriptors_may_trade_places,
	  signals_are_default_and_unblocked, a_missing_program_is_told_at_once,
	  a_bad_descriptor_is_told)
