/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `docker load` is given: a tar with images in docker's or OCI's layout, or one in that of containers' "dir:".
 *
 * archive_stage() runs in the unpack role: it reads the tar and writes its files under flat names.
 * archive_plan() runs in kilnd: from the listing and the small documents it decides which images there are.
 * Digests and sizes are compared with what was hashed while staging, so a document never vouches for itself. A member
 * whose name is a digest is not hashed then: documents are compared here when they are read, and a layer must be by whoever
 * unpacks it (struct unpack_file, is_claimed).
 */
#pragma once

#include "oci/image.h"
#include "oci/unpack_proto.h"

#define ARCHIVE_BLOBS         "blobs/sha256/"   /* of OCI's layout */
#define ARCHIVE_MAX_FILES     32768
#define ARCHIVE_MAX_IMAGES    1024
#define ARCHIVE_MAX_LAYERS    8192          /* of all images together, as their documents name them */
#define ARCHIVE_MAX_TAGS      4096          /* of all images together */
#define ARCHIVE_MAX_DOC_BYTES (32u << 20)   /* of all documents together: they are read by kilnd itself */

struct archive_limits {
	uint64_t max_bytes;      /* of all files together */
	uint64_t max_ratio;      /* unpacked : packed, beyond the first 256 MiB */
};
#define ARCHIVE_LIMITS_DEFAULT { .max_bytes = UINT64_C(256) << 30, .max_ratio = 500 }

/**
 * archive_stage() - Write the regular files of an archive into a directory under flat names
 * @in_fd:  borrows; read to its end
 * @dir_fd: borrows; empty
 * @ret:    in @a
 * @e:      ERR_INVALID truncated, malformed or over a limit; ERR_UNSUPPORTED other compressions than gzip and zstd
 * Return: 0, or -1 with @e set (the directory then holds rubbish)
 */
int archive_stage(int in_fd, int dir_fd, const struct archive_limits *limits, struct arena *a,
		  struct unpack_listing *ret, struct err *e);

/**
 * archive_stage_blob() - Write any bytes into a directory, as one file of a listing without a digest, as they come; see
 * archive_stage()
 * Return: 0, or -1 with @e set (the directory then holds rubbish)
 */
int archive_stage_blob(int in_fd, int dir_fd, const struct archive_limits *limits, struct arena *a,
		       struct unpack_listing *ret, struct err *e);

struct archive_layer {
	const struct unpack_file *file;
	char *diff_id;
	char *chain_id;          /* of it and all below: names what depends on them */
	char *media_type;        /* as the manifest says; for docker's layout tar, without compression */
};

struct archive_image {
	char *id;                /* "sha256:…": digest of the configuration */
	const struct unpack_file *config_file;
	char *config_text;
	size_t n_config_text;
	struct oci_image_config *config;
	const struct unpack_file *manifest_file;   /* NULL in docker's layout */
	char *manifest_digest;   /* NULL in docker's layout */
	struct archive_layer *layers;              /* bottom first; as many as config->rootfs->diff_ids */
	size_t n_layers;
	struct str_list tags;    /* canonical references, each once; may be empty */
};

struct archive_plan {
	struct archive_image *images;
	size_t n_images;
};

/**
 * archive_plan() - Which images a staged archive holds
 * @listing:    borrows; must live as long as @a
 * @staging_fd: borrows; documents are read from here
 * @ret:        in @a; at least one image
 * @e:          ERR_INVALID with the name of the member; ERR_NOT_FOUND when no image is for this machine; ERR_INTERNAL when
 *              what was staged is no file of @staging_fd
 *
 * manifest.json counts before index.json, as in dockerd; with both, index.json adds the manifests of those images.
 * Return: 0, or -1 with @e set
 */
int archive_plan(const struct unpack_listing *listing, int staging_fd, struct arena *a,
		 struct archive_plan *ret, struct err *e);
