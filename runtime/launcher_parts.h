/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launcher's state, shared by its files: launcher.c (life and loop), launcher_requests.c (what kilnd asks), launcher_fork.c (new monitors),
 * launcher_children.c (monitors, and what they leave behind), launcher_unclean.c (what of that is still there).
 * Nobody else includes this.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <poll.h>
#include <sys/types.h>

#include "base/log.h"
#include "runtime/launcher_stems.h"
#include "runtime/proto.h"
#include "runtime/slots.h"

#define LAUNCHER_SOCKET_DIR  "l"
#define LAUNCHER_SOCKET_NAME "launcher.sock"

/* What is kept for as long as a container or a stem is from here on: stems copy only what is below. */
#define LAUNCHER_LOW_FDS     64

struct unclean;

struct launcher {
	char *data_root, *exec_root;   /* owned */
	char *scope;             /* owned: the control group to ask systemd for; NULL: none */
	struct slots slots;
	int signal_fd;           /* SIGCHLD, SIGTERM */
	int listen_fd;           /* -1 after MSG_SHUTDOWN */
	int kilnd_fd;            /* -1: no kilnd */
	bool has_hello;          /* of this connection */
	bool is_ending;          /* MSG_SHUTDOWN or SIGTERM came */
	int poke[2];             /* socket pair: [0] ours, [1] inherited by every monitor */
	struct unclean *unclean; /* owned; groups that could not be removed yet */
	struct stems stems;
	bool can_idle;           /* whoever takes SCHED_IDLE gets its policy back */
	size_t newest;           /* slot of the monitor that was made last, */
	int64_t newest_ns;       /* and when; 0: none yet */
	enum log_level log_level;
	bool log_is_json;
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
void launcher_note_orphan(struct slot *s);   /* see to it that the record of an orphan says that it runs */

/* Close the connection to kilnd, if there is one */
void launcher_drop_kilnd(struct launcher *l);

/* Accept a connection: the newest wins. Read one request of kilnd and answer it. */
void launcher_accept(struct launcher *l);
void launcher_read_kilnd(struct launcher *l);

/* Read the signals: children that have ended are reaped, recorded and told; at SIGTERM we end */
void launcher_on_signals(struct launcher *l);

/* What a forked child is to do; with the descriptors of the request. A stem gets it as a message. */
struct order {
	uint32_t slot;
	bool is_exec;
	bool clears_group;
	char id[PROTO_ID_LEN + 1];
};

/**
 * launcher_fork_monitor() - Have a child that is this order's monitor: a stem that is ready, or a fork
 * @o:   its slot is taken
 * @fds: borrows; at least three, an exec's are four
 * Return: its pid, or -1 with errno
 */
pid_t launcher_fork_monitor(struct launcher *l, const struct order *o, const int *fds, size_t n_fds);

/* Takes @fd. Return: a descriptor of the same from LAUNCHER_LOW_FDS on; @fd where there is no more room */
int launcher_keep_high(int fd);

/* Nobody has asked for anything for a moment: make a stem that is missing. Blocks until it has descriptors of its own, a second at most */
void launcher_make_stem(struct launcher *l);

/* Listen no more, and end when no child is left: a newer launcher takes over, or systemd stops the scope */
void launcher_end(struct launcher *l);

/* Read what monitors ask for */
void launcher_read_pokes(struct launcher *l);

/**
 * launcher_remove_socket() - Remove the socket of a monitor that is gone, unless another has the same id
 * Return: nothing
 */
void launcher_remove_socket(struct launcher *l, const char *id, bool is_exec);

/**
 * launcher_clean() - Kill what is left in a container's group and remove it; what takes time is done from the loop
 * @wants_answer: kilnd has asked: MSG_CLEANED is sent when it is gone, or after five seconds with the reason why not
 * Return: nothing
 */
void launcher_clean(struct launcher *l, const char *id, const char *path, bool wants_answer);

/* Try those again whose time has come */
void launcher_clean_again(struct launcher *l);

/* Is the group of an earlier run of this container still there? Return: that */
bool launcher_is_unclean(const struct launcher *l, const char *id);

/* A new run's monitor waits for that group, and has one of the same name then: it is no business of ours any more */
void launcher_clean_is_others(struct launcher *l, const char *id);

/**
 * launcher_clean_timeout_ms() - How long the loop may sleep
 * Return: that; -1: there is nothing to try again
 */
int launcher_clean_timeout_ms(const struct launcher *l);

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
