/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images as Docker's documents: a row of the list, inspect, history. No I/O.
 */
#pragma once

#include "daemon/engine/image.h"

/**
 * image_created_ns() - When its configuration says that it was made
 * Return: wall-clock nanoseconds, 0 when it does not say
 */
int64_t image_created_ns(const struct image *i);

/* @tags: canonical; those to show */
void image_print_row(struct jw *w, const struct image *i, const struct str_list *tags, unsigned api);
void image_print_inspect(struct jw *w, const struct image *i, unsigned api);
void image_print_history(struct jw *w, const struct image *i);
