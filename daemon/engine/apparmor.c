/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/apparmor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/own.h"
#include "base/spawn.h"
#include "base/str.h"
#include "oci/options_rules.h"

#define SWITCH       "/sys/module/apparmor/parameters/enabled"
#define PROFILES     "/sys/kernel/security/apparmor/profiles"
#define PROFILES_MAX (4u << 20)
#define SAID_MAX     4096
#define WAIT_MS      30000

static const char *const parsers[] = { "/sbin/apparmor_parser", "/usr/sbin/apparmor_parser" };

__asm__(".pushsection .rodata\n"
	"apparmor_default_:\n"
	".incbin \"contrib/apparmor/docker-default\"\n"
	".byte 0\n"
	".popsection\n");

extern const char apparmor_default_[];

static const char *parser(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(parsers); i++)
		if (access(parsers[i], X_OK) == 0)
			return parsers[i];
	return NULL;
}

/* Lines "docker-default (enforce)" */
static bool is_loaded(const char *name)
{
	AUTO_FREE char *text = NULL;
	AUTO_FREE char *start = xasprintf("%s (", name);
	char *rest;

	if (file_read(AT_FDCWD, PROFILES, PROFILES_MAX, &text, NULL, ERR_IGNORED) < 0)
		return false;
	rest = text;
	for (char *line; (line = strsep(&rest, "\n")) != NULL;)
		if (str_starts(line, start))
			return true;
	return false;
}

struct apparmor_facts apparmor_read(void)
{
	struct apparmor_facts f = {0};
	AUTO_FREE char *text = NULL;

	if (file_read(AT_FDCWD, SWITCH, 16, &text, NULL, ERR_IGNORED) < 0 || text[0] != 'Y')
		return f;
	f.is_on = access(PROFILES, R_OK) == 0;
	if (!f.is_on)
		log_warn("AppArmor is on, but '%s' cannot be read: containers are not confined by it; mount securityfs", PROFILES);
	f.has_default = f.is_on && (parser() || is_loaded(OPTIONS_APPARMOR_DEFAULT));
	if (f.is_on && !f.has_default)
		log_warn("AppArmor is on, but there is no '%s' to load the profile '%s' with: containers are not confined by it; "
			 "install the package 'apparmor'", parsers[0], OPTIONS_APPARMOR_DEFAULT);
	return f;
}

/* --- loading ---------------------------------------------------------------------------------------------- */

static int wait_for(pid_t pid, int pidfd, siginfo_t *ret, struct err *e)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	bool is_late;
	int n;

	do
		n = poll(&p, 1, WAIT_MS);
	while (n < 0 && errno == EINTR);
	is_late = n == 0;
	if (is_late)
		pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	while (waitid(P_PID, (id_t)pid, ret, WEXITED) < 0)
		if (errno != EINTR)
			return err_sys(e, "wait for it");
	return is_late ? err_set(e, ERR_TIMEOUT, "it was not done after %d s", WAIT_MS / 1000) : 0;
}

/* What it has said, in one line */
static int failed(int said_fd, const siginfo_t *info, struct err *e)
{
	char text[SAID_MAX];
	ssize_t n = pread(said_fd, text, sizeof text - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
	return err_set(e, ERR_SYSTEM, "%s %d: %.300s", info->si_code == CLD_EXITED ? "status" : "signal", info->si_status, text);
}

static int run_parser(const char *path, struct err *e)
{
	/* -K: no cache to write; -r: also when it is there by now. It reads its standard input */
	char *const argv[] = { (char *)(uintptr_t)"apparmor_parser", (char *)(uintptr_t)"-Kr", NULL };
	AUTO_CLOSE int said = memfd_create("apparmor_parser", MFD_CLOEXEC);
	AUTO_CLOSE int profile = -1, pidfd = -1;
	siginfo_t info = {0};
	pid_t pid = 0;

	if (said < 0)
		return err_sys(e, "make a file in memory");
	if (fd_memfd_sealed("docker-default", apparmor_default_, strlen(apparmor_default_), &profile, e) < 0)
		return -1;
	if (lseek(profile, 0, SEEK_SET) < 0)
		return err_sys(e, "rewind the profile");
	if (spawn_exec(&(struct spawn_request){ .path = path, .argv = argv, .n_fds = 3,
						.fds = (const struct spawn_fd[]){ { profile, 0 }, { said, 1 }, { said, 2 } } },
		       &pid, &pidfd, e) < 0)
		return -1;
	if (wait_for(pid, pidfd, &info, e) < 0)
		return -1;
	return info.si_code == CLD_EXITED && info.si_status == 0 ? 0 : failed(said, &info, e);
}

int apparmor_ensure(struct err *e)
{
	static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
	const char *path = parser();
	int rc = 0;

	pthread_mutex_lock(&one_at_a_time);
	if (!is_loaded(OPTIONS_APPARMOR_DEFAULT)) {
		rc = path ? run_parser(path, e) : err_set(e, ERR_SYSTEM, "there is no '%s'; install the package 'apparmor'", parsers[0]);
		if (rc < 0)
			err_wrap(e, "load AppArmor profile '%s': apparmor_parser", OPTIONS_APPARMOR_DEFAULT);
		else
			log_info("AppArmor profile '%s' is loaded", OPTIONS_APPARMOR_DEFAULT);
	}
	pthread_mutex_unlock(&one_at_a_time);
	return rc;
}
