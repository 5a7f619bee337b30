/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks: programs of whoever has made the bundle, at the turning points of a container.
 *
 * A hook gets the container's state on standard input, no descriptor besides 0, 1 and 2, the directory, environment and
 * arguments of the configuration, and its timeout. One after the other, and the first that fails ends the container.
 *
 * STAGE_HOOKS, with the mounts made and the old root still there. Must: let the parent run those of the runtime's namespaces
 * (prestart, createRuntime), then run those of the container's (createContainer), whose paths are the host's.
 * STAGE_START, as the last before the program. Must: run with the program's own user, capabilities and filter.
 * Must not: be thought safer than the program: its paths are the container's.
 *
 * stage_run_hook() is called in the parent as well, which is single-threaded, so that there is one way to run hooks.
 *
 * Spec: runtime-spec config.md#posix-platform-hooks
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/stages.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif

/* --- small things ---------------------------------------------------------------------------------------------- */

const char *stage_number(unsigned long v, char out[24])
{
	char *at = out + 23;

	*at = '\0';
	do
		*--at = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	return at;
}

/* Return: where it ends */
static char *stage_put(char *out, const char *text)
{
	size_t n = strlen(text);

	memcpy(out, text, n + 1);
	return out + n;
}

static int64_t stage_now_ms(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool stage_write_all(int fd, const char *data, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, data, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		data += done;
		n -= (size_t)done;
	}
	return true;
}

/* The state as a file, which no hook can keep us from writing by not reading it. Return: descriptor, or -1 with errno */
static int stage_hook_state(const struct hook_plan *plan, pid_t pid)
{
	int fd = (int)syscall(SYS_memfd_create, "state", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	char room[24];
	const char *digits = stage_number((unsigned long)pid, room);

	/* before Linux 6.3 */
	if (fd < 0 && errno == EINVAL)
		fd = (int)syscall(SYS_memfd_create, "state", MFD_CLOEXEC);
	if (fd < 0)
		return -1;
	if (stage_write_all(fd, plan->state, plan->n_state) && stage_write_all(fd, digits, strlen(digits)) && stage_write_all(fd, "}", 1) &&
	    lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	stage_close(fd);
	return -1;
}

/* --- the process ----------------------------------------------------------------------------------------------- */

/* What a hook writes goes to the parent, or to a file; that it cannot be opened is said in the hook's place. Return: it, or -1 */
static int stage_hook_output(const char *file, int out_fd)
{
	static const char sorry[] = "its output cannot go to ";
	int fd = file == NULL ? out_fd : open(file, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_CLOEXEC, 0600);

	if (fd < 0 && stage_write_all(out_fd, sorry, strlen(sorry)))
		stage_write_all(out_fd, file, strlen(file));
	return fd;
}

static _Noreturn void stage_hook_child(const struct hook_plan *plan, const struct hook_op *op, int state_fd, int out_fd)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(022);
	if (plan->cwd != NULL && chdir(plan->cwd) < 0)
		_exit(127);
	if (dup2(state_fd, 0) < 0 || dup2(stage_hook_output(plan->files[0], out_fd), 1) < 0 || dup2(stage_hook_output(plan->files[1], out_fd), 2) < 0)
		_exit(127);
	close_range(3, ~0U, 0);
	execve(op->path, op->argv, op->envp);
	_exit(127);
}

/* Keep the end of what it writes. Return: false at the end of it */
static bool stage_hook_read(int fd, struct stage_hook_end *end)
{
	char buffer[HOOK_OUTPUT_MAX - 1];
	ssize_t n = read(fd, buffer, sizeof(buffer));
	size_t old, keep;

	if (n <= 0)
		return n < 0 && errno == EINTR;
	old = strlen(end->output);
	keep = sizeof(buffer) - (size_t)n;
	if (keep > old)
		keep = old;
	memmove(end->output, end->output + old - keep, keep);
	for (ssize_t i = 0; i < n; i++)
		end->output[keep + (size_t)i] = (unsigned char)buffer[i] < ' ' ? ' ' : buffer[i];
	end->output[keep + (size_t)n] = '\0';
	return true;
}

/* Until it has ended or its time is over. Who it leaves behind may hold its output for ever. */
static void stage_hook_follow(const struct hook_op *op, int pidfd, int out_fd, struct stage_hook_end *end)
{
	int64_t deadline = stage_now_ms() + op->timeout_ms;
	struct pollfd p[] = { { .fd = pidfd, .events = POLLIN }, { .fd = out_fd, .events = POLLIN } };

	for (;;) {
		int64_t left = op->timeout_ms > 0 ? deadline - stage_now_ms() : 0;
		int n = poll(p, 2, op->timeout_ms <= 0 ? -1 : left <= 0 ? 0 : left > 1000000 ? 1000000 : (int)left);

		if (n == 0 && op->timeout_ms > 0 && stage_now_ms() >= deadline) {
			end->is_late = true;
			return;
		}
		if (n <= 0)
			continue;
		if (p[1].revents != 0 && !stage_hook_read(out_fd, end))
			p[1].fd = -1;
		if (p[0].revents == 0)
			continue;
		/* the pipe does not block: what it wrote before its end */
		while (stage_hook_read(out_fd, end))
			;
		return;
	}
}

static int stage_hook_reap(pid_t pid)
{
	int status = 0;

	while (wait4(pid, &status, 0, NULL) < 0 && errno == EINTR)
		;
	return status;
}

static int stage_hook_fork(const struct hook_plan *plan, const struct hook_op *op, int state_fd, const int out[2], struct stage_hook_end *end)
{
	int pidfd = -1;
	pid_t pid = (pid_t)syscall(SYS_clone, (unsigned long)(SIGCHLD | CLONE_PIDFD), NULL, &pidfd, NULL, 0ul);

	if (pid < 0) {
		stage_close(out[1]);
		return -1;
	}
	if (pid == 0)
		stage_hook_child(plan, op, state_fd, out[1]);
	stage_close(out[1]);
	stage_hook_follow(op, pidfd, out[0], end);
	if (end->is_late)
		kill(pid, SIGKILL);
	end->status = stage_hook_reap(pid);
	for (size_t n = strlen(end->output); n > 0 && end->output[n - 1] == ' '; n--)
		end->output[n - 1] = '\0';
	stage_close(pidfd);
	return 0;
}

int stage_run_hook(const struct hook_plan *plan, const struct hook_op *op, pid_t pid, struct stage_hook_end *end)
{
	int state_fd, out[2] = { -1, -1 }, done = -1;

	*end = (struct stage_hook_end){ .status = 0 };
	/* execve fails where nobody hears of it */
	if (access(op->path, X_OK) < 0)
		return -1;
	state_fd = stage_hook_state(plan, pid);
	if (state_fd >= 0 && pipe2(out, O_CLOEXEC) == 0 && fcntl(out[0], F_SETFL, O_NONBLOCK) == 0)
		done = stage_hook_fork(plan, op, state_fd, out, end);
	else if (out[1] >= 0)
		stage_close(out[1]);
	stage_close(out[0]);
	stage_close(state_fd);
	return done;
}

bool stage_hook_failed(const struct stage_hook_end *end, char out[HOOK_END_MAX])
{
	const char *what = "exit status ";
	unsigned long number;
	char room[24];

	if (!end->is_late && end->status == 0)
		return false;
	if (end->is_late)
		what = "it did not end within its timeout";
	else if (WIFSIGNALED(end->status))
		what = "it was ended by signal ";
	number = (unsigned long)(WIFSIGNALED(end->status) ? WTERMSIG(end->status) : WEXITSTATUS(end->status));
	out = stage_put(out, what);
	if (!end->is_late)
		stage_put(out, stage_number(number, room));
	return true;
}

/* --- the stages ------------------------------------------------------------------------------------------------ */

static void stage_hooks_here(const struct stage_ctx *c, const struct hook_plan *plan)
{
	struct stage_hook_end end;
	char how[HOOK_END_MAX];

	for (size_t i = 0; i < plan->n; i++) {
		const char *path = plan->ops[i].path;

		if (stage_run_hook(plan, &plan->ops[i], getpid(), &end) < 0)
			stage_die(c, plan->what, " hook '", path, "'", NULL);
		if (stage_hook_failed(&end, how))
			stage_refuse(c, ERR_SYSTEM, 125, 0, plan->what, " hook '", path, "': ", how,
				     end.output[0] != '\0' ? ": " : "", end.output, NULL);
	}
}

void stage_hear_registered(const struct stage_ctx *c, struct process_plan *p)
{
	if (p->is_registered)
		stage_hear_parent(c);
	p->is_registered = false;
}

void stage_hooks(struct stage_ctx *c, struct launch_plan_stages *plan)
{
	struct stage_msg ask = { .kind = STAGE_MSG_HOOKS, .stage = STAGE_HOOKS };

	stage_enter(c, STAGE_HOOKS);
	if (plan->asks_hooks) {
		stage_hear_registered(c, &plan->process);
		if (write(c->report_fd, &ask, sizeof(ask)) != sizeof(ask))
			stage_die(c, "ask for the hooks", NULL);
		stage_hear_parent(c);
	}
	stage_hooks_here(c, &plan->hooks);
}

void stage_start_hooks(struct stage_ctx *c, const struct process_plan *p)
{
	stage_enter(c, STAGE_START);
	stage_hooks_here(c, &p->start_hooks);
}
