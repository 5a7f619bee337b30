/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launcher's state, shared by its three files: launcher.c (life and loop), launcher_requests.c (what kilnd
 * asks), launcher_children.c (monitors, and what they leave behind). Nobody else includes this.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <poll.h>
#include <sys/types.h>

#include "runtime/proto.h"
#include "runtime/slots.h"

#define LAUNCHER_SOCKET_DIR  "l"
#define LAUNCHER_SOCKET_NAME "launcher.sock"

struct launcher {
	char *data_root, *exec_root;   /* owned */
	struct slots slots;
	int signal_fd;           /* SIGCHLD */
	int listen_fd;           /* -1 after MSG_SHUTDOWN */
	int kilnd_fd;            /* -1: no kilnd */
	bool has_hello;          /* of this connection */
	bool is_ending;          /* MSG_SHUTDOWN came */
	int poke[2];             /* socket pair: [0] ours, [1] inherited by every monitor */
};

/**
 * launcher_tell() - Send a message to kilnd, if there is one
 * @fd: borrows; -1: none
 *
 * Does not block: a kilnd that does not read is dropped, and learns all of it again when it comes back.
 * Return: nothing
 */
void launcher_tell(struct launcher *l, const void *msg, size_t n, int fd);

/**
 * launcher_tell_orphan() - Tell of a program whose monitor is gone (MSG_ORPHAN, with its pidfd, or MSG_ORPHAN_EXITED)
 * Return: nothing
 */
void launcher_tell_orphan(struct launcher *l, const struct slot *s, enum msg_type type);

/* Close the connection to kilnd, if there is one */
void launcher_drop_kilnd(struct launcher *l);

/* Accept a connection: the newest wins. Read one request of kilnd and answer it. */
void launcher_accept(struct launcher *l);
void launcher_read_kilnd(struct launcher *l);

/* Look at children that have ended: reap, record, tell */
void launcher_reap(struct launcher *l);

/* Read what monitors ask for */
void launcher_read_pokes(struct launcher *l);

/**
 * launcher_remove_socket() - Remove the socket of a monitor that is gone, unless another has the same id
 * Return: nothing
 */
void launcher_remove_socket(struct launcher *l, const char *id, bool is_exec);

/**
 * launcher_is_group_of() - Whether a control group's path is that of a container: its last part is the id
 * @room: how many bytes @path may have; it need not end
 * Return: that
 */
bool launcher_is_group_of(const char *path, size_t room, const char *id);

/**
 * launcher_poll_orphans() / launcher_drain_orphans() - Read and drop the output of programs without a monitor, so
 * that they neither block nor die of SIGPIPE
 * @set: room for @n entries
 * Return: entries filled
 */
size_t launcher_poll_orphans(struct launcher *l, struct pollfd *set, size_t n);
void launcher_drain_orphans(struct launcher *l);
