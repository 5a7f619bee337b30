/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRIU, which writes processes to files and brings them back: a program of its own, run by its command line.
 */
#pragma once

#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

#define CRIU_PACKAGE "criu"

/* Its arguments. All in the arena. */
struct criu_args {
	struct arena *a;
	char **v;
	size_t n, max;
};

/**
 * criu_begin() - An action and where its files are
 * @action:   "dump", "pre-dump", "restore"
 * @work_dir: of its log, <action>.log
 * Return: nothing
 */
void criu_begin(struct criu_args *args, struct arena *a, const char *action, const char *image_dir, const char *work_dir);

/**
 * criu_add() - One more argument
 * Return: nothing
 */
void criu_add(struct criu_args *args, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Where a container comes back. */
struct criu_place {
	const char *root;     /* absolute; is a mount point to CRIU alone */
	int cgroup_dir_fd;    /* borrowed: CRIU, and so its children, join this group */
};

/**
 * criu_run() - Run it and wait for its end
 * @place: NULL: here
 * @e:     ERR_UNSUPPORTED it is not installed, or says that this kernel is not fit for it; ERR_SYSTEM it failed: the last error of its log
 *
 * It has our standard streams, and no descriptors but those without CLOEXEC. Blocks as long as it does.
 * Return: 0, or -1 with @e set
 */
int criu_run(const struct criu_args *args, const char *work_dir, const struct criu_place *place, struct err *e);
