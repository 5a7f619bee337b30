/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * One pass over the tar stream. Each entry's name is cleaned, its parent opened below the root (and made when
 * missing), what is in its way removed, and the entry made under its last name only. Owner comes before mode
 * (chown clears set-id bits) and before security.capability (chown drops it); times come last. Directories get
 * their times when all is done, as entries below them change them.
 *
 * Entries may come in any order, repeat, and contradict each other; the last one counts. An entry below a
 * whiteout, or a directory over one, means: the directory is new, nothing of the lower one shows (opaque).
 */
#include "oci/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/defence.h"
#include "base/fd.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/layer_tree.h"

#define WH_PREFIX "." "wh."
#define WH_META   WH_PREFIX ".wh."
#define WH_OPAQUE WH_META ".opq"

struct layer_job {
	struct layer_tar *tar;
	struct layer_tree tree;
	uint64_t n_entries, file_bytes;
	bool has_lower;
	bool has_default_acl;        /* a directory may give its entries an ACL that they do not have */
};

/* --- metadata ---------------------------------------------------------------------------------------- */

/* The host's security modules label files themselves: an image does not */
static bool is_host_label(const char *name)
{
	return (str_starts(name, "security.") && !str_eq(name, "security.capability")) ||
	       (str_starts(name, "system.") && !str_starts(name, "system.posix_acl_"));
}

static int set_xattr(int fd, const char *path, const char *name, const void *value, size_t n, struct err *e)
{
	/* With these an image could pretend to be overlay: redirect, whiteout, metacopy into other layers */
	if (DEFENCE(OVERLAY_XATTRS, str_starts(name, "trusted.overlay.") || str_starts(name, "user.overlay."), false))
		return err_set(e, ERR_INVALID, "'%.200s': attribute '%.80s' is not allowed in a layer", path, name);
	if (DEFENCE(OVERLAY_XATTRS, str_starts(name, "trusted."), false))
		return err_set(e, ERR_UNSUPPORTED, "'%.200s': attribute '%.80s' is not supported", path, name);
	if (is_host_label(name))
		return 0;
	if (n > LAYER_XATTR_MAX_BYTES)
		return err_set(e, ERR_INVALID, "'%.200s': attribute '%.80s' is too long", path, name);
	if (fsetxattr(fd, name, value, n, 0) == 0)
		return 0;
	if (errno == EOPNOTSUPP && str_starts(name, "user."))
		return 0;
	return err_sys(e, "'%.200s': set attribute '%.80s'", path, name);
}

/* What the kernel made of the directory's default ACL is no part of the layer */
static int drop_inherited_acl(int fd, const char *path, struct err *e)
{
	static const char *const names[] = { "system.posix_acl_access", "system.posix_acl_default" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (fremovexattr(fd, names[i]) < 0 && errno != ENODATA && errno != EOPNOTSUPP && errno != EACCES)
			return err_sys(e, "'%.200s': remove attribute '%s'", path, names[i]);
	}
	return 0;
}

static int set_xattrs(struct layer_job *j, int fd, const char *path, struct err *e)
{
	const char *name;
	const void *value;
	size_t n;

	for (unsigned count = 0; layer_tar_xattr(j->tar, &name, &value, &n); count++) {
		if (count == LAYER_XATTRS_MAX)
			return err_set(e, ERR_INVALID, "'%.200s': too many attributes", path);
		if (set_xattr(fd, path, name, value, n, e) < 0)
			return -1;
		j->has_default_acl |= str_eq(name, "system.posix_acl_default");
	}
	return 0;
}

static void entry_times(const struct layer_tar_entry *t, struct timespec ret[2])
{
	ret[0] = (struct timespec){ .tv_sec = t->mtime_sec, .tv_nsec = t->mtime_nsec };
	ret[1] = ret[0];
}

/*
 * Files and directories. Spec: image-spec layer.md#file-attributes
 * What a new file is already, by the mode that it was made with, is not set again: most are root's and have no special
 * bits, and each call costs a transaction of the journal.
 */
static int set_meta_fd(struct layer_job *j, int fd, const struct layer_tar_entry *t, const char *path,
		       struct err *e)
{
	struct timespec times[2];
	struct stat st;
	bool is_chowned;

	entry_times(t, times);
	if (fstat(fd, &st) < 0)
		return err_sys(e, "look at '%.200s'", path);
	is_chowned = st.st_uid != t->uid || st.st_gid != t->gid;
	if (is_chowned && fchown(fd, t->uid, t->gid) < 0)
		return err_sys(e, "set owner of '%.200s'", path);
	/* Before the mode, in which an ACL leaves its mask */
	if (j->has_default_acl && drop_inherited_acl(fd, path, e) < 0)
		return -1;
	/* A new owner took the special bits away */
	if ((is_chowned || j->has_default_acl || (st.st_mode & 07777) != t->mode) && fchmod(fd, t->mode) < 0)
		return err_sys(e, "set mode of '%.200s'", path);
	if (set_xattrs(j, fd, path, e) < 0)
		return -1;
	/* A directory gets its time when nothing comes into it any more. */
	if (t->type != LAYER_TAR_DIR && futimens(fd, times) < 0)
		return err_sys(e, "set time of '%.200s'", path);
	return 0;
}

/* What cannot be opened: links, devices, pipes. By its last name, never following; the name was just made */
static int set_meta_at(const struct layer_place *at, const struct layer_tar_entry *t, struct err *e)
{
	struct timespec times[2];

	entry_times(t, times);
	if (fchownat(at->parent_fd, at->name, t->uid, t->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "set owner of '%.200s'", at->path);
	if (t->type != LAYER_TAR_SYMLINK && fchmodat(at->parent_fd, at->name, t->mode, 0) < 0)
		return err_sys(e, "set mode of '%.200s'", at->path);
	if (utimensat(at->parent_fd, at->name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "set time of '%.200s'", at->path);
	return 0;
}

/* --- kinds of entries -------------------------------------------------------------------------------- */

static int write_at(int fd, const char *data, size_t n, uint64_t offset, const char *path, struct err *e)
{
	while (n > 0) {
		ssize_t done = pwrite(fd, data, n, (off_t)offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_sys(e, "write '%.200s'", path);
		data += done;
		n -= (size_t)done;
		offset += (uint64_t)done;
	}
	return 0;
}

static int write_file(struct layer_job *j, int fd, const struct layer_tar_entry *t, const char *path,
		      struct err *e)
{
	uint64_t end = 0, offset = 0;
	const void *data;
	size_t n;
	int r;

	if (t->bytes > LAYER_FILE_BYTES_MAX - j->file_bytes)
		return err_set(e, ERR_INVALID, "'%.200s': the files of the layer are too large", path);
	while ((r = layer_tar_data(j->tar, &data, &n, &offset, e)) > 0) {
		if (offset > t->bytes || n > t->bytes - offset)
			return err_set(e, ERR_INVALID, "'%.200s': more data than its size says", path);
		if (write_at(fd, data, n, offset, path, e) < 0)
			return -1;
		end = offset + n;
	}
	if (r < 0)
		return err_wrap(e, "'%.200s'", path);
	fd_write_behind(fd, end);
	/* A hole at the end of a sparse file */
	if (end < t->bytes && ftruncate(fd, (off_t)t->bytes) < 0)
		return err_sys(e, "set size of '%.200s'", path);
	j->file_bytes += t->bytes;
	return 0;
}

static int place_file(struct layer_job *j, const struct layer_place *at, const struct layer_tar_entry *t,
		      struct err *e)
{
	const int flags = O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC;
	const mode_t mode = t->mode & 0777;   /* set-id bits only when the owner is right */
	AUTO_CLOSE int fd = openat(at->parent_fd, at->name, flags, mode);
	enum layer_cleared was;

	if (fd < 0 && errno == EEXIST) {
		if (layer_tree_clear(&j->tree, at, false, &was, e) < 0)
			return -1;
		fd = openat(at->parent_fd, at->name, flags, mode);
	}
	if (fd < 0)
		return err_sys(e, "create '%.200s'", at->path);
	if (write_file(j, fd, t, at->path, e) < 0)
		return -1;
	return set_meta_fd(j, fd, t, at->path, e);
}

static int place_dir(struct layer_job *j, const struct layer_place *at, const struct layer_tar_entry *t,
		     struct err *e)
{
	enum layer_cleared was = LAYER_CLEARED_NOTHING;
	AUTO_CLOSE int fd = -1;

	if (mkdirat(at->parent_fd, at->name, t->mode & 0777) < 0) {
		if (errno != EEXIST)
			return err_sys(e, "create directory '%.200s'", at->path);
		if (layer_tree_clear(&j->tree, at, true, &was, e) < 0)
			return -1;
		if (was != LAYER_KEPT_DIR && mkdirat(at->parent_fd, at->name, t->mode & 0777) < 0)
			return err_sys(e, "create directory '%.200s'", at->path);
	}
	if (was == LAYER_CLEARED_WHITEOUT && layer_tree_note_opaque(&j->tree, at->path, e) < 0)
		return -1;
	if (path_open_dir(at->parent_fd, at->name, O_RDONLY, &fd, e) < 0)
		return -1;
	if (set_meta_fd(j, fd, t, at->path, e) < 0 ||
	    layer_tree_note_dir(&j->tree, at->path, t->mtime_sec, t->mtime_nsec, e) < 0)
		return -1;
	layer_tree_enter(&j->tree, at->path, TAKE_FD(fd));
	return 0;
}

static int place_root(struct layer_job *j, const struct layer_tar_entry *t, struct err *e)
{
	if (DEFENCE(TAR_ROOT, t->type != LAYER_TAR_DIR, false))
		return err_set(e, ERR_INVALID, "'%.200s': the root of a layer must be a directory", t->path);
	if (set_meta_fd(j, j->tree.root_fd, t, "/", e) < 0)
		return -1;
	return layer_tree_note_dir(&j->tree, "", t->mtime_sec, t->mtime_nsec, e);
}

/* A hard link to what this layer has not: with layers below, it is told to who has them. Nothing is in its place then */
static int link_below(struct layer_job *j, const struct layer_place *at, const struct layer_tar_entry *t, struct err *e)
{
	char target[LAYER_PATH_MAX + 1];
	enum layer_cleared was;

	if (!j->has_lower)
		return err_set(e, ERR_INVALID, "'%.200s': hard link to '%.200s', which is not in this layer", at->path,
			       t->link);
	if (layer_path_clean(t->link, target, e) < 0 || layer_tree_clear(&j->tree, at, false, &was, e) < 0)
		return -1;
	return layer_tree_note_link(&j->tree, at->path, target, e);
}

/* The target is opened below the root without following its last name, and must be of this layer */
static int place_hardlink(struct layer_job *j, const struct layer_place *at, const struct layer_tar_entry *t,
			  struct err *e)
{
	char target[LAYER_PATH_MAX + 1];
	AUTO_CLOSE int dir_fd = -1;
	enum layer_cleared was;
	struct stat st, own;
	char *name;

	if (layer_path_clean(t->link, target, e) < 0)
		return err_wrap(e, "'%.200s': hard link", at->path);
	name = strrchr(target, '/');
	if (name)
		*name++ = '\0';
	if (path_open_in_root(j->tree.root_fd, name ? target : ".", O_PATH | O_DIRECTORY, 0, &dir_fd, e) < 0 ||
	    fstatat(dir_fd, name ? name : target, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    (S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0)))
		return link_below(j, at, t, e);
	if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return err_set(e, ERR_INVALID, "'%.200s': hard link to '%.200s', which is not a file", at->path,
			       t->link);
	/* To itself: removing what is in the way would lose it */
	if (fstatat(at->parent_fd, at->name, &own, AT_SYMLINK_NOFOLLOW) == 0 && own.st_ino == st.st_ino)
		return 0;
	if (layer_tree_clear(&j->tree, at, false, &was, e) < 0)
		return -1;
	if (linkat(dir_fd, name ? name : target, at->parent_fd, at->name, 0) < 0)
		return err_sys(e, "link '%.200s' to '%.200s'", at->path, t->link);
	return 0;
}

static int make_node(const struct layer_place *at, const struct layer_tar_entry *t)
{
	switch (t->type) {
	case LAYER_TAR_SYMLINK:
		return symlinkat(t->link, at->parent_fd, at->name);
	case LAYER_TAR_FIFO:
		return mknodat(at->parent_fd, at->name, S_IFIFO | 0600, 0);
	case LAYER_TAR_CHAR:
		return mknodat(at->parent_fd, at->name, S_IFCHR | 0600, makedev(t->dev_major, t->dev_minor));
	default:
		return mknodat(at->parent_fd, at->name, S_IFBLK | 0600, makedev(t->dev_major, t->dev_minor));
	}
}

static int place_node(struct layer_job *j, const struct layer_place *at, const struct layer_tar_entry *t,
		      struct err *e)
{
	enum layer_cleared was;

	/* It would be overlay's whiteout, by a back door */
	if (DEFENCE(WHITEOUT_DEVICE, t->type == LAYER_TAR_CHAR && t->dev_major == 0 && t->dev_minor == 0, false))
		return err_set(e, ERR_INVALID, "'%.200s': character device 0:0 is not allowed in a layer", at->path);
	if (layer_tree_clear(&j->tree, at, false, &was, e) < 0)
		return -1;
	if (make_node(at, t) < 0)
		return err_sys(e, "create '%.200s'", at->path);
	return set_meta_at(at, t, e);
}

static int place_entry(struct layer_job *j, const char *path, const struct layer_tar_entry *t, struct err *e)
{
	struct layer_place at;

	if (layer_tree_place(&j->tree, path, &at, e) < 0)
		return -1;
	switch (t->type) {
	case LAYER_TAR_FILE: return place_file(j, &at, t, e);
	case LAYER_TAR_DIR: return place_dir(j, &at, t, e);
	case LAYER_TAR_HARDLINK: return place_hardlink(j, &at, t, e);
	default: return place_node(j, &at, t, e);
	}
}

/* --- whiteouts --------------------------------------------------------------------------------------- */

/* Spec: image-spec layer.md#whiteouts. It hides what is below, never what this layer itself brings */
static int place_whiteout(struct layer_job *j, const char *path, struct err *e)
{
	char target[LAYER_PATH_MAX + 1];
	const char *slash = strrchr(path, '/');
	const char *name = (slash ? slash + 1 : path) + strlen(WH_PREFIX);
	struct layer_place at;
	struct stat st;

	if (!path_is_name(name))
		return err_set(e, ERR_INVALID, "'%.200s': malformed whiteout", path);
	snprintf(target, sizeof target, "%.*s%s", slash ? (int)(slash - path) + 1 : 0, path, name);
	if (layer_tree_place(&j->tree, target, &at, e) < 0)
		return -1;
	if (mknodat(at.parent_fd, at.name, S_IFCHR, makedev(0, 0)) == 0)
		return 0;
	if (errno != EEXIST || fstatat(at.parent_fd, at.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "create whiteout '%.200s'", path);
	return S_ISDIR(st.st_mode) ? layer_tree_note_opaque(&j->tree, at.path, e) : 0;
}

static int place_opaque(struct layer_job *j, char *path, struct err *e)
{
	struct layer_place at;

	/* Makes the directory when no entry did */
	if (layer_tree_place(&j->tree, path, &at, e) < 0)
		return -1;
	path[at.name - path - (at.name > path)] = '\0';
	return layer_tree_note_opaque(&j->tree, path, e);
}

enum wh_kind { WH_NONE, WH_FILE, WH_DIR, WH_SKIP, WH_BAD };

/* aufs kept its own files under names with a double prefix; they are no part of the layer */
static enum wh_kind whiteout_kind(const char *path)
{
	for (;;) {
		size_t n = strcspn(path, "/");
		bool is_last = path[n] == '\0';

		if (is_last && str_eq(path, WH_OPAQUE))
			return WH_DIR;
		if (str_starts(path, WH_META))
			return WH_SKIP;
		if (str_starts(path, WH_PREFIX))
			return is_last ? WH_FILE : WH_BAD;
		if (is_last)
			return WH_NONE;
		path += n + 1;
	}
}

static int apply_entry(struct layer_job *j, const struct layer_tar_entry *t, struct err *e)
{
	char path[LAYER_PATH_MAX + 1];

	if (layer_path_clean(t->path, path, e) < 0)
		return -1;
	if (path[0] == '\0')
		return place_root(j, t, e);
	switch (whiteout_kind(path)) {
	case WH_FILE: return place_whiteout(j, path, e);
	case WH_DIR: return place_opaque(j, path, e);
	case WH_SKIP: return 0;
	case WH_BAD: return err_set(e, ERR_INVALID, "'%.200s': entry below a whiteout", path);
	case WH_NONE: break;
	}
	return place_entry(j, path, t, e);
}

/* --- the layer --------------------------------------------------------------------------------------- */

static int apply_all(struct layer_job *j, const struct layer_limits *limits, struct err *e)
{
	struct layer_tar_entry t;
	int r;

	while ((r = layer_tar_next(j->tar, &t, e)) > 0) {
		if (++j->n_entries > limits->max_entries)
			return err_set(e, ERR_INVALID, "more than %llu entries",
				       (unsigned long long)limits->max_entries);
		if (apply_entry(j, &t, e) < 0)
			return -1;
	}
	return r;
}

static int apply_and_sum(struct layer_job *j, const struct layer_limits *limits, struct arena *a,
			 struct unpack_layer *ret, struct err *e)
{
	struct layer_tar_sums sums;

	if (fchmod(j->tree.root_fd, 0755) < 0)
		return err_sys(e, "set mode of the layer's directory");
	if (apply_all(j, limits, e) < 0 || layer_tar_finish(j->tar, &sums, e) < 0)
		return -1;
	if (layer_tree_finish(&j->tree, ret, e) < 0)
		return -1;
	ret->diff_id = arena_strdup(a, sums.tar.text);
	ret->record_diff_id = arena_strdup(a, sums.record.text);
	ret->blob_digest = arena_strdup(a, sums.blob.text);
	ret->tar_bytes = sums.tar_bytes;
	ret->blob_bytes = sums.blob_bytes;
	ret->file_bytes = j->file_bytes;
	ret->n_entries = j->n_entries;
	return 0;
}

int layer_apply(int blob_fd, int dir_fd, const struct layer_limits *limits, struct arena *a,
		struct unpack_layer *ret, struct err *e)
{
	AUTO(layer_tar_freep) struct layer_tar *tar = NULL;
	struct layer_job j = {0};
	int r;

	if (layer_tar_open(blob_fd, &limits->stream, true, &tar, e) < 0)
		return -1;
	j.tar = tar;
	j.has_lower = limits->has_lower;
	layer_tree_init(&j.tree, dir_fd, limits->max_note_bytes, a);
	r = apply_and_sum(&j, limits, a, ret, e);
	layer_tree_done(&j.tree);
	return r;
}
