/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/inherit_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/own.h"
#include "base/path.h"
#include "base/str.h"

void inherit_kept_done(struct inherit_kept *k)
{
	if (k->fd >= 0)
		futimens(k->fd, k->times);
	close_fd(&k->fd);
}

int inherit_keep(struct inherit_kept *k, int fd, struct err *e)
{
	struct stat st;

	close_fd(&k->fd);
	if (fstat(fd, &st) < 0)
		return err_sys(e, "look at a directory");
	k->times[0] = k->times[1] = st.st_mtim;
	k->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return k->fd < 0 ? err_sys(e, "keep a directory") : 0;
}

static int open_dir(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int inherit_make_dirs(int layer_fd, const char *path, struct inherit_kept *last, size_t *ret_n_made, int *ret_fd, struct err *e)
{
	AUTO_FREE char *rest = xstrdup(path);
	AUTO_CLOSE int fd = open_dir(layer_fd, ".");
	char *save = NULL;

	if (fd < 0)
		return err_sys(e, "open the layer");
	*ret_n_made = 0;
	for (char *name = strtok_r(rest, "/", &save); name; name = strtok_r(NULL, "/", &save)) {
		int next = open_dir(fd, name);

		if (next < 0 && errno == ENOENT) {
			if (*ret_n_made == 0 && inherit_keep(last, fd, e) < 0)
				return -1;
			if (mkdirat(fd, name, 0755) < 0)
				return err_sys(e, "make '%.200s'", path);
			++*ret_n_made;
			next = open_dir(fd, name);
		}
		if (next < 0)
			return err_set(e, ERR_INVALID, "'%.200s' is no directory: %s", path, strerror(errno));
		close_fd(&fd);
		fd = next;
	}
	if (*ret_n_made == 0 && inherit_keep(last, fd, e) < 0)
		return -1;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int merge(int from_fd, int to_fd, struct err *e);

static int merge_dir(int from_fd, int to_fd, const char *name, struct err *e)
{
	AUTO(inherit_kept_done) struct inherit_kept there = { .fd = -1 };
	AUTO_CLOSE int from = open_dir(from_fd, name), to = open_dir(to_fd, name);

	if (from >= 0 && to >= 0) {
		if (inherit_keep(&there, to, e) < 0 || merge(from, to, e) < 0)
			return -1;
		return unlinkat(from_fd, name, AT_REMOVEDIR) < 0 ? err_sys(e, "remove '%.200s'", name) : 0;
	}
	if (path_remove_tree(to_fd, name, e) < 0)
		return -1;
	return renameat(from_fd, name, to_fd, name) < 0 ? err_sys(e, "move '%.200s'", name) : 0;
}

static int merge_entries(DIR *d, int to_fd, size_t *ret_n, struct err *e)
{
	struct dirent *entry;

	*ret_n = 0;
	rewinddir(d);
	while ((entry = readdir(d)) != NULL) {
		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		++*ret_n;
		if (renameat2(dirfd(d), entry->d_name, to_fd, entry->d_name, RENAME_NOREPLACE) == 0)
			continue;
		if (errno != EEXIST)
			return err_sys(e, "move '%.200s'", entry->d_name);
		if (merge_dir(dirfd(d), to_fd, entry->d_name, e) < 0)
			return -1;
	}
	return 0;
}

static int merge(int from_fd, int to_fd, struct err *e)
{
	AUTO_DIR DIR *d = NULL;
	char value[2];
	size_t n = 1;
	int fd;

	/* That nothing of the layers below shows goes along */
	if (fgetxattr(from_fd, "trusted.overlay.opaque", value, sizeof value) > 0 &&
	    fsetxattr(to_fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
		return err_sys(e, "mark a directory as opaque");
	fd = open_dir(from_fd, ".");
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		err_sys(e, "read a directory");
		close_fd(&fd);
		return -1;
	}
	/* What is moved while it is read may be passed over: until nothing is left */
	while (n > 0) {
		if (merge_entries(d, to_fd, &n, e) < 0)
			return -1;
	}
	return 0;
}

int inherit_move(int layer_fd, const char *from, const char *to, size_t *ret_n_made, struct err *e)
{
	AUTO(inherit_kept_done) struct inherit_kept parent = { .fd = -1 }, there = { .fd = -1 };
	AUTO_FREE char *above = xstrdup(from);
	AUTO_CLOSE int parent_fd = -1, from_fd = -1, to_fd = -1;
	char *slash = strrchr(above, '/');
	const char *name = slash ? slash + 1 : above;
	size_t n = strlen(from);

	if (strncmp(to, from, n) == 0 && (to[n] == '/' || to[n] == '\0'))
		return err_set(e, ERR_INVALID, "'%.200s' leads below itself", from);
	if (slash)
		*slash = '\0';
	if (path_open_in_root(layer_fd, slash ? above : ".", O_RDONLY | O_DIRECTORY, 0, &parent_fd, e) < 0 ||
	    inherit_keep(&parent, parent_fd, e) < 0)
		return -1;
	from_fd = open_dir(parent_fd, name);
	if (from_fd < 0)
		return err_sys(e, "open '%.200s'", from);
	if (inherit_make_dirs(layer_fd, to, &there, ret_n_made, &to_fd, e) < 0 || merge(from_fd, to_fd, e) < 0)
		return -1;
	return unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 ? err_sys(e, "remove '%.200s'", from) : 0;
}
