/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/exec_root.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"
#include "daemon/engine/engine_impl.h"

#define OWNER_FILE      "owner" /* "<mark of the data root>\n<its path>\n" */
#define OWNER_MAX_BYTES 8192

/* Does a monitor answer? */
static bool has_live_monitor(const struct engine *eng)
{
	AUTO_CLOSE int fd = openat(eng->cfg.exec_root_fd, "c", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_DIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	if (!dir)
		return false;
	fd = -1; /* the stream's */
	while ((de = readdir(dir)) != NULL) {
		AUTO_CLOSE int sock = -1;

		if (str_ends(de->d_name, ".sock") &&
		    fd_connect_unix(dirfd(dir), de->d_name, SOCK_SEQPACKET, &sock, ERR_IGNORED) == 0)
			return true;
	}
	return false;
}

/* @text: what the file says; changed. Return: the path of the data root in it, or NULL when it is ours or says nothing */
static const char *other_owner(const struct engine *eng, char *text)
{
	char *path = strchr(text, '\n');

	if (!path)
		return NULL;
	*path++ = '\0';
	path[strcspn(path, "\n")] = '\0';
	return str_eq(text, eng->group_owner) ? NULL : path;
}

int exec_root_claim(struct engine *eng, struct err *e)
{
	AUTO_FREE char *was = NULL;
	AUTO_FREE char *text = xasprintf("%s\n%s\n", eng->group_owner, eng->cfg.data_root);
	const char *other = NULL;

	if (eng->cfg.only_stops)
		return 0;
	if (file_read(eng->cfg.exec_root_fd, OWNER_FILE, OWNER_MAX_BYTES, &was, NULL, ERR_IGNORED) == 0)
		other = other_owner(eng, was);
	if (other && has_live_monitor(eng))
		return err_set(e, ERR_CONFLICT, "containers of the data root '%.512s' run below '%s', and this is '%s': say another --exec-root, or that --data-root",
			       other, eng->cfg.exec_root, eng->cfg.data_root);
	if (file_replace(eng->cfg.exec_root_fd, OWNER_FILE, text, strlen(text), 0600, e) < 0)
		return err_wrap(e, "write down whose exec root '%s' is", eng->cfg.exec_root);
	return 0;
}
