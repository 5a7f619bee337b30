/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/cmd.h"

static const struct opt no_options[] = { { 0 } };

static int run(int argc, char **argv, struct arena *a)
{
	int first, status;

	if (!cmd_options(&cmd_version, argc, argv, a, NULL, &first, &status))
		return status;
	printf("kiln " KILN_VERSION "\n");
	return 0;
}

const struct command cmd_version = { "version", "", "Print the version of this client", no_options, run };
