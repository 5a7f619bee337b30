/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `--init`: Kiln's own PID 1. It runs from the sealed copy of kiln-runtime with the user, capabilities and filter
 * of the program, which is its child; it passes signals on, reaps what is orphaned, and ends as the program ends.
 *
 * Must: hold no descriptor of the host, and let the parent's socket go so that it sees execve succeed.
 * Must not: execute or read anything of the image.
 */
#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/stages.h"

static pid_t stage_fork(void)
{
	return (pid_t)syscall(SYS_clone, (unsigned long)SIGCHLD, NULL, NULL, NULL, 0ul);
}

/* The program leads a process group of its own, in the foreground of its terminal. */
static _Noreturn void stage_init_program(struct stage_ctx *c, const struct process_plan *p,
					 const sigset_t *mask)
{
	pid_t self = (pid_t)syscall(SYS_getpid);

	syscall(SYS_setpgid, 0, 0);
	if (p->tty)
		ioctl(0, TIOCSPGRP, &self);
	sigprocmask(SIG_SETMASK, mask, NULL);
	stage_exec(c, p);
}

static int stage_exit_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Reap all that has ended. The program's end is ours: the kernel kills what is left in the namespace. */
static void stage_init_reap(pid_t program)
{
	pid_t pid;
	int status;

	while ((pid = (pid_t)syscall(SYS_wait4, -1, &status, WNOHANG, NULL)) > 0)
		if (pid == program)
			_exit(stage_exit_code(status));
}

_Noreturn void stage_init(struct stage_ctx *c, const struct process_plan *p)
{
	uint64_t all = ~0ull;
	uint64_t none = 0;
	sigset_t mask;
	pid_t program;
	long sig;

	sigemptyset(&mask);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &none, sizeof(all));
	program = stage_fork();
	if (program < 0)
		stage_die(c, "start the program under init", NULL);
	if (program == 0)
		stage_init_program(c, p, &mask);

	stage_lsm_init(c, p);
	close_range(3, ~0U, 0);
	prctl(PR_SET_NAME, "kiln-init");
	for (;;) {
		sig = syscall(SYS_rt_sigtimedwait, &all, NULL, NULL, sizeof(all));
		if (sig == SIGCHLD)
			stage_init_reap(program);
		else if (sig > 0 && sig != SIGTTIN && sig != SIGTTOU)
			syscall(SYS_kill, program, sig);
	}
}
