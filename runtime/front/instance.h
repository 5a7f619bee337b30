/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container of the command line: a directory <root>/<id>, 0700, with
 *
 *   state.json     who it is (struct instance_record); replaced as a whole
 *   config.json    the configuration as it was at create; the bundle's file is not looked at again
 *   start, report  FIFOs: the created process reads the one and complains into the other (runtime/stages.h)
 *
 * Beside the containers is <root>/.filters, 0700: compiled seccomp filters (runtime/seccomp.h).
 *
 * Theory of operation. The status is never stored: it is asked of the kernel. Who creates or removes a container holds a lock
 * (flock) on its directory, so a directory whose record has no process yet is being made while the lock is held, and left over
 * from somebody who was killed when it is not. A process lives when its pid, start time and boot are those of the record. It is
 * `created` as long as it has the FIFO `start` open for reading, which execve closes: opening that for writing without
 * blocking is the question, and disturbs nobody. `paused` is what the freezer says.
 *
 * Every step can be cut off: what is left is found by the directory, and `delete` takes it away.
 */
#pragma once

#include "base/arena.h"
#include "base/json.h"
#include "runtime/procid.h"

#define INSTANCE_VERSION 1

/* state.json */
struct instance_record {
	uint32_t version;     /* INSTANCE_VERSION */
	char *oci_version;    /* of the configuration */
	char *id;
	char *bundle, *rootfs; /* absolute */
	char *created;        /* RFC 3339 */
	char *cgroup_path;    /* below each hierarchy; "": none */
	bool is_scope;        /* the group is a scope of systemd's */
	bool has_group;       /* the group was made for it before it had a process */
	bool has_hooks;       /* some command is to look for hooks in the configuration */
	bool keeps_groups;    /* its user namespace has the maker's supplementary groups. Not asked of its processes: they may be in another one by now */
	bool own_pid_ns;      /* its end is the end of all its processes */
	int64_t pid;          /* 0: none yet */
	uint64_t start_ticks;
	char *boot;
	struct str_map annotations;
};

enum instance_status {
	INSTANCE_CREATING, /* somebody is at it */
	INSTANCE_CREATED,
	INSTANCE_RUNNING,
	INSTANCE_PAUSED,
	INSTANCE_STOPPED,
};

struct instance {
	const char *root, *id; /* borrowed */
	int dir_fd;            /* owned; -1 */
	struct arena *arena;   /* borrowed; holds the record */
	struct instance_record *record; /* NULL: cut off before it was written */
};
#define INSTANCE_EMPTY { .dir_fd = -1 }

/**
 * instance_check_id() - Letters, digits, "_+-.", not first a dot
 * @e: ERR_INVALID
 * Return: 0, or -1 with @e set
 */
int instance_check_id(const char *id, struct err *e);

/**
 * instance_reserve() - Make the directory of a new container, and hold its lock
 * @root:  made when absent, 0700
 * @arena: keeps
 * @ret:   instance_close(); on failure later instance_remove()
 * @e:     ERR_CONFLICT "container with given ID already exists"
 * Return: 0, or -1 with @e set
 */
int instance_reserve(const char *root, const char *id, struct arena *arena, struct instance *ret, struct err *e);

/**
 * instance_filters_dir() - Where compiled filters of this root's containers are kept: <root>/.filters
 * Return: in @arena; NULL: the root is not there, is not ours, or others can write to it
 */
const char *instance_filters_dir(const char *root, struct arena *arena);

/**
 * instance_open(), instance_look() - A container that exists, or was once begun; one to act on is the caller's own
 * @e: ERR_NOT_FOUND "container does not exist"; of instance_open(): ERR_DENIED another user has made it
 * Return: 0, or -1 with @e set
 */
int instance_open(const char *root, const char *id, struct arena *arena, struct instance *ret, struct err *e);
int instance_look(const char *root, const char *id, struct arena *arena, struct instance *ret, struct err *e);

/**
 * instance_find(), instance_load() - The two steps of it: the directory, and the record
 * @e: of instance_load(): ERR_INVALID it is torn; ERR_UNSUPPORTED it is of another version
 * Return: 0, or -1 with @e set
 */
int instance_find(const char *root, const char *id, struct arena *arena, struct instance *ret, struct err *e);
int instance_load(struct instance *i, struct err *e);

/**
 * instance_close() - Let go of it, and of the lock if it is held. Empty is fine
 * Return: nothing
 */
void instance_close(struct instance *i);
#define AUTO_INSTANCE __attribute__((cleanup(instance_close)))

/**
 * instance_lock() - Hold its lock, for removal
 * @timeout_ms: how long to wait for whoever holds it; 0: not at all
 * @e: ERR_TIMEOUT somebody holds it; ERR_NOT_FOUND it was removed meanwhile
 * Return: 0, or -1 with @e set
 */
int instance_lock(struct instance *i, unsigned timeout_ms, struct err *e);

/**
 * instance_unlock() - Let go of the lock, in whatever process has inherited the descriptor, too
 * Return: nothing
 */
void instance_unlock(struct instance *i);

/**
 * instance_save() - Write the record
 * Return: 0, or -1 with @e set and the old one in place
 */
int instance_save(struct instance *i, struct err *e);

/**
 * instance_make_fifos() - Make `start` and `report`, open for reading and writing
 * @ret_start_fd, @ret_report_fd: owned
 * Return: 0, or -1 with @e set
 */
int instance_make_fifos(const struct instance *i, int *ret_start_fd, int *ret_report_fd, struct err *e);

/**
 * instance_open_fifos() - Open `start` for writing and `report` for reading, neither blocking
 * @e: ERR_CONFLICT nobody waits for a start (any more)
 * Return: 0, or -1 with @e set
 */
int instance_open_fifos(const struct instance *i, int *ret_start_fd, int *ret_report_fd, struct err *e);

/**
 * instance_status() - What it is now
 * @ret_pidfd: owned: its first process when it lives, else -1; may be NULL
 * @e:         the kernel did not answer: nothing is known then
 *
 * Needs cgroup_setup() to tell paused from running.
 * Return: 0, or -1 with @e set
 */
int instance_status(const struct instance *i, enum instance_status *ret, int *ret_pidfd, struct err *e);

/**
 * instance_status_name() - "creating", "created", "running", "paused", "stopped"
 * Return: a static string
 */
const char *instance_status_name(enum instance_status s);

/**
 * instance_remove() - Remove the directory and what is in it
 * Return: 0, or -1 with @e set
 */
int instance_remove(struct instance *i, struct err *e);

extern const struct jschema instance_record_schema;

/**
 * instance_put_state() - The specification's state, but for the pid, into the object that is being written
 * Return: nothing
 */
struct jw;
void instance_put_state(struct jw *w, const struct instance_record *rec, const char *status);
