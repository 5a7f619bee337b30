/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kilnd, the launcher and the monitors say to each other: SEQPACKET messages with descriptors.
 *
 * Every message begins with struct msg_head. Sockets are files in 0700 directories below the exec root;
 * the peer's credentials are checked (SO_PEERCRED uid 0). Versioned: kilnd N speaks N-1. All integers are
 * native-endian (one machine). A message that the table of the receiver does not allow closes the connection.
 *
 * Launcher socket: <exec-root>/launcher.sock. Monitor sockets: <exec-root>/c/<id>.sock (containers) and
 * <exec-root>/x/<id>.sock (execs). At launch kilnd also hands one end of a socketpair to the new monitor,
 * which is its first control connection; a later kilnd connects to the file. The newest connection wins.
 *
 *   kilnd -> launcher   MSG_HELLO, MSG_LAUNCH, MSG_EXEC, MSG_CLEAN, MSG_SHUTDOWN
 *   launcher -> kilnd   MSG_HELLO, MSG_CLEANED, MSG_ORPHAN, MSG_ORPHAN_EXITED
 *   kilnd -> monitor    MSG_STATUS, MSG_ATTACH, MSG_RESIZE, MSG_RELEASE
 *   monitor -> kilnd    MSG_STATUS, MSG_STARTED, MSG_FAILED, MSG_EXITED, MSG_DETACHED
 *
 * Life of a launch: LAUNCH -> (STARTED + pidfd | FAILED) ; later EXITED ; kilnd stores it and answers
 * RELEASE, upon which the monitor ends. Without a kilnd the monitor waits for the next one. FAILED ends it at once.
 * STARTED is sent when execve of the user's program has succeeded.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/exitrec.h"   /* the record on disk: <container-dir>/exit */

#define PROTO_VERSION   1
#define PROTO_MAX_BYTES 8192
#define PROTO_ID_LEN    64

enum msg_type {
	MSG_HELLO = 1,        /* struct msg_hello; first on every launcher connection, answered in kind */
	MSG_LAUNCH,           /* struct msg_launch; fds: spec memfd, exit record, control socket, then bind mounts */
	MSG_EXEC,             /* struct msg_launch; fds: spec memfd, exit record, control socket, pidfd of the container's init */
	MSG_CLEAN,            /* struct msg_clean: kill what is left in a container's cgroup and remove it; answered by MSG_CLEANED */
	MSG_CLEANED,          /* struct msg_clean with err filled */
	MSG_SHUTDOWN,         /* struct msg_head: end when no child is left (a newer launcher takes over); monitors stay */
	MSG_ORPHAN,           /* struct msg_orphan: a monitor died, its container runs on under the launcher */
	MSG_ORPHAN_EXITED,    /* struct msg_orphan: its exit record is written */
	MSG_STATUS,           /* kilnd asks: struct msg_head; monitor answers struct msg_status + pidfd when running */
	MSG_STARTED,          /* struct msg_status; fd: pidfd of init */
	MSG_FAILED,           /* struct msg_failed */
	MSG_EXITED,           /* struct msg_exited */
	MSG_ATTACH,           /* struct msg_attach; fd: the hijacked connection (blocking or not; the monitor sets O_NONBLOCK) */
	MSG_RESIZE,           /* struct msg_resize */
	MSG_DETACHED,         /* struct msg_head: an attached client typed the detach keys */
	MSG_RELEASE,          /* struct msg_head: the exit is kept; end */
	MSG_TYPES_
};

struct msg_head {
	uint16_t version;     /* PROTO_VERSION of the sender */
	uint16_t type;        /* enum msg_type */
	uint32_t bytes;       /* whole message */
};

struct msg_hello {
	struct msg_head head;
	char build[64];       /* version and build id of the sender's binary, NUL-terminated */
};

struct msg_launch {
	struct msg_head head;
	char id[PROTO_ID_LEN + 1];   /* container (LAUNCH) or exec (EXEC) */
};

struct msg_clean {
	struct msg_head head;
	char id[PROTO_ID_LEN + 1];
	char cgroup_path[256];
	struct err err;       /* in MSG_CLEANED: kind ERR_NONE on success */
};

struct msg_orphan {
	struct msg_head head;
	char id[PROTO_ID_LEN + 1];
	int32_t pid;
};

struct msg_status {
	struct msg_head head;
	struct exit_record record;
	uint8_t tty, stdin_open, pad[6];
};

struct msg_failed {
	struct msg_head head;
	uint32_t stage;          /* enum stage of runtime/stage.h, 0: before clone */
	int32_t  exit_code;      /* 125, 126 or 127, as docker run would exit */
	struct err err;
};

#define MSG_CAPTURE_MAX 4096
struct msg_exited {
	struct msg_head head;
	struct exit_record record;
	uint32_t n_captured;     /* launch_stdio.capture_bytes, at most MSG_CAPTURE_MAX */
	uint8_t  is_timed_out;
	uint8_t  pad[3];
	char     captured[];     /* n_captured bytes */
};

enum attach_flags {
	ATTACH_STDIN  = 1,
	ATTACH_STDOUT = 2,
	ATTACH_STDERR = 4,
	ATTACH_MUX    = 8,       /* frame output as docker's multiplexed stream (never with a tty) */
};
#define ATTACH_PREFIX_MAX 4096
struct msg_attach {
	struct msg_head head;
	uint32_t flags;
	uint32_t n_prefix;       /* bytes of the client's input that kilnd had already read behind the HTTP header */
	char     detach_keys[16];   /* NUL-terminated; "" means the container's own */
	char     prefix[];       /* n_prefix bytes */
};

struct msg_resize {
	struct msg_head head;
	uint16_t height, width;
	uint32_t pad;
};
