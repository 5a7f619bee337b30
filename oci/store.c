/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/defence.h"
#include "base/fd.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/digest.h"
#include "oci/unpack_proto.h"

/*
 * What a container's mounts go on. As the lowest layer of each it is there already, where an image has not got it, and need
 * not be made, and removed again, in the upper directory of every container. What an image has lies above it.
 */
#define MOUNT_POINTS "layers/" STORE_MOUNT_POINTS

static int make_mount_points(int data_fd, struct err *e)
{
	static const char *const dirs[] = { MOUNT_POINTS,	 MOUNT_POINTS "/dev", MOUNT_POINTS "/etc",
					    MOUNT_POINTS "/proc", MOUNT_POINTS "/sys" };
	static const char *const files[] = { MOUNT_POINTS "/etc/hostname", MOUNT_POINTS "/etc/hosts", MOUNT_POINTS "/etc/resolv.conf" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (mkdirat(data_fd, dirs[i], 0755) < 0 && errno != EEXIST)
			return err_sys(e, "create '%s' in the data root", dirs[i]);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		AUTO_CLOSE int fd = openat(data_fd, files[i], O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);

		if (fd < 0)
			return err_sys(e, "create '%s' in the data root", files[i]);
	}
	return 0;
}

int store_init(int data_fd, struct err *e)
{
	static const char *const dirs[] = { "blobs", "blobs/sha256", "layers", "tmp" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (mkdirat(data_fd, dirs[i], DEFENCE(STORE_FOLDERS, 0700, 0755)) < 0 && errno != EEXIST)
			return err_sys(e, "create '%s' in the data root", dirs[i]);
	return make_mount_points(data_fd, e);
}

int store_sync_content(int fd, struct err *e)
{
	return syncfs(fd) < 0 ? err_sys(e, "sync the file system of the data root") : 0;
}

int store_sync_names(int data_fd, struct err *e)
{
	static const char *const dirs[] = { "blobs/sha256", "layers" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		AUTO_CLOSE int fd = -1;

		if (path_open_dir(data_fd, dirs[i], O_RDONLY, &fd, e) < 0)
			return -1;
		if (fsync(fd) < 0)
			return err_sys(e, "sync '%s' in the data root", dirs[i]);
	}
	return 0;
}

/* --- tmp --------------------------------------------------------------------------------------------- */

int store_clean(int data_fd, struct err *e)
{
	AUTO_CLOSE int fd = -1;
	AUTO_DIR DIR *dir = NULL;
	struct dirent *d;
	int r = 0;

	if (path_open_dir(data_fd, "tmp", O_RDONLY, &fd, e) < 0)
		return -1;
	dir = fdopendir(fd);
	if (!dir)
		return err_sys(e, "read 'tmp' in the data root");
	fd = -1;
	while ((d = readdir(dir)) != NULL) {
		if (str_eq(d->d_name, ".") || str_eq(d->d_name, ".."))
			continue;
		if (path_remove_tree(dirfd(dir), d->d_name, r < 0 ? ERR_IGNORED : e) < 0)
			r = -1;
	}
	return r;
}

static int random_name(const char *prefix, char ret[64], struct err *e)
{
	unsigned char bytes[8];
	char hex[17];

	if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
		return err_sys(e, "get random bytes");
	str_hex(bytes, sizeof bytes, hex);
	snprintf(ret, 64, "tmp/%.30s-%s", prefix, hex);
	return 0;
}

int store_tmp_new(int data_fd, const char *prefix, char ret_name[64], int *ret_fd, struct err *e)
{
	char name[64];

	if (random_name(prefix, name, e) < 0)
		return -1;
	if (mkdirat(data_fd, name, 0700) < 0)
		return err_sys(e, "create '%s' in the data root", name);
	if (ret_fd && path_open_dir(data_fd, name, O_RDONLY, ret_fd, e) < 0) {
		unlinkat(data_fd, name, AT_REMOVEDIR);
		return -1;
	}
	memcpy(ret_name, name, sizeof name);
	return 0;
}

static bool is_tmp_name(const char *name)
{
	return str_starts(name, "tmp/") && path_is_name(name + 4);
}

int store_tmp_remove(int data_fd, const char *tmp_name, struct err *e)
{
	if (!is_tmp_name(tmp_name))
		return err_set(e, ERR_INTERNAL, "'%s' is not in tmp", tmp_name);
	return path_remove_tree(data_fd, tmp_name, e);
}

/* --- blobs ------------------------------------------------------------------------------------------- */

void store_blob_path(const char *digest, char ret[96])
{
	snprintf(ret, 96, "blobs/sha256/%.64s", digest_hex(digest));
}

bool store_has_blob(int data_fd, const char *digest, uint64_t *ret_bytes)
{
	struct stat st;
	char path[96];

	if (!digest_is_valid(digest))
		return false;
	store_blob_path(digest, path);
	if (fstatat(data_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return false;
	if (ret_bytes)
		*ret_bytes = (uint64_t)st.st_size;
	return true;
}

static int blob_path(const char *digest, char ret[96], struct err *e)
{
	struct digest checked;

	if (digest_parse(digest, &checked, e) < 0)
		return -1;
	store_blob_path(digest, ret);
	return 0;
}

int store_blob_open(int data_fd, const char *digest, int *ret_fd, struct err *e)
{
	char path[96];
	int fd;

	if (blob_path(digest, path, e) < 0)
		return -1;
	fd = openat(data_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open blob %s", digest);
	*ret_fd = fd;
	return 0;
}

int store_blob_commit(int data_fd, int dir_fd, const char *name, const char *digest, struct err *e)
{
	char path[96];

	if (blob_path(digest, path, e) < 0)
		return -1;
	if (renameat(dir_fd, name, data_fd, path) == 0)
		return 0;
	/* Two members of an archive may be one file: the second comes when it is placed already */
	if (errno == ENOENT && store_has_blob(data_fd, digest, NULL))
		return 0;
	return err_sys(e, "place blob %s", digest);
}

int store_blob_put(int data_fd, const void *data, size_t n, const char *digest, struct err *e)
{
	AUTO_CLOSE int fd = -1;
	char name[64];
	int r;

	if (random_name("blob", name, e) < 0)
		return -1;
	fd = openat(data_fd, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "create '%s' in the data root", name);
	r = fd_write_all(fd, data, n, e);
	if (r == 0 && fdatasync(fd) < 0)
		r = err_sys(e, "sync blob %s", digest);
	if (r == 0)
		r = store_blob_commit(data_fd, data_fd, name, digest, e);
	if (r < 0)
		unlinkat(data_fd, name, 0);
	return r;
}

int store_blob_remove(int data_fd, const char *digest, struct err *e)
{
	char path[96];

	if (blob_path(digest, path, e) < 0)
		return -1;
	if (unlinkat(data_fd, path, 0) < 0 && errno != ENOENT)
		return err_sys(e, "remove blob %s", digest);
	return 0;
}

/* --- layers ------------------------------------------------------------------------------------------ */

void store_layer_name(const char *diff_id, char ret[STORE_LAYER_NAME_LEN + 1])
{
	snprintf(ret, STORE_LAYER_NAME_LEN + 1, "%s", digest_hex(diff_id));
}

static int layer_path(const char *diff_id, char ret[64], struct err *e)
{
	char name[STORE_LAYER_NAME_LEN + 1];
	struct digest checked;

	if (digest_parse(diff_id, &checked, e) < 0)
		return -1;
	store_layer_name(diff_id, name);
	snprintf(ret, 64, "layers/%s", name);
	return 0;
}

bool store_has_layer(int data_fd, const char *diff_id)
{
	struct stat st;
	char path[64];

	return layer_path(diff_id, path, ERR_IGNORED) == 0 &&
	       fstatat(data_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

int store_layer_mark_opaque(int layer_fd, const struct str_list *opaque, struct err *e)
{
	for (size_t i = 0; i < opaque->n; i++) {
		AUTO_FREE char *path = xstrdup(opaque->v[i]);
		AUTO_CLOSE int fd = -1;

		if (!unpack_path_unescape(path))
			return err_set(e, ERR_INTERNAL, "opaque directory '%.200s': malformed", opaque->v[i]);
		if (path_open_in_root(layer_fd, *path ? path : ".", O_RDONLY | O_DIRECTORY, 0, &fd, e) < 0) {
			/* A later entry of the layer put something else there */
			if (e->sys == ENOENT || e->sys == ENOTDIR)
				continue;
			return err_wrap(e, "opaque directory");
		}
		if (fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
			return err_sys(e, "mark '%.200s' as opaque", opaque->v[i]);
	}
	return 0;
}

int store_layer_commit(int data_fd, const char *tmp_name, const char *diff_id, struct err *e)
{
	char path[64];

	if (layer_path(diff_id, path, e) < 0)
		return -1;
	if (!is_tmp_name(tmp_name))
		return err_set(e, ERR_INTERNAL, "'%s' is not in tmp", tmp_name);
	if (renameat2(data_fd, tmp_name, data_fd, path, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno == EEXIST)
		return path_remove_tree(data_fd, tmp_name, e);
	return err_sys(e, "place layer %s", diff_id);
}

int store_layer_remove(int data_fd, const char *diff_id, char ret_tmp_name[64], struct err *e)
{
	char path[64], name[64];

	ret_tmp_name[0] = '\0';
	if (layer_path(diff_id, path, e) < 0 || random_name("layer", name, e) < 0)
		return -1;
	if (renameat(data_fd, path, data_fd, name) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "remove layer %s", diff_id);
	if (path_remove_tree(data_fd, name, e) == 0)
		return 0;
	memcpy(ret_tmp_name, name, sizeof name);
	return -1;
}
