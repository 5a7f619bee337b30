/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/archive.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/defence.h"
#include "base/fd.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/digest.h"
#include "oci/reference.h"

#define INDEX_DEPTH_MAX 3
#define DIR_MANIFEST ".manifest.json"
#define DOCKER_LAYER_TYPE "application/vnd.docker.image.rootfs.diff.tar"

struct planner {
	const struct unpack_file **sorted;   /* by name; of equal names only the last that came */
	size_t n_sorted;
	int staging_fd;
	struct arena *arena;
	struct archive_plan *plan;
	const char *blobs;       /* the folder of blobs: "blobs/sha256/", or "" */
	const char *manifest_ending;   /* behind the digests of manifests: "" or ".manifest.json" */
	size_t n_doc_bytes, n_layers, n_tags;
};

/* --- members ----------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const struct unpack_file *x = *(const struct unpack_file *const *)a, *y = *(const struct unpack_file *const *)b;
	int r = strcmp(x->name, y->name);

	return r != 0 ? r : (x > y) - (x < y);
}

static int by_name_only(const void *key, const void *b)
{
	return strcmp(key, (*(const struct unpack_file *const *)b)->name);
}

static void sort_files(struct planner *p, const struct unpack_listing *listing)
{
	p->sorted = arena_new_array(p->arena, const struct unpack_file *, listing->n_files);
	for (size_t i = 0; i < listing->n_files; i++)
		p->sorted[i] = &listing->files[i];
	qsort(p->sorted, listing->n_files, sizeof(*p->sorted), by_name);
	for (size_t i = 0; i < listing->n_files; i++) {
		if (p->n_sorted > 0 && str_eq(p->sorted[p->n_sorted - 1]->name, p->sorted[i]->name))
			p->n_sorted--;
		p->sorted[p->n_sorted++] = p->sorted[i];
	}
}

static const struct unpack_file *find(const struct planner *p, const char *name)
{
	const struct unpack_file *const *f =
		bsearch(name, p->sorted, p->n_sorted, sizeof(*p->sorted), by_name_only);

	return f ? *f : NULL;
}

static bool is_long_as_digest(const char *name, const char *ending)
{
	return strlen(name) == DIGEST_HEX_LEN + strlen(ending) && str_ends(name, ending);
}

/* A name that holds a digest must keep what it promises */
static int check_name(const struct unpack_file *f, struct err *e)
{
	const char *base = strrchr(f->name, '/');
	size_t n;

	base = base ? base + 1 : f->name;
	n = strlen(base);
	if (is_long_as_digest(base, ".json") || is_long_as_digest(base, DIR_MANIFEST))
		n = DIGEST_HEX_LEN;
	else if (!str_starts(f->name, ARCHIVE_BLOBS) && !str_is_hex(f->name, DIGEST_HEX_LEN))
		return 0;
	if (DEFENCE(BLOB_NAME, n != DIGEST_HEX_LEN || strncmp(base, digest_hex(f->digest), n) != 0, false))
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

/* @ending: behind the digest, in the archive's names */
static int find_named(const struct planner *p, const struct oci_descriptor *d, const char *ending,
		      const struct unpack_file **ret, struct err *e)
{
	if (find_member(p, arena_printf(p->arena, "%s%s%s", p->blobs, digest_hex(d->digest), ending), ret, e) < 0)
		return -1;
	if ((*ret)->bytes != d->size_bytes)
		return err_set(e, ERR_INVALID, "'%s' has %llu bytes instead of %llu", (*ret)->name,
			       (unsigned long long)(*ret)->bytes, (unsigned long long)d->size_bytes);
	return 0;
}

static int find_blob(const struct planner *p, const struct oci_descriptor *d, const struct unpack_file **ret,
		     struct err *e)
{
	return find_named(p, d, "", ret, e);
}

/* The bytes of a document, compared once more with the digest that the unpack role told */
static int read_doc(struct planner *p, const struct unpack_file *f, char **ret, size_t *ret_n, struct err *e)
{
	AUTO_FREE char *text = NULL;
	struct digest digest;
	size_t n;

	if (f->bytes > IMAGE_DOC_MAX_BYTES)
		return err_set(e, ERR_INVALID, "'%.200s': larger than the %u bytes that are allowed", f->name,
			       IMAGE_DOC_MAX_BYTES);
	p->n_doc_bytes += f->bytes;
	if (p->n_doc_bytes > ARCHIVE_MAX_DOC_BYTES)
		return err_set(e, ERR_INVALID, "its documents have more than the %u bytes that are allowed together",
			       ARCHIVE_MAX_DOC_BYTES);
	if (file_read(p->staging_fd, f->file, IMAGE_DOC_MAX_BYTES, &text, &n, e) < 0)
		return err_wrap(e, "'%.200s'", f->name);
	digest_of(text, n, &digest);
	if (DEFENCE(BLOB_NAME, !str_eq(digest.text, f->digest), false))
		return f->is_claimed ? err_set(e, ERR_INVALID, "'%.200s' has the digest %s", f->name, digest.text) :
				       err_set(e, ERR_INVALID, "'%.200s' changed while it was read", f->name);
	*ret = arena_alloc(p->arena, n + 1);
	memcpy(*ret, text, n);
	*ret_n = n;
	return 0;
}

/* --- images ------------------------------------------------------------------------------------------ */

static int plan_config(struct planner *p, struct archive_image *i, struct err *e)
{
	i->id = i->config_file->digest;
	if (read_doc(p, i->config_file, &i->config_text, &i->n_config_text, e) < 0)
		return -1;
	return image_config_parse(i->config_text, i->n_config_text, p->arena, &i->config, e);
}

/* Spec: image-spec config.md#layer-chainid */
static char *chain_id(const struct planner *p, const char *below, const char *diff_id)
{
	const char *pair = arena_printf(p->arena, "%s %s", below, diff_id);
	struct digest chain;

	digest_of(pair, strlen(pair), &chain);
	return arena_strdup(p->arena, chain.text);
}

/* @n: how many layers the other document names */
static int plan_layers(struct planner *p, struct archive_image *i, size_t n, struct err *e)
{
	const struct str_list *ids = &i->config->rootfs->diff_ids;

	if (ids->n != n)
		return err_set(e, ERR_INVALID, "the configuration names %zu layers and the manifest %zu", ids->n, n);
	p->n_layers += n;
	if (p->n_layers > ARCHIVE_MAX_LAYERS)
		return err_set(e, ERR_INVALID, "its images have more than the %d layers that are allowed together", ARCHIVE_MAX_LAYERS);
	i->layers = arena_new_array(p->arena, struct archive_layer, n + 1);
	i->n_layers = n;
	for (size_t k = 0; k < n; k++) {
		i->layers[k].diff_id = ids->v[k];
		i->layers[k].chain_id = k == 0 ? ids->v[k] : chain_id(p, i->layers[k - 1].chain_id, ids->v[k]);
	}
	return 0;
}

/* The room doubles: copies of long lists would fill the arena */
static void add_tag(const struct planner *p, struct archive_image *i, const char *canonical)
{
	size_t n = i->tags.n;

	for (size_t k = 0; k < n; k++) {
		if (str_eq(i->tags.v[k], canonical))
			return;
	}
	if ((n & (n - 1)) == 0) {
		char **more = arena_new_array(p->arena, char *, n > 0 ? 2 * n : 1);

		if (n > 0)
			memcpy(more, i->tags.v, n * sizeof(*more));
		i->tags.v = more;
	}
	i->tags.v[i->tags.n++] = arena_strdup(p->arena, canonical);
}

static int add_reference(struct planner *p, struct archive_image *i, const char *text, struct err *e)
{
	struct reference r;

	if (reference_parse_tagged(text, p->arena, &r, e) < 0 || (!r.digest && reference_check_new(&r, e) < 0))
		return err_wrap(e, "name '%.100s'", text);
	if (++p->n_tags > ARCHIVE_MAX_TAGS)
		return err_set(e, ERR_INVALID, "its images have more than the %d names that are allowed together", ARCHIVE_MAX_TAGS);
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

static int plan_docker_image(struct planner *p, const struct docker_archive_image *d, struct err *e)
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

static int plan_docker(struct planner *p, const struct unpack_file *manifest, struct err *e)
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
static int add_annotated(struct planner *p, struct archive_image *i, const struct oci_descriptor *d,
			 struct err *e)
{
	const char *name = str_map_get(&d->annotations, "io.containerd.image.name");

	if (!name)
		name = str_map_get(&d->annotations, "org.opencontainers.image.ref.name");
	if (str_is_empty(name) || str_eq(name, "latest"))
		return 0;
	return add_reference(p, i, name, e);
}

/* @top: whose annotations name the image; NULL: it has no name */
static int plan_manifest(struct planner *p, const struct unpack_file *file, const char *media_type,
			 const struct oci_descriptor *top, struct err *e)
{
	struct archive_image i = { .manifest_file = file, .manifest_digest = file->digest };
	struct oci_manifest *m;
	char *text;
	size_t n;

	if (read_doc(p, file, &text, &n, e) < 0 || image_manifest_parse(text, n, media_type, p->arena, &m, e) < 0)
		return -1;
	if (find_blob(p, m->config, &i.config_file, e) < 0 || plan_config(p, &i, e) < 0 ||
	    plan_layers(p, &i, m->n_layers, e) < 0)
		return -1;
	for (size_t k = 0; k < m->n_layers; k++) {
		if (find_blob(p, &m->layers[k], &i.layers[k].file, e) < 0)
			return -1;
		i.layers[k].media_type = m->layers[k].media_type;
	}
	if (top && add_annotated(p, &i, top, e) < 0)
		return -1;
	return keep_image(p, &i, e);
}

/* From a descriptor down to the manifest for this machine */
static int plan_descriptor(struct planner *p, const struct oci_descriptor *top, struct err *e)
{
	const struct oci_descriptor *d = top;

	for (int depth = 0; depth < INDEX_DEPTH_MAX; depth++) {
		const struct unpack_file *f = NULL;
		struct oci_index *index;
		enum image_doc doc;
		char *text;
		size_t n;

		if (!image_media_type_doc(d->media_type, &doc))
			return err_set(e, ERR_UNSUPPORTED, "cannot load '%.100s'", d->media_type);
		if (find_named(p, d, p->manifest_ending, &f, e) < 0)
			return -1;
		if (doc == IMAGE_DOC_MANIFEST)
			return plan_manifest(p, f, d->media_type, top, e);
		if (read_doc(p, f, &text, &n, e) < 0 ||
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

static int plan_oci(struct planner *p, const struct unpack_file *file, struct err *e)
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

/* --- the layout of containers' "dir:" ----------------------------------------------------------------- */

/*
 * A directory of `skopeo copy … dir:` or `podman save --format docker-dir`, as a tar: manifest.json is the image's own
 * manifest, an object, and the blobs lie beside it, called by their digests. It has no name. With --all it may be an
 * index, and the manifests that it names lie beside it as "<digest>.manifest.json".
 * Spec: containers-dir(5) in containers-transports
 */
static bool is_dir_layout(struct planner *p, const struct unpack_file *manifest)
{
	char *text;
	size_t n;

	return read_doc(p, manifest, &text, &n, ERR_IGNORED) == 0 && n > 0 && text[strspn(text, " \t\r\n")] == '{';
}

static int plan_dir(struct planner *p, const struct unpack_file *manifest, struct err *e)
{
	const struct oci_descriptor *d;
	struct oci_index *index;
	bool is_index;
	char *text;
	size_t n;

	p->blobs = "";
	p->manifest_ending = DIR_MANIFEST;
	if (read_doc(p, manifest, &text, &n, e) < 0 || image_doc_names_manifests(text, n, p->arena, &is_index, e) < 0)
		return -1;
	if (!is_index)
		return plan_manifest(p, manifest, NULL, NULL, e);
	if (image_index_parse(text, n, NULL, p->arena, &index, e) < 0 ||
	    image_index_choose(index, "linux", image_host_arch(), &d, e) < 0)
		return -1;
	return plan_descriptor(p, d, e);
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
static void adopt_manifests(struct planner *p, const struct unpack_file *file)
{
	struct archive_plan found = { .images = arena_new_array(p->arena, struct archive_image, ARCHIVE_MAX_IMAGES) };
	struct planner q = { .sorted = p->sorted, .n_sorted = p->n_sorted, .staging_fd = p->staging_fd, .arena = p->arena,
			     .plan = &found, .blobs = ARCHIVE_BLOBS, .manifest_ending = "" };

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

/*
 * What the unpack role left is opened, and moved into the store, by these names. Whoever has taken over that process with
 * an archive leaves links, pipes, or names of other files: none of that is touched.
 */
static int check_listing(const struct unpack_listing *listing, int staging_fd, struct err *e)
{
	for (size_t i = 0; i < listing->n_files; i++) {
		const struct unpack_file *f = &listing->files[i];
		struct stat st;

		if (!digest_is_valid(f->digest) || DEFENCE(STAGED_NAMES, !path_is_name(f->file), false))
			return err_set(e, ERR_INTERNAL, "listing is malformed");
		if (fstatat(staging_fd, f->file, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(e, "look at '%.200s'", f->name);
		if (DEFENCE(STAGED_FILES, !S_ISREG(st.st_mode), false))
			return err_set(e, ERR_INTERNAL, "'%.200s' was not left as a file", f->name);
	}
	return 0;
}

int archive_plan(const struct unpack_listing *listing, int staging_fd, struct arena *a,
		 struct archive_plan *ret, struct err *e)
{
	struct archive_plan plan = { .images = arena_new_array(a, struct archive_image, ARCHIVE_MAX_IMAGES) };
	struct planner p = { .staging_fd = staging_fd, .arena = a, .plan = &plan, .blobs = ARCHIVE_BLOBS, .manifest_ending = "" };
	const struct unpack_file *docker, *oci;
	int r;

	if (check_listing(listing, staging_fd, e) < 0)
		return err_wrap(e, "archive");
	sort_files(&p, listing);
	docker = find(&p, "manifest.json");
	oci = find(&p, "index.json");
	if (!docker && !oci)
		return err_set(e, ERR_INVALID, "archive: holds neither manifest.json nor index.json");
	if (docker && is_dir_layout(&p, docker)) {
		r = plan_dir(&p, docker, e);
		oci = NULL;
	} else {
		r = docker ? plan_docker(&p, docker, e) : plan_oci(&p, oci, e);
	}
	if (r < 0)
		return err_wrap(e, "archive");
	if (plan.n_images == 0)
		return err_set(e, ERR_INVALID, "archive: holds no image");
	if (docker && oci)
		adopt_manifests(&p, oci);
	*ret = plan;
	return 0;
}
