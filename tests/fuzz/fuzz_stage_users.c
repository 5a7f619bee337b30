/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's own /etc/passwd and /etc/group: any files give numbers or a refusal, and never more than there is
 * room for. The input is "user\0passwd\0group". A refusal ends the process in a container; here it jumps back.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "runtime/stages.h"
#include "tests/fuzz/tar_fuzz.h"

static jmp_buf refused;

/* In place of stage_report.c */
void stage_die(const struct stage_ctx *c, const char *what, ...)
{
	(void)c;
	FUZZ_CHECK(what[0]);
	longjmp(refused, 1);
}

void stage_refuse(const struct stage_ctx *c, enum err_kind kind, int exit_code, int sys, const char *what, ...)
{
	(void)c;
	(void)sys;
	FUZZ_CHECK(kind == ERR_INVALID && exit_code == 125 && what[0]);
	longjmp(refused, 1);
}

void stage_enter(struct stage_ctx *c, enum stage at)
{
	c->at = at;
}

static void put(int dir, const char *name, const char *data, size_t n)
{
	AUTO_CLOSE int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	FUZZ_CHECK(fd >= 0 && write(fd, data, n) == (ssize_t)n);
}

/* The root is made once; its two files are written anew for each input */
static int root_of_the_test(void)
{
	static int root = -1;

	if (root < 0) {
		root = tar_fuzz_dir();
		FUZZ_CHECK(mkdirat(root, "etc", 0755) == 0);
	}
	return root;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint32_t groups[IDENTITY_GROUPS_MAX];
	static char home[sizeof("HOME=") + IDENTITY_HOME_MAX];
	AUTO_FREE char *text = fuzz_text(data, n);
	size_t n_user = strlen(text);
	const char *passwd = n_user < n ? text + n_user + 1 : text + n;
	size_t n_passwd = strlen(passwd);
	const char *group = passwd + n_passwd < text + n ? passwd + n_passwd + 1 : text + n;
	char *extra[] = { (char *)"audio" }, *env[2] = { NULL };
	struct stage_ctx c = { .report_fd = -1, .root_fd = root_of_the_test() };
	struct process_plan p = { .env = env, .env_home_slot = env };
	int next_fd;

	put(c.root_fd, "etc/passwd", passwd, n_passwd);
	put(c.root_fd, "etc/group", group, (size_t)(text + n - group));
	memcpy(home, "HOME=", sizeof("HOME="));
	p.identity = (struct stage_identity){ .text = text, .groups = groups, .home = home, .extra = extra,
					      .n_extra = n % 2 };
	next_fd = fcntl(c.root_fd, F_DUPFD_CLOEXEC, 0);
	close(next_fd);
	if (setjmp(refused) == 0) {
		stage_users(&c, &p);
		FUZZ_CHECK(p.identity.n_groups > 0 && p.identity.n_groups <= IDENTITY_GROUPS_MAX);
		FUZZ_CHECK(strncmp(env[0], "HOME=", 5) == 0 && strlen(env[0]) < sizeof home);
		FUZZ_CHECK(p.identity.uid != UINT32_MAX && p.identity.gid != UINT32_MAX);
		FUZZ_CHECK(fcntl(next_fd, F_GETFD) < 0);   /* nothing stays open */
	}
	close(next_fd);
	return 0;
}
