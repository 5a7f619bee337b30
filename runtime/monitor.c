/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a monitor begins: document, log, socket, stdio, program; then the powers go.
 *
 * Whatever fails before the program runs becomes MSG_FAILED. The parsed document lives in an arena that is freed
 * before the monitor settles down, so that a thousand of them cost little.
 */
#include "runtime/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "oci/launch.h"
#include "runtime/confine.h"
#include "runtime/join.h"
#include "runtime/launch.h"
#include "runtime/monitor_parts.h"
#include "runtime/plan.h"

#define INIT_END_MS         100
#define STALL_NS            (30 * 1000000000LL)
#define DEFAULT_DETACH_KEYS "\x10\x11"

/* What is needed until the program runs. */
struct start {
	const struct monitor_args *args;
	struct arena *arena;
	struct launch_spec *launch;    /* or */
	struct exec_spec *exec;
	const struct launch_stdio *stdio;
	const char *id, *data_root, *socket_path, *cgroup_path;
	int ours[3], theirs[3];        /* pipe ends of stdin, stdout, stderr; -1 */
	struct launch_failure failure;
	struct stem_namespaces ready;  /* what no plan has taken */
};

static void start_done(struct start *s)
{
	for (int i = 0; i < 3; i++) {
		close_fd(&s->ours[i]);
		close_fd(&s->theirs[i]);
	}
	stem_namespaces_close(&s->ready);
	arena_free(s->arena);
	s->arena = NULL;
}

/* --- the document ---------------------------------------------------------------------------------- */

static int parse_document(struct start *s, const char *text, size_t n, struct err *e)
{
	const struct jschema *schema = s->args->is_exec ? &exec_spec_schema : &launch_spec_schema;
	void *spec = NULL;

	if (json_decode(text, n, schema, s->arena, NULL, NULL, &spec, e) < 0)
		return err_wrap(e, "%s document", s->args->is_exec ? "exec" : "launch");
	if (s->args->is_exec) {
		s->exec = spec;
		s->stdio = s->exec->stdio;
		s->id = s->exec->id;
		s->data_root = s->exec->data_root;
		s->socket_path = s->exec->socket_path;
		s->cgroup_path = s->exec->cgroup_path;
	} else {
		s->launch = spec;
		s->stdio = s->launch->stdio;
		s->id = s->launch->id;
		s->data_root = s->launch->data_root;
		s->socket_path = s->launch->socket_path;
		s->cgroup_path = s->launch->cgroup_path;
	}
	return 0;
}

/* That the group bears the container's id is what lets the launcher remove it. */
static int check_group(const struct start *s, struct err *e)
{
	const char *name = strrchr(s->cgroup_path, '/');

	if (s->args->is_exec)
		return 0;
	if (!name || strcmp(name + 1, s->id) != 0 || strlen(s->cgroup_path) >= SLOT_CGROUP_MAX)
		return err_set(e, ERR_INVALID, "cgroupPath: '%s' does not end in the container's id", s->cgroup_path);
	return 0;
}

static int check_document(const struct start *s, struct err *e)
{
	uint32_t version = s->exec ? s->exec->version : s->launch->version;

	if (version != LAUNCH_VERSION)
		return err_set(e, ERR_UNSUPPORTED, "version: %u, expected %d", version, LAUNCH_VERSION);
	if (strcmp(s->id, s->args->id) != 0)
		return err_set(e, ERR_INVALID, "id: not the one of the message");
	if (s->data_root[0] != '/' || s->socket_path[0] != '/')
		return err_set(e, ERR_INVALID, "dataRoot, socketPath: not absolute");
	if (s->stdio->capture_bytes > MSG_CAPTURE_MAX)
		return err_set(e, ERR_INVALID, "stdio.captureBytes: more than %d", MSG_CAPTURE_MAX);
	if (s->stdio->height > UINT16_MAX || s->stdio->width > UINT16_MAX)
		return err_set(e, ERR_INVALID, "stdio.height, stdio.width: more than %d", UINT16_MAX);
	return check_group(s, e);
}

static int read_document(struct start *s, struct err *e)
{
	AUTO_FREE char *text = NULL;
	size_t n = 0;

	if (lseek(s->args->spec_fd, 0, SEEK_SET) < 0)
		return err_sys(e, "read the document");
	if (fd_read_all(s->args->spec_fd, LAUNCH_MAX_BYTES, &text, &n, e) < 0)
		return err_wrap(e, "read the document");
	if (parse_document(s, text, n, e) < 0)
		return -1;
	return check_document(s, e);
}

/* --- what the program needs around it -------------------------------------------------------------- */

/* The directory of the log, below the data root; made when it is missing. */
static int open_log_dir(const struct start *s, const char *rel, int *ret_fd, struct err *e)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	AUTO_CLOSE int root = -1;

	if (path_open_dir(AT_FDCWD, s->data_root, O_PATH, &root, e) < 0)
		return -1;
	if (mkdirat(root, rel, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make the directory of the log '%s'", rel);
	*ret_fd = (int)syscall(SYS_openat2, root, rel, &how, sizeof how);
	return *ret_fd < 0 ? err_sys(e, "open the directory of the log '%s'", rel) : 0;
}

static int open_log(const struct start *s, int *ret_fd, struct jsonlog_rotation *ret, struct err *e)
{
	const char *path = s->stdio->log_path, *slash;
	size_t n_root = strlen(s->data_root);
	AUTO_FREE char *rel = NULL;

	*ret_fd = -1;
	if (str_is_empty(path))
		return 0;
	slash = strrchr(path, '/');
	if (!str_starts(path, s->data_root) || path[n_root] != '/' || slash <= path + n_root)
		return err_set(e, ERR_INVALID, "stdio.logPath: '%s' is not below a directory of the data root", path);
	if (strlen(slash + 1) >= sizeof ret->name)
		return err_set(e, ERR_INVALID, "stdio.logPath: the name of '%s' is too long", path);
	rel = xstrndup(path + n_root + 1, (size_t)(slash - path) - n_root - 1);
	if (open_log_dir(s, rel, &ret->dir_fd, e) < 0)
		return -1;
	snprintf(ret->name, sizeof ret->name, "%s", slash + 1);
	/* Only a directory that holds nothing else may become the monitor's root */
	ret->max_bytes = str_ends(rel, "/logs") ? s->stdio->log_max_bytes : 0;
	ret->max_files = s->stdio->log_max_files;
	*ret_fd = openat(ret->dir_fd, ret->name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, JSONLOG_MODE);
	return *ret_fd < 0 ? err_sys(e, "open the log '%s'", path) : 0;
}

static int open_streams(const struct start *s, struct monitor *m, struct err *e)
{
	struct jsonlog_rotation rotation = { .dir_fd = -1 };
	struct streams_config config = {
		.is_tty = s->stdio->tty,
		.has_stdin = s->stdio->open_stdin,
		.closes_stdin = s->args->is_exec || s->stdio->stdin_once,
		.capture_bytes = s->stdio->capture_bytes,
		.detach_keys = str_is_empty(s->stdio->detach_keys) ? DEFAULT_DETACH_KEYS : s->stdio->detach_keys,
		.log_attrs = str_is_empty(s->stdio->log_attrs) ? NULL : s->stdio->log_attrs,
		/* Nobody but its clients waits for an exec: it may wait for them. */
		.stall_ns = s->args->is_exec ? 0 : STALL_NS,
	};

	if (open_log(s, &config.log_fd, &rotation, e) < 0) {
		close_fd(&rotation.dir_fd);
		return -1;
	}
	if (rotation.max_bytes > 0 && rotation.max_files > 0) {
		config.log_rotation = &rotation;
	} else {
		close_fd(&rotation.dir_fd);
	}
	m->is_tty = config.is_tty;
	m->streams = streams_new(&config);
	return 0;
}

/* A monitor that has just been released may still listen there: its name goes to the new one. */
static int open_listener(const struct start *s, struct monitor *m, struct err *e)
{
	AUTO_FREE char *dir_path = xstrdup(s->socket_path);
	char *slash = strrchr(dir_path, '/');
	AUTO_CLOSE int dir = -1;

	*slash = '\0';
	if (path_open_dir(AT_FDCWD, dir_path, 0, &dir, ERR_IGNORED) < 0 &&
	    (path_mkdirs(AT_FDCWD, dir_path, 0700, e) < 0 || path_open_dir(AT_FDCWD, dir_path, 0, &dir, e) < 0))
		return err_wrap(e, "monitor's socket");
	unlinkat(dir, slash + 1, 0);
	if (fd_listen_unix(dir, slash + 1, SOCK_SEQPACKET | SOCK_NONBLOCK, 0600, &m->listen_fd, e) < 0)
		return err_wrap(e, "monitor's socket");
	return 0;
}

static int make_pipe(int *ret_read, int *ret_write, struct err *e)
{
	int fds[2];

	if (fd_pipe(fds, 0) < 0)
		return err_sys(e, "make a pipe");
	*ret_read = fds[0];
	*ret_write = fds[1];
	return 0;
}

static int make_stdio(struct start *s, struct err *e)
{
	if (s->stdio->tty)
		return 0;
	if (make_pipe(&s->ours[1], &s->theirs[1], e) < 0 || make_pipe(&s->ours[2], &s->theirs[2], e) < 0)
		return -1;
	if (s->stdio->open_stdin)
		return make_pipe(&s->theirs[0], &s->ours[0], e);
	s->theirs[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return s->theirs[0] < 0 ? err_sys(e, "open /dev/null") : 0;
}

/* --- the program ----------------------------------------------------------------------------------- */

static int run_launch(struct start *s, const struct launch_stdio_fds *stdio, struct launched *ret, struct err *e)
{
	const struct monitor_args *a = s->args;
	struct launch_plan *plan = NULL;
	int rc;

	if (a->clears_group && cgroup_remove(s->cgroup_path, e) < 0)
		return err_wrap(e, "what is left of the last run");
	if (launch_plan_build(s->launch, a->bind_fds, a->n_bind_fds, stdio, s->arena, &plan, e) < 0)
		return -1;
	launch_plan_take_ready(plan, &s->ready, s->arena);
	memcpy(a->page->cgroup_path, s->cgroup_path, strlen(s->cgroup_path) + 1);
	rc = launch(plan, &a->page->marks, NULL, ret, &s->failure, e);
	/* The child may have shared our memory, and what a change of user makes of it depends on fs.suid_dumpable. */
	prctl(PR_SET_DUMPABLE, 0);
	launch_plan_done(plan);
	return rc;
}

/*
 * Much can fail because the container is ending: then that is what is told. A PID 1 that is just ending has no room for
 * processes (ENOMEM) a little before its pidfd tells.
 */
static void blame_the_end(const struct start *s, struct err *e)
{
	struct pollfd init = { .fd = s->args->container_pidfd, .events = POLLIN };

	if (s->failure.exit_code <= 125 && poll(&init, 1, e->sys == ENOMEM ? INIT_END_MS : 0) > 0)
		err_set(e, ERR_CONFLICT, "the container is not running");
}

static int run_join(struct start *s, const struct launch_stdio_fds *stdio, struct launched *ret, struct err *e)
{
	struct join_plan *plan = NULL;
	int rc = join_plan_build(s->exec, s->args->container_pidfd, stdio, s->arena, &plan, e);

	if (rc == 0)
		rc = join(plan, &s->args->page->marks, ret, &s->failure, e);
	prctl(PR_SET_DUMPABLE, 0);   /* as in run_launch() */
	join_plan_done(plan);
	if (rc < 0)
		blame_the_end(s, e);
	return rc;
}

/* The launcher keeps copies of our ends, so that our death kills no program by SIGPIPE, SIGHUP or an end of input. */
static void hold_stdio(const struct start *s, const struct monitor *m)
{
	struct poke p = { .op = POKE_HOLD, .slot = m->slot_index };
	bool may_end = m->is_exec || s->stdio->stdin_once || s->ours[0] < 0;
	int fds[POKE_FDS_] = {
		[POKE_FD_OUT] = s->ours[1], [POKE_FD_ERR] = s->ours[2], [POKE_FD_IN] = s->ours[0],
	};

	if (fd_send_msg(m->poke_fd, &p, sizeof p, fds, m->is_tty ? 1 : may_end ? 2 : 3) < 0)
		log_warn("monitor: tell the launcher: %s, going on", strerror(errno));
}

static int run(struct start *s, const struct monitor *m, struct launched *ret, struct err *e)
{
	struct launch_stdio_fds fds;
	int rc;

	if (make_stdio(s, e) < 0)
		return -1;
	/* Before there is a program that could miss them. A terminal is made by the program's first process. */
	if (!m->is_tty)
		hold_stdio(s, m);
	fds = (struct launch_stdio_fds){ .in = s->theirs[0], .out = s->theirs[1], .err = s->theirs[2] };
	rc = s->exec ? run_join(s, s->stdio->tty ? NULL : &fds, ret, e) :
		       run_launch(s, s->stdio->tty ? NULL : &fds, ret, e);
	if (rc < 0) {
		/* Nothing is left that the launcher could inherit or would have to remove. */
		s->args->page->marks.init = 0;
		s->args->page->cgroup_path[0] = '\0';
	}
	return rc;
}

static void settle(struct start *s, struct monitor *m, struct launched *l)
{
	struct err e = { 0 };

	m->pid = l->pid;
	m->pidfd = TAKE_FD(l->pidfd);
	m->cgroup = TAKE_PTR(l->cgroup);
	if (m->cgroup)
		cgroup_keep_counter(m->cgroup);
	if (exitrec_start(&m->record, m->pid, &e) < 0 || exitrec_write(m->record_fd, &m->record, &e) < 0)
		log_warn("monitor: %s, going on", e.msg);
	if (m->is_tty) {
		s->ours[1] = TAKE_FD(l->pty_fd);
		hold_stdio(s, m);
	}
	m->news |= NEWS_STARTED;
	monitor_send_news(m);
	atomic_store(&m->page->is_settled, 1);
	if (s->exec && s->exec->timeout_ms > 0)
		m->kill_due_ns = clock_mono_ns() + (int64_t)s->exec->timeout_ms * 1000000;
	streams_connect(m->streams, TAKE_FD(s->ours[0]), TAKE_FD(s->ours[1]), TAKE_FD(s->ours[2]));
}

static void fail(struct monitor *m, const struct launch_failure *f, const struct err *e)
{
	int64_t now_ns = clock_mono_ns();

	m->failure = (struct msg_failed){
		.head = proto_head(MSG_FAILED, sizeof m->failure), .stage = f->stage,
		.exit_code = f->exit_code ? f->exit_code : 125, .err = *e,
	};
	m->has_failed = true;
	atomic_store(&m->page->is_recorded, 1);
	atomic_store(&m->page->is_settled, 1);
	m->is_reported = true;
	m->close_due_ns = now_ns + MONITOR_CLOSE_NS;
	m->news |= NEWS_FAILED;
}

/*
 * A kilnd that began while we had no socket yet does not know of this exec, and will not ask for its end. One that came
 * after the socket waits there already. (The start of a container is looked for until it is found.)
 */
static bool is_awaited(const struct monitor *m)
{
	struct pollfd p = { .fd = m->listen_fd, .events = POLLIN };

	return m->control_fd >= 0 || poll(&p, 1, 0) > 0;
}

static int start_program(struct start *s, struct monitor *m, struct err *e)
{
	struct launched launched = LAUNCHED_EMPTY;

	if (read_document(s, e) < 0 || open_streams(s, m, e) < 0 || open_listener(s, m, e) < 0)
		return -1;
	/* Clients that were attached before the start are there before any output is read. */
	monitor_read_kilnd(m);
	if (m->is_exec && !is_awaited(m))
		return err_set(e, ERR_CONFLICT, "kilnd went away before the start");
	if (run(s, m, &launched, e) < 0)
		return -1;
	settle(s, m, &launched);
	return 0;
}

/* --- the role -------------------------------------------------------------------------------------- */

static void monitor_init(struct monitor *m, const struct monitor_args *a)
{
	*m = (struct monitor){
		.is_exec = a->is_exec, .slot_index = a->slot_index, .page = a->page, .poke_fd = a->poke_fd,
		.record_fd = a->record_fd, .control_fd = a->control_fd, .listen_fd = -1,
		.container_pidfd = a->container_pidfd, .pidfd = -1, .kill_due_ns = MONITOR_NEVER,
		.report_due_ns = MONITOR_NEVER, .stop_due_ns = MONITOR_NEVER, .close_due_ns = MONITOR_NEVER,
	};
	snprintf(m->id, sizeof m->id, "%s", a->id);
	a->page->marks.init = 0;   /* touched: the kernel's write at clone must not have to fault */
	fd_set_nonblock(m->control_fd, true);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, SIG_IGN);   /* of systemd, which stops the scope: the program is asked to end, we tell its end */
	prctl(PR_SET_NAME, "kiln-monitor");
	log_field("id", m->id);
}

/* Between the program's start and its first byte. Who rotates a log sees nothing of the machine but that log's directory. */
static int give_up_power(struct monitor *m, struct err *e)
{
	int log_dir = streams_log_dir(m->streams);

	malloc_trim(0);
	if (log_dir >= 0 && (fchdir(log_dir) < 0 || chroot(".") < 0))
		return err_sys(e, "monitor: enter the log's directory");
	return confine(&(struct confine_needs){ .kills = m->kill_due_ns == MONITOR_NEVER ? 0 : m->pid, .pidfd = m->pidfd,
						.makes_files = log_dir >= 0 }, e);
}

int monitor_main(const struct monitor_args *args)
{
	struct monitor m;
	struct start s = { .args = args, .arena = arena_new(), .ours = { -1, -1, -1 }, .theirs = { -1, -1, -1 },
			   .ready = args->ready };
	int spec_fd = args->spec_fd;
	struct err e = { 0 };

	monitor_init(&m, args);
	if (start_program(&s, &m, &e) < 0)
		fail(&m, &s.failure, &e);
	start_done(&s);
	close_fd(&spec_fd);
	if (!m.streams) {
		monitor_send_news(&m);
		return 0;
	}
	if (give_up_power(&m, &e) < 0) {
		/* The program runs on without us, under the launcher. */
		log_err("%s", e.msg);
		return 1;
	}
	monitor_loop(&m);
	streams_free(m.streams);
	return 0;
}
