/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image.h"

#include "base/own.h"
#include "tests/unit/unit.h"

#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define DESC(type) "{\"mediaType\":\"" type "\",\"digest\":\"sha256:" HEX "\",\"size\":7}"
#define CONFIG DESC("application/vnd.oci.image.config.v1+json")
#define LAYER DESC("application/vnd.oci.image.layer.v1.tar+gzip")
#define MANIFEST(more) "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" LAYER "]" more "}"

static struct arena *arena;
static struct err e;

static void begin(void)
{
	arena = arena_new();
	memset(&e, 0, sizeof e);
}

static int manifest(const char *text, const char *type, struct oci_manifest **ret)
{
	return image_manifest_parse(text, strlen(text), type, arena, ret, &e);
}

static int parse_index(const char *text, struct oci_index **ret)
{
	return image_index_parse(text, strlen(text), NULL, arena, ret, &e);
}

START_TEST(oci_manifest_is_read)
{
	struct oci_manifest *m;

	begin();
	ck_assert_msg(manifest(MANIFEST(""), OCI_MANIFEST, &m) == 0, "%s", e.msg);
	ck_assert_uint_eq(m->n_layers, 1);
	ck_assert_uint_eq(m->layers[0].size_bytes, 7);
	ck_assert_str_eq(m->config->digest, "sha256:" HEX);
	arena_free(arena);
}
END_TEST

START_TEST(docker_manifest_is_read)
{
	struct oci_manifest *m;

	begin();
	ck_assert_int_eq(manifest("{\"schemaVersion\":2,\"mediaType\":\"" DOCKER_MANIFEST "\",\"config\":"
				  DESC("application/vnd.docker.container.image.v1+json") ",\"layers\":["
				  DESC("application/vnd.docker.image.rootfs.diff.tar.gzip") "]}",
				  DOCKER_MANIFEST, &m), 0);
	arena_free(arena);
}
END_TEST

START_TEST(document_that_is_index_and_manifest_is_refused)
{
	struct oci_manifest *m;
	struct oci_index *x;

	begin();
	ck_assert_int_eq(manifest(MANIFEST(",\"manifests\":[]"), NULL, &m), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "is also an index"));
	ck_assert_int_eq(parse_index("{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}", &x), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "is also a manifest"));
	arena_free(arena);
}
END_TEST

START_TEST(media_type_must_agree_with_descriptor_and_content)
{
	struct oci_manifest *m;

	begin();
	ck_assert_int_eq(manifest(MANIFEST(",\"mediaType\":\"" OCI_INDEX "\""), NULL, &m), -1);
	ck_assert_int_eq(manifest(MANIFEST(""), OCI_INDEX, &m), -1);
	ck_assert_int_eq(manifest(MANIFEST(",\"mediaType\":\"" DOCKER_MANIFEST "\""), OCI_MANIFEST, &m), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "announced as"));
	arena_free(arena);
}
END_TEST

START_TEST(wrong_digest_size_and_layer_type_are_refused)
{
	struct oci_manifest *m;

	begin();
	ck_assert_int_eq(manifest("{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x\",\"digest\":\"sha256:../x\","
				  "\"size\":1},\"layers\":[]}", NULL, &m), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "config: invalid digest"));
	ck_assert_int_eq(manifest("{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x\",\"digest\":\"sha256:" HEX
				  "\",\"size\":-1},\"layers\":[]}", NULL, &m), -1);
	ck_assert_int_eq(manifest("{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x\",\"digest\":\"sha256:" HEX
				  "\",\"size\":18446744073709551615},\"layers\":[]}", NULL, &m), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "out of range"));
	ck_assert_int_eq(manifest("{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" DESC("text/plain") "]}",
				  NULL, &m), -1);
	ck_assert_int_eq(e.kind, ERR_UNSUPPORTED);
	arena_free(arena);
}
END_TEST

START_TEST(schema_1_and_artifacts_are_refused_by_name)
{
	struct oci_manifest *m;

	begin();
	ck_assert_int_eq(manifest("{\"schemaVersion\":1,\"fsLayers\":[]}", NULL, &m), -1);
	ck_assert_int_eq(e.kind, ERR_UNSUPPORTED);
	ck_assert_int_eq(manifest("{\"schemaVersion\":2,\"config\":" DESC("application/vnd.oci.empty.v1+json")
				  ",\"layers\":[]}", NULL, &m), -1);
	ck_assert_int_eq(e.kind, ERR_UNSUPPORTED);
	arena_free(arena);
}
END_TEST

START_TEST(platform_is_chosen_and_attestations_are_not)
{
	static const char text[] =
		"{\"schemaVersion\":2,\"manifests\":["
		"{\"mediaType\":\"" OCI_MANIFEST "\",\"digest\":\"sha256:" HEX "\",\"size\":1,\"platform\":"
		"{\"os\":\"linux\",\"architecture\":\"arm64\"}},"
		"{\"mediaType\":\"" OCI_MANIFEST "\",\"digest\":\"sha256:" HEX "\",\"size\":2,\"annotations\":"
		"{\"vnd.docker.reference.type\":\"attestation-manifest\"},\"platform\":"
		"{\"os\":\"linux\",\"architecture\":\"amd64\"}},"
		"{\"mediaType\":\"" OCI_MANIFEST "\",\"digest\":\"sha256:" HEX "\",\"size\":3,\"platform\":"
		"{\"os\":\"linux\",\"architecture\":\"amd64\"}}]}";
	const struct oci_descriptor *d;
	struct oci_index *x;

	begin();
	ck_assert_int_eq(parse_index(text, &x), 0);
	ck_assert_int_eq(image_index_choose(x, "linux", "amd64", &d, &e), 0);
	ck_assert_uint_eq(d->size_bytes, 3);
	ck_assert_int_eq(image_index_choose(x, "linux", "s390x", &d, &e), -1);
	ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(e.msg, "linux/arm64"));
	arena_free(arena);
}
END_TEST

static int parse_config(const char *text, struct oci_image_config **ret)
{
	return image_config_parse(text, strlen(text), arena, ret, &e);
}

START_TEST(configuration_is_read_and_its_config_is_never_null)
{
	struct oci_image_config *c;

	begin();
	ck_assert_int_eq(parse_config("{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"layers\","
				      "\"diff_ids\":[\"sha256:" HEX "\"]},\"config\":{\"Cmd\":[\"sh\"],\"Env\":null,"
				      "\"Healthcheck\":{\"Test\":[\"CMD\",\"true\"],\"Interval\":5000000}}}", &c), 0);
	ck_assert_str_eq(c->config->cmd.v[0], "sh");
	ck_assert_int_eq(c->config->healthcheck->interval_ns, 5000000);
	ck_assert_int_eq(parse_config("{\"rootfs\":{\"type\":\"layers\"}}", &c), 0);
	ck_assert_ptr_nonnull(c->config);
	ck_assert_uint_eq(c->rootfs->diff_ids.n, 0);
	arena_free(arena);
}
END_TEST

START_TEST(configuration_with_bad_diff_id_or_other_system_is_refused)
{
	struct oci_image_config *c;

	begin();
	ck_assert_int_eq(parse_config("{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:zz\"]}}", &c), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "rootfs.diff_ids[0]"));
	ck_assert_int_eq(parse_config("{\"os\":\"windows\",\"rootfs\":{\"type\":\"layers\"}}", &c), -1);
	ck_assert_int_eq(e.kind, ERR_UNSUPPORTED);
	ck_assert_int_eq(parse_config("{}", &c), -1);
	arena_free(arena);
}
END_TEST

START_TEST(more_layers_than_overlay_takes_are_refused)
{
	AUTO_STRBUF struct strbuf b = {0};
	struct oci_image_config *c;

	begin();
	strbuf_adds(&b, "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[");
	for (int i = 0; i <= IMAGE_MAX_LAYERS; i++)
		strbuf_addf(&b, "%s\"sha256:" HEX "\"", i ? "," : "");
	strbuf_adds(&b, "]}}");
	ck_assert_int_eq(parse_config(b.data, &c), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "128 layers"));
	arena_free(arena);
}
END_TEST

START_TEST(docker_archive_contents_are_read)
{
	static const char text[] = "[{\"Config\":\"c.json\",\"RepoTags\":null,\"Layers\":[\"a/layer.tar\"]}]";
	struct docker_archive *d;

	begin();
	ck_assert_int_eq(image_docker_archive_parse(text, strlen(text), arena, &d, &e), 0);
	ck_assert_uint_eq(d->n_images, 1);
	ck_assert_str_eq(d->images[0].layers.v[0], "a/layer.tar");
	ck_assert_int_eq(image_docker_archive_parse("{}", 2, arena, &d, &e), -1);
	ck_assert_int_eq(image_docker_archive_parse("[]}{", 4, arena, &d, &e), -1);
	arena_free(arena);
}
END_TEST

UNIT_MAIN("image", oci_manifest_is_read, docker_manifest_is_read, document_that_is_index_and_manifest_is_refused,
	  media_type_must_agree_with_descriptor_and_content, wrong_digest_size_and_layer_type_are_refused,
	  schema_1_and_artifacts_are_refused_by_name, platform_is_chosen_and_attestations_are_not,
	  configuration_is_read_and_its_config_is_never_null,
	  configuration_with_bad_diff_id_or_other_system_is_refused, more_layers_than_overlay_takes_are_refused,
	  docker_archive_contents_are_read)
