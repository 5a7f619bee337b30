/* SPDX-License-Identifier: Apache-2.0 */
/* A time that is taken is printed as one that is taken, and means the same. */
#include "base/clock.h"
#include "base/own.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_FREE char *text = fuzz_text(data, n);
	char printed[CLOCK_TEXT_MAX];
	int64_t ns = 0;
	int64_t again = 0;

	if (!clock_parse(text, &ns))
		return 0;
	FUZZ_CHECK(clock_parse(clock_rfc3339(ns, printed), &again));
	FUZZ_CHECK(again == ns);
	FUZZ_CHECK(clock_parse(clock_rfc3339_fixed(ns, printed), &again));
	FUZZ_CHECK(again == ns);
	return 0;
}
