/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images: what is stored, how it is called, and loading archives. Loop thread only.
 *
 * An image is its configuration's digest; it has tags and layers. Layers and blobs are shared and
 * go when the last image that needs them goes. Loading never leaves half an image: blobs and layers are placed
 * by rename when verified, and the image exists when its row is committed.
 */
#pragma once

#include "daemon/engine/engine.h"
#include "oci/image.h"

struct image_layer {
	const char *diff_id;         /* "sha256:…" */
	const char *blob_digest;     /* as it came (compressed or not) */
	const char *media_type;
	int64_t blob_bytes;
	int64_t bytes;               /* unpacked */
	const char *dir;             /* in layers/ */
	const char *key;             /* what @dir is called after: the DiffID, or the ChainID when it depends on the layers below */
};

struct image {
	struct engine *eng;
	const char *id;              /* "sha256:<64 hex>": digest of the configuration */
	const char *config_text;     /* the configuration's JSON, as it came */
	size_t n_config_text;
	struct oci_image_config *config;
	char **tags; size_t n_tags;  /* canonical references */
	const char *manifest_digest; /* of an OCI archive, else NULL */
	struct image_layer *layers; size_t n_layers;   /* bottom first */
	int64_t size_bytes;          /* sum of layers */
	int64_t loaded_wall_ns;
	int64_t tagged_wall_ns;      /* when it last got a name; 0: never */
	size_t n_containers;         /* that use it */
};

/* All images, the newest first; those that were removed by force while a container needs them are not shown. Return: NULL behind the last */
struct image *image_first(struct engine *eng);
struct image *image_next(struct engine *eng, struct image *i);

/**
 * image_find() - By reference (tag defaults to latest), "sha256:…" or a unique hex prefix
 * @e: ERR_NOT_FOUND "No such image: x:latest", as docker says it
 * Return: 0, or -1 with @e set
 */
int image_find(struct engine *eng, const char *name, struct image **ret, struct err *e);

/**
 * image_by_id() - By its whole ID, also an image that was removed by force and lives on for its containers
 * Return: the image, or NULL
 */
struct image *image_by_id(struct engine *eng, const char *id);

/* A container uses the image, or no longer. The image stays on disk as long as one does; NULL is fine */
void image_ref(struct image *i);
void image_unref(struct image *i);

/**
 * image_is_dangling() - Has it no name?
 * Return: true or false
 */
bool image_is_dangling(const struct image *i);

/**
 * image_familiar() - A canonical reference as people see it: "busybox:latest"
 * Return: in @a
 */
const char *image_familiar(const char *canonical, struct arena *a);

/* Name an image; the name is taken from another image that has it. The name is checked before @done is called. */
void image_tag(struct engine *eng, struct image *i, const char *reference, engine_done_fn done, void *ctx);

/*
 * rmi: untags; removes the image when the last tag goes, or by ID (with force also when it has several). Names and IDs
 * that were untagged and deleted are told in order through @each. Conflicts are docker's, with docker's words.
 */
typedef void (*image_removed_fn)(void *ctx, bool is_deleted, const char *what);
void image_remove(struct engine *eng, const char *name, bool force, bool noprune, image_removed_fn each,
		  engine_done_fn done, void *ctx);

/* What a load or an import tells. All of it comes before @done */
struct image_progress {
	const char *status;          /* "Loading layer", "Importing" */
	const char *id;              /* of the layer, shortened; NULL: there is only one thing */
	uint64_t n_bytes, n_all;     /* read, and to be read */
};

struct image_watch {
	void (*line)(void *ctx, const char *text);   /* what was made: "Loaded image: busybox:latest" */
	void (*progress)(void *ctx, const struct image_progress *p);   /* of what takes more than a second; NULL: not wanted */
	engine_done_fn done;
	void *ctx;
};

/* A load or an import, to its sender */
struct load_op;

/**
 * image_load() - Load an archive; either all its images are loaded or none
 * @fd: taken; a pipe's reading end. It is closed when no more is wanted
 * @w:  copied
 * Return: borrowed until image_upload_ended(), which is to be called exactly once
 */
struct load_op *image_load(struct engine *eng, int fd, const struct image_watch *w);

/* How sending ended: what the sender could not send is not taken for the end. @w->done comes after this, never inside */
void image_upload_ended(struct load_op *op, const struct err *err);

/* A root file system as an image of one layer; all of it is copied */
struct image_import {
	const char *tag;             /* canonical reference; NULL: none */
	const char *message;         /* the history's comment */
	struct str_list changes;     /* instructions (oci/changes.h) that were found good */
};

/**
 * image_import() - Import the tar that comes from @fd; the line that is told is the image's ID
 * Return: as image_load()
 */
struct load_op *image_import(struct engine *eng, int fd, const struct image_import *what, const struct image_watch *w);

/*
 * Save images as one archive (oci/archive_write.h), pulled in pieces of at most half a MiB. The images are held until
 * image_save_free(), which may be called at any time, also inside the callback.
 */
struct image_save;
/* One piece, borrowed; @n 0 is the end. After an error there is no more */
typedef void (*image_save_fn)(void *ctx, const struct err *err, const void *data, size_t n);

/**
 * image_save_new() - Choose images
 * @names: borrows; as image_find() takes them. A repository without a tag means all its tags; the tags that are
 *         named are the ones that the archive has
 * @e:     ERR_NOT_FOUND
 * Return: 0, or -1 with @e set
 */
int image_save_new(struct engine *eng, const struct str_list *names, struct image_save **ret, struct err *e);
void image_save_read(struct image_save *s, image_save_fn fn, void *ctx);   /* one at a time */
void image_save_free(struct image_save *s);                                /* NULL is fine */
