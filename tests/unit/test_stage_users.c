/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names to numbers by files of an untrusted root. The stage ends its process when it refuses, so each case runs in
 * a child that answers over the stage's own socket.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/own.h"
#include "base/str.h"
#include "runtime/stages.h"
#include "tests/unit/unit.h"

static int root_fd = -1;

static void put(const char *path, const char *text)
{
	char dir[256];
	AUTO_CLOSE int fd = -1;

	snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path), path);
	mkdirat(root_fd, dir, 0755);
	fd = openat(root_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void make_root(void)
{
	root_fd = open(unit_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(root_fd, 0);
	put("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
			  "# a comment\n"
			  "broken:x:1\n"
			  "bad:x:-1:5::/bad:\n"
			  "huge:x:4294967296:0::/huge:\n"
			  "1234:x:0:0::/trap:\n"
			  "joe:x:1000:1001::/home/joe:/bin/sh\n"
			  "nohome:x:7:7:::\n"
			  "joe:x:2000:2000::/second:/bin/sh");
	put("etc/group",
	    "root:x:0:\nwheel:x:10:root,joe\nalmost:x:11:joey,jo\naud:x:29:x,joe\njoes:x:1001:joe\nlast:x:30:joe");
}

/* In the child: the answer, "uid:gid groups home", as a message that is no failure. */
static void child(const char *text, uint32_t uid, int sock)
{
	static uint32_t groups[IDENTITY_GROUPS_MAX];
	static char home[5 + IDENTITY_HOME_MAX] = "HOME=";
	char *env[2] = { NULL };
	struct process_plan p = {
		.identity = { .text = text, .uid = uid, .gid = uid, .groups = groups, .home = home },
		.env = env,
		.env_home_slot = env
	};
	struct stage_ctx c = { .report_fd = sock, .root_fd = root_fd };
	char answer[512];
	size_t n;

	stage_users(&c, &p);
	n = (size_t)snprintf(answer, sizeof(answer), "%u:%u", p.identity.uid, p.identity.gid);
	for (size_t i = 0; i < p.identity.n_groups; i++)
		n += (size_t)snprintf(answer + n, sizeof(answer) - n, "%c%u", i == 0 ? ' ' : ',',
				      groups[i]);
	n += (size_t)snprintf(answer + n, sizeof(answer) - n, " %s", env[0]);
	send(sock, answer, n + 1, 0);
	_exit(0);
}

/* Return: the answer, or the message of the refusal behind "!" */
static const char *resolve(const char *text, uint32_t uid)
{
	static char answer[1024];
	struct stage_msg m;
	int pair[2], status;
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	if (pid == 0)
		child(text, uid, pair[1]);
	close(pair[1]);
	n = recv(pair[0], answer, sizeof(answer), 0);
	close(pair[0]);
	waitpid(pid, &status, 0);
	if (n != sizeof(m))
		return answer;
	memcpy(&m, answer, sizeof(m));
	ck_assert_int_eq(WEXITSTATUS(status), 125);
	ck_assert_uint_eq(m.stage, STAGE_USERS);
	snprintf(answer, sizeof(answer), "!%s", m.err.msg);
	return answer;
}

START_TEST(names_and_numbers)
{
	make_root();
	ck_assert_str_eq(resolve("joe", 0), "1000:1001 10,29,1001,30 HOME=/home/joe");
	ck_assert_str_eq(resolve("1000", 0), "1000:1001 10,29,1001,30 HOME=/home/joe");
	ck_assert_str_eq(resolve("", 0), "0:0 10,0 HOME=/root");
	ck_assert_str_eq(resolve("joe:wheel", 0), "1000:10 10 HOME=/home/joe");
	ck_assert_str_eq(resolve("joe:77", 0), "1000:77 77 HOME=/home/joe");
	ck_assert_str_eq(resolve(":wheel", 0), "0:10 10 HOME=/root");
	ck_assert_str_eq(resolve("555", 0), "555:0 0 HOME=/");
	ck_assert_str_eq(resolve("nohome", 0), "7:7 7 HOME=/");
	ck_assert_str_eq(resolve("2147483647:2147483647", 0),
			 "2147483647:2147483647 2147483647 HOME=/");
}
END_TEST

START_TEST(numbers_of_the_document_only_find_the_home)
{
	make_root();
	ck_assert_str_eq(resolve(NULL, 1000), "1000:1000 1000 HOME=/home/joe");
	ck_assert_str_eq(resolve(NULL, 5), "5:5 5 HOME=/");
}
END_TEST

START_TEST(unknown_names_are_docker_s_errors)
{
	make_root();
	ck_assert_str_eq(resolve("nobody", 0),
			 "!unable to find user nobody: no matching entries in passwd file");
	ck_assert_str_eq(resolve("joe:none", 0),
			 "!unable to find group none: no matching entries in group file");
	ck_assert_str_eq(resolve("-1", 0),
			 "!unable to find user -1: no matching entries in passwd file");
	ck_assert_str_eq(resolve("1 2", 0),
			 "!unable to find user 1 2: no matching entries in passwd file");
	ck_assert_str_eq(resolve("broken", 0),
			 "!unable to find user broken: no matching entries in passwd file");
	ck_assert_str_eq(resolve("bad", 0),
			 "!unable to find user bad: no matching entries in passwd file");
	ck_assert_str_eq(resolve("huge", 0),
			 "!unable to find user huge: no matching entries in passwd file");
}
END_TEST

/* CVE-2024-40635, CVE-2026-46680 */
START_TEST(numbers_never_wrap_and_never_become_names)
{
	make_root();
	ck_assert_str_eq(resolve("4294967296", 0),
			 "!uids and gids must be in range 0-2147483647: 4294967296");
	ck_assert_str_eq(resolve("2147483648", 0),
			 "!uids and gids must be in range 0-2147483647: 2147483648");
	ck_assert_str_eq(resolve("99999999999999999999999", 0),
			 "!uids and gids must be in range 0-2147483647: 99999999999999999999999");
	ck_assert_str_eq(resolve("1:4294967296", 0),
			 "!uids and gids must be in range 0-2147483647: 4294967296");
	ck_assert_str_eq(resolve("1234", 0), "1234:0 0 HOME=/");
}
END_TEST

START_TEST(without_files_there_are_only_numbers)
{
	root_fd = open(unit_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_str_eq(resolve("", 0), "0:0 0 HOME=/");
	ck_assert_str_eq(resolve("5:6", 0), "5:6 6 HOME=/");
	ck_assert_str_eq(resolve("root", 0),
			 "!unable to find user root: no matching entries in passwd file");
}
END_TEST

/* CVE-2024-9676, CVE-2026-47262 */
START_TEST(files_that_are_no_files_are_refused)
{
	make_root();
	ck_assert_int_eq(unlinkat(root_fd, "etc/passwd", 0), 0);
	ck_assert_int_eq(mkfifoat(root_fd, "etc/passwd", 0644), 0);
	ck_assert_str_eq(resolve("joe", 0), "!'/etc/passwd' in the container is not a regular file");
	ck_assert_int_eq(unlinkat(root_fd, "etc/passwd", 0), 0);
	ck_assert_int_eq(mkdirat(root_fd, "etc/passwd", 0755), 0);
	ck_assert_str_eq(resolve("joe", 0), "!'/etc/passwd' in the container is not a regular file");
}
END_TEST

START_TEST(endless_files_are_refused)
{
	AUTO_CLOSE int fd = -1;

	make_root();
	fd = openat(root_fd, "etc/group", O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(ftruncate(fd, 4ll << 30), 0);
	ck_assert_str_eq(resolve("joe:none", 0),
			 "!'/etc/group' in the container is larger than 1 MiB");
}
END_TEST

/* A link to the host's own file stays inside the root */
START_TEST(links_stay_inside)
{
	make_root();
	put("etc/other", "root:x:0:0::/inside:\n");
	ck_assert_int_eq(unlinkat(root_fd, "etc/passwd", 0), 0);
	ck_assert_int_eq(symlinkat("../../../../etc/other", root_fd, "etc/passwd"), 0);
	ck_assert_str_eq(resolve("root", 0), "0:0 10,0 HOME=/inside");
}
END_TEST

START_TEST(long_lines_are_skipped)
{
	AUTO_STRBUF struct strbuf b = { 0 };

	make_root();
	strbuf_adds(&b, "joe:x:3:3:");
	for (size_t i = 0; i < 20000; i++)
		strbuf_addc(&b, 'x');
	strbuf_adds(&b, ":/long:\njoe:x:4:4::/short:\n");
	put("etc/passwd", b.data);
	ck_assert_str_eq(resolve("joe:0", 0), "4:0 0 HOME=/short");
}
END_TEST

UNIT_MAIN("stage_users", names_and_numbers, numbers_of_the_document_only_find_the_home,
	  unknown_names_are_docker_s_errors, numbers_never_wrap_and_never_become_names,
	  without_files_there_are_only_numbers, files_that_are_no_files_are_refused,
	  endless_files_are_refused, links_stay_inside, long_lines_are_skipped)
