/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `kiln-runtime unpack` answers: kilnd spawns it, gives it descriptors, and reads one JSON document.
 *
 *   kiln-runtime unpack archive     0: the archive (pipe or file)   3: empty staging directory   4: result
 *   kiln-runtime unpack blob        0: any bytes (pipe or file)     3: empty staging directory   4: result
 *   kiln-runtime unpack layer       0: the blob (a regular file)    3: empty layer directory     4: result
 *   kiln-runtime unpack upper       the same for a layer over others, whose files its hard links may mean
 *
 * 1 and 2 are for messages to people. The result is one `struct unpack_result`, compact, ended by end of file;
 * exit status 0 when it holds an answer, 1 when it holds an error. A role that died says nothing: an empty
 * result is an error too. Nothing is synced and nothing is renamed by the role; oci/store.h does that.
 */
#pragma once

#include "base/json.h"

#define UNPACK_FD_INPUT  0
#define UNPACK_FD_DIR    3
#define UNPACK_FD_RESULT 4

#define UNPACK_RESULT_MAX_BYTES (64u << 20)

/*
 * A regular file of the archive (of a blob: the only one), or another name (link) for it. @file is its name in the staging
 * directory: "0", "1" … A file whose name is a digest is not hashed by the role: whoever reads it does that, and compares.
 */
struct unpack_file {
	char *name;              /* cleaned: no leading "/" or "./", no ".." */
	char *file;
	char *digest;            /* "sha256:…" of its bytes; of a blob "": whoever reads it will tell */
	uint64_t bytes;
	bool is_claimed;         /* the digest is what the name says, and nobody has looked */
};

struct unpack_listing {
	struct unpack_file *files;   /* in order of arrival; of equal names the last one counts */
	size_t n_files;
};

struct unpack_layer {
	char *diff_id;           /* digest of the whole tar stream, with its padding */
	char *record_diff_id;    /* the same with zeros behind it, up to a whole record of 10240 bytes */
	char *blob_digest;       /* digest of the bytes as they came */
	uint64_t blob_bytes;
	uint64_t tar_bytes;
	uint64_t file_bytes;     /* what the files hold: docker's "size" of a layer */
	uint64_t n_entries;
	struct str_list implied; /* directories that no entry described: what is below the layer tells of them; written as @opaque is */
	struct str_list links;   /* hard links to what only the layers below have: name, target, name, target …; written as @opaque is */
	struct str_list opaque;  /* directories to mark trusted.overlay.opaque; bytes outside ' '…'~' and '%' as %XX */
};

struct unpack_failure {
	uint32_t kind;           /* enum err_kind */
	char *message;
	uint32_t sys;            /* errno; 0: none */
};

struct unpack_result {
	struct unpack_failure *error;    /* exactly one of the three is set */
	struct unpack_listing *archive;
	struct unpack_layer *layer;
};

extern const struct jschema unpack_result_schema;

/**
 * unpack_result_parse() - Read what the role answered
 * @a:   owns @ret
 * @ret: error is NULL
 * @e:   the error that the role reported, or ERR_INTERNAL when the text is no result
 * Return: 0, or -1 with @e set
 */
int unpack_result_parse(const char *text, size_t n, struct arena *a, struct unpack_result **ret, struct err *e);

/**
 * unpack_path_escape() - Bytes of a path as the ASCII text that a result carries; unpack_path_unescape() undoes it in place
 * Return: in @a; the other: true, or false when the text is malformed
 */
char *unpack_path_escape(const char *path, struct arena *a);
bool unpack_path_unescape(char *text);
