/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration of a container of the command line: read from a bundle at create, kept beside its state, and read from there
 * ever after. Reading a file and understanding its bytes are two functions: the second needs no privilege at all.
 *
 * Spec: runtime-spec config.md, runtime.md#lifecycle ("Any updates to config.json after this step MUST NOT affect the container")
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

struct launch_spec;
struct oci_config;
struct oci_resources;

#define BUNDLE_CONFIG         "config.json"
#define BUNDLE_FILE_MAX_BYTES (4u << 20)

/* Text of a configuration. Owned by an arena. */
struct bundle_text {
	const char *text;
	size_t n;
};

/**
 * bundle_config_read() - Read config.json of a directory (of a bundle, or of a container)
 * @dirfd: AT_FDCWD, or a directory that @dir is relative to
 * @e:     ERR_NOT_FOUND, ERR_INVALID it is no regular file, or too large
 * Return: 0, or -1 with @e set
 */
int bundle_config_read(int dirfd, const char *dir, struct arena *a, struct bundle_text *ret, struct err *e);

/**
 * bundle_file_read() - The same for any file of the caller's that holds a document
 * Return: 0, or -1 with @e set
 */
int bundle_file_read(int dirfd, const char *file, struct arena *a, struct bundle_text *ret, struct err *e);

/**
 * bundle_config_parse() - Understand it
 * @ret: in @a
 * @e:   ERR_INVALID with the path to the value
 * Return: 0, or -1 with @e set
 */
int bundle_config_parse(const struct bundle_text *text, struct arena *a, struct oci_config **ret, struct err *e);

/**
 * bundle_config_warn() - Log what has no effect here, though it is asked for
 * Return: nothing
 */
void bundle_config_warn(const struct oci_config *config);

/* The part of it that is about limits, which come with an update, too. Return: nothing */
void bundle_resources_warn(const struct oci_resources *r);

/**
 * bundle_config_spec() - As a launch document: no layers, sources anywhere, user as numbers
 * @bundle: absolute
 * @ret:    in @a; borrows all arguments
 * @is_scope: the systemd driver: cgroupsPath is "slice:prefix:name"; else it is a path
 * @e:      ERR_INVALID it has the other form
 * Return: 0, or -1 with @e set
 */
int bundle_config_spec(struct oci_config *config, const char *bundle, const char *id, bool is_scope, struct arena *a,
		       struct launch_spec **ret, struct err *e);

/**
 * bundle_config_owns_pids() - Has the container a pid namespace to itself, which ends with its first process?
 * Return: that
 */
bool bundle_config_owns_pids(const struct oci_config *config);
