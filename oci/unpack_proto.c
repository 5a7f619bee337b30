/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/unpack_proto.h"

#include <limits.h>
#include <string.h>

#define R J_REQUIRED

static const struct jfield file_fields[] = {
	J_STRING(struct unpack_file, name, "name", R),
	J_STRING(struct unpack_file, file, "file", R),
	J_STRING(struct unpack_file, digest, "digest", R),
	J_U64(struct unpack_file, bytes, "bytes", R),
	J_BOOLEAN(struct unpack_file, is_claimed, "claimed", J_OMIT_EMPTY),
};
static const struct jschema file_schema = J_SCHEMA(struct unpack_file, "oci/unpack_proto.h", file_fields);

static const struct jfield listing_fields[] = {
	J_ARRAY(struct unpack_listing, files, n_files, "files", &file_schema, 0),
};
static const struct jschema listing_schema =
	J_SCHEMA(struct unpack_listing, "oci/unpack_proto.h", listing_fields);

static const struct jfield layer_fields[] = {
	J_STRING(struct unpack_layer, diff_id, "diffId", R),
	J_STRING(struct unpack_layer, record_diff_id, "recordDiffId", R),
	J_STRING(struct unpack_layer, blob_digest, "blobDigest", R),
	J_U64(struct unpack_layer, blob_bytes, "blobBytes", R),
	J_U64(struct unpack_layer, tar_bytes, "tarBytes", R),
	J_U64(struct unpack_layer, file_bytes, "fileBytes", R),
	J_U64(struct unpack_layer, n_entries, "entries", R),
	J_STRINGS(struct unpack_layer, opaque, "opaque", 0),
	J_STRINGS(struct unpack_layer, implied, "implied", 0),
	J_STRINGS(struct unpack_layer, links, "links", 0),
};
static const struct jschema layer_schema = J_SCHEMA(struct unpack_layer, "oci/unpack_proto.h", layer_fields);

static const struct jfield failure_fields[] = {
	J_U32(struct unpack_failure, kind, "kind", R),
	J_STRING(struct unpack_failure, message, "message", R),
	J_U32(struct unpack_failure, sys, "errno", J_OMIT_EMPTY),
};
static const struct jschema failure_schema =
	J_SCHEMA(struct unpack_failure, "oci/unpack_proto.h", failure_fields);

static const struct jfield result_fields[] = {
	J_OBJECT(struct unpack_result, error, "error", &failure_schema, J_OMIT_EMPTY),
	J_OBJECT(struct unpack_result, archive, "archive", &listing_schema, J_OMIT_EMPTY),
	J_OBJECT(struct unpack_result, layer, "layer", &layer_schema, J_OMIT_EMPTY),
};
const struct jschema unpack_result_schema =
	J_SCHEMA(struct unpack_result, "oci/unpack_proto.h", result_fields);

int unpack_result_parse(const char *text, size_t n, struct arena *a, struct unpack_result **ret, struct err *e)
{
	struct unpack_result *r;
	void *obj;

	if (n == 0)
		return err_set(e, ERR_INTERNAL, "unpack ended without a result");
	if (json_decode(text, n, &unpack_result_schema, a, NULL, NULL, &obj, e) < 0) {
		e->kind = ERR_INTERNAL;
		return err_wrap(e, "result of unpack");
	}
	r = obj;
	if (r->error) {
		enum err_kind kind = r->error->kind;

		if (kind == ERR_NONE || kind >= ERR_KINDS_)
			kind = ERR_INTERNAL;
		err_set(e, kind, "%s", r->error->message[0] ? r->error->message : "unpack failed and did not say why");
		e->sys = r->error->sys <= INT_MAX ? (int)r->error->sys : 0;
		return -1;
	}
	if (!r->archive == !r->layer)
		return err_set(e, ERR_INTERNAL, "result of unpack holds no answer");
	*ret = r;
	return 0;
}

char *unpack_path_escape(const char *path, struct arena *a)
{
	char *out = arena_alloc(a, strlen(path) * 3 + 1), *o = out;

	for (; *path; path++) {
		if (*path >= ' ' && *path <= '~' && *path != '%') {
			*o++ = *path;
			continue;
		}
		*o++ = '%';
		str_hex(path, 1, o);
		o += 2;
	}
	*o = '\0';
	return out;
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool unpack_path_unescape(char *text)
{
	char *o = text;

	for (const char *p = text; *p; p++) {
		int v = (unsigned char)*p;

		if (*p == '%') {
			int hi = nibble(p[1]), lo = hi < 0 ? -1 : nibble(p[2]);

			v = lo < 0 ? 0 : hi << 4 | lo;
			if (v == 0)
				return false;
			p += 2;
		}
		*o++ = (char)v;
	}
	*o = '\0';
	return true;
}
