/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers read back as they were written; base64 gives no more bytes than its text can hold. */
#include "base/str.h"

#include <inttypes.h>

#include "base/own.h"
#include "tests/fuzz/fuzz.h"

static void check_numbers(const char *text)
{
	char printed[24];
	uint64_t u, u_again;
	int64_t i, i_again;

	if (str_to_u64(text, &u)) {
		snprintf(printed, sizeof(printed), "%" PRIu64, u);
		FUZZ_CHECK(str_to_u64(printed, &u_again) && u_again == u);
	}
	if (str_to_i64(text, &i)) {
		snprintf(printed, sizeof(printed), "%" PRId64, i);
		FUZZ_CHECK(str_to_i64(printed, &i_again) && i_again == i);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_FREE char *text = fuzz_text(data, n);
	AUTO_FREE void *decoded = NULL;
	size_t n_decoded = 0;

	check_numbers(text);
	str_is_hex(text, n < 64 ? n : 64);
	decoded = str_base64_decode((const char *)data, n, &n_decoded);
	FUZZ_CHECK(decoded == NULL || n_decoded <= n / 4 * 3 + 3);
	return 0;
}
