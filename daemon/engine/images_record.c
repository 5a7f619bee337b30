/* SPDX-License-Identifier: Apache-2.0 */
/* An image's row in the state store: what its configuration does not tell. */
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/own.h"
#include "daemon/engine/images_priv.h"
#include "oci/digest.h"
#include "oci/store.h"

struct layer_record {
	char *diff_id, *blob_digest, *media_type, *dir, *key;
	int64_t blob_bytes, bytes;
};

struct record {
	char *manifest_digest;
	struct layer_record *layers;
	size_t n_layers;
	int64_t loaded_wall_ns, tagged_wall_ns;
	bool is_hidden;
};

static const struct jfield layer_fields[] = {
	J_STRING(struct layer_record, diff_id, "diff_id", J_REQUIRED),
	J_STRING(struct layer_record, blob_digest, "blob_digest", J_REQUIRED),
	J_STRING(struct layer_record, media_type, "media_type", 0),
	J_STRING(struct layer_record, dir, "dir", J_REQUIRED),
	J_STRING(struct layer_record, key, "key", J_OMIT_EMPTY),   /* absent: the DiffID */
	J_I64(struct layer_record, blob_bytes, "blob_bytes", 0),
	J_I64(struct layer_record, bytes, "bytes", 0),
};
static const struct jschema layer_schema = J_SCHEMA(struct layer_record, "image record: layer", layer_fields);

static const struct jfield record_fields[] = {
	J_STRING(struct record, manifest_digest, "manifest_digest", J_OMIT_EMPTY),
	J_ARRAY(struct record, layers, n_layers, "layers", &layer_schema, 0),
	J_I64(struct record, loaded_wall_ns, "loaded_wall_ns", 0),
	J_I64(struct record, tagged_wall_ns, "tagged_wall_ns", J_OMIT_EMPTY),
	J_BOOLEAN(struct record, is_hidden, "hidden", J_OMIT_EMPTY),
};
static const struct jschema record_schema = J_SCHEMA(struct record, "image record", record_fields);

struct image_obj *image_obj_new(struct images *imgs, struct arena *arena, const char *id)
{
	struct image_obj *o = arena_new_obj(arena, struct image_obj);

	o->imgs = imgs;
	o->arena = arena;
	o->pub.eng = imgs->eng;
	o->pub.id = arena_strdup(arena, id);
	return o;
}

void image_record_put(const struct image *i, struct state_batch *b)
{
	const struct image_obj *o = (const struct image_obj *)((const char *)i - offsetof(struct image_obj, pub));
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_STRBUF struct strbuf text = { 0 };
	struct record r = {
		.manifest_digest = (char *)i->manifest_digest, .n_layers = i->n_layers,
		.loaded_wall_ns = i->loaded_wall_ns, .tagged_wall_ns = i->tagged_wall_ns, .is_hidden = o->is_hidden,
	};

	r.layers = arena_new_array(a, struct layer_record, i->n_layers);
	for (size_t k = 0; k < i->n_layers; k++) {
		const struct image_layer *y = &i->layers[k];

		r.layers[k] = (struct layer_record){
			.diff_id = (char *)y->diff_id, .blob_digest = (char *)y->blob_digest,
			.media_type = (char *)y->media_type, .dir = (char *)y->dir,
			.key = str_eq(y->key, y->diff_id) ? NULL : (char *)y->key,
			.blob_bytes = y->blob_bytes, .bytes = y->bytes,
		};
		state_put_layer(b, &(struct state_layer){ .diff_id = y->diff_id, .dir = y->dir, .bytes = y->bytes });
	}
	json_emit(&record_schema, &r, &text);
	state_put_image(b, &(struct state_image){ .id = i->id, .record = strbuf_cstr(&text) });
}

static void take_record(struct image_obj *o, const struct record *r)
{
	struct image *i = &o->pub;

	i->manifest_digest = r->manifest_digest;
	i->loaded_wall_ns = r->loaded_wall_ns;
	i->tagged_wall_ns = r->tagged_wall_ns;
	i->n_layers = r->n_layers;
	i->layers = arena_new_array(o->arena, struct image_layer, r->n_layers);
	for (size_t k = 0; k < r->n_layers; k++) {
		const struct layer_record *y = &r->layers[k];

		i->layers[k] = (struct image_layer){
			.diff_id = y->diff_id, .blob_digest = y->blob_digest, .media_type = y->media_type,
			.blob_bytes = y->blob_bytes, .bytes = y->bytes, .dir = y->dir,
			.key = str_is_empty(y->key) ? y->diff_id : y->key,
		};
		i->size_bytes += y->bytes;
	}
	o->is_hidden = r->is_hidden;
}

/* The configuration is in the blob store, under the image's ID; a disk that lies is found out here. */
static int read_config(struct image_obj *o, int data_fd, struct err *e)
{
	AUTO_CLOSE int fd = -1;
	AUTO_FREE char *text = NULL;
	struct digest found;
	size_t n = 0;

	if (store_blob_open(data_fd, o->pub.id, &fd, e) < 0 || fd_read_all(fd, IMAGE_DOC_MAX_BYTES, &text, &n, e) < 0)
		return -1;
	digest_of(text, n, &found);
	if (!str_eq(found.text, o->pub.id))
		return err_set(e, ERR_SYSTEM, "its configuration on disk is damaged");
	o->pub.config_text = arena_strndup(o->arena, text, n);
	o->pub.n_config_text = n;
	return image_config_parse(o->pub.config_text, n, o->arena, &o->pub.config, e);
}

int image_record_read(struct images *imgs, const struct state_image *row, struct image_obj **ret, struct err *e)
{
	struct arena *a = arena_new();
	struct image_obj *o;
	void *r = NULL;

	if (json_decode(row->record, strlen(row->record), &record_schema, a, NULL, NULL, &r, e) < 0) {
		arena_free(a);
		return err_wrap(e, "record");
	}
	o = image_obj_new(imgs, a, row->id);
	take_record(o, r);
	if (read_config(o, imgs->eng->cfg.data_root_fd, e) < 0) {
		arena_free(a);
		return -1;
	}
	*ret = o;
	return 0;
}
