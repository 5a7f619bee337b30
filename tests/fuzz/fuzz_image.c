/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of images: what is taken is within its bounds and has digests that are digests. */
#include "base/own.h"
#include "oci/digest.h"
#include "oci/image.h"
#include "oci/reference.h"
#include "tests/fuzz/fuzz.h"

static void check_descriptors(const struct oci_descriptor *d, size_t n)
{
	for (size_t i = 0; i < n; i++)
		FUZZ_CHECK(digest_is_valid(d[i].digest) && d[i].media_type[0]);
}

/* A name that was taken means the same when it is read again */
static void check_reference(const char *text, struct arena *a)
{
	struct reference r, again;
	struct err e = {0};

	if (reference_parse_tagged(text, a, &r, &e) < 0)
		return;
	FUZZ_CHECK(reference_parse_tagged(reference_familiar(&r, a), a, &again, &e) == 0);
	FUZZ_CHECK(strcmp(reference_canonical(&r, a), reference_canonical(&again, a)) == 0);
	FUZZ_CHECK(strstr(r.path, "..") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_FREE char *text = fuzz_text(data, n);
	AUTO_ARENA struct arena *a = arena_new();
	const struct oci_descriptor *chosen;
	struct oci_image_config *config;
	struct docker_archive *archive;
	struct oci_manifest *manifest;
	struct oci_index *index;
	struct err e = {0};

	if (image_index_parse(text, n, NULL, a, &index, &e) == 0) {
		check_descriptors(index->manifests, index->n_manifests);
		image_index_choose(index, "linux", "amd64", &chosen, &e);
	}
	if (image_manifest_parse(text, n, NULL, a, &manifest, &e) == 0) {
		FUZZ_CHECK(manifest->n_layers <= IMAGE_MAX_LAYERS);
		check_descriptors(manifest->config, 1);
		check_descriptors(manifest->layers, manifest->n_layers);
	}
	if (image_config_parse(text, n, a, &config, &e) == 0)
		FUZZ_CHECK(config->config && config->rootfs->diff_ids.n <= IMAGE_MAX_LAYERS);
	if (image_docker_archive_parse(text, n, a, &archive, &e) == 0)
		for (size_t i = 0; i < archive->n_images; i++)
			FUZZ_CHECK(archive->images[i].config);
	check_reference(text, a);
	return 0;
}
