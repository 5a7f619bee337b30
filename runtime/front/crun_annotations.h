/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Annotations that crun gives a meaning to (run.oci.…), as far as Kiln gives them the same. The others mean nothing, as with runc:
 * docs/oci-runtime.md says which.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct oci_config;

/* What they ask for that the specification has no place for. Empty value: {0} */
struct crun_annotations {
	const char *pidfd_receiver; /* a socket that gets a pidfd of the container's process; NULL: none */
	bool keeps_groups;          /* the supplementary groups are the caller's */
	const char *hooks_stdout, *hooks_stderr; /* files that hooks write to, but for those of the program's own side; NULL: none */
};

/**
 * crun_annotations_read() - Understand them
 * @ret: borrows from @config
 * @e:   ERR_INVALID by the name of the annotation
 * Return: 0, or -1 with @e set
 */
int crun_annotations_read(const struct oci_config *config, struct crun_annotations *ret, struct err *e);

/**
 * crun_annotations_seccomp() - Put those into linux.seccomp that are about it
 * @e: ERR_INVALID by the name of the annotation, or by the path of what it makes invalid
 * Return: 0, or -1 with @e set
 */
int crun_annotations_seccomp(struct oci_config *config, struct err *e);

/**
 * crun_annotations_name() - The @i-th that means something
 * Return: a static string, NULL behind the last
 */
const char *crun_annotations_name(size_t i);
