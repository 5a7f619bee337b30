/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/archive.h"

#include <string.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/digest.h"
#include "oci/reference.h"

#define INDEX_DEPTH_MAX 3
#define TAGS_MAX 1024            /* of one image */
#define BLOBS "blobs/sha256/"
#define DOCKER_LAYER_TYPE "application/vnd.docker.image.rootfs.diff.tar"

struct planner {
	const struct unpack_listing *listing;
	int staging_fd;
	struct arena *arena;
	struct archive_plan *plan;
};

/* --- members ----------------------------------------------------------------------------------------- */

static const struct unpack_file *find(const struct planner *p, const char *name)
{
	for (size_t i = p->listing->n_files; i-- > 0;)
		if (str_eq(p->listing->files[i].name, name))
			return &p->listing->files[i];
	return NULL;
}

/* A name that holds a digest must keep what it promises */
static int check_name(const struct unpack_file *f, struct err *e)
{
	const char *base = strrchr(f->name, '/');
	size_t n;

	base = base ? base + 1 : f->name;
	n = strlen(base);
	if (n == DIGEST_HEX_LEN + 5 && str_ends(base, ".json"))
		n -= 5;
	else if (!str_starts(f->name, BLOBS))
		return 0;
	if (n != DIGEST_HEX_LEN || strncmp(base, digest_hex(f->digest), n) != 0)
		return err_set(e, ERR_INVALID, "'%.200s' has the digest %s", f->name, f->digest);
	return 0;
}

static int find_member(const struct planner *p, const char *name, const struct unpack_file **ret, struct err *e)
{
	AUTO_FREE char *clean = path_clean(name);
	const struct unpack_file *f = find(p, clean);

	if (!f)
		return err_set(e, ERR_INVALID, "'%.200s' is not in the archive", name);
	if (check_name(f, e) < 0)
		return -1;
	*ret = f;
	return 0;
}

static int find_blob(const struct planner *p, const struct oci_descriptor *d, const struct unpack_file **ret,
		     struct err *e)
{
	if (find_member(p, arena_printf(p->arena, BLOBS "%s", digest_hex(d->digest)), ret, e) < 0)
		return -1;
	if ((*ret)->bytes != d->size_bytes)
		return err_set(e, ERR_INVALID, "'%s' has %llu bytes instead of %llu", (*ret)->name,
			       (unsigned long long)(*ret)->bytes, (unsigned long long)d->size_bytes);
	return 0;
}

/* The bytes of a document, compared once more with the digest that the unpack role told */
static int read_doc(const struct planner *p, const struct unpack_file *f, char **ret, size_t *ret_n, struct err *e)
{
	AUTO_FREE char *text = NULL;
	struct digest digest;
	size_t n;

	if (!path_is_name(f->file) || f->bytes > IMAGE_DOC_MAX_BYTES)
		return err_set(e, ERR_INVALID, "'%.200s': larger than the %u bytes that are allowed", f->name,
			       IMAGE_DOC_MAX_BYTES);
	if (file_read(p->staging_fd, f->file, IMAGE_DOC_MAX_BYTES, &text, &n, e) < 0)
		return err_wrap(e, "'%.200s'", f->name);
	digest_of(text, n, &digest);
	if (!str_eq(digest.text, f->digest))
		return err_set(e, ERR_INVALID, "'%.200s' changed while it was read", f->name);
	*ret = arena_alloc(p->arena, n + 1);
	memcpy(*ret, text, n);
	*ret_n = n;
	return 0;
}

/* --- images ------------------------------------------------------------------------------------------ */

static int plan_config(const struct planner *p, struct archive_image *i, struct err *e)
{
	i->id = i->config_file->digest;
	if (read_doc(p, i->config_file, &i->config_text, &i->n_config_text, e) < 0)
		return -1;
	return image_config_parse(i->config_text, i->n_config_text, p->arena, &i->config, e);
}

/* @n: how many layers the other document names */
static int plan_layers(const struct planner *p, struct archive_image *i, size_t n, struct err *e)
{
	const struct str_list *ids = &i->config->rootfs->diff_ids;

	if (ids->n != n)
		return err_set(e, ERR_INVALID, "the configuration names %zu layers and the manifest %zu", ids->n, n);
	i->layers = arena_new_array(p->arena, struct archive_layer, n + 1);
	i->n_layers = n;
	for (size_t k = 0; k < n; k++)
		i->layers[k].diff_id = ids->v[k];
	return 0;
}

static void add_tag(const struct planner *p, struct archive_image *i, const char *canonical)
{
	struct str_list tags = { arena_new_array(p->arena, char *, i->tags.n + 1), i->tags.n };

	for (size_t k = 0; k < i->tags.n; k++) {
		if (str_eq(i->tags.v[k], canonical))
			return;
		tags.v[k] = i->tags.v[k];
	}
	tags.v[tags.n++] = arena_strdup(p->arena, canonical);
	i->tags = tags;
}

static int add_reference(const struct planner *p, struct archive_image *i, const char *text, struct err *e)
{
	struct reference r;

	if (reference_parse_tagged(text, p->arena, &r, e) < 0)
		return err_wrap(e, "name '%.100s'", text);
	if (i->tags.n >= TAGS_MAX)
		return err_set(e, ERR_INVALID, "more than %d names for one image", TAGS_MAX);
	/* A digest is told by the content, and is no tag */
	if (r.tag && !r.digest)
		add_tag(p, i, reference_canonical(&r, p->arena));
	return 0;
}

/* One image once, with the tags of all its mentions */
static struct archive_image *image_of(const struct planner *p, const char *id)
{
	for (size_t k = 0; k < p->plan->n_images; k++)
		if (str_eq(p->plan->images[k].id, id))
			return &p->plan->images[k];
	return NULL;
}

static int keep_image(const struct planner *p, const struct archive_image *i, struct err *e)
{
	struct archive_image *same = image_of(p, i->id);

	if (same) {
		for (size_t k = 0; k < i->tags.n; k++)
			add_tag(p, same, i->tags.v[k]);
		return 0;
	}
	if (p->plan->n_images == ARCHIVE_MAX_IMAGES)
		return err_set(e, ERR_INVALID, "more than %d images", ARCHIVE_MAX_IMAGES);
	p->plan->images[p->plan->n_images++] = *i;
	return 0;
}

/* --- docker's layout --------------------------------------------------------------------------------- */

static int plan_docker_image(const struct planner *p, const struct docker_archive_image *d, struct err *e)
{
	struct archive_image i = {0};

	if (find_member(p, d->config, &i.config_file, e) < 0 || plan_config(p, &i, e) < 0)
		return -1;
	if (plan_layers(p, &i, d->layers.n, e) < 0)
		return -1;
	for (size_t k = 0; k < d->layers.n; k++) {
		if (find_member(p, d->layers.v[k], &i.layers[k].file, e) < 0)
			return -1;
		i.layers[k].media_type = arena_strdup(p->arena, DOCKER_LAYER_TYPE);
	}
	for (size_t k = 0; k < d->repo_tags.n; k++)
		if (add_reference(p, &i, d->repo_tags.v[k], e) < 0)
			return -1;
	return keep_image(p, &i, e);
}

static int plan_docker(const struct planner *p, const struct unpack_file *manifest, struct err *e)
{
	struct docker_archive *d;
	char *text;
	size_t n;

	if (read_doc(p, manifest, &text, &n, e) < 0 || image_docker_archive_parse(text, n, p->arena, &d, e) < 0)
		return -1;
	for (size_t k = 0; k < d->n_images; k++)
		if (plan_docker_image(p, &d->images[k], e) < 0)
			return err_wrap(e, "image %zu", k);
	return 0;
}

/* --- OCI's layout ------------------------------------------------------------------------------------ */

/*
 * containerd writes the whole name; others put a name, or only a tag, into ref.name. A bare word is taken as a
 * name, except "latest", which is no name.
 * Spec: image-spec annotations.md "org.opencontainers.image.ref.name"
 */
static int add_annotated(const struct planner *p, struct archive_image *i, const struct oci_descriptor *d,
			 struct err *e)
{
	const char *name = str_map_get(&d->annotations, "io.containerd.image.name");

	if (!name)
		name = str_map_get(&d->annotations, "org.opencontainers.image.ref.name");
	if (str_is_empty(name) || str_eq(name, "latest"))
		return 0;
	return add_reference(p, i, name, e);
}

static int plan_oci_image(const struct planner *p, const struct oci_descriptor *d, const struct oci_descriptor *top,
			  struct err *e)
{
	struct archive_image i = { .manifest_digest = d->digest };
	struct oci_manifest *m;
	char *text;
	size_t n;

	if (find_blob(p, d, &i.manifest_file, e) < 0 || read_doc(p, i.manifest_file, &text, &n, e) < 0 ||
	    image_manifest_parse(text, n, d->media_type, p->arena, &m, e) < 0)
		return -1;
	if (find_blob(p, m->config, &i.config_file, e) < 0 || plan_config(p, &i, e) < 0 ||
	    plan_layers(p, &i, m->n_layers, e) < 0)
		return -1;
	for (size_t k = 0; k < m->n_layers; k++) {
		if (find_blob(p, &m->layers[k], &i.layers[k].file, e) < 0)
			return -1;
		i.layers[k].media_type = m->layers[k].media_type;
	}
	if (add_annotated(p, &i, top, e) < 0)
		return -1;
	return keep_image(p, &i, e);
}

/* From a descriptor down to the manifest for this machine */
static int plan_descriptor(const struct planner *p, const struct oci_descriptor *top, struct err *e)
{
	const struct oci_descriptor *d = top;

	for (int depth = 0; depth < INDEX_DEPTH_MAX; depth++) {
		const struct unpack_file *f;
		struct oci_index *index;
		enum image_doc doc;
		char *text;
		size_t n;

		if (!image_media_type_doc(d->media_type, &doc))
			return err_set(e, ERR_UNSUPPORTED, "cannot load '%.100s'", d->media_type);
		if (doc == IMAGE_DOC_MANIFEST)
			return plan_oci_image(p, d, top, e);
		if (find_blob(p, d, &f, e) < 0 || read_doc(p, f, &text, &n, e) < 0 ||
		    image_index_parse(text, n, d->media_type, p->arena, &index, e) < 0 ||
		    image_index_choose(index, "linux", image_host_arch(), &d, e) < 0)
			return -1;
	}
	return err_set(e, ERR_INVALID, "indexes are nested too deeply");
}

static bool is_for_here(const struct oci_descriptor *d)
{
	if (str_map_get(&d->annotations, "vnd.docker.reference.type"))
		return false;
	return !d->platform || str_is_empty(d->platform->os) ||
	       (str_eq(d->platform->os, "linux") && str_eq(d->platform->architecture, image_host_arch()));
}

static int plan_oci(const struct planner *p, const struct unpack_file *file, struct err *e)
{
	struct oci_index *index;
	char *text;
	size_t n;

	if (read_doc(p, file, &text, &n, e) < 0 || image_index_parse(text, n, NULL, p->arena, &index, e) < 0)
		return -1;
	for (size_t k = 0; k < index->n_manifests; k++)
		if (is_for_here(&index->manifests[k]) && plan_descriptor(p, &index->manifests[k], e) < 0)
			return err_wrap(e, "index.json: manifests[%zu]", k);
	if (p->plan->n_images == 0 && index->n_manifests > 0)
		return err_set(e, ERR_NOT_FOUND, "no image for linux/%s", image_host_arch());
	return 0;
}

/* --- both layouts in one archive ----------------------------------------------------------------------- */

static bool has_same_layers(const struct archive_image *a, const struct archive_image *b)
{
	for (size_t k = 0; k < a->n_layers; k++)
		if (!str_eq(a->layers[k].file->digest, b->layers[k].file->digest))
			return false;
	return a->n_layers == b->n_layers;
}

/*
 * manifest.json has told which images there are; index.json knows their manifests, too, so that what is saved again
 * has them. It may be of any kind: what cannot be understood there adds nothing.
 */
static void adopt_manifests(const struct planner *p, const struct unpack_file *file)
{
	struct archive_plan found = { .images = arena_new_array(p->arena, struct archive_image, ARCHIVE_MAX_IMAGES) };
	const struct planner q = { p->listing, p->staging_fd, p->arena, &found };

	if (plan_oci(&q, file, ERR_IGNORED) < 0)
		return;
	for (size_t k = 0; k < found.n_images; k++) {
		const struct archive_image *from = &found.images[k];
		struct archive_image *to = image_of(p, from->id);

		if (!to || !has_same_layers(to, from))
			continue;
		to->manifest_file = from->manifest_file;
		to->manifest_digest = from->manifest_digest;
		to->layers = from->layers;
	}
}

int archive_plan(const struct unpack_listing *listing, int staging_fd, struct arena *a,
		 struct archive_plan *ret, struct err *e)
{
	struct archive_plan plan = { .images = arena_new_array(a, struct archive_image, ARCHIVE_MAX_IMAGES) };
	const struct planner p = { listing, staging_fd, a, &plan };
	const struct unpack_file *docker = find(&p, "manifest.json"), *oci = find(&p, "index.json");
	int r;

	if (!docker && !oci)
		return err_set(e, ERR_INVALID, "archive: holds neither manifest.json nor index.json");
	for (size_t i = 0; i < listing->n_files; i++)
		if (!digest_is_valid(listing->files[i].digest))
			return err_set(e, ERR_INTERNAL, "archive: listing is malformed");
	r = docker ? plan_docker(&p, docker, e) : plan_oci(&p, oci, e);
	if (r < 0)
		return err_wrap(e, "archive");
	if (plan.n_images == 0)
		return err_set(e, ERR_INVALID, "archive: holds no image");
	if (docker && oci)
		adopt_manifests(&p, oci);
	*ret = plan;
	return 0;
}
