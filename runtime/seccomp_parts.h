/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the seccomp module share; nobody else includes it.
 */
#pragma once

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
};

/**
 * seccomp_profile_parse() - Docker's JSON, its conditions decided, as the specification's object
 * @ret: in @arena
 * @e:   ERR_INVALID with the path to the value
 * Return: 0, or -1 with @e set
 */
int seccomp_profile_parse(const char *text, const struct seccomp_facts *facts, struct arena *arena,
			  struct oci_seccomp **ret, struct err *e);

/**
 * seccomp_build() - Compile by libseccomp
 * @ret: in @arena
 * Return: 0, or -1 with @e set
 */
int seccomp_build(const struct oci_seccomp *s, struct arena *arena, struct sock_fprog *ret,
		  struct err *e);

/* The version of libseccomp, "2.5.4", into out. Return: nothing */
void seccomp_library_version(char out[32]);

/**
 * seccomp_cache_load() - An entry, if there is a sound one
 * Return: true and *ret in @arena, or false
 */
bool seccomp_cache_load(const char *dir, const char *key, struct arena *arena,
			struct sock_fprog *ret);

/* Keep an entry; what fails is left. Return: nothing */
void seccomp_cache_save(const char *dir, const char *key, const struct sock_fprog *program);
