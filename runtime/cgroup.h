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

#include "base/err.h"

struct oci_resources;
struct cgroup_handle;

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
 * cgroup_open() - A group that exists, to join it
 * @e: ERR_NOT_FOUND it does not exist
 * Return: 0, or -1 with @e set
 */
int cgroup_open(const char *path, struct cgroup_handle **ret, struct err *e);

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

/* One v1 hierarchy in use. */
struct cgroup_v1 {
	const char *name; /* of its directory: "cpu,cpuacct"; the container sees it under this name */
	const char *controllers; /* as mount options: "cpu,cpuacct" */
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
