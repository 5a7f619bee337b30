/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `docker save` writes: images as a tar in OCI's image layout, with docker's manifest.json beside it.
 *
 * The result is a list of parts: text (headers, documents, padding) and, behind it, a blob that the caller
 * copies from the store. Blobs are as they came, each once; an image without a manifest gets one made. The same
 * images give the same bytes. Pure; results live in the caller's arena.
 *
 * Spec: image-spec image-layout.md; moby image/tarexport
 */
#pragma once

#include "base/json.h"

struct archive_out_layer {
	const char *digest;          /* of the blob */
	const char *media_type;      /* of the blob's real compression; goes into a manifest that is made */
	uint64_t bytes;              /* of the blob */
};

struct archive_out_image {
	const char *id;              /* digest of the configuration */
	uint64_t config_bytes;
	const char *manifest_digest; /* NULL: make one */
	const char *manifest_type;   /* its media type; NULL when it is made */
	uint64_t manifest_bytes;
	struct archive_out_layer *layers; size_t n_layers;   /* bottom first */
	struct str_list tags;        /* canonical references; may be empty */
};

struct archive_part {
	char *text;                  /* goes first; may be empty */
	size_t n_text;
	const char *digest;          /* then this blob, NULL for none; borrowed from the image */
	uint64_t bytes;              /* exactly so many */
};

struct archive_parts {
	struct archive_part *v; size_t n;
};

/**
 * archive_write() - The archive of some images, in parts
 * @images: borrows; must live as long as @a
 * @ret:    in @a
 * Return: nothing
 */
void archive_write(const struct archive_out_image *images, size_t n_images, struct arena *a, struct archive_parts *ret);
