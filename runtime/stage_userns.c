/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In a user namespace of the container's own.
 *
 * PREPARE. Must: wait until the parent has written the mappings; end with it.
 * MOUNTS, behind the root, and NAMESPACES of a join. Must: become the namespace's root, with none of the host's groups, unless the
 * namespace forbids that (a caller without privileges, whose own groups they are): until then we are the
 * host's root by number, with no power over the host, who finds the way to the root file system and owns the files of our own procfs, but can make no
 * file where the host's numbers mean nothing.
 * PIVOT, at its end. Must: exchange the mount namespace for the copy that the parent has made of it (userns_lock()), and all
 * that was opened in the old one.
 * Must not: go on to live without the parent: a change of user takes the signal of its death away.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
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

void stage_become_root(struct stage_ctx *c, bool keeps_groups)
{
	if ((!keeps_groups && syscall(SYS_setgroups, 0, NULL) < 0) || syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0)
		stage_die(c, "become root of the user namespace", NULL);
	/* A change of user also sets this to what the host has for set-id programs */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		stage_die(c, "become root of the user namespace", NULL);
	stage_die_with_parent(c);
}

/* --- the locked copy ------------------------------------------------------------------------------------------------ */

/* Return: the descriptor that comes with a byte from the parent */
static int stage_receive_fd(const struct stage_ctx *c)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control.room) };
	const struct cmsghdr *h;
	ssize_t n;
	int fd;

	do
		n = recvmsg(c->report_fd, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		stage_die(c, "hear from the parent", NULL);
	/* The end of the stream: it has failed, and says so itself */
	h = n == 0 ? NULL : CMSG_FIRSTHDR(&msg);
	if (h == NULL || h->cmsg_type != SCM_RIGHTS)
		_exit(125);
	memcpy(&fd, CMSG_DATA(h), sizeof(fd));
	return fd;
}

/* Of the same terminal, in the mount that the program has: it is the very inode that the kernel has given us, or it is refused. */
static void stage_move_terminal(struct stage_ctx *c)
{
	char path[64] = "/dev/pts/", room[24];
	const char *digits;
	struct stat old, new;
	int fd;

	if (fstat(c->tty_fd, &old) < 0)
		stage_die(c, "look at the terminal", NULL);
	digits = stage_number(minor(old.st_rdev), room);
	memcpy(path + strlen(path), digits, strlen(digits) + 1);
	fd = stage_open_in_root(c->root_fd, path, O_RDWR | O_NOCTTY | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &new) < 0)
		stage_die(c, "open the terminal '", path, "'", NULL);
	if (new.st_dev != old.st_dev || new.st_ino != old.st_ino)
		stage_refuse(c, ERR_CONFLICT, 125, 0, "'", path, "' in the container is another terminal", NULL);
	stage_close(c->tty_fd);
	c->tty_fd = fd;
}

/* The copies are slaves of what was shared: they are shared again, among those that live in there. */
static void stage_share_again(const struct stage_ctx *c, const struct launch_plan_stages *plan)
{
	struct mount_attr attr = { .propagation = MS_SHARED };

	for (size_t i = 0; i < plan->n_ops; i++) {
		const struct mount_op *op = &plan->ops[i];
		int fd = op->propagation == MS_SHARED ? stage_open_in_root(c->root_fd, op->target, O_PATH) : -1;

		/* one that a later mount hides is left */
		if (fd >= 0 && mount_setattr(fd, "", AT_EMPTY_PATH | (op->is_recursive ? AT_RECURSIVE : 0), &attr, sizeof(attr)) < 0)
			stage_die(c, "mount '", op->target, "': share it", NULL);
		stage_close(fd);
	}
}

void stage_lock_mounts(struct stage_ctx *c, struct launch_plan_stages *plan)
{
	struct stage_msg ask = { .kind = STAGE_MSG_LOCK, .stage = c->at };
	int ns;

	stage_hear_registered(c, &plan->process);
	if (write(c->report_fd, &ask, sizeof(ask)) != sizeof(ask))
		stage_die(c, "ask for the locks of the mounts", NULL);
	ns = stage_receive_fd(c);
	if (setns(ns, CLONE_NEWNS) < 0)
		stage_die(c, "enter the mount namespace with the locks", NULL);
	stage_close(ns);
	stage_close(c->root_fd);
	c->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (c->root_fd < 0)
		stage_die(c, "open the root", NULL);
	stage_share_again(c, plan);
	if (c->tty_fd >= 0)
		stage_move_terminal(c);
}
