/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an image is: index, manifest, configuration, and the table of contents of a docker-archive.
 *
 * Parsing checks shape and meaning: digest grammar, sizes, counts, and that a document is one thing only
 * (an index is not also a manifest, CVE-2021-41190). The caller has verified digest and size of the bytes
 * before. Unknown keys are ignored, as the specification asks. Pure; results live in the caller's arena.
 *
 * Spec: image-spec 1.1 (image-index.md, manifest.md, config.md, descriptor.md); Docker Image Manifest V2.2
 */
#pragma once

#include "base/json.h"
#include "oci/options.h"

#define IMAGE_DOC_MAX_BYTES (4u << 20)   /* any of these documents */
#define IMAGE_DOC_MAX_VALUES 131072      /* in any of them: what is small as text may be large in memory */
#define IMAGE_MAX_LAYERS    127          /* what one overlay mount takes in one page of options */
#define IMAGE_MAX_MANIFESTS 1024
#define IMAGE_MAX_HISTORY   4096
#define IMAGE_MAX_BLOB_BYTES (UINT64_C(1) << 40)

struct oci_platform {
	char *architecture, *os, *os_version, *variant;
};

struct oci_descriptor {
	char *media_type;
	char *digest;
	uint64_t size_bytes;
	struct str_map annotations;
	struct oci_platform *platform;
};

struct oci_index {
	int64_t schema_version;
	char *media_type;
	struct oci_descriptor *manifests;
	size_t n_manifests;
	struct json_raw config, layers;   /* must be absent */
};

struct oci_manifest {
	int64_t schema_version;
	char *media_type;
	char *artifact_type;
	struct oci_descriptor *config;
	struct oci_descriptor *layers;    /* bottom first */
	size_t n_layers;
	struct json_raw manifests, fs_layers;   /* must be absent */
};

struct oci_image_exec {
	char *user;
	struct json_raw exposed_ports, volumes;
	struct str_list env, entrypoint, cmd;
	char *working_dir;
	struct str_map labels;
	char *stop_signal;
	struct opt_healthcheck *healthcheck;
	struct str_list shell, on_build;
	bool args_escaped;
};

struct oci_rootfs {
	char *type;
	struct str_list diff_ids;        /* bottom first */
};

struct oci_history {
	char *created, *author, *created_by, *comment;
	bool empty_layer;
};

struct oci_image_config {
	char *created, *author, *architecture, *os, *variant;
	char *docker_version, *comment;
	struct oci_image_exec *config;   /* never NULL after parsing */
	struct oci_rootfs *rootfs;       /* never NULL after parsing */
	struct oci_history *history;
	size_t n_history;
};

/* One image of a docker-archive's manifest.json; names are members of the archive */
struct docker_archive_image {
	char *config;
	struct str_list repo_tags;
	struct str_list layers;          /* bottom first */
};

struct docker_archive {
	struct docker_archive_image *images;
	size_t n_images;
};

enum image_doc { IMAGE_DOC_INDEX, IMAGE_DOC_MANIFEST };

extern const struct jschema oci_image_config_schema;
extern const struct jschema oci_descriptor_schema;

/**
 * image_media_type_doc() - Which document does a media type announce?
 * @ret: written on success
 * Return: true for the OCI and Docker types of index and manifest; false for anything else
 */
bool image_media_type_doc(const char *media_type, enum image_doc *ret);

/**
 * image_media_type_is_layer() - Is it a layer that Kiln can unpack (tar, tar+gzip, tar+zstd, also Docker's names)?
 * Return: true or false
 */
bool image_media_type_is_layer(const char *media_type);

/**
 * image_doc_names_manifests() - Is a document that came without a type an index? What is wrong with it is told by its own parser
 * @e: ERR_INVALID it is no object of JSON
 * Return: 0, or -1 with @e set
 */
int image_doc_names_manifests(const char *text, size_t n, struct arena *a, bool *ret, struct err *e);

/**
 * image_index_parse() - Read an image index or manifest list
 * @media_type: what the descriptor said, or NULL; a document that says otherwise is refused
 * @ret:        in @a
 * @e:          ERR_INVALID
 * Return: 0, or -1 with @e set
 */
int image_index_parse(const char *text, size_t n, const char *media_type, struct arena *a,
		      struct oci_index **ret, struct err *e);

/**
 * image_manifest_parse() - Read an image manifest; see image_index_parse()
 * @e: ERR_INVALID; ERR_UNSUPPORTED for manifests that are not container images, and for schema 1
 * Return: 0, or -1 with @e set
 */
int image_manifest_parse(const char *text, size_t n, const char *media_type, struct arena *a,
			 struct oci_manifest **ret, struct err *e);

/**
 * image_config_parse() - Read an image configuration
 * @e: ERR_INVALID; ERR_UNSUPPORTED for other systems than Linux
 * Return: 0, or -1 with @e set
 */
int image_config_parse(const char *text, size_t n, struct arena *a, struct oci_image_config **ret,
		       struct err *e);

/**
 * image_docker_archive_parse() - Read a docker-archive's manifest.json
 * @e: ERR_INVALID
 * Return: 0, or -1 with @e set
 */
int image_docker_archive_parse(const char *text, size_t n, struct arena *a, struct docker_archive **ret,
			       struct err *e);

/**
 * image_index_choose() - The manifest for a platform
 * @arch:  "amd64"; image_host_arch() for this machine
 * @ret:   borrowed from @index: the first that matches; one without a platform matches when it is alone
 * @e:     ERR_NOT_FOUND, with the platforms that there are
 * Return: 0, or -1 with @e set
 */
int image_index_choose(const struct oci_index *index, const char *os, const char *arch,
		       const struct oci_descriptor **ret, struct err *e);

/**
 * image_host_arch() - This machine's architecture, in Go's words
 * Return: a static string
 */
const char *image_host_arch(void);
