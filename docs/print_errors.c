/* SPDX-License-Identifier: Apache-2.0 */
/* Prints docs/errors.md from the table in base/err.c; `make docs` runs it. */
#include <stdio.h>

#include "base/err.h"

int main(void)
{
	puts("# Errors\n"
	     "\n"
	     "Printed by `make docs` from the table in `base/err.c`; do not edit.\n"
	     "\n"
	     "Every failure is one value (`struct err`, `base/err.h`): a kind, which says what the caller can do about it,\n"
	     "an errno or 0, and a message `outer: inner: reason`. The kind alone decides the HTTP status and the exit\n"
	     "status of the command line programs. 126 (found but not executable) and 127 (not found) are a container's,\n"
	     "as docker's client makes them.\n"
	     "\n"
	     "| kind | HTTP status | exit status | what it says |\n"
	     "|---|---|---|---|");
	for (int kind = ERR_NONE; kind < ERR_KINDS_; kind++)
		printf("| %s | %d | %d | %s |\n", err_kind_name(kind), err_http_status(kind),
		       err_exit_code(kind), err_kind_meaning(kind));
	return 0;
}
