/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client of the launcher: starts it, greets it, hands it launches, and starts another when it
 * dies.
 *
 * A launcher that is found running is kept when its build is ours; else it is told to end when its
 * children have, and a new one takes over. Containers do not depend on it once they run. Launches
 * asked for while there is none wait for a while; after that their descriptors are closed, which
 * the caller sees as the end of its control socket. Loop thread only.
 */
#pragma once

#include "daemon/engine/engine.h"
#include "runtime/proto.h"

struct launcher;

struct launcher_handlers {
	/* The monitor of a container died; its init runs on. */
	void (*orphan)(void *ctx, const char *id);
	/* Such a container has ended; its exit record is written. */
	void (*orphan_exited)(void *ctx, const char *id);
	/* Another one answers than before: what the last one had not cleaned up is nobody's. Launches that wait go afterwards. */
	void (*renewed)(void *ctx);
	/* It runs, but not in the scope that it was to ask systemd for. Called before anything is sent to it. */
	void (*unscoped)(void *ctx);
};

/**
 * launcher_new() - Connect to the launcher, or start one; what does not work at once is tried again
 * @cfg: keeps
 * @h:   keeps
 * Return: owned
 */
struct launcher *launcher_new(const struct engine_config *cfg, struct loop *l, const struct launcher_handlers *h,
			      void *ctx);

/**
 * launcher_free() - Disconnect; the launcher lives on. NULL is fine
 * Return: nothing
 */
void launcher_free(struct launcher *la);

/**
 * launcher_is_up() - Is there one that answered?
 * Return: true or false
 */
bool launcher_is_up(const struct launcher *la);

/**
 * launcher_generation() - Which launcher it is: counts up with each one that we find or start
 *
 * A launcher removes the control groups of its own monitors when they end; those of a dead
 * launcher's are ours to have cleaned.
 * Return: the number; 0 before the first one
 */
unsigned launcher_generation(const struct launcher *la);

/**
 * launcher_send() - Hand over a launch (MSG_LAUNCH) or an exec (MSG_EXEC)
 * @id:  64 hex digits
 * @fds: takes each; spec memfd, exit record, control socket, then what the type asks for
 * Return: nothing; the outcome comes over the control socket
 */
void launcher_send(struct launcher *la, enum msg_type type, const char *id, const int *fds, size_t n_fds);

/**
 * launcher_set_log() - How the launcher logs from now on, and each that comes after it; monitors that live keep theirs
 * Return: nothing
 */
void launcher_set_log(struct launcher *la, enum log_level level, bool is_json);

/**
 * launcher_clean() - Kill what is left in a container's cgroup and remove it
 * @done: called once, with the outcome
 * Return: nothing
 */
void launcher_clean(struct launcher *la, const char *id, const char *cgroup_path, engine_done_fn done, void *ctx);

/**
 * launcher_is_cleaning() - Was that asked for, and is not answered yet?
 * Return: true or false
 */
bool launcher_is_cleaning(const struct launcher *la, const char *id);
