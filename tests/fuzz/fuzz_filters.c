/* SPDX-License-Identifier: Apache-2.0 */
/* Filters are taken or refused with a reason; whatever was taken can be asked, in bounded time. */
#include "base/own.h"
#include "daemon/doors/filters.h"
#include "tests/fuzz/fuzz.h"

static const char *const allowed[] = { "label", "name", "status", "id", NULL };

static void ask(const struct filters *f)
{
	static struct str_pair pair = { (char *)"a", (char *)"b" };
	const struct str_map labels = { &pair, 1 };

	for (const char *const *key = allowed; *key != NULL; key++) {
		const struct str_list *values = filters_get(f, *key);

		filters_match_labels(f, *key, &labels);
		filters_match_name(f, *key, "/quirky_name.1-x");
		/* What was asked for by its own name is found; what was not asked for is not in the way */
		if (values == NULL)
			FUZZ_CHECK(filters_match_exact(f, *key, "anything"));
		for (size_t i = 0; values != NULL && i < values->n; i++)
			FUZZ_CHECK(filters_match_exact(f, *key, values->v[i]));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_FREE char *text = fuzz_text(data, n);
	AUTO_ARENA struct arena *a = arena_new();
	struct filters f = { 0 };
	struct err e = { 0 };

	if (filters_parse(text, allowed, a, &f, &e) == 0)
		ask(&f);
	else
		FUZZ_CHECK(e.kind == ERR_INVALID && e.msg[0]);
	return 0;
}
