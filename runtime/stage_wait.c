/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a launched process to one that lives without its parent, and, for `create`, waits for `start`.
 *
 * STAGE_PDEATHSIG. Must: outlive the parent only once it is written down who we are.
 * STAGE_LOOKUP. Must: fail with the words of STAGE_EXEC when there is nothing to execute, for create is to fail then;
 * close what is the host's, for processes that enter the container can look at us while we wait.
 * STAGE_WAIT. Must: make no call that a profile may forbid and execve does not need (read, write, close), for the
 * filter is loaded by then; hold no power of the host.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "runtime/stages.h"

static ssize_t stage_read_byte(int fd)
{
	char byte;
	ssize_t n;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	return n;
}

void stage_hear_parent(const struct stage_ctx *c)
{
	ssize_t n = stage_read_byte(c->report_fd);

	/* silence would be taken for success */
	if (n < 0)
		stage_die(c, "hear from the parent", NULL);
	/* The end of the stream: the parent has died or failed, and has said so itself */
	if (n == 0)
		_exit(125);
}

void stage_let_go(struct stage_ctx *c, const struct process_plan *p)
{
	stage_enter(c, STAGE_PDEATHSIG);
	if (p->is_registered)
		stage_hear_parent(c);
	/* A profile may forbid prctl, so it is now */
	if (prctl(PR_SET_PDEATHSIG, 0) < 0)
		stage_die(c, "outlive the parent", NULL);
	if (p->is_independent != NULL)
		atomic_store(p->is_independent, 1);
}

void stage_lookup(struct stage_ctx *c, const struct process_plan *p)
{
	struct stage_keep k = { .n = 0 };

	stage_enter(c, STAGE_LOOKUP);
	if (p->wait.start_fd < 0)
		return;
	stage_find_program(c, p);
	stage_keep_fd(&k, c->report_fd);
	stage_keep_fd(&k, p->wait.start_fd);
	stage_keep_fd(&k, p->wait.report_fd);
	stage_close_others(&k, 3 + p->n_preserve);
	c->root_fd = -1;
}

/*
 * Behind the filter, as part of its stage. Must: let nothing of the program happen before the agent can be asked.
 * Must not: be reached with a descriptor that the program or a hook would keep: it closes at execve, too.
 */
void stage_listener_taken(struct stage_ctx *c)
{
	if (!c->has_told_listener)
		return;
	stage_hear_parent(c);
	if (c->listener_fd >= 0)
		close(c->listener_fd);
	c->listener_fd = -1;
}

void stage_wait(struct stage_ctx *c, const struct process_plan *p)
{
	stage_enter(c, STAGE_WAIT);
	if (p->wait.start_fd < 0)
		return;
	/* The parent sees the end of the stream: created. */
	close(c->report_fd);
	c->report_fd = p->wait.report_fd;
	if (stage_read_byte(p->wait.start_fd) != 1)
		stage_die(c, "wait for the start", NULL);
}
