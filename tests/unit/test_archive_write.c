/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/archive_write.h"

#include "oci/digest.h"
#include "tests/unit/unit.h"

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define D "sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
#define TAR "application/vnd.oci.image.layer.v1.tar"

static char *tags[] = { (char *)"docker.io/library/x:1" };
static struct archive_out_layer layers[] = { { C, TAR, 5 }, { D, TAR "+gzip", 513 } };

START_TEST(blobs_come_once_and_all_parts_make_whole_blocks)
{
	struct arena *a = arena_new();
	const struct archive_out_image images[] = {
		{ .id = A, .config_bytes = 7, .layers = layers, .n_layers = 2, .tags = { tags, 1 } },
		{ .id = B, .config_bytes = 8, .layers = layers, .n_layers = 1 },
	};
	const char *want[] = { A, C, D, B, NULL };
	struct archive_parts parts;
	uint64_t total = 0;

	archive_write(images, 2, a, &parts);
	ck_assert_uint_eq(parts.n, 5);
	for (size_t i = 0; i < parts.n; i++) {
		total += parts.v[i].n_text + parts.v[i].bytes;
		if (want[i])
			ck_assert_str_eq(parts.v[i].digest, want[i]);
	}
	ck_assert_ptr_null(parts.v[4].digest);
	ck_assert_uint_eq(total % 512, 0);
	arena_free(a);
}
END_TEST

static bool contains(const struct archive_part *p, const char *text)
{
	return memmem(p->text, p->n_text, text, strlen(text)) != NULL;
}

START_TEST(manifest_is_made_only_when_there_is_none)
{
	struct arena *a = arena_new();
	struct archive_out_image image = { .id = A, .config_bytes = 7, .layers = layers, .n_layers = 2, .tags = { tags, 1 } };
	struct archive_parts parts;

	archive_write(&image, 1, a, &parts);
	ck_assert(contains(&parts.v[3], "\"mediaType\":\"" TAR "+gzip\",\"digest\":\"" D "\",\"size\":513"));
	ck_assert(contains(&parts.v[3], "\"io.containerd.image.name\":\"docker.io/library/x:1\","
					"\"org.opencontainers.image.ref.name\":\"1\""));
	ck_assert(contains(&parts.v[3], "\"RepoTags\":[\"x:1\"],\"Layers\":[\"blobs/sha256/cccc"));
	image.manifest_digest = B;
	image.manifest_type = "application/vnd.docker.distribution.manifest.v2+json";
	image.manifest_bytes = 9;
	archive_write(&image, 1, a, &parts);
	ck_assert_uint_eq(parts.n, 5);
	ck_assert_str_eq(parts.v[3].digest, B);
	ck_assert(contains(&parts.v[4], "\"mediaType\":\"application/vnd.docker.distribution.manifest.v2+json\",\"digest\":\"" B
					"\",\"size\":9"));
	ck_assert(!contains(&parts.v[4], TAR));
	arena_free(a);
}
END_TEST

UNIT_MAIN("archive_write", blobs_come_once_and_all_parts_make_whole_blocks, manifest_is_made_only_when_there_is_none)
