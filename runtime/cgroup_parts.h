/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the cgroup module share; nobody else includes it.
 */
#pragma once

#include "runtime/cgroup.h"

struct cgroup_value;
struct cgroup_values;

#define CGROUP_V1_MAX   12
#define CGROUP_PATH_MAX 200

struct cgroup_hierarchy {
	char mount[256];       /* where it is mounted */
	char controllers[128]; /* comma-separated; of v2: those that we use */
};

struct cgroup_host {
	struct cgroup_hierarchy v2; /* mount "": there is none */
	struct cgroup_hierarchy v1[CGROUP_V1_MAX];
	struct cgroup_v1 names[CGROUP_V1_MAX];
	struct cgroup_layout layout;
	bool is_rootless; /* there is no power over the groups but over delegated ones */
};

/* What cgroup_setup() has found. Return: static */
const struct cgroup_host *cgroup_host(void);

/* The directories of a group, the v2 one first: i-th of them, into out. Return: false behind the last */
bool cgroup_dir(size_t i, const char *path, char out[512]);

/* Is it a path as cgroup_create() wants it? Return: 0, or -1 with @e set */
int cgroup_check_path(const char *path, struct err *e);

/* The file of a controller in a group, into out. Return: false when the controller is not in use */
bool cgroup_value_file(const char *path, const struct cgroup_value *v, char out[512]);

/* Is a controller in use? Return: that */
bool cgroup_has_controller(const char *controller);

/* Write lines one by one. Return: 0, or -1 with @e set */
int cgroup_write_lines(const char *file, const char *lines, struct err *e);

/* Make a group's directories. Return: false when libcgroup has to, because the group above is not there, or has not all controllers for it */
bool cgroup_make_dirs(const char *path);

/*
 * v2, without power over the host: make a group whose parent is there, with the controllers that the values want (cgroup_own.c).
 * Return: 0, or -1 with @e set: ERR_DENIED a controller is not delegated
 */
int cgroup_make_own(const char *path, const struct cgroup_values *values, struct err *e);

/* Make a group, unless is_made, and write its values, by libcgroup. Return: 0, or -1 with @e set */
int cgroup_fill(const char *path, bool is_made, const struct cgroup_values *values, struct err *e);

/* v1: give processors and memory to the groups above and to the group. Return: 0, or -1 with @e set */
int cgroup_prepare_cpuset(const char *path, struct err *e);
