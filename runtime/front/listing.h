/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container as `state` and `list` show it, and as hooks get it: the specification's state and what runc adds to it.
 *
 * Spec: runtime-spec runtime.md#state
 */
#pragma once

#include "base/json.h"
#include "runtime/front/instance.h"

/* All borrowed, or in an arena. */
struct listing {
	char *oci_version;
	char *id;
	int64_t pid;       /* 0 when it has stopped */
	char *status;
	char *bundle, *rootfs;
	char *created;
	struct str_map annotations;
	char *owner;
};
extern const struct jschema listing_schema;

/**
 * listing_of() - What is to be shown of a container
 * @pidfd: owned when not NULL: the living process, or -1
 * @ret:   its strings are the instance's, or in its arena
 * Return: 0, or -1 with @e set
 */
int listing_of(const struct instance *i, struct listing *ret, struct err *e);

/**
 * listing_owner() - The name of a user, by /etc/passwd, or "#1000"
 * Return: in @a
 */
char *listing_owner(uid_t uid, struct arena *a);
