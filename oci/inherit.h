/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a layer takes from the layers below, where its tar does not stand by itself.
 *
 * Directories that it only implies: a tar may hold "usr/bin/tool" and no entry for "usr". Then the image's
 * directory stays as the layers below have it; overlay shows the upper directory's mode, owner, time and
 * attributes, so the layer's own directory gets those of the nearest layer below that has it. Where the layers
 * below have a symbolic link ("bin", a link to "usr/bin"), what the layer puts there is moved to where it leads.
 *
 * Hard links to files that it has not: the file is copied up, as overlay does when one is linked, and then linked.
 *
 * Runs in kilnd, on directories that nobody else changes; paths come from the unpack role and are opened
 * component by component without following links.
 */
#pragma once

#include "oci/unpack_proto.h"

#define INHERIT_COPY_MAX_BYTES (UINT64_C(8) << 30)   /* of files of the layers below that one layer's hard links need */

/**
 * inherit_layer() - Complete a layer by what is below it
 * @layer_fd: borrows; opaque directories are marked already
 * @lowers:   borrows; the nearest first
 * @told:     borrows; what unpacking told: its implied directories (what is above comes before what is below) and links
 * @e:        ERR_INVALID a hard link leads to nothing; ERR_INTERNAL a path is malformed; ERR_SYSTEM
 *
 * A directory that no layer below shows stays as it is.
 * Return: 0, or -1 with @e set
 */
int inherit_layer(int layer_fd, const int *lowers, size_t n_lowers, const struct unpack_layer *told, struct err *e);
