/* SPDX-License-Identifier: Apache-2.0 */
/* Any archive is planned or refused; a plan is whole, and what the role answers survives the pipe. */
#include "base/own.h"
#include "oci/archive.h"
#include "oci/digest.h"
#include "tests/fuzz/tar_fuzz.h"

static void check_plan(const struct archive_plan *plan)
{
	FUZZ_CHECK(plan->n_images > 0);
	for (size_t i = 0; i < plan->n_images; i++) {
		const struct archive_image *image = &plan->images[i];

		FUZZ_CHECK(digest_is_valid(image->id) && image->config && image->config->config);
		FUZZ_CHECK(image->n_layers == image->config->rootfs->diff_ids.n);
		for (size_t k = 0; k < image->n_layers; k++)
			FUZZ_CHECK(image->layers[k].file && digest_is_valid(image->layers[k].diff_id));
	}
}

static void check_listing(struct unpack_listing *listing, struct arena *a)
{
	struct unpack_result result = { .archive = listing }, *back = NULL;
	AUTO_STRBUF struct strbuf text = {0};
	struct err e = {0};

	json_emit(&unpack_result_schema, &result, &text);
	FUZZ_CHECK(unpack_result_parse(text.data, text.len, a, &back, &e) == 0);
	FUZZ_CHECK(back->archive->n_files == listing->n_files);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct archive_limits limits = { 1 << 20, 0 };
	AUTO_ARENA struct arena *a = arena_new();
	struct unpack_listing listing = {0};
	struct archive_plan plan = {0};
	struct err e = {0};
	AUTO_CLOSE int in = tar_fuzz_fd(data, n);
	AUTO_CLOSE int dir = tar_fuzz_dir();

	if (archive_stage(in, dir, &limits, a, &listing, &e) == 0) {
		check_listing(&listing, a);
		if (archive_plan(&listing, dir, a, &plan, &e) == 0)
			check_plan(&plan);
	}
	FUZZ_CHECK(plan.n_images > 0 || (e.kind != ERR_NONE && e.msg[0]));
	close_fd(&dir);
	tar_fuzz_undir();
	return 0;
}
