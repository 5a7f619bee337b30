/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/layer_tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"

struct layer_tar {
	struct inflate *in;
	struct digest_stream *hash;      /* of the tar stream */
	uint64_t n_bytes;
	struct archive *ar;
	struct archive_entry *entry;     /* borrowed from ar */
	struct err in_err;               /* why the stream broke; kind ERR_NONE: it did not */
};

/* --- the stream below libarchive ---------------------------------------------------------------------- */

static int pull(struct layer_tar *t, const void **ret_data, size_t *ret_n, struct err *e)
{
	if (inflate_read(t->in, ret_data, ret_n, e) < 0)
		return -1;
	digest_stream_add(t->hash, *ret_data, *ret_n);
	t->n_bytes += *ret_n;
	return 0;
}

static la_ssize_t on_read(struct archive *ar, void *ctx, const void **ret_data)
{
	struct layer_tar *t = ctx;
	size_t n = 0;

	if (pull(t, ret_data, &n, &t->in_err) < 0) {
		archive_set_error(ar, EINVAL, "%s", t->in_err.msg);
		return -1;
	}
	return (la_ssize_t)n;
}

static int failed(struct layer_tar *t, struct err *e)
{
	const char *why = archive_error_string(t->ar);

	if (t->in_err.kind != ERR_NONE) {
		*e = t->in_err;
		return -1;
	}
	return err_set(e, ERR_INVALID, "tar: %.200s", why ? why : "malformed");
}

int layer_tar_open(int fd, const struct inflate_limits *limits, struct layer_tar **ret, struct err *e)
{
	AUTO(layer_tar_freep) struct layer_tar *t = xcalloc(1, sizeof *t);

	t->hash = digest_stream_new();
	if (inflate_open(fd, limits, &t->in, e) < 0)
		return -1;
	t->ar = archive_read_new();
	if (!t->ar)
		return err_set(e, ERR_SYSTEM, "tar: out of memory");
	archive_read_support_format_tar(t->ar);
	archive_read_support_format_empty(t->ar);
	if (archive_read_open(t->ar, t, NULL, on_read, NULL) != ARCHIVE_OK)
		return failed(t, e);
	*ret = TAKE_PTR(t);
	return 0;
}

/* --- entries ----------------------------------------------------------------------------------------- */

static int entry_type(struct archive_entry *a, enum layer_tar_type *ret)
{
	if (archive_entry_hardlink(a)) {
		*ret = LAYER_TAR_HARDLINK;
		return 0;
	}
	switch (archive_entry_filetype(a)) {
	case AE_IFREG: *ret = LAYER_TAR_FILE; return 0;
	case AE_IFDIR: *ret = LAYER_TAR_DIR; return 0;
	case AE_IFLNK: *ret = LAYER_TAR_SYMLINK; return 0;
	case AE_IFCHR: *ret = LAYER_TAR_CHAR; return 0;
	case AE_IFBLK: *ret = LAYER_TAR_BLOCK; return 0;
	case AE_IFIFO: *ret = LAYER_TAR_FIFO; return 0;
	default: return -1;
	}
}

/* 2^32 - 1 means "leave it" to chown, so it is no owner */
static bool is_id(la_int64_t id)
{
	return id >= 0 && id < (la_int64_t)UINT32_MAX;
}

static void read_mtime(struct archive_entry *a, struct layer_tar_entry *t)
{
	if (!archive_entry_mtime_is_set(a))
		return;
	t->mtime_sec = archive_entry_mtime(a);
	t->mtime_nsec = archive_entry_mtime_nsec(a);
	/* libarchive reads "-5.25" as -5 and +0.25 */
	if (t->mtime_sec < 0 && t->mtime_nsec > 0) {
		t->mtime_sec--;
		t->mtime_nsec = 1000000000 - t->mtime_nsec;
	}
}

static int read_entry(struct archive_entry *a, struct layer_tar_entry *ret, struct err *e)
{
	struct layer_tar_entry t = { .path = archive_entry_pathname(a) };

	if (!t.path)
		return err_set(e, ERR_INVALID, "tar: an entry has no name");
	if (entry_type(a, &t.type) < 0)
		return err_set(e, ERR_UNSUPPORTED, "'%.200s': unknown kind of tar entry", t.path);
	t.link = t.type == LAYER_TAR_HARDLINK ? archive_entry_hardlink(a) : archive_entry_symlink(a);
	if (t.type == LAYER_TAR_SYMLINK && str_is_empty(t.link))
		return err_set(e, ERR_INVALID, "'%.200s': symbolic link to nothing", t.path);
	if (!is_id(archive_entry_uid(a)) || !is_id(archive_entry_gid(a)))
		return err_set(e, ERR_INVALID, "'%.200s': owner is out of range", t.path);
	if (archive_entry_size_is_set(a) && archive_entry_size(a) < 0)
		return err_set(e, ERR_INVALID, "'%.200s': negative size", t.path);

	t.mode = archive_entry_mode(a) & 07777;
	t.uid = (uid_t)archive_entry_uid(a);
	t.gid = (gid_t)archive_entry_gid(a);
	read_mtime(a, &t);
	t.bytes = t.type == LAYER_TAR_FILE ? (uint64_t)archive_entry_size(a) : 0;
	t.dev_major = (unsigned)archive_entry_rdevmajor(a);
	t.dev_minor = (unsigned)archive_entry_rdevminor(a);
	*ret = t;
	return 0;
}

int layer_tar_next(struct layer_tar *t, struct layer_tar_entry *ret, struct err *e)
{
	int r = archive_read_next_header(t->ar, &t->entry);
	const char *why;

	if (r == ARCHIVE_EOF)
		return 0;
	if (r == ARCHIVE_WARN) {
		/* The C locale has no name for the bytes, and so they are kept as they are: what we want */
		why = archive_error_string(t->ar);
		if (!why || !strstr(why, "can't be converted"))
			return failed(t, e);
	} else if (r != ARCHIVE_OK) {
		return failed(t, e);
	}
	archive_entry_xattr_reset(t->entry);
	return read_entry(t->entry, ret, e) < 0 ? -1 : 1;
}

int layer_tar_data(struct layer_tar *t, const void **ret_data, size_t *ret_n, uint64_t *ret_offset, struct err *e)
{
	la_int64_t offset = 0;
	int r = archive_read_data_block(t->ar, ret_data, ret_n, &offset);

	if (r == ARCHIVE_EOF)
		return 0;
	if (r != ARCHIVE_OK)
		return failed(t, e);
	*ret_offset = (uint64_t)offset;
	return 1;
}

bool layer_tar_xattr(struct layer_tar *t, const char **ret_name, const void **ret_value, size_t *ret_n)
{
	return archive_entry_xattr_next(t->entry, ret_name, ret_value, ret_n) == ARCHIVE_OK;
}

int layer_tar_finish(struct layer_tar *t, struct layer_tar_sums *ret, struct err *e)
{
	const void *data;
	size_t n = 1;

	/* libarchive stops at the end mark; the DiffID covers what comes behind it, too */
	while (n > 0)
		if (pull(t, &data, &n, e) < 0)
			return -1;
	digest_stream_end(t->hash, &ret->tar);
	ret->tar_bytes = t->n_bytes;
	if (!inflate_input(t->in, &ret->blob, &ret->blob_bytes))
		ret->blob = ret->tar;
	return 0;
}

void layer_tar_free(struct layer_tar *t)
{
	if (!t)
		return;
	archive_read_free(t->ar);
	digest_stream_free(t->hash);
	inflate_free(t->in);
	free(t);
}

void layer_tar_freep(struct layer_tar **t)
{
	layer_tar_free(*t);
	*t = NULL;
}

/* --- names ------------------------------------------------------------------------------------------- */

int layer_path_clean(const char *path, char ret[LAYER_PATH_MAX + 1], struct err *e)
{
	size_t used = 0, depth = 0;

	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.')
			return err_set(e, ERR_INVALID, "'%.200s': leads outside", path);
		if (n > NAME_MAX)
			return err_set(e, ERR_INVALID, "'%.200s…': name too long", path);
		if (n > 0 && !(n == 1 && p[0] == '.')) {
			if (used + n + 1 > LAYER_PATH_MAX || ++depth > LAYER_DEPTH_MAX)
				return err_set(e, ERR_INVALID, "'%.200s…': path too long", path);
			if (used > 0)
				ret[used++] = '/';
			memcpy(ret + used, p, n);
			used += n;
		}
		p += n;
		p += *p == '/';
	}
	ret[used] = '\0';
	return 0;
}
