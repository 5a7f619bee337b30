/* SPDX-License-Identifier: Apache-2.0 */
/* What an unpack role that was taken over could answer: a result that is whole, or an error. */
#include "base/own.h"
#include "oci/unpack_proto.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_FREE char *text = fuzz_text(data, n);
	AUTO_ARENA struct arena *a = arena_new();
	struct unpack_result *result = NULL;
	struct err e = { 0 };
	char *escaped;

	if (unpack_result_parse(text, n, a, &result, &e) == 0)
		FUZZ_CHECK(result->error == NULL && (result->archive != NULL) + (result->layer != NULL) == 1);
	else
		FUZZ_CHECK(e.kind != ERR_NONE && e.msg[0]);
	/* A path survives its escaping */
	escaped = unpack_path_escape(text, a);
	FUZZ_CHECK(unpack_path_unescape(escaped) && strcmp(escaped, text) == 0);
	unpack_path_unescape(text);
	return 0;
}
