/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kiln-runtime: one program, several roles. The first argument chooses.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "base/str.h"
#include "runtime/launcher.h"
#include "runtime/roles.h"

struct role {
	const char *name;
	int (*main)(int argc, char **argv);
	const char *help; /* NULL: spawned by kilnd, not for people */
};

static const struct role roles[] = {
	{ "run", run_main, "run --bundle DIR ID   run a container in the foreground" },
	{ "launcher", launcher_main, NULL },
	{ "unpack", unpack_main, NULL },
};

/* Commands of other OCI runtimes that callers may try. */
static const char *const refused[] = {
	"create", "start",  "state",  "kill",   "delete", "exec",     "list",       "ps",
	"pause",  "resume", "update", "events", "spec",   "features", "checkpoint", "restore",
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

static int usage(FILE *to, int status)
{
	fprintf(to, "usage: kiln-runtime COMMAND\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
		if (roles[i].help != NULL)
			fprintf(to, "  %s\n", roles[i].help);
	fprintf(to, "  --version\n");
	return status;
}

int main(int argc, char **argv)
{
	check_single_threaded();
	if (argc < 2)
		return usage(stderr, 125);
	if (str_eq(argv[1], "--help") || str_eq(argv[1], "-h") || str_eq(argv[1], "help"))
		return usage(stdout, 0);
	if (str_eq(argv[1], "--version") || str_eq(argv[1], "-v")) {
		printf("kiln-runtime version %s\nspec: 1.2.0\n", KILN_VERSION);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
		if (str_eq(argv[1], roles[i].name))
			return roles[i].main(argc - 1, argv + 1);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (str_eq(argv[1], refused[i])) {
			fprintf(stderr,
				"kiln-runtime: command '%s' is not supported by this version\n",
				argv[1]);
			return 125;
		}
	fprintf(stderr, "kiln-runtime: unknown command '%s'\n", argv[1]);
	return usage(stderr, 125);
}
