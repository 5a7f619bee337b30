/* SPDX-License-Identifier: Apache-2.0 */
/* Statistic files of the kernel, and what a broken one might say. */
#include "base/cgfile.h"
#include "base/own.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_FREE char *text = fuzz_text(data, n);
	AUTO_FREE char *copy = fuzz_text(data, n);
	struct cgfile_key keys[] = { { .key = "anon" }, { .key = "oom_kill" }, { .key = "" } };
	struct cgfile_limit limit = { 0 };

	if (cgfile_parse_limit(copy, &limit))
		FUZZ_CHECK(!limit.is_max || limit.v == 0);
	cgfile_parse_keys(text, keys, ARRAY_SIZE(keys));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		FUZZ_CHECK(keys[i].is_found || keys[i].v == 0);
	return 0;
}
