/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control groups: one name ("/kiln/<id>") that stands for a directory in each hierarchy in use.
 *
 * libcgroup finds the mounts and controllers, and creates, fills and removes groups; joining is the process's
 * own doing (a write of 0, or clone3 with the directory's descriptor), as are cgroup.kill and the events.
 * Layouts: v2 alone; v1 alone; hybrid (v1 controllers, a cgroup2 mount beside them that is used to kill). The
 * hierarchy name=systemd is never touched. Only this module sees <libcgroup.h>. Single-threaded.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct arena;
struct oci_resources;
struct cgroup_handle;
struct cgroup_values;

/**
 * cgroup_setup() - Find the mounted hierarchies; once in a process, before anything else here
 * @e: ERR_UNSUPPORTED no usable hierarchy is mounted
 *
 * Forked children inherit the result.
 * Return: 0, or -1 with @e set
 */
int cgroup_setup(struct err *e);

/**
 * cgroup_create() - Make a group in every hierarchy and set its limits
 * @path:      "/a/b", no "..", at most 200 bytes; a group that exists already is ERR_CONFLICT when processes are in it
 * @resources: borrows; NULL: no limits and no device rules
 * @ret:       owned; cgroup_close()
 * @e:         ERR_INVALID a value the kernel refuses, named; ERR_UNSUPPORTED a limit without its controller
 * Return: 0, or -1 with @e set and nothing left behind
 */
int cgroup_create(const char *path, const struct oci_resources *resources,
		  struct cgroup_handle **ret, struct err *e);

/**
 * cgroup_adopt() - The same for a group that was made for us, and may have processes; with an error it stays
 * Return: 0, or -1 with @e set
 */
int cgroup_adopt(const char *path, const struct oci_resources *resources, struct cgroup_handle **ret, struct err *e);

/**
 * cgroup_mark() - Write on a group whose it is, in every hierarchy; before the first process joins
 * @owner: not empty, at most CGROUP_OWNER_MAX bytes
 * @e:     ERR_SYSTEM
 * Return: 0, or -1 with @e set
 */
int cgroup_mark(const char *path, const char *owner, struct err *e);

/**
 * cgroup_claim() - Write on a group which container it is of now, as far as that is possible; the last one counts
 * @who: not empty, below CGROUP_CLAIM_MAX bytes
 * Return: nothing
 */
void cgroup_claim(const char *path, const char *who);

/**
 * cgroup_is_of_another() - Has another container claimed it meanwhile? Then it is no longer ours to remove
 * Return: that; false where there is no such group or mark
 */
bool cgroup_is_of_another(const char *path, const char *who);
#define CGROUP_CLAIM_MAX 1024

/**
 * cgroup_update() - Change the limits of a group that exists; what is not asked for stays as it is, devices always do
 * @ret: in @a: what has been written
 * @e: ERR_INVALID, ERR_CONFLICT a value the kernel refuses; ERR_UNSUPPORTED a limit without its controller, by name
 *
 * All or nothing, as far as the kernel shows what was there: limits of single block devices are not put back.
 * Return: 0, or -1 with @e set
 */
int cgroup_update(const char *path, const struct oci_resources *resources, struct arena *a, struct cgroup_values *ret, struct err *e);

/**
 * cgroup_make_above() - Make the groups above one that is about to be created, and remember which of them are ours
 * @path: of the group itself
 * @root: this group and those above it stay when they are made here
 * @e:    ERR_SYSTEM
 * Return: 0, or -1 with @e set
 */
int cgroup_make_above(const char *path, const char *root, struct err *e);

/**
 * cgroup_give_real_time() - v1: let the groups above one have real time, which the kernel gives no group by itself
 * @path:         of the group itself; those above it are made where they are missing
 * @period_usec:  0: as it is
 * @runtime_usec: 0: nothing is done. A group that has as much already stays as it is
 * @e:            ERR_INVALID there is not as much above
 * Return: 0, or -1 with @e set
 */
int cgroup_give_real_time(const char *path, uint64_t period_usec, uint64_t runtime_usec, struct err *e);

/**
 * cgroup_remove_above() - Remove the groups above that cgroup_make_above() has made, as far as they are empty
 * @path: of the group itself, which is gone
 * Return: nothing
 */
void cgroup_remove_above(const char *path);

/**
 * cgroup_open() - A group that exists, to join it
 * @e: ERR_NOT_FOUND it does not exist
 * Return: 0, or -1 with @e set
 */
int cgroup_open(const char *path, struct cgroup_handle **ret, struct err *e);

/* A group below another one, in all hierarchies or in those of some controllers. */
struct cgroup_below {
	const char *controllers; /* v1: "cpu,cpuacct"; NULL: all */
	const char *path;        /* below the group, clean: "/a/b"; "/" is the group itself */
};

/**
 * cgroup_open_below() - The same, but joined below it
 * @below: of several that name a controller the last one counts
 * @e:     ERR_INVALID a controller that is not on v1; ERR_NOT_FOUND
 * Return: 0, or -1 with @e set
 */
int cgroup_open_below(const char *path, const struct cgroup_below *below, size_t n, struct cgroup_handle **ret,
		      struct err *e);

/**
 * cgroup_close() - Close its descriptors; the group stays. NULL is fine
 * Return: nothing
 */
void cgroup_close(struct cgroup_handle *h);

/**
 * cgroup_keep_counter() - Close all descriptors but the one that cgroup_oom_kills() reads: for whom only watches
 * Return: nothing
 */
void cgroup_keep_counter(struct cgroup_handle *h);

/**
 * cgroup_dir_fd() - The directory in the cgroup2 hierarchy, for clone3(CLONE_INTO_CGROUP)
 * @h: NULL: there is no group
 * Return: borrowed, or -1 where no cgroup2 is mounted
 */
int cgroup_dir_fd(const struct cgroup_handle *h);

/**
 * cgroup_join_fds() - The files of the v1 hierarchies that the joining process writes "0" to
 * Return: their number; *ret_fds borrowed
 */
size_t cgroup_join_fds(const struct cgroup_handle *h, const int **ret_fds);

/**
 * cgroup_oom_kills() - How many processes of the group the kernel has killed for want of memory
 *
 * Needs no privilege and no path: the file is open since cgroup_create(). Works as long as the group exists.
 * Return: the count; 0 when unknown
 */
uint64_t cgroup_oom_kills(const struct cgroup_handle *h);

/**
 * cgroup_remove() - Kill what is left in a group and remove it everywhere
 * @e: ERR_TIMEOUT a process does not die (bounded: about five seconds)
 *
 * An absent group is success. Blocks: up to that bound; a group without processes takes no wait.
 * Return: 0, or -1 with @e set
 */
int cgroup_remove(const char *path, struct err *e);

/**
 * cgroup_remove_once() - The same, but one try, for whom must not wait
 * @e: ERR_TIMEOUT processes are still on their way out: to be tried again
 * Return: 0, or -1 with @e set
 */
int cgroup_remove_once(const char *path, struct err *e);

/**
 * cgroup_remove_empty() - Remove a group that may be somebody else's: nothing is killed
 * @e: ERR_TIMEOUT processes are in it, and do not end by themselves (bounded: about a second)
 *
 * An absent group is success. Blocks: up to that bound.
 * Return: 0, or -1 with @e set
 */
int cgroup_remove_empty(const char *path, struct err *e);

/* Processes in the caller's pid namespace. Empty value: {0} */
struct cgroup_pids {
	pid_t *v;
	size_t n;
};

/**
 * cgroup_list() - The processes of a group and of the groups below it
 * @ret: owned; cgroup_pids_done()
 *
 * A group that is not there has none. Some may have ended when it returns, unless the group is frozen.
 * Return: 0, or -1 with @e set
 */
int cgroup_list(const char *path, struct cgroup_pids *ret, struct err *e);

/**
 * cgroup_leaf() - Where a further process of a container can join: a group of v2 that has given controllers to groups below it
 *                 takes none, and then it is where its first process is
 * @init: that process
 * Return: @path, or a path in @a
 */
const char *cgroup_leaf(const char *path, pid_t init, struct arena *a);

/**
 * cgroup_pids_done() - Free a list; it is empty then
 * Return: nothing
 */
void cgroup_pids_done(struct cgroup_pids *p);

/**
 * cgroup_signal() - Send a signal to all of them, frozen meanwhile, so that none forks past it
 *
 * A group that was frozen before stays so, but for SIGKILL.
 * Return: 0, or -1 with @e set
 */
int cgroup_signal(const char *path, int signo, struct err *e);

/**
 * cgroup_freeze() - Freeze or thaw a group, and wait until all of it is
 * @e: ERR_NOT_FOUND no such group; ERR_TIMEOUT (ten seconds): it is thawed again
 * Return: 0, or -1 with @e set
 */
int cgroup_freeze(const char *path, bool frozen, struct err *e);

/**
 * cgroup_is_frozen() - Is all of it frozen?
 * Return: that; false for a group that is not there
 */
bool cgroup_is_frozen(const char *path);

/**
 * cgroup_open_dir() - A group's directory, to read what is counted there
 * @controller: where it is on v1; NULL: in cgroup2
 * Return: owned, or -1 when there is none
 */
int cgroup_open_dir(const char *path, const char *controller);

/* Is told when memory runs out in a group. Empty value: CGROUP_OOM_WATCH_EMPTY, which nothing happens to */
struct cgroup_oom_watch {
	int fd;           /* owned: readable when something may have happened; -1 */
	int dir_fd;       /* owned; -1 */
	uint64_t n_kills; /* v2: seen so far */
};
#define CGROUP_OOM_WATCH_EMPTY { .fd = -1, .dir_fd = -1 }

/**
 * cgroup_oom_watch_init() - Begin to watch; without a controller of memory, or a group, nothing ever happens
 * @w: empty; cgroup_oom_watch_done(), also on failure
 * Return: 0, or -1 with @e set
 */
int cgroup_oom_watch_init(struct cgroup_oom_watch *w, const char *path, struct err *e);

/**
 * cgroup_oom_happened() - Take what the descriptor has to tell; it does not block
 * Return: whether memory has run out since the last call
 */
bool cgroup_oom_happened(struct cgroup_oom_watch *w);

/**
 * cgroup_oom_watch_done() - Stop watching
 * Return: nothing
 */
void cgroup_oom_watch_done(struct cgroup_oom_watch *w);

/**
 * cgroup_set_rootless() - From here on there is no power over groups but over delegated ones, and none over devices: a user namespace
 *                         makes none, and those that are bound are opened with the caller's rights. After cgroup_setup()
 * Return: nothing
 */
void cgroup_set_rootless(void);

/**
 * cgroup_own_dir() - The directory of the group that we are in
 * @controller: of which hierarchy of v1; NULL: cgroup2
 * Return: false when there is none
 */
bool cgroup_own_dir(const char *controller, char out[512]);

/**
 * cgroup_dir_of() - The directory of a group in cgroup2
 * Return: false when that is not mounted
 */
bool cgroup_dir_of(const char *path, char out[512]);

/**
 * cgroup_may_make() - May we make this group and move a process of ours into it, as far as one sees?
 * Return: that
 */
bool cgroup_may_make(const char *path);

/**
 * cgroup_delegated() - The group that containers' groups may be made below, as it was delegated to us; v2 only
 * @out: a path, "" for the root of all
 * Return: false when there is none
 */
bool cgroup_delegated(char out[512]);

/* One v1 hierarchy in use. */
struct cgroup_v1 {
	const char *name; /* of its directory: "cpu,cpuacct"; the container sees it under this name */
	const char *controllers; /* as mount options: "cpu,cpuacct" */
	const char *mount; /* where it is mounted: "/sys/fs/cgroup/cpu,cpuacct" */
};

/* What the host has. */
struct cgroup_layout {
	bool is_v2; /* cgroup2 alone */
	const struct cgroup_v1 *v1;
	size_t n_v1;
};

/**
 * cgroup_layout() - What cgroup_setup() has found
 * Return: static; zeroed before cgroup_setup()
 */
const struct cgroup_layout *cgroup_layout(void);
