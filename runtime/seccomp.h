/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seccomp filters: from a profile to BPF, by libseccomp, and kept in a cache so that it is done once.
 *
 * A profile is Docker's JSON (with rules that depend on capabilities, architecture and kernel) or the
 * specification's linux.seccomp. The cache is a directory of ours, 0700; an entry is named by the hash of all
 * that went into it and carries the hash of its content, so a torn or altered one is built again. There are so many at most.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
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

/* A system call of this machine's own kind. */
struct seccomp_call {
	int number;
	uint64_t args[6];
};

/**
 * seccomp_allows() - Whether a process with this filter could make a call
 * Return: that; no, when the filter has instructions that none of ours has
 */
bool seccomp_allows(const struct sock_fprog *filter, const struct seccomp_call *call);

/**
 * seccomp_wants_listener() - Does a configuration leave calls to an agent (SCMP_ACT_NOTIFY)?
 * @s: NULL: no
 * @e: ERR_INVALID, ERR_UNSUPPORTED it does in a way that cannot work, with the path to the value
 *
 * Spec: runtime-spec config-linux.md#seccomp "listenerPath"
 * Return: 0, or -1 with @e set
 */
int seccomp_wants_listener(const struct oci_seccomp *s, bool *ret, struct err *e);

/* How the descriptor by which an agent is asked leaves a process that has the filter already. */
enum seccomp_way { SECCOMP_WAY_SENDMSG, SECCOMP_WAY_WRITE }; /* WRITE: by its number, the parent fetches it */

/**
 * seccomp_listener_way() - A call that the filter leaves to the process
 * @e: ERR_UNSUPPORTED there is none
 * Return: 0, or -1 with @e set
 */
int seccomp_listener_way(const struct sock_fprog *filter, enum seccomp_way *ret, struct err *e);

/**
 * seccomp_check_names() - Are all its system calls known to libseccomp? Else a rule is about fewer than it names
 * @e: ERR_INVALID with the path to the first that is not
 * Return: 0, or -1 with @e set
 */
int seccomp_check_names(const struct oci_seccomp *s, struct err *e);

/**
 * seccomp_flags() - The flags of a configuration as the loading call takes them
 * @s: NULL: none
 * @e: as seccomp_wants_listener(); ERR_UNSUPPORTED with the path to the value
 *
 * SECCOMP_FILTER_FLAG_NEW_LISTENER is among them where a listener is wanted.
 * Return: 0, or -1 with @e set
 */
int seccomp_flags(const struct oci_seccomp *s, uint32_t *ret, struct err *e);

enum seccomp_word { SECCOMP_ACTION, SECCOMP_OPERATOR, SECCOMP_ARCH, SECCOMP_FLAG };

/**
 * seccomp_word() - The @i-th word of a kind that profiles may use, in the order of the alphabet
 * Return: a static string, NULL behind the last
 */
const char *seccomp_word(enum seccomp_word kind, size_t i);

/**
 * seccomp_library_version() - Of libseccomp: "2.5.4"
 * Return: nothing
 */
void seccomp_library_version(char out[32]);
