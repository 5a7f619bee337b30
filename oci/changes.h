/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `docker import --change`: instructions in the words of a Dockerfile, applied to an image's configuration.
 *
 * CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR, one table. Strict: ENV and LABEL are
 * name=value pairs, variables are refused because there is nothing to expand them from. Pure; results live in the
 * caller's arena.
 *
 * Spec: Dockerfile reference; moby builder/dockerfile (BuildFromConfig)
 */
#pragma once

#include "oci/image.h"

#define CHANGES_MAX_BYTES 65536   /* of one instruction */
#define CHANGES_MAX_WORDS 1024    /* of one list, over all instructions */

/**
 * changes_apply() - Apply instructions, in order
 * @lines: borrows; one instruction each
 * @exec:  changed; its lists are replaced, not shared
 * @e:     ERR_INVALID names the instruction; ERR_UNSUPPORTED for one that an import cannot have (RUN, COPY …)
 * Return: 0, or -1 with @e set
 */
int changes_apply(const struct str_list *lines, struct arena *a, struct oci_image_exec *exec, struct err *e);
