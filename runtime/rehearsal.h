/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a monitor does first with its order, done for nothing: libraries set themselves up, and the pages of code and data that
 * it takes are mapped. The launcher does it once, so that all have what it found; a stem once more, for what a fork does not bring.
 */
#pragma once

#include "base/err.h"

/**
 * rehearse() - Read a document and plan its process, with the default seccomp filter
 * @data_root: where the filters are kept: it is built and kept when it is not there
 * @e:         what has failed; nothing is lost then but time
 *
 * Blocks: on disk. Leaves nothing in use but memory that malloc keeps.
 * Return: 0, or -1 with @e set
 */
int rehearse(const char *data_root, struct err *e);
