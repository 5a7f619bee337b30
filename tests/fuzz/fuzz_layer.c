/* SPDX-License-Identifier: Apache-2.0 */
/* Any layer is unpacked or refused, below its directory, within its limits; a result has digests. */
#include "base/own.h"
#include "oci/digest.h"
#include "oci/layer.h"
#include "tests/fuzz/tar_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct layer_limits limits = { { 1 << 20, 0 }, 256, 1 << 16, n % 2 == 0 };
	AUTO_ARENA struct arena *a = arena_new();
	struct unpack_layer layer = {0};
	struct err e = {0};
	AUTO_CLOSE int in = tar_fuzz_fd(data, n);
	AUTO_CLOSE int dir = tar_fuzz_dir();

	if (layer_apply(in, dir, &limits, a, &layer, &e) == 0) {
		FUZZ_CHECK(digest_is_valid(layer.diff_id) && digest_is_valid(layer.blob_digest));
		FUZZ_CHECK(layer.n_entries <= 256 && layer.tar_bytes <= 1 << 20);
		FUZZ_CHECK(layer.blob_bytes == n);
		FUZZ_CHECK(layer.links.n % 2 == 0 && (limits.has_lower || layer.links.n == 0));
	} else {
		FUZZ_CHECK(e.kind != ERR_NONE && e.kind != ERR_INTERNAL && e.msg[0]);
	}
	close_fd(&dir);
	tar_fuzz_undir();
	return 0;
}
