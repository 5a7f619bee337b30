/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launch plan: everything that can be parsed, opened, allocated or compiled before clone.
 *
 * launch_plan_build() reads a launch document, makes the control groups, opens the sources of the mounts and
 * compiles the seccomp filter; launch() only walks the arrays. A plan is used once. Its memory is the arena's,
 * its descriptors and its control group are its own until launch_plan_done(). Single-threaded. Must not be
 * used after the arena is freed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

struct cgroup_below;
struct hook_plan;
struct cgroup_layout;
struct launch_spec;
struct launch_plan;
struct strbuf;

/* What the new process gets as 0, 1 and 2. Borrowed; ignored when the document asks for a terminal. */
struct launch_stdio_fds {
	int in, out, err;
};

/**
 * launch_plan_build() - Make ready all that a launch needs
 * @spec:      borrows; must live as long as the plan. For a bundle, see run.c: root is a directory
 * @bind_fds:  the detached mounts and pidfds that "fd:N" names in mounts and namespaces; takes them (closed by the plan, also on failure)
 * @stdio:     borrows the descriptors until launch() has returned; may be NULL when the document asks for a terminal
 * @arena:     keeps
 * @ret:       owned; launch_plan_done()
 * @e:         ERR_INVALID the document; ERR_UNSUPPORTED something in it, by name; ERR_SYSTEM, ERR_DENIED, ERR_NOT_FOUND
 *
 * Makes the control group as its last step; it is removed again when the plan is done without a launch.
 * Needs cgroup_setup() before. After clone: no. Blocks: on disk.
 *
 * Return: 0, or -1 with @e set and nothing left behind
 */
int launch_plan_build(const struct launch_spec *spec, const int *bind_fds, size_t n_bind_fds,
		      const struct launch_stdio_fds *stdio, struct arena *arena,
		      struct launch_plan **ret, struct err *e);

/*
 * Who takes the descriptor by which a seccomp filter asks an agent. @pid is the program's, which waits meanwhile; @fd is borrowed.
 * Empty value: {0}: a filter that has one is not launched. Return: 0, or -1 with @e set
 */
struct listener_taker {
	int (*take)(void *ctx, pid_t pid, int fd, struct err *e);
	void *ctx;
};

/* What only the command line asks for. Descriptors are borrowed until launch() has returned. */
struct launch_extras {
	int start_fd, report_fd; /* FIFOs: the program waits for `start`, see stages.h; -1: it does not */
	unsigned n_preserve;     /* descriptors from 3 on that the program gets, too */
	bool no_pivot;           /* move the root and chroot, as an initramfs needs it */
	bool no_new_keyring;     /* the session keyring of the caller */
	bool keeps_groups;       /* the supplementary groups of the caller */
	bool asks_hooks;         /* launch_watch.hooks is called */
	const struct hook_plan *hooks, *start_hooks; /* of the container, before the pivot and before the program; NULL: none */
	struct listener_taker listener;
	const struct cgroup_below *below; /* a join: groups below the container's that it goes into */
	size_t n_below;
};
#define LAUNCH_EXTRAS_NONE { .start_fd = -1, .report_fd = -1 }

/**
 * launch_plan_extend() - Add it to a plan that is not launched yet
 * Return: nothing
 */
void launch_plan_extend(struct launch_plan *plan, const struct launch_extras *extras);

/**
 * launch_plan_take_ready() - Where the plan wants a fresh namespace and there is one here, it is entered instead of made
 * @arena: keeps
 * Return: nothing
 */
struct stem_namespaces;
void launch_plan_take_ready(struct launch_plan *plan, struct stem_namespaces *ready, struct arena *arena);

/**
 * launch_plan_make() - The pure part of launch_plan_build(): nothing is opened and no group is made
 *
 * @layout: borrows; the control groups of the host
 *
 * For tests and for printing; such a plan cannot be launched.
 * Return: 0, or -1 with @e set
 */
int launch_plan_make(const struct launch_spec *spec, const struct launch_stdio_fds *stdio,
		     const struct cgroup_layout *layout, struct arena *arena,
		     struct launch_plan **ret, struct err *e);

/**
 * launch_plan_done() - Close what the plan holds; remove the group unless a launch has succeeded. NULL is fine
 * Return: nothing
 */
void launch_plan_done(struct launch_plan *plan);

/**
 * launch_plan_print() - The plan as text, one line a step: the golden files of the tests, and what `--plan` shows
 * Return: nothing
 */
void launch_plan_print(const struct launch_plan *plan, struct strbuf *out);
