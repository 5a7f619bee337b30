/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/style.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"

static bool has_colours(FILE *to)
{
	return isatty(fileno(to)) == 1 && str_is_empty(getenv("NO_COLOR")) && !str_eq(getenv("TERM"), "dumb");
}

void style_print(FILE *to, enum style style, const char *text)
{
	static const char *const codes[] = { [STYLE_GOOD] = "32", [STYLE_WARN] = "33", [STYLE_BAD] = "31" };

	if (has_colours(to))
		fprintf(to, "\033[%sm%s\033[0m", codes[style], text);
	else
		fputs(text, to);
}
