/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kilnd, the launcher and the monitors say to each other: SEQPACKET messages with descriptors.
 *
 * Every message begins with struct msg_head. Sockets are files in 0700 directories below the exec root;
 * the peer's credentials are checked (SO_PEERCRED uid 0). Versioned: kilnd N speaks N-1. All integers are
 * native-endian (one machine). A message that the table of the receiver does not allow closes the connection.
 *
 * Launcher socket: <exec-root>/l/launcher.sock. Monitor sockets: <exec-root>/c/<id>.sock (containers) and
 * <exec-root>/x/<id>.sock (execs). At launch kilnd also hands one end of a socketpair to the new monitor,
 * which is its first control connection; a later kilnd connects to the file. The newest connection wins.
 *
 *   kilnd -> launcher   MSG_HELLO, MSG_LAUNCH, MSG_EXEC, MSG_CLEAN, MSG_SHUTDOWN, MSG_LOG
 *   launcher -> kilnd   MSG_HELLO, MSG_CLEANED, MSG_ORPHAN, MSG_ORPHAN_EXITED
 *   kilnd -> monitor    MSG_STATUS, MSG_ATTACH, MSG_RESIZE, MSG_RELEASE
 *   monitor -> kilnd    MSG_STATUS, MSG_STARTED, MSG_FAILED, MSG_EXITED, MSG_DETACHED
 *
 * Life of a launch: LAUNCH -> (STARTED + pidfd | FAILED) ; later EXITED ; kilnd stores it and answers
 * RELEASE, upon which the monitor ends. STARTED is sent when execve of the user's program has succeeded.
 *
 * - An ATTACH that is to miss nothing is sent before LAUNCH: what is queued is read before any output is.
 * - EXITED comes when the output has been read to its end, or two seconds after the program's end; again on each
 *   later connection until one sends RELEASE. Clients' connections end after RELEASE, or ten seconds without it.
 * - FAILED is like EXITED: the monitor and its clients stay until RELEASE (at most ten seconds), so that kilnd can
 *   say why on its own copy of the connection; when kilnd closes the control socket instead, the monitor ends at once.
 * - The container's group is named by its id (the last part of cgroupPath) and is removed by the launcher.
 * - SHUTDOWN is answered by the end of the connection: the socket's name is free then.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/exitrec.h"   /* the record on disk: <container-dir>/exit */

/*
 * Still 1, as in 0.1.0: no message has changed. Types may be added, and fields behind those that a message has (a receiver
 * knows how long it is), without a new number. A receiver refuses what is newer than itself, and monitors are as
 * old as their containers: whoever raises this sends to each peer in the version that the peer spoke first.
 */
#define PROTO_VERSION   1
#define PROTO_REVISION  2   /* counts the types that were added: a launcher of another one is replaced, whatever its version */
#define PROTO_MAX_BYTES 8192
#define PROTO_ID_LEN    64
#define PROTO_STEMS_MAX 32  /* of a kind, that a launcher keeps (--stems) */

enum msg_type {
	MSG_HELLO = 1,        /* struct msg_hello; first on every launcher connection, answered in kind */
	MSG_LAUNCH,           /* struct msg_launch; fds: spec memfd, exit record, control socket, then bind mounts */
	MSG_EXEC,             /* struct msg_launch; fds: spec memfd, exit record, control socket, pidfd of the container's init */
	MSG_CLEAN,            /* struct msg_clean: kill what is left in a container's cgroup and remove it; answered by MSG_CLEANED */
	MSG_CLEANED,          /* struct msg_clean with err filled */
	MSG_SHUTDOWN,         /* struct msg_head: end when no child is left (a newer launcher takes over); monitors stay */
	MSG_ORPHAN,           /* struct msg_orphan; fd: pidfd. A monitor died, its program runs on under the launcher; again after each HELLO */
	MSG_ORPHAN_EXITED,    /* struct msg_orphan: its exit record is written */
	MSG_STATUS,           /* kilnd asks: struct msg_head; monitor answers struct msg_status + pidfd when running */
	MSG_STARTED,          /* struct msg_status; fd: pidfd of init */
	MSG_FAILED,           /* struct msg_failed */
	MSG_EXITED,           /* struct msg_exited */
	MSG_ATTACH,           /* struct msg_attach; fd: the hijacked connection (blocking or not; the monitor sets O_NONBLOCK) */
	MSG_RESIZE,           /* struct msg_resize */
	MSG_DETACHED,         /* struct msg_head: an attached client typed the detach keys */
	MSG_RELEASE,          /* struct msg_head: the exit is kept; end */
	MSG_LOG,              /* struct msg_log: how the launcher, and monitors that it forks from now on, log */
	MSG_TYPES_
};

struct msg_head {
	uint16_t version;     /* PROTO_VERSION of the sender */
	uint16_t type;        /* enum msg_type */
	uint32_t bytes;       /* whole message */
};

#define PROTO_BUILD_MAX 64

struct msg_log {
	struct msg_head head;
	uint8_t level;        /* enum log_level */
	uint8_t is_json;
	uint8_t pad[6];
};

struct msg_hello {
	struct msg_head head;
	char build[PROTO_BUILD_MAX];   /* proto_build() of the sender */
};

/* What a launcher and its kilnd must have in common, else another takes its place: the program, the data root, --stems. Return: nothing */
static inline void proto_build(const struct stat *data_root, size_t n_stems, char ret[PROTO_BUILD_MAX])
{
	snprintf(ret, PROTO_BUILD_MAX, "%s/%d %llx:%llx %zu", KILN_VERSION, PROTO_REVISION, (unsigned long long)data_root->st_dev,
		 (unsigned long long)data_root->st_ino, n_stems);
}

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

/* The least that a message of each type has; 0: no such type. */
static inline size_t proto_min_bytes_(unsigned type)
{
	static const size_t min_bytes[MSG_TYPES_] = {
		[MSG_HELLO] = sizeof(struct msg_hello),
		[MSG_LAUNCH] = sizeof(struct msg_launch),
		[MSG_EXEC] = sizeof(struct msg_launch),
		[MSG_CLEAN] = sizeof(struct msg_clean),
		[MSG_CLEANED] = sizeof(struct msg_clean),
		[MSG_SHUTDOWN] = sizeof(struct msg_head),
		[MSG_ORPHAN] = sizeof(struct msg_orphan),
		[MSG_ORPHAN_EXITED] = sizeof(struct msg_orphan),
		[MSG_STATUS] = sizeof(struct msg_head),
		[MSG_STARTED] = sizeof(struct msg_status),
		[MSG_FAILED] = sizeof(struct msg_failed),
		[MSG_EXITED] = offsetof(struct msg_exited, captured),
		[MSG_ATTACH] = offsetof(struct msg_attach, prefix),
		[MSG_RESIZE] = sizeof(struct msg_resize),
		[MSG_DETACHED] = sizeof(struct msg_head),
		[MSG_RELEASE] = sizeof(struct msg_head),
		[MSG_LOG] = sizeof(struct msg_log),
	};

	return type < MSG_TYPES_ ? min_bytes[type] : 0;
}

static inline bool proto_is_text_(const char *s, size_t room)
{
	return memchr(s, '\0', room) != NULL;
}

/* The variable part fits in the message and every text in it ends. */
static inline bool proto_is_whole_(const void *data, size_t n, unsigned type)
{
	const struct msg_attach *attach = data;
	const struct msg_exited *exited = data;
	const struct msg_failed *failed = data;
	const struct msg_launch *launch = data;   /* msg_clean and msg_orphan have the id in the same place */
	const struct msg_clean *clean = data;
	const struct msg_hello *hello = data;

	switch (type) {
	case MSG_HELLO:
		return proto_is_text_(hello->build, sizeof hello->build);
	case MSG_CLEAN:
	case MSG_CLEANED:
		return proto_is_text_(clean->id, sizeof clean->id) &&
		       proto_is_text_(clean->cgroup_path, sizeof clean->cgroup_path) &&
		       proto_is_text_(clean->err.msg, sizeof clean->err.msg);
	case MSG_LAUNCH:
	case MSG_EXEC:
	case MSG_ORPHAN:
	case MSG_ORPHAN_EXITED:
		return proto_is_text_(launch->id, sizeof launch->id);
	case MSG_FAILED:
		return proto_is_text_(failed->err.msg, sizeof failed->err.msg);
	case MSG_EXITED:
		return exited->n_captured <= MSG_CAPTURE_MAX &&
		       exited->n_captured == n - offsetof(struct msg_exited, captured);
	case MSG_ATTACH:
		return attach->n_prefix <= ATTACH_PREFIX_MAX &&
		       attach->n_prefix == n - offsetof(struct msg_attach, prefix) &&
		       proto_is_text_(attach->detach_keys, sizeof attach->detach_keys);
	default:
		return true;
	}
}

/**
 * proto_check() - Whether a received message is one of this protocol, of a version we speak, and whole
 * @data: borrows; aligned for struct msg_head
 * @e:    ERR_INVALID what is wrong with it
 *
 * Afterwards every fixed field may be read, every text in it ends, and the counts agree with the length.
 * Return: its enum msg_type, or -1 with @e set
 */
static inline int proto_check(const void *data, size_t n, struct err *e)
{
	const struct msg_head *head = data;
	size_t min_bytes;

	if (n < sizeof *head || head->bytes != n)
		return err_set(e, ERR_INVALID, "message of %zu bytes: wrong length", n);
	if (head->version < 1 || head->version > PROTO_VERSION || head->version + 1 < PROTO_VERSION)
		return err_set(e, ERR_INVALID, "message of protocol version %u", head->version);
	min_bytes = proto_min_bytes_(head->type);
	if (min_bytes == 0)
		return err_set(e, ERR_INVALID, "message of unknown type %u", head->type);
	if (n < min_bytes || !proto_is_whole_(data, n, head->type))
		return err_set(e, ERR_INVALID, "message of type %u: malformed", head->type);
	return head->type;
}

/**
 * proto_head() - The head of a message that is about to be sent
 * Return: that
 */
static inline struct msg_head proto_head(enum msg_type type, size_t bytes)
{
	return (struct msg_head){ .version = PROTO_VERSION, .type = (uint16_t)type, .bytes = (uint32_t)bytes };
}
