/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "runtime/cgroup.h"
#include "runtime/front/front.h"
#include "runtime/front/groups.h"
#include "runtime/front/hooks.h"
#include "runtime/front/instance.h"
#include "runtime/launch.h"
#include "runtime/launch_parts.h"
#include "runtime/stages.h"

/*
 * Theory of operation. The waiting process reads one byte from the FIFO `start`, and execve closes it and `report`. Of several
 * starts, one at a time holds a lock on the FIFO; the next one finds that nobody has it open any more.
 */

static int check_status(const struct instance *i, int *ret_pidfd, struct err *e)
{
	enum instance_status s;

	if (instance_status(i, &s, ret_pidfd, e) < 0)
		return -1;
	switch (s) {
	case INSTANCE_CREATED:
	case INSTANCE_PAUSED:
		return 0;
	case INSTANCE_STOPPED:
		return err_set(e, ERR_CONFLICT, "cannot start a container that has stopped");
	case INSTANCE_RUNNING:
		return err_set(e, ERR_CONFLICT, "cannot start an already running container");
	default:
		return err_set(e, ERR_CONFLICT, "cannot start a container in the %s state", instance_status_name(s));
	}
}

/*
 * execve closes the process's descriptors one after the other: it may have `start` open a moment longer than `report`, by whose end
 * the start before us knows that it is done. A FIFO that had no writer when it was opened never tells of an end.
 */
static bool is_reported_on(int report_fd)
{
	int n = 0;
	char byte;

	return ioctl(report_fd, FIONREAD, &n) < 0 || n != 0 || read(report_fd, &byte, 1) != 0;
}

static int open_locked(const struct instance *i, int *ret_start, int *ret_report, struct err *e)
{
	AUTO_CLOSE int start = -1, report = -1;

	if (instance_open_fifos(i, &start, &report, e) < 0)
		return -1;
	while (flock(start, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_sys(e, "lock the FIFO of the start");
	/* Is somebody still waiting, now that it is our turn? */
	close_fd(ret_report);
	if (instance_open_fifos(i, ret_start, ret_report, e) < 0)
		return -1;
	close_fd(ret_start);
	*ret_start = TAKE_FD(start);
	return is_reported_on(*ret_report) ? 0 : err_set(e, ERR_CONFLICT, "cannot start an already running container");
}

/* The process died before it had read our byte. */
static bool is_unread(int start_fd)
{
	int n = 0;

	return ioctl(start_fd, FIONREAD, &n) == 0 && n != 0;
}

static int wait_exec(int start_fd, int report_fd, struct err *e)
{
	struct pollfd p = { .fd = report_fd, .events = POLLIN };
	struct stage_msg m;
	ssize_t n;

	while (poll(&p, 1, -1) < 0)
		if (errno != EINTR)
			return err_sys(e, "wait for the process");
	n = read(report_fd, &m, sizeof(m));
	if (n < 0)
		return err_sys(e, "hear from the process");
	if (n == sizeof(m))
		return launch_take_failure(&m, NULL, e);
	if (n != 0)
		return err_set(e, ERR_INTERNAL, "the process sent a message that nobody understands");
	return is_unread(start_fd) ? err_set(e, ERR_CONFLICT, "container process is already dead") : 0;
}

/* The program runs already; where a hook fails it does not go on. */
static int run_hooks(const struct instance *i, int pidfd, struct err *e)
{
	if (hooks_run_saved(i, HOOK_POSTSTART, e) == 0)
		return 0;
	syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	return -1;
}

static int start(const struct front_call *c, int *ret_status, struct err *e)
{
	AUTO_INSTANCE struct instance i = INSTANCE_EMPTY;
	AUTO_CLOSE int pidfd = -1, start_fd = -1, report_fd = -1;

	if (groups_setup(e) < 0 || instance_open(c->root, c->args.v[0], c->a, &i, e) < 0 || check_status(&i, &pidfd, e) < 0)
		return -1;
	if (open_locked(&i, &start_fd, &report_fd, e) < 0)
		return -1;
	if (write(start_fd, "", 1) != 1)
		return err_sys(e, "let the process start");
	if (wait_exec(start_fd, report_fd, e) < 0 || run_hooks(&i, pidfd, e) < 0)
		return -1;
	*ret_status = 0;
	return 0;
}

const struct front_command front_start = {
	.name = "start",
	.usage = "ID",
	.help = "let the process of a created container execute its program",
	.n_args_min = 1,
	.n_args_max = 1,
	.run = start,
};
