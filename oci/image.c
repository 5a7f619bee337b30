/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image.h"

#include <string.h>
#include <sys/utsname.h>

#include "base/defence.h"
#include "oci/digest.h"

#define O J_OMIT_EMPTY
#define R J_REQUIRED

/* --- shape ------------------------------------------------------------------------------------------- */

static const struct jfield platform_fields[] = {
	J_STRING(struct oci_platform, architecture, "architecture", 0),
	J_STRING(struct oci_platform, os, "os", 0),
	J_STRING(struct oci_platform, os_version, "os.version", O),
	J_STRING(struct oci_platform, variant, "variant", O),
};
static const struct jschema platform_schema =
	J_SCHEMA(struct oci_platform, "image-index.md#image-index-property-descriptions", platform_fields);

static const struct jfield descriptor_fields[] = {
	J_STRING(struct oci_descriptor, media_type, "mediaType", R),
	J_STRING(struct oci_descriptor, digest, "digest", R),
	J_U64(struct oci_descriptor, size_bytes, "size", R),
	J_MAP(struct oci_descriptor, annotations, "annotations", O),
	J_OBJECT(struct oci_descriptor, platform, "platform", &platform_schema, O),
};
const struct jschema oci_descriptor_schema =
	J_SCHEMA(struct oci_descriptor, "descriptor.md", descriptor_fields);

static const struct jfield index_fields[] = {
	J_I64(struct oci_index, schema_version, "schemaVersion", R),
	J_STRING(struct oci_index, media_type, "mediaType", O),
	J_ARRAY(struct oci_index, manifests, n_manifests, "manifests", &oci_descriptor_schema, R),
	J_RAW(struct oci_index, config, "config", O),
	J_RAW(struct oci_index, layers, "layers", O),
};
static const struct jschema index_schema = J_SCHEMA(struct oci_index, "image-index.md", index_fields);

static const struct jfield manifest_fields[] = {
	J_I64(struct oci_manifest, schema_version, "schemaVersion", R),
	J_STRING(struct oci_manifest, media_type, "mediaType", O),
	J_STRING(struct oci_manifest, artifact_type, "artifactType", O),
	J_OBJECT(struct oci_manifest, config, "config", &oci_descriptor_schema, 0),
	J_ARRAY(struct oci_manifest, layers, n_layers, "layers", &oci_descriptor_schema, 0),
	J_RAW(struct oci_manifest, manifests, "manifests", O),
	J_RAW(struct oci_manifest, fs_layers, "fsLayers", O),
};
static const struct jschema manifest_schema = J_SCHEMA(struct oci_manifest, "manifest.md", manifest_fields);

static const struct jfield exec_fields[] = {
	J_STRING(struct oci_image_exec, user, "User", O),
	J_RAW(struct oci_image_exec, exposed_ports, "ExposedPorts", O),
	J_STRINGS(struct oci_image_exec, env, "Env", O),
	J_STRINGS(struct oci_image_exec, entrypoint, "Entrypoint", O),
	J_STRINGS(struct oci_image_exec, cmd, "Cmd", O),
	J_RAW(struct oci_image_exec, volumes, "Volumes", O),
	J_STRING(struct oci_image_exec, working_dir, "WorkingDir", O),
	J_MAP(struct oci_image_exec, labels, "Labels", O),
	J_STRING(struct oci_image_exec, stop_signal, "StopSignal", O),
	J_OBJECT(struct oci_image_exec, healthcheck, "Healthcheck", &opt_healthcheck_schema, O),
	J_STRINGS(struct oci_image_exec, shell, "Shell", O),
	J_STRINGS(struct oci_image_exec, on_build, "OnBuild", O),
	J_BOOLEAN(struct oci_image_exec, args_escaped, "ArgsEscaped", O),
};
static const struct jschema exec_schema =
	J_SCHEMA(struct oci_image_exec, "config.md#properties (image-spec)", exec_fields);

static const struct jfield rootfs_fields[] = {
	J_STRING(struct oci_rootfs, type, "type", R),
	J_STRINGS(struct oci_rootfs, diff_ids, "diff_ids", 0),
};
static const struct jschema rootfs_schema =
	J_SCHEMA(struct oci_rootfs, "config.md#properties (image-spec)", rootfs_fields);

static const struct jfield history_fields[] = {
	J_STRING(struct oci_history, created, "created", O),
	J_STRING(struct oci_history, author, "author", O),
	J_STRING(struct oci_history, created_by, "created_by", O),
	J_STRING(struct oci_history, comment, "comment", O),
	J_BOOLEAN(struct oci_history, empty_layer, "empty_layer", O),
};
static const struct jschema history_schema =
	J_SCHEMA(struct oci_history, "config.md#properties (image-spec)", history_fields);

static const struct jfield image_fields[] = {
	J_STRING(struct oci_image_config, created, "created", O),
	J_STRING(struct oci_image_config, author, "author", O),
	J_STRING(struct oci_image_config, architecture, "architecture", 0),
	J_STRING(struct oci_image_config, os, "os", 0),
	J_STRING(struct oci_image_config, variant, "variant", O),
	J_STRING(struct oci_image_config, docker_version, "docker_version", O),
	J_STRING(struct oci_image_config, comment, "comment", O),
	J_OBJECT(struct oci_image_config, config, "config", &exec_schema, 0),
	J_OBJECT(struct oci_image_config, rootfs, "rootfs", &rootfs_schema, R),
	J_ARRAY(struct oci_image_config, history, n_history, "history", &history_schema, O),
};
const struct jschema oci_image_config_schema =
	J_SCHEMA(struct oci_image_config, "config.md (image-spec)", image_fields);

static const struct jfield docker_image_fields[] = {
	J_STRING(struct docker_archive_image, config, "Config", R),
	J_STRINGS(struct docker_archive_image, repo_tags, "RepoTags", 0),
	J_STRINGS(struct docker_archive_image, layers, "Layers", 0),
};
static const struct jschema docker_image_schema =
	J_SCHEMA(struct docker_archive_image, "moby image/tarexport", docker_image_fields);

static const struct jfield docker_archive_fields[] = {
	J_ARRAY(struct docker_archive, images, n_images, "manifest", &docker_image_schema, R),
};
static const struct jschema docker_archive_schema =
	J_SCHEMA(struct docker_archive, "moby image/tarexport", docker_archive_fields);

/* --- media types ------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum image_doc doc;
} doc_types[] = {
	{ "application/vnd.oci.image.index.v1+json", IMAGE_DOC_INDEX },
	{ "application/vnd.docker.distribution.manifest.list.v2+json", IMAGE_DOC_INDEX },
	{ "application/vnd.oci.image.manifest.v1+json", IMAGE_DOC_MANIFEST },
	{ "application/vnd.docker.distribution.manifest.v2+json", IMAGE_DOC_MANIFEST },
};

static const char *const layer_types[] = {
	"application/vnd.oci.image.layer.v1.tar",
	"application/vnd.oci.image.layer.v1.tar+gzip",
	"application/vnd.oci.image.layer.v1.tar+zstd",
	"application/vnd.oci.image.layer.nondistributable.v1.tar",
	"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
	"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
	"application/vnd.docker.image.rootfs.diff.tar",
	"application/vnd.docker.image.rootfs.diff.tar.gzip",
	"application/vnd.docker.image.rootfs.diff.tar.zstd",
};

static const char *const config_types[] = {
	"application/vnd.oci.image.config.v1+json",
	"application/vnd.docker.container.image.v1+json",
};

static bool is_one_of(const char *s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(s, list[i]))
			return true;
	return false;
}

bool image_media_type_doc(const char *media_type, enum image_doc *ret)
{
	for (size_t i = 0; i < sizeof doc_types / sizeof doc_types[0]; i++) {
		if (str_eq(media_type, doc_types[i].name)) {
			*ret = doc_types[i].doc;
			return true;
		}
	}
	return false;
}

bool image_media_type_is_layer(const char *media_type)
{
	return is_one_of(media_type, layer_types, sizeof layer_types / sizeof layer_types[0]);
}

/* --- meaning ----------------------------------------------------------------------------------------- */

static int check_descriptor(const struct oci_descriptor *d, struct err *e)
{
	struct digest digest;

	if (str_is_empty(d->media_type))
		return err_set(e, ERR_INVALID, "mediaType is empty");
	if (digest_parse(d->digest, &digest, e) < 0)
		return -1;
	if (d->size_bytes > IMAGE_MAX_BLOB_BYTES)
		return err_set(e, ERR_INVALID, "size %llu is out of range", (unsigned long long)d->size_bytes);
	return 0;
}

/*
 * Why: one blob that is both an index and a manifest means different things to different readers, under
 * one digest (CVE-2021-41190). Its own mediaType, the descriptor's and its content must agree.
 */
static int check_media_type(const char *own, const char *said, enum image_doc want, struct err *e)
{
	enum image_doc doc;

	if (own && (!image_media_type_doc(own, &doc) || doc != want))
		return err_set(e, ERR_INVALID, "mediaType '%.100s' does not fit the content", own);
	if (said && (!image_media_type_doc(said, &doc) || doc != want))
		return err_set(e, ERR_INVALID, "announced as '%.100s', which does not fit the content", said);
	if (own && said && !str_eq(own, said))
		return err_set(e, ERR_INVALID, "announced as '%.100s' but says '%.100s'", said, own);
	return 0;
}

static int decode(const char *text, size_t n, const struct jschema *schema, struct arena *a, void **ret,
		  struct err *e)
{
	if (n > IMAGE_DOC_MAX_BYTES)
		return err_set(e, ERR_INVALID, "%zu bytes are more than the %u that are allowed", n,
			       IMAGE_DOC_MAX_BYTES);
	if (json_count_values(text, n) > IMAGE_DOC_MAX_VALUES)
		return err_set(e, ERR_INVALID, "holds more than the %d values that are allowed", IMAGE_DOC_MAX_VALUES);
	return json_decode(text, n, schema, a, NULL, NULL, ret, e);
}

int image_doc_names_manifests(const char *text, size_t n, struct arena *a, bool *ret, struct err *e)
{
	struct shape {
		struct json_raw manifests;
	};
	static const struct jfield fields[] = { J_RAW(struct shape, manifests, "manifests", 0) };
	static const struct jschema schema = J_SCHEMA(struct shape, "manifest or index", fields);
	void *obj;

	if (decode(text, n, &schema, a, &obj, e) < 0)
		return err_wrap(e, "manifest");
	*ret = ((const struct shape *)obj)->manifests.text != NULL;
	return 0;
}

int image_index_parse(const char *text, size_t n, const char *media_type, struct arena *a,
		      struct oci_index **ret, struct err *e)
{
	struct oci_index *x;
	void *obj;

	if (decode(text, n, &index_schema, a, &obj, e) < 0)
		return err_wrap(e, "image index");
	x = obj;
	if (x->config.text || x->layers.text)
		return err_set(e, ERR_INVALID, "image index: is also a manifest");
	if (check_media_type(x->media_type, media_type, IMAGE_DOC_INDEX, e) < 0)
		return err_wrap(e, "image index");
	if (x->schema_version != 2)
		return err_set(e, ERR_INVALID, "image index: schemaVersion is not 2");
	if (x->n_manifests > IMAGE_MAX_MANIFESTS)
		return err_set(e, ERR_INVALID, "image index: more than %d manifests", IMAGE_MAX_MANIFESTS);
	for (size_t i = 0; i < x->n_manifests; i++)
		if (check_descriptor(&x->manifests[i], e) < 0)
			return err_wrap(e, "image index: manifests[%zu]", i);
	*ret = x;
	return 0;
}

static int check_manifest_layers(const struct oci_manifest *m, struct err *e)
{
	if (m->n_layers > IMAGE_MAX_LAYERS)
		return err_set(e, ERR_INVALID, "image manifest: %zu layers are more than the %d that are allowed",
			       m->n_layers, IMAGE_MAX_LAYERS);
	for (size_t i = 0; i < m->n_layers; i++) {
		if (check_descriptor(&m->layers[i], e) < 0)
			return err_wrap(e, "image manifest: layers[%zu]", i);
		if (!image_media_type_is_layer(m->layers[i].media_type))
			return err_set(e, ERR_UNSUPPORTED, "image manifest: layers[%zu]: cannot unpack '%.100s'", i,
				       m->layers[i].media_type);
	}
	return 0;
}

int image_manifest_parse(const char *text, size_t n, const char *media_type, struct arena *a,
			 struct oci_manifest **ret, struct err *e)
{
	struct oci_manifest *m;
	void *obj;

	if (decode(text, n, &manifest_schema, a, &obj, e) < 0)
		return err_wrap(e, "image manifest");
	m = obj;
	if (DEFENCE(ONE_MEANING, m->manifests.text != NULL, false))
		return err_set(e, ERR_INVALID, "image manifest: is also an index");
	if (m->schema_version == 1 || m->fs_layers.text)
		return err_set(e, ERR_UNSUPPORTED, "image manifest: schema 1 is not supported");
	if (m->schema_version != 2)
		return err_set(e, ERR_INVALID, "image manifest: schemaVersion is not 2");
	if (check_media_type(m->media_type, media_type, IMAGE_DOC_MANIFEST, e) < 0)
		return err_wrap(e, "image manifest");
	if (!m->config)
		return err_set(e, ERR_INVALID, "image manifest: config: missing");
	if (check_descriptor(m->config, e) < 0)
		return err_wrap(e, "image manifest: config");
	if (!is_one_of(m->config->media_type, config_types, sizeof config_types / sizeof config_types[0]))
		return err_set(e, ERR_UNSUPPORTED, "image manifest: is no container image but '%.100s'",
			       m->config->media_type);
	if (check_manifest_layers(m, e) < 0)
		return -1;
	*ret = m;
	return 0;
}

static int check_image_config(const struct oci_image_config *c, struct err *e)
{
	const struct str_list *ids = &c->rootfs->diff_ids;
	struct digest digest;

	if (!str_is_empty(c->os) && !str_eq(c->os, "linux"))
		return err_set(e, ERR_UNSUPPORTED, "is for '%.40s', not for linux", c->os);
	if (!str_eq(c->rootfs->type, "layers"))
		return err_set(e, ERR_INVALID, "rootfs.type: expected 'layers', got '%.40s'", c->rootfs->type);
	if (ids->n > IMAGE_MAX_LAYERS)
		return err_set(e, ERR_INVALID, "%zu layers are more than the %d that are allowed", ids->n,
			       IMAGE_MAX_LAYERS);
	for (size_t i = 0; i < ids->n; i++)
		if (digest_parse(ids->v[i], &digest, e) < 0)
			return err_wrap(e, "rootfs.diff_ids[%zu]", i);
	if (c->n_history > IMAGE_MAX_HISTORY)
		return err_set(e, ERR_INVALID, "history: more than %d entries", IMAGE_MAX_HISTORY);
	return 0;
}

int image_config_parse(const char *text, size_t n, struct arena *a, struct oci_image_config **ret,
		       struct err *e)
{
	struct oci_image_config *c;
	void *obj;

	if (decode(text, n, &oci_image_config_schema, a, &obj, e) < 0)
		return err_wrap(e, "image configuration");
	c = obj;
	if (check_image_config(c, e) < 0)
		return err_wrap(e, "image configuration");
	if (!c->config)
		c->config = arena_new_obj(a, struct oci_image_exec);
	*ret = c;
	return 0;
}

int image_docker_archive_parse(const char *text, size_t n, struct arena *a, struct docker_archive **ret,
			       struct err *e)
{
	AUTO_STRBUF struct strbuf wrapped = {0};
	struct docker_archive *d;
	void *obj;

	/* The document is a bare array, and tables describe objects */
	strbuf_adds(&wrapped, "{\"manifest\":");
	strbuf_add(&wrapped, text, n);
	strbuf_addc(&wrapped, '}');
	if (decode(wrapped.data, wrapped.len, &docker_archive_schema, a, &obj, e) < 0)
		return err_wrap(e, "manifest.json");
	d = obj;
	for (size_t i = 0; i < d->n_images; i++)
		if (d->images[i].layers.n > IMAGE_MAX_LAYERS)
			return err_set(e, ERR_INVALID, "manifest.json: image %zu has more than %d layers", i,
				       IMAGE_MAX_LAYERS);
	*ret = d;
	return 0;
}

/* --- platforms --------------------------------------------------------------------------------------- */

const char *image_host_arch(void)
{
	static const struct {
		const char *machine, *arch;
	} names[] = {
		{ "x86_64", "amd64" },  { "aarch64", "arm64" },   { "i686", "386" },      { "armv7l", "arm" },
		{ "ppc64le", "ppc64le" }, { "s390x", "s390x" }, { "riscv64", "riscv64" },
	};
	struct utsname u;

	if (uname(&u) == 0)
		for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
			if (str_eq(u.machine, names[i].machine))
				return names[i].arch;
	return "unknown";
}

static bool is_attestation(const struct oci_descriptor *d)
{
	return str_map_get(&d->annotations, "vnd.docker.reference.type") != NULL;
}

int image_index_choose(const struct oci_index *index, const char *os, const char *arch,
		       const struct oci_descriptor **ret, struct err *e)
{
	AUTO_STRBUF struct strbuf there = {0};

	for (size_t i = 0; i < index->n_manifests; i++) {
		const struct oci_descriptor *d = &index->manifests[i];
		const struct oci_platform *p = d->platform;
		bool is_match = p ? str_eq(p->os, os) && str_eq(p->architecture, arch) : index->n_manifests == 1;

		if (is_match && !is_attestation(d)) {
			*ret = d;
			return 0;
		}
		if (p && there.len < 200)
			strbuf_addf(&there, "%s%.20s/%.20s", there.len ? ", " : "", p->os ? p->os : "",
				    p->architecture ? p->architecture : "");
	}
	return err_set(e, ERR_NOT_FOUND, "no image for %s/%s in the index, which has: %s", os, arch,
		       there.len ? there.data : "nothing");
}
