/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/unpack_child.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/spawn.h"

struct unpack_child {
	struct loop *l;
	struct unpack_request req;
	struct loop_watch *watch;
	pid_t pid;
	int pidfd, result_fd;
	siginfo_t end;
	struct err err;
};

static void child_free(struct unpack_child *c)
{
	loop_watch_free(c->watch);
	close_fd(&c->pidfd);
	close_fd(&c->result_fd);
	free(c);
}

static int check_end(const struct unpack_child *c, struct err *e)
{
	if (c->end.si_code == CLD_EXITED && (c->end.si_status == 0 || c->end.si_status == 1))
		return 0;   /* it has told what there is to tell */
	if (c->end.si_code == CLD_EXITED)
		return err_set(e, ERR_INTERNAL, "unpack %s: exit status %d", c->req.what, c->end.si_status);
	return err_set(e, ERR_INTERNAL, "unpack %s: killed by signal %d", c->req.what, c->end.si_status);
}

static int read_result(struct unpack_child *c, struct err *e)
{
	AUTO_FREE char *text = NULL;
	struct unpack_result *r = NULL;
	size_t n = 0;

	if (check_end(c, e) < 0)
		return -1;
	if (lseek(c->result_fd, 0, SEEK_SET) < 0)
		return err_sys(e, "read the result of unpack");
	if (fd_read_all(c->result_fd, UNPACK_RESULT_MAX_BYTES, &text, &n, e) < 0 ||
	    unpack_result_parse(text, n, c->req.arena, &r, e) < 0)
		return -1;
	return c->req.after ? c->req.after(c->req.ctx, r, e) : 0;
}

/* On a worker */
static void result_work(void *ctx)
{
	struct unpack_child *c = ctx;

	if (read_result(c, &c->err) == 0)
		c->err = (struct err){ 0 };
}

static void result_done(void *ctx)
{
	struct unpack_child *c = ctx;
	struct unpack_request req = c->req;
	struct err err = c->err;

	child_free(c);
	req.done(req.ctx, &err);
}

static void on_pidfd(void *ctx, unsigned events)
{
	struct unpack_child *c = ctx;

	(void)events;
	if (waitid(P_PIDFD, (id_t)c->pidfd, &c->end, WEXITED) < 0)
		return;
	c->pid = 0;
	loop_watch_free(TAKE_PTR(c->watch));
	loop_work(c->l, LOOP_JOB_LONG, result_work, result_done, c);
}

static int spawn(struct unpack_child *c, struct err *e)
{
	char *const argv[] = { (char *)"kiln-runtime", (char *)"unpack", (char *)c->req.what, NULL };
	struct spawn_fd fds[] = {
		{ c->req.input_fd, UNPACK_FD_INPUT }, { STDERR_FILENO, 1 }, { STDERR_FILENO, 2 },
		{ c->req.dir_fd, UNPACK_FD_DIR }, { c->result_fd, UNPACK_FD_RESULT },
	};
	struct spawn_request req = {
		.path = c->req.runtime_path, .argv = argv, .fds = fds, .n_fds = ARRAY_SIZE(fds),
	};

	return spawn_exec(&req, &c->pid, &c->pidfd, e);
}

int unpack_child_spawn(const struct unpack_request *req, struct unpack_child **ret, struct err *e)
{
	struct unpack_child *c = xcalloc(1, sizeof(*c));

	c->req = *req;
	c->pidfd = -1;
	c->result_fd = memfd_create("unpack-result", MFD_CLOEXEC);
	if (c->result_fd < 0) {
		err_sys(e, "make a place for the result of unpack");
		child_free(c);
		return -1;
	}
	if (spawn(c, e) < 0) {
		child_free(c);
		return err_wrap(e, "start '%s unpack %s'", req->runtime_path, req->what);
	}
	*ret = c;
	return 0;
}

void unpack_child_watch(struct unpack_child *c, struct loop *l)
{
	c->l = l;
	c->watch = loop_watch_new(l, "unpack", c->pidfd, LOOP_READ, on_pidfd, c);
}

bool unpack_child_kill(struct unpack_child *c)
{
	if (!c)
		return true;
	if (c->pid == 0)
		return false;   /* a worker reads the result */
	syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
	waitid(P_PIDFD, (id_t)c->pidfd, &c->end, WEXITED);
	child_free(c);
	return true;
}
