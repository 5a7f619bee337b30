/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kiln-runtime: one program. Spawned by kilnd it is one of the roles below; for everybody else it is an OCI runtime with the
 * command line of runc (runtime/front/).
 */
#include <dirent.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "base/str.h"
#include "runtime/front/front.h"
#include "runtime/launcher.h"
#include "runtime/roles.h"

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
} roles[] = {
	{ "launcher", launcher_main },
	{ "unpack", unpack_main },
};

/* A process that clones must not have threads: another one might hold a lock that the child then waits for. */
static void check_single_threaded(void)
{
	AUTO_DIR DIR *d = opendir("/proc/self/task");
	size_t n = 0;

	while (d != NULL && readdir(d) != NULL)
		n++;
	BUG(d != NULL && n != 3, "%zu threads", n - 2);
}

int main(int argc, char **argv)
{
	check_single_threaded();
	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(roles); i++)
		if (str_eq(argv[1], roles[i].name))
			return roles[i].main(argc - 1, argv + 1);
	return front_main(argc, argv);
}
