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

struct image_names {
	struct str_list tags;        /* as people see them: "busybox:latest" */
	struct str_list digests;     /* "busybox@sha256:…", one of each repository; only an image that came with a manifest has any */
};

/**
 * image_names() - What an image is called
 * Return: nothing; @ret in @a, but for the strings that are the image's
 */
void image_names(const struct image *i, struct arena *a, struct image_names *ret);

/* @names: those to show */
void image_print_row(struct jw *w, const struct image *i, const struct image_names *names, unsigned api);
void image_print_inspect(struct jw *w, const struct image *i, unsigned api);
void image_print_history(struct jw *w, const struct image *i);
