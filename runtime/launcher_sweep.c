/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/launcher_sweep.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"

#define SOCKETS_MAX_BYTES (16u << 20)

/* Monitors bind by way of /proc/self/fd/N/: the name is all that tells them apart, and it is a random id. */
static bool is_listening(const char *sockets, const char *name)
{
	AUTO_FREE char *end_of_line = xasprintf("/%s\n", name);

	return strstr(sockets, end_of_line) != NULL;
}

void launcher_sweep_sockets(const char *exec_root, const char *sub)
{
	AUTO_FREE char *path = xasprintf("%s/%s", exec_root, sub);
	AUTO_FREE char *sockets = NULL;
	AUTO_DIR DIR *dir = NULL;
	int fd = -1;

	if (path_open_dir(AT_FDCWD, path, 0, &fd, ERR_IGNORED) < 0)
		return;
	dir = fdopendir(fd);
	if (!dir || file_read(AT_FDCWD, "/proc/net/unix", SOCKETS_MAX_BYTES, &sockets, NULL, ERR_IGNORED) < 0)
		return;
	for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
		if (str_ends(d->d_name, ".sock") && !is_listening(sockets, d->d_name)) {
			log_info("launcher: removing the dead socket '%s/%s'", sub, d->d_name);
			unlinkat(dirfd(dir), d->d_name, 0);
		}
	}
}
