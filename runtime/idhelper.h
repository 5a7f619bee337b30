/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who stays outside of a user namespace that we enter, and has newuidmap and newgidmap write what we may not write ourselves.
 *
 * In there a set-user-ID program has no power over the host, so they are run by a child that was forked before. They are run for
 * nobody but us: the child's parent, which waits for it meanwhile and so is the process that it names.
 *
 * Single-threaded callers only.
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"

struct idmap;

/* Empty value: IDHELPER_EMPTY */
struct idhelper {
	pid_t pid; /* owned: our child; 0: nobody is needed */
	int fd;    /* owned: the way to it; -1 */
	uid_t uid; /* who the caller is outside, where it can be asked */
	gid_t gid;
};
#define IDHELPER_EMPTY { .fd = -1 }

/**
 * idhelper_begin() - Fork it, when the mappings are more than the caller's own IDs
 * @h: empty; idhelper_done()
 * @e: ERR_NOT_FOUND there is no newuidmap or newgidmap; ERR_SYSTEM
 * Return: 0, or -1 with @e set
 */
int idhelper_begin(struct idhelper *h, const struct idmap *map, struct err *e);

/**
 * idhelper_map() - Give the new user namespace that we are in its mappings
 * @e: ERR_DENIED newuidmap or newgidmap has refused them, in its words; ERR_SYSTEM
 *
 * Blocks: until they have ended, ten seconds each at most.
 * Return: 0, or -1 with @e set
 */
int idhelper_map(struct idhelper *h, const struct idmap *map, struct err *e);

/**
 * idhelper_done() - End and reap it. Empty is fine
 * Return: nothing
 */
void idhelper_done(struct idhelper *h);
#define AUTO_IDHELPER __attribute__((cleanup(idhelper_done)))
