/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the cgroup module share; nobody else includes it.
 */
#pragma once

#include "runtime/cgroup.h"

#define CGROUP_V1_MAX      12
#define CGROUP_PATH_MAX    200

struct cgroup_hierarchy {
	char mount[256];                    /* where it is mounted */
	char controllers[128];              /* comma-separated; of v2: those that we use */
};

struct cgroup_host {
	struct cgroup_hierarchy v2;         /* mount "": there is none */
	struct cgroup_hierarchy v1[CGROUP_V1_MAX];
	struct cgroup_v1 names[CGROUP_V1_MAX];
	struct cgroup_layout layout;
};

/* What cgroup_setup() has found. Return: static */
const struct cgroup_host *cgroup_host(void);

/* The directories of a group, the v2 one first: i-th of them, into out. Return: false behind the last */
bool cgroup_dir(size_t i, const char *path, char out[512]);

/* Is it a path as cgroup_create() wants it? Return: 0, or -1 with @e set */
int cgroup_check_path(const char *path, struct err *e);
