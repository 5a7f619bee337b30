/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/since.h"

#include <stdbool.h>
#include <time.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/value.h"

/* A date without a zone is local, as docker has it. */
static bool read_local(const char *text, int64_t *ret_s)
{
	static const char *const shapes[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H",
					      "%Y-%m-%d" };

	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		struct tm tm = { .tm_isdst = -1 };
		const char *end = strptime(text, shapes[i], &tm);

		if (end && !*end) {
			*ret_s = mktime(&tm);
			return true;
		}
	}
	return false;
}

int since_read(const char *option, const char *text, int64_t now_ns, struct strbuf *out,
	       struct err *e)
{
	int64_t ns;

	if (!text)
		return 0;
	if (clock_parse(text, &ns)) {
		strbuf_adds(out, text);
		return 0;
	}
	if (value_duration(text, &ns, ERR_IGNORED) == 0)
		ns = now_ns - ns;
	else if (read_local(text, &ns))
		ns *= CLOCK_NS_PER_SEC;
	else
		return err_set(e, ERR_INVALID,
			       "invalid value for \"%s\": failed to parse value as time or duration: \"%.64s\" "
			       "(as 2026-01-02T03:04:05Z, unix seconds, or 42m)",
			       option, text);
	strbuf_addf(out, "%lld.%09lld", (long long)(ns / CLOCK_NS_PER_SEC),
		    (long long)(ns % CLOCK_NS_PER_SEC));
	return 0;
}
