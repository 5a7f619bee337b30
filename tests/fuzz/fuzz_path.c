/* SPDX-License-Identifier: Apache-2.0 */
/* A cleaned path is clean: cleaning it again changes nothing, and an absolute one has no "..". */
#include "base/path.h"
#include "base/own.h"
#include "base/str.h"
#include "tests/fuzz/fuzz.h"

static bool has_dotdot(const char *path)
{
	return str_eq(path, "..") || str_starts(path, "../") || str_ends(path, "/..") ||
	       strstr(path, "/../") != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_FREE char *path = fuzz_text(data, n);
	AUTO_FREE char *clean = path_clean(path);
	AUTO_FREE char *again = path_clean(clean);
	AUTO_FREE char *joined = path_join(path, clean);

	FUZZ_CHECK(strcmp(clean, again) == 0);
	FUZZ_CHECK(clean[0] != '\0' && strstr(clean, "//") == NULL);
	FUZZ_CHECK((path[0] == '/') == (clean[0] == '/'));
	FUZZ_CHECK(clean[0] != '/' || !has_dotdot(clean));
	FUZZ_CHECK(!path_is_name(path) || strchr(path, '/') == NULL);
	FUZZ_CHECK(strstr(joined, clean) != NULL);
	return 0;
}
