/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bind sources, opened in the host's mount namespace as detached mounts, to be attached inside the
 * container's.
 *
 * Blocks (a source may lie on a dead network file system): for worker threads. Nothing is mounted
 * here: a detached mount goes with its last descriptor.
 */
#pragma once

#include "oci/bundle.h"

/**
 * binds_check() - Is there what must be there already at create (--mount)?
 * @e: ERR_INVALID "invalid mount config for type "bind": bind source path does not exist: …"
 * Return: 0, or -1 with @e set
 */
int binds_check(const struct bundle_bind *binds, size_t n, struct err *e);

/**
 * binds_open() - Open all sources of a container
 * @binds:   borrows
 * @ret_fds: @n descriptors, owned; on failure all are -1
 * @e:       names the source
 *
 * A source that does not exist is made as a directory, as docker does for -v. Shared and slave ask for a source that
 * lies on a mount that is shared. Options are set by the launcher's child, on the detached mounts, before anything is attached.
 * Return: 0, or -1 with @e set
 */
int binds_open(const struct bundle_bind *binds, size_t n, int *ret_fds, struct err *e);
