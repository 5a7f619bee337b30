/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the seccomp module share; nobody else includes it.
 */
#pragma once

#include <linux/seccomp.h>
#include <stdbool.h>

#include "base/str.h"
#include "oci/digest.h"
#include "runtime/seccomp.h"

/* The profile that is part of the program: contrib/seccomp/default.json. Return: NUL-terminated text */
const char *seccomp_default_profile(void);

/* What a profile's conditions are checked against. */
struct seccomp_facts {
	uint64_t caps;
	const char *machine; /* "x86_64", as uname says */
	unsigned kernel_major, kernel_minor;
	const char *release; /* of the kernel */
	unsigned api_level;  /* what libseccomp finds this kernel to have */
};

/**
 * seccomp_key() - A name for all that goes into a filter: that text, these facts, libseccomp and this program
 * @is_oci: the text is the specification's object, not Docker's
 * Return: nothing
 */
void seccomp_key(const char *text, bool is_oci, const struct seccomp_facts *f, char ret[DIGEST_HEX_LEN + 1]);

/**
 * seccomp_kernel_level() - What libseccomp finds this kernel to have
 * Return: 1 or more
 */
unsigned seccomp_kernel_level(void);

/**
 * seccomp_profile_parse() - Docker's JSON, its conditions decided, as the specification's object
 * @ret: in @arena
 * @e:   ERR_INVALID with the path to the value
 * Return: 0, or -1 with @e set
 */
int seccomp_profile_parse(const char *text, const struct seccomp_facts *facts, struct arena *arena,
			  struct oci_seccomp **ret, struct err *e);

/**
 * seccomp_scratch() - A memory file for seccomp_build(), which libseccomp writes to
 * Return: 0 and an owned descriptor, or -1 with @e set
 */
int seccomp_scratch(int *ret_fd, struct err *e);

/**
 * seccomp_build() - Compile by libseccomp, right here
 * @scratch_fd: borrows; empty
 * @ret:        in @arena
 * Return: 0, or -1 with @e set
 */
int seccomp_build(const struct oci_seccomp *s, int scratch_fd, struct arena *arena, struct sock_fprog *ret,
		  struct err *e);

/**
 * seccomp_shrink() - Let a program that libseccomp has made say the same with fewer instructions
 * @p: changed in place; one of another kind stays as it is
 *
 * Return: nothing
 */
void seccomp_shrink(struct sock_fprog *p, struct arena *arena);

/**
 * seccomp_answer() - What a program says to a call
 * Return: SECCOMP_RET_*; KILL_PROCESS, when it has instructions that none of ours has
 */
uint32_t seccomp_answer(const struct sock_fprog *p, const struct seccomp_data *d);

/**
 * seccomp_build_apart() - Both in a child without powers, which is ended after two seconds of work
 * @e: as seccomp_build(); ERR_INVALID libseccomp has not come to an end, or crashed
 * Return: 0, or -1 with @e set
 */
int seccomp_build_apart(const struct oci_seccomp *s, struct arena *arena, struct sock_fprog *ret,
			struct err *e);

#define SECCOMP_CACHE_MAX 64 /* entries, of 33 KiB at most */

/**
 * seccomp_cache_load() - An entry, if there is a sound one
 * Return: true and *ret in @arena, or false
 */
bool seccomp_cache_load(const char *dir, const char *key, struct arena *arena,
			struct sock_fprog *ret);

/* Keep an entry, and remove the oldest above SECCOMP_CACHE_MAX; what fails is left. Return: nothing */
void seccomp_cache_save(const char *dir, const char *key, const struct sock_fprog *program);
