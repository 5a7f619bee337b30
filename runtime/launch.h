/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a plan to a running program: clone3 with the fresh namespaces, the stages in the child, and how the
 * parent learns the end of it.
 *
 * The child holds one end of a socket pair, CLOEXEC: the parent reads either the terminal's master and then the
 * end of the stream (execve has succeeded), or one struct err with the number of the stage. The new process is
 * a child of the caller (exit signal SIGCHLD). Single-threaded callers only.
 */
#pragma once

#include <stdatomic.h>
#include <sys/types.h>

#include "base/err.h"
#include "runtime/stage.h"

struct launch_plan;
struct cgroup_handle;

/* A program that runs. Empty value: LAUNCHED_EMPTY. */
struct launched {
	pid_t pid;  /* in the caller's pid namespace; 0: none */
	int pidfd;  /* owned; -1: none */
	int pty_fd; /* owned: master side, blocking; -1 without a terminal */
	struct cgroup_handle *
		cgroup; /* owned, cgroup_close(); the group itself is removed by cgroup_remove(path) */
};
#define LAUNCHED_EMPTY                                              \
	{                                                           \
		.pid = 0, .pidfd = -1, .pty_fd = -1, .cgroup = NULL \
	}

/**
 * launched_end() - Kill a program and wait for its end, for a step that fails later; launched_close() closes what we have of it
 * Return: nothing
 */
void launched_end(struct launched *l);
void launched_close(struct launched *l);

/* How it failed: filled only when launch() or join() fails. */
struct launch_failure {
	enum stage stage; /* STAGE_NONE: before clone */
	int exit_code; /* as docker run would exit: 125, 126 (cannot be executed), 127 (not found) */
};

/*
 * What a caller wants to do while the child is on its way. cloned: it exists; it goes past STAGE_PDEATHSIG only when
 * this has returned 0, so that whoever starts containers that outlive it writes them down here. hooks: its mounts are made, and
 * it is about to pivot (plan.h, asks_hooks). Return: 0, or -1 with @e set
 */
struct launch_watch {
	int (*cloned)(void *ctx, const struct launched *l, struct err *e);
	int (*hooks)(void *ctx, const struct launched *l, struct err *e); /* NULL where the plan asks for none */
	void *ctx;
};

/* What one who is not the parent sees of a launch; in a MAP_SHARED page. */
struct launch_marks {
	pid_t init;                 /* the program; written by the kernel at the moment of cloning, before the child runs */
	atomic_uint is_independent; /* it no longer dies with its parent: from here on it comes to its program, or fails by itself */
};

/**
 * launch() - Start the container's program and wait until execve has succeeded or something has failed
 * @plan:     borrows; used up, launch_plan_done() is still the caller's
 * @marks:    keeps; may be NULL
 * @watch:    borrows; NULL: nothing is done meanwhile, and the child may outlive the caller at once
 * @ret:      filled only on success
 * @ret_failure: filled only on failure; may be NULL
 * @e:        what the child reported, or what failed here
 *
 * Blocks until then: there is no timeout, a mount on a dead network file system waits in the child. A signal
 * to the caller does not end it. When the caller dies before execve, the child dies with it. A child that somebody
 * kills before execve counts as started and ended by that signal. A plan that waits (plan.h) is waiting when this
 * returns 0.
 * Return: 0; or -1 with @e set, the child reaped and the group removed
 */
int launch(struct launch_plan *plan, struct launch_marks *marks, const struct launch_watch *watch, struct launched *ret,
	   struct launch_failure *ret_failure, struct err *e);
