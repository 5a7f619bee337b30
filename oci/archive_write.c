/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/archive_write.h"

#include <string.h>

#include "oci/digest.h"
#include "oci/reference.h"
#include "oci/tar_write.h"

#define BLOBS         "blobs/sha256/"
#define TYPE_INDEX    "application/vnd.oci.image.index.v1+json"
#define TYPE_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define TYPE_CONFIG   "application/vnd.oci.image.config.v1+json"
#define LAYOUT        "{\"imageLayoutVersion\":\"1.0.0\"}"

struct writer {
	struct arena *arena;
	struct strbuf text;          /* of the part that comes next */
	const char **seen;           /* digests of blobs that are in */
	size_t n_seen;
	struct archive_parts *parts;
};

/* The manifest of an image: its own, or the one that is made */
struct manifest_ref {
	const char *digest, *media_type;
	uint64_t bytes;
};

static char *keep(struct writer *w, const struct strbuf *b)
{
	char *copy = arena_alloc(w->arena, b->len + 1);

	if (b->len > 0)
		memcpy(copy, b->data, b->len);
	return copy;
}

/* ---- parts ---- */

static void add_part(struct writer *w, const char *digest, uint64_t n_bytes)
{
	w->parts->v[w->parts->n++] = (struct archive_part){
		.text = keep(w, &w->text), .n_text = w->text.len, .digest = digest, .bytes = n_bytes,
	};
	strbuf_reset(&w->text);
}

static bool is_new(struct writer *w, const char *digest)
{
	for (size_t k = 0; k < w->n_seen; k++) {
		if (str_eq(w->seen[k], digest))
			return false;
	}
	w->seen[w->n_seen++] = digest;
	return true;
}

static const char *blob_name(struct writer *w, const char *digest)
{
	return arena_printf(w->arena, BLOBS "%s", digest_hex(digest));
}

static void add_blob(struct writer *w, const char *digest, uint64_t n_bytes)
{
	if (!is_new(w, digest))
		return;
	tar_write_file(&w->text, blob_name(w, digest), n_bytes);
	add_part(w, digest, n_bytes);
	tar_write_padding(&w->text, n_bytes);
}

static void add_document(struct writer *w, const char *name, const char *text, size_t n)
{
	tar_write_file(&w->text, name, n);
	strbuf_add(&w->text, text, n);
	tar_write_padding(&w->text, n);
}

/* ---- documents ---- */

static void print_descriptor(struct jw *j, const char *key, const char *media_type, const char *digest, uint64_t n_bytes)
{
	jw_obj(j, key);
	jw_str(j, "mediaType", media_type);
	jw_str(j, "digest", digest);
	jw_u64(j, "size", n_bytes);
}

static void make_manifest(struct writer *w, const struct archive_out_image *i, struct manifest_ref *ret)
{
	AUTO_STRBUF struct strbuf text = { 0 };
	struct digest digest;
	struct jw j;

	jw_init(&j, &text);
	jw_obj(&j, NULL);
	jw_i64(&j, "schemaVersion", 2);
	jw_str(&j, "mediaType", TYPE_MANIFEST);
	print_descriptor(&j, "config", TYPE_CONFIG, i->id, i->config_bytes);
	jw_obj_end(&j);
	jw_arr(&j, "layers");
	for (size_t k = 0; k < i->n_layers; k++) {
		print_descriptor(&j, NULL, i->layers[k].media_type, i->layers[k].digest, i->layers[k].bytes);
		jw_obj_end(&j);
	}
	jw_arr_end(&j);
	jw_obj_end(&j);
	digest_of(text.data, text.len, &digest);
	*ret = (struct manifest_ref){ arena_strdup(w->arena, digest.text), TYPE_MANIFEST, text.len };
	if (is_new(w, ret->digest))
		add_document(w, blob_name(w, ret->digest), text.data, text.len);
}

static void print_index_row(struct jw *j, const struct manifest_ref *m, const char *tag, struct arena *a)
{
	struct reference ref = { 0 };

	print_descriptor(j, NULL, m->media_type, m->digest, m->bytes);
	if (tag && reference_parse(tag, a, &ref, ERR_IGNORED) == 0) {
		jw_obj(j, "annotations");
		jw_str(j, "io.containerd.image.name", tag);
		jw_str(j, "org.opencontainers.image.ref.name", ref.tag);
		jw_obj_end(j);
	}
	jw_obj_end(j);
}

static void add_index(struct writer *w, const struct archive_out_image *images, const struct manifest_ref *refs, size_t n)
{
	AUTO_STRBUF struct strbuf text = { 0 };
	struct jw j;

	jw_init(&j, &text);
	jw_obj(&j, NULL);
	jw_i64(&j, "schemaVersion", 2);
	jw_str(&j, "mediaType", TYPE_INDEX);
	jw_arr(&j, "manifests");
	for (size_t i = 0; i < n; i++) {
		for (size_t t = 0; t < images[i].tags.n; t++)
			print_index_row(&j, &refs[i], images[i].tags.v[t], w->arena);
		if (images[i].tags.n == 0)
			print_index_row(&j, &refs[i], NULL, w->arena);
	}
	jw_arr_end(&j);
	jw_obj_end(&j);
	add_document(w, "index.json", text.data, text.len);
}

static const char *familiar(const char *canonical, struct arena *a)
{
	struct reference ref = { 0 };

	return reference_parse(canonical, a, &ref, ERR_IGNORED) < 0 ? canonical : reference_familiar(&ref, a);
}

static void print_docker_image(struct writer *w, struct jw *j, const struct archive_out_image *i)
{
	jw_obj(j, NULL);
	jw_str(j, "Config", blob_name(w, i->id));
	jw_arr(j, "RepoTags");
	for (size_t t = 0; t < i->tags.n; t++)
		jw_str(j, NULL, familiar(i->tags.v[t], w->arena));
	jw_arr_end(j);
	jw_arr(j, "Layers");
	for (size_t k = 0; k < i->n_layers; k++)
		jw_str(j, NULL, blob_name(w, i->layers[k].digest));
	jw_arr_end(j);
	jw_obj_end(j);
}

static void add_docker_manifest(struct writer *w, const struct archive_out_image *images, size_t n)
{
	AUTO_STRBUF struct strbuf text = { 0 };
	struct jw j;

	jw_init(&j, &text);
	jw_arr(&j, NULL);
	for (size_t i = 0; i < n; i++)
		print_docker_image(w, &j, &images[i]);
	jw_arr_end(&j);
	add_document(w, "manifest.json", text.data, text.len);
}

/* ---- all of it ---- */

static void add_image(struct writer *w, const struct archive_out_image *i, struct manifest_ref *ret)
{
	add_blob(w, i->id, i->config_bytes);
	for (size_t k = 0; k < i->n_layers; k++)
		add_blob(w, i->layers[k].digest, i->layers[k].bytes);
	if (!i->manifest_digest) {
		make_manifest(w, i, ret);
		return;
	}
	*ret = (struct manifest_ref){ i->manifest_digest, i->manifest_type, i->manifest_bytes };
	add_blob(w, i->manifest_digest, i->manifest_bytes);
}

void archive_write(const struct archive_out_image *images, size_t n_images, struct arena *a, struct archive_parts *ret)
{
	struct writer w = { .arena = a, .parts = ret };
	struct manifest_ref *refs = arena_new_array(a, struct manifest_ref, n_images + 1);
	size_t room = 1;

	for (size_t i = 0; i < n_images; i++)
		room += 2 + images[i].n_layers;
	w.seen = arena_new_array(a, const char *, room);
	*ret = (struct archive_parts){ arena_new_array(a, struct archive_part, room), 0 };
	tar_write_dir(&w.text, "blobs/");
	tar_write_dir(&w.text, BLOBS);
	for (size_t i = 0; i < n_images; i++)
		add_image(&w, &images[i], &refs[i]);
	add_index(&w, images, refs, n_images);
	add_docker_manifest(&w, images, n_images);
	add_document(&w, "oci-layout", LAYOUT, strlen(LAYOUT));
	tar_write_end(&w.text);
	add_part(&w, NULL, 0);
	strbuf_done(&w.text);
}
