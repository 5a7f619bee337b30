/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * One thread, one poll loop: signals, the listening socket, the connection to kilnd, the socket by which monitors
 * ask to be looked at, and the output of orphans. It never mounts and opens no path of a container, so that a dead
 * file system cannot block it. launcher_requests.c has what kilnd asks, launcher_fork.c makes the monitors, launcher_children.c
 * has what children do.
 *
 * A monitor's program becomes our child when the monitor dies (we are a subreaper). Children are looked at by
 * waitid(WNOWAIT) and only reaped once their exit is on disk. The order in which the kernel shows a dead monitor
 * and its dead program is not fixed, so each child is first looked up as a monitor, then as a program.
 *
 * The control group of a container is removed here, since its monitor has no power left to do it: when the
 * monitor pokes us after init's end (before it tells kilnd, and thus before kilnd can ask for a new launch of the
 * same group), or when the program of a dead monitor ends, or when a monitor ends.
 *
 * We hold descriptors of every container. A fork copies all of them, and its child closes the copies: with a thousand containers that takes
 * longer than all else. A stem shares our table instead until it has one of its own, of the low descriptors only (CLOSE_RANGE_UNSHARE); we
 * wait for its word, since until then what we close is closed in it. A monitor that somebody waits for is a plain fork where no stem is ready.
 */
#include "runtime/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defence.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/cgroup.h"
#include "runtime/clone_shared.h"
#include "runtime/launcher_parts.h"
#include "runtime/launcher_root.h"
#include "runtime/launcher_sweep.h"
#include "runtime/rehearsal.h"
#include "runtime/scope.h"
#include "runtime/selfcopy.h"

#define POLL_OWN 4      /* the launcher's own descriptors */
#define POLL_MAX 512    /* orphans beyond these are not drained until others have ended */

static int timeout_ms(const struct launcher *l)
{
	int clean_ms = launcher_clean_timeout_ms(l), stem_ms = stems_timeout_ms(&l->stems, clock_mono_ns());

	return clean_ms < 0 || (stem_ms >= 0 && stem_ms < clean_ms) ? stem_ms : clean_ms;
}

static void loop(struct launcher *l)
{
	while (!l->is_ending || l->slots.n_in_use > 0) {
		struct pollfd set[POLL_MAX] = {
			{ .fd = l->signal_fd, .events = POLLIN },
			{ .fd = l->poke[0], .events = POLLIN },
			{ .fd = l->kilnd_fd, .events = POLLIN },
			{ .fd = l->listen_fd, .events = POLLIN },
		};
		size_t n = POLL_OWN + launcher_poll_orphans(l, set + POLL_OWN, POLL_MAX - POLL_OWN);

		int n_ready = poll(set, n, timeout_ms(l));

		if (n_ready < 0) {
			/* It cannot be left: all that it has started would lose its parent. */
			BUG(errno != EINTR && errno != ENOMEM && errno != EAGAIN, "poll: %s", strerror(errno));
			continue;
		}
		launcher_clean_again(l);
		if (n_ready == 0)
			launcher_make_stem(l);
		if (set[1].revents)
			launcher_read_pokes(l);
		if (set[0].revents)
			launcher_on_signals(l);
		if (n > POLL_OWN)
			launcher_drain_orphans(l);
		if (set[2].revents && l->kilnd_fd >= 0)
			launcher_read_kilnd(l);
		if (set[3].revents && l->listen_fd >= 0)
			launcher_accept(l);
	}
}

static int open_signals(struct launcher *l, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	l->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (l->signal_fd < 0)
		return err_sys(e, "launcher: signalfd");
	return 0;
}

static int listen_for_kilnd(struct launcher *l, struct err *e)
{
	AUTO_FREE char *path = xasprintf("%s/" LAUNCHER_SOCKET_DIR, l->exec_root);
	AUTO_CLOSE int dir = -1;

	if (path_mkdirs(AT_FDCWD, path, 0700, e) < 0 || path_open_dir(AT_FDCWD, path, 0, &dir, e) < 0)
		return err_wrap(e, "launcher");
	if (fchmod(dir, DEFENCE(SOCKETS_ARE_PRIVATE, 0700, 0755)) < 0)
		return err_sys(e, "launcher: protect '%s'", path);
	if (fd_listen_unix(dir, LAUNCHER_SOCKET_NAME, SOCK_SEQPACKET | SOCK_NONBLOCK,
			   DEFENCE(SOCKETS_ARE_PRIVATE, 0600, 0666), &l->listen_fd, e) < 0)
		return err_wrap(e, "launcher");
	return 0;
}

static void rehearse_once(const struct launcher *l)
{
	struct err e = { 0 };

	if (rehearse(l->data_root, &e) < 0)
		log_warn("launcher: %s, going on", e.msg);
}

/* It takes a power that not each launcher has, and not all policies come back as they were. For a process that is used no more. */
static bool comes_back_from_idle(void)
{
	struct sched_param none = { 0 };

	return sched_getscheduler(0) == SCHED_OTHER && sched_setscheduler(0, SCHED_IDLE, &none) == 0 &&
	       sched_setscheduler(0, SCHED_OTHER, &none) == 0;
}

/*
 * Done once here instead of in each monitor: the libraries set themselves up in pages that all monitors then
 * share, and the default filter is in the cache before the first container asks for it. It is built in a child,
 * since building leaves holes all over the heap, which each monitor would fill with pages of its own.
 */
static void warm_up(struct launcher *l)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0) {
		rehearse_once(l);
		_exit(comes_back_from_idle() ? 0 : 1);
	}
	l->can_idle = pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
	rehearse_once(l);
	clone_shared_works();
	malloc_trim(0);
}

/* Without it containers run all the same, in a group that systemd does not know: kilnd sees where we are. */
static void enter_scope(const struct launcher *l)
{
	struct err e = { 0 };

	if (l->scope && scope_enter(l->scope, &e) < 0)
		log_warn("launcher: scope '%s': %s, going on without it", l->scope, e.msg);
}

static int prepare(struct launcher *l, struct err *e)
{
	struct rlimit files;

	prctl(PR_SET_NAME, "kiln-launcher");
	umask(022);
	if (setsid() < 0 && errno != EPERM)
		return err_sys(e, "launcher: setsid");
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_sys(e, "launcher: prctl");
	/* One descriptor for each running container. Programs get their own limits from their documents. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (open_signals(l, e) < 0 || slots_init(&l->slots, e) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, l->poke) < 0)
		return err_sys(e, "launcher: socketpair");
	fd_set_nonblock(l->poke[0], true);   /* ours; a monitor waits until its word fits */
	enter_scope(l);
	if (launcher_root_enter(l->data_root, l->exec_root, e) < 0)
		return -1;
	if (cgroup_setup(e) < 0)
		return -1;
	warm_up(l);
	launcher_sweep_sockets(l->exec_root, "c");
	launcher_sweep_sockets(l->exec_root, "x");
	return listen_for_kilnd(l, e);
}

static int parse_args(struct launcher *l, int argc, char **argv, struct err *e)
{
	enum log_level level = LOG_LVL_INFO;
	bool is_json = false;
	uint64_t n_stems = 0;

	for (int i = 1; i < argc; i += 2) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (!value)
			return err_set(e, ERR_INVALID, "launcher: '%s' needs a value", argv[i]);
		if (str_eq(argv[i], "--data-root"))
			l->data_root = xstrdup(value);
		else if (str_eq(argv[i], "--exec-root"))
			l->exec_root = xstrdup(value);
		else if (str_eq(argv[i], "--scope"))
			l->scope = xstrdup(value);
		else if (str_eq(argv[i], "--stems")) {
			if (!str_to_u64(value, &n_stems))
				return err_set(e, ERR_INVALID, "launcher: --stems: '%s' is no number of them", value);
		} else if (str_eq(argv[i], "--log-format"))
			is_json = str_eq(value, "json");
		else if (!str_eq(argv[i], "--log-level"))
			return err_set(e, ERR_INVALID, "launcher: unknown option '%s'", argv[i]);
		else if (!log_level_parse(value, &level))
			return err_set(e, ERR_INVALID, "launcher: unknown log level '%s'", value);
	}
	if (!l->data_root || !l->exec_root || l->data_root[0] != '/' || l->exec_root[0] != '/')
		return err_set(e, ERR_INVALID, "launcher: --data-root and --exec-root must be absolute paths");
	stems_init(&l->stems, (size_t)n_stems);
	l->log_level = level;
	l->log_is_json = is_json;
	log_init("kiln-launcher", STDERR_FILENO, level, is_json);
	return 0;
}

int launcher_main(int argc, char **argv)
{
	static struct launcher l = { .signal_fd = -1, .listen_fd = -1, .kilnd_fd = -1, .poke = { -1, -1 } };
	struct err e = { 0 };

	log_init("kiln-launcher", STDERR_FILENO, LOG_LVL_INFO, false);
	/* For the copy: chunks that malloc caches would keep a monitor from giving its pages back. */
	setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1);
	if (selfcopy_ensure(argv, SELFCOPY_MEMFD, &e) < 0 || parse_args(&l, argc, argv, &e) < 0 || prepare(&l, &e) < 0) {
		log_err("%s", e.msg);
		return err_exit_code(e.kind);
	}
	log_info("launcher: ready");
	loop(&l);
	return 0;
}
