/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seccomp filters: from a profile to BPF, by libseccomp, and kept in a cache so that it is done once.
 *
 * A profile is Docker's JSON (with rules that depend on capabilities, architecture and kernel) or the
 * specification's linux.seccomp. The cache is a directory of ours, 0700; an entry is named by the hash of all
 * that went into it and carries the hash of its content, so a torn or altered one is built again.
 */
#pragma once

#include <linux/filter.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct oci_seccomp;

struct seccomp_source {
	const char *profile;           /* "default", "unconfined", Docker's JSON; NULL: see oci */
	const struct oci_seccomp *oci; /* used when profile is NULL; NULL: no filter */
	uint64_t caps; /* what the container's bounding set holds: opens rules of the profile */
	const char *cache_dir; /* made when absent; NULL: no cache */
};

/**
 * seccomp_filter() - The filter for a process
 * @ret:   in @arena; len 0 when there is to be none
 * @e:     ERR_INVALID what is wrong in the profile; ERR_UNSUPPORTED an action or a feature, by name
 *
 * A cache that cannot be read or written does not fail the call: the filter is built.
 * Return: 0, or -1 with @e set
 */
int seccomp_filter(const struct seccomp_source *source, struct arena *arena, struct sock_fprog *ret,
		   struct err *e);
