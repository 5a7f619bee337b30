/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In a user namespace of the container's own.
 *
 * PREPARE. Must: wait until the parent has written the mappings; end with it.
 * MOUNTS, behind the root, and NAMESPACES of a join. Must: become the namespace's root, with none of the host's groups: until then we are the
 * host's root by number, with no power over the host, who finds the way to the root file system and owns the files of our own procfs, but can make no
 * file where the host's numbers mean nothing.
 * Must not: go on to live without the parent: a change of user takes the signal of its death away.
 */
#include <errno.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/stages.h"

void stage_wait_mapped(const struct stage_ctx *c)
{
	char byte;
	ssize_t n;

	do
		n = recv(c->report_fd, &byte, 1, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		stage_die(c, "hear from the parent", NULL);
	if (n == 0)
		_exit(125);
}

void stage_become_root(struct stage_ctx *c)
{
	if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0)
		stage_die(c, "become root of the user namespace", NULL);
	/* A change of user also sets this to what the host has for set-id programs */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		stage_die(c, "become root of the user namespace", NULL);
	stage_die_with_parent(c);
}
