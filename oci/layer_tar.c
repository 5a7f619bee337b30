/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/layer_tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/defence.h"
#include "base/own.h"
#include "base/str.h"

#define ACL_MAX   512
#define ACL_ENTRY 8

/* An ACL as an attribute: a version, then entries of tag, rights and ID. Empty: n is 0 */
struct acl {
	size_t n;
	unsigned char bytes[4 + ACL_MAX * ACL_ENTRY];
};

enum { ACL_ACCESS, ACL_DEFAULT, ACL_KINDS_ };

struct layer_tar {
	struct inflate *in;
	struct digest_stream *hash;      /* of the tar stream; NULL: nobody wants it */
	uint64_t n_bytes;
	bool is_padded;                  /* zeros were put behind a stream that ends within a block */
	uint64_t padding_bytes;          /* that the current entry may do without, at the end of the stream */
	struct archive *ar;
	struct archive_entry *entry;     /* borrowed from ar */
	struct acl acls[ACL_KINDS_];     /* of the current entry, where they came as text */
	size_t next_acl;                 /* that layer_tar_xattr() has not told yet */
	struct err in_err;               /* why the stream broke; kind ERR_NONE: it did not */
};

#define BLOCK 512u

/* --- the stream below libarchive ---------------------------------------------------------------------- */

static int pull(struct layer_tar *t, const void **ret_data, size_t *ret_n, struct err *e)
{
	if (inflate_read(t->in, ret_data, ret_n, e) < 0)
		return -1;
	if (t->hash)
		digest_stream_add(t->hash, *ret_data, *ret_n);
	t->n_bytes += *ret_n;
	return 0;
}

static la_ssize_t on_read(struct archive *ar, void *ctx, const void **ret_data)
{
	static const char zeros[BLOCK];
	struct layer_tar *t = ctx;
	size_t n = 0;

	if (pull(t, ret_data, &n, &t->in_err) < 0) {
		archive_set_error(ar, EINVAL, "%s", t->in_err.msg);
		return -1;
	}
	/*
	 * Some tools end right behind the last file's bytes (`umoci insert`), which other readers take. So the block is
	 * filled, and layer_tar_data() looks that no zero was taken for content.
	 */
	if (n == 0 && !t->is_padded) {
		t->is_padded = true;
		*ret_data = zeros;
		n = (BLOCK - t->n_bytes % BLOCK) % BLOCK;
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

int layer_tar_open(int fd, const struct inflate_limits *limits, bool is_hashed, struct layer_tar **ret, struct err *e)
{
	AUTO(layer_tar_freep) struct layer_tar *t = xcalloc(1, sizeof *t);

	t->hash = is_hashed ? digest_stream_new() : NULL;
	if (inflate_open(fd, limits, is_hashed, &t->in, e) < 0)
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

/* --- ACLs as text (SCHILY.acl.*), as GNU tar and bsdtar write them -------------------------------------- */

static const int acl_types[ACL_KINDS_] = { ARCHIVE_ENTRY_ACL_TYPE_ACCESS, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT };
static const char *const acl_names[ACL_KINDS_] = { "system.posix_acl_access", "system.posix_acl_default" };

/* In the order that the kernel wants. Spec: acl(5); linux/posix_acl.h */
static const struct acl_tag {
	int from;
	unsigned to;
	bool is_named;
} acl_tags[] = {
	{ ARCHIVE_ENTRY_ACL_USER_OBJ, 0x01, false },  { ARCHIVE_ENTRY_ACL_USER, 0x02, true },
	{ ARCHIVE_ENTRY_ACL_GROUP_OBJ, 0x04, false }, { ARCHIVE_ENTRY_ACL_GROUP, 0x08, true },
	{ ARCHIVE_ENTRY_ACL_MASK, 0x10, false },      { ARCHIVE_ENTRY_ACL_OTHER, 0x20, false },
};

static void put_le(struct acl *acl, uint32_t v, size_t n_bytes)
{
	for (size_t i = 0; i < n_bytes; i++)
		acl->bytes[acl->n++] = (unsigned char)(v >> 8 * i);
}

/* Add the entries of one kind. @mask: gets the rights of the mask */
static int add_acl_tag(struct archive_entry *a, int type, const struct acl_tag *tag, struct acl *acl, int *mask, struct err *e)
{
	int got_type, rights, got, id;
	const char *name;

	archive_entry_acl_reset(a, type);
	while (archive_entry_acl_next(a, type, &got_type, &rights, &got, &id, &name) == ARCHIVE_OK) {
		if (got != tag->from)
			continue;
		/* Only the machine that wrote it knew whose name that is */
		if (tag->is_named && id < 0)
			return err_set(e, ERR_UNSUPPORTED, "'%.200s': an ACL names '%.80s' without a number", archive_entry_pathname(a),
				       name ? name : "");
		if (acl->n + ACL_ENTRY > sizeof acl->bytes)
			return err_set(e, ERR_INVALID, "'%.200s': an ACL has more than %d entries", archive_entry_pathname(a), ACL_MAX);
		put_le(acl, tag->to, 2);
		put_le(acl, (uint32_t)rights & 7, 2);
		put_le(acl, tag->is_named ? (uint32_t)id : UINT32_MAX, 4);
		if (got == ARCHIVE_ENTRY_ACL_MASK)
			*mask = rights & 7;
	}
	return 0;
}

/*
 * libarchive has put the owning group's rights of the text into the mode; where there is a mask, that is what the group's
 * bits of a mode are.
 */
static int read_acls(struct layer_tar *t, struct layer_tar_entry *entry, struct err *e)
{
	t->next_acl = 0;
	for (size_t k = 0; k < ACL_KINDS_; k++) {
		struct acl *acl = &t->acls[k];
		int mask = -1;

		acl->n = 0;
		if (!(archive_entry_acl_types(t->entry) & acl_types[k]))
			continue;
		put_le(acl, 2, 4);
		for (size_t i = 0; i < ARRAY_SIZE(acl_tags); i++)
			if (add_acl_tag(t->entry, acl_types[k], &acl_tags[i], acl, &mask, e) < 0)
				return -1;
		if (k == ACL_ACCESS && mask >= 0)
			entry->mode = (entry->mode & ~(mode_t)070) | (mode_t)mask << 3;
	}
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
	if (read_entry(t->entry, ret, e) < 0 || read_acls(t, ret, e) < 0)
		return -1;
	/* What a sparse file has in the archive is not told: it must be whole. */
	t->padding_bytes = archive_entry_sparse_reset(t->entry) > 0 ? 0 : (BLOCK - ret->bytes % BLOCK) % BLOCK;
	return 1;
}

int layer_tar_data(struct layer_tar *t, const void **ret_data, size_t *ret_n, uint64_t *ret_offset, struct err *e)
{
	la_int64_t offset = 0;
	int r = archive_read_data_block(t->ar, ret_data, ret_n, &offset);

	if (r == ARCHIVE_EOF && t->is_padded &&
	    (uint64_t)archive_filter_bytes(t->ar, -1) > t->n_bytes + t->padding_bytes)
		return err_set(e, ERR_INVALID, "tar: truncated");
	if (r == ARCHIVE_EOF)
		return 0;
	if (r != ARCHIVE_OK)
		return failed(t, e);
	*ret_offset = (uint64_t)offset;
	return 1;
}

bool layer_tar_xattr(struct layer_tar *t, const char **ret_name, const void **ret_value, size_t *ret_n)
{
	if (archive_entry_xattr_next(t->entry, ret_name, ret_value, ret_n) == ARCHIVE_OK)
		return true;
	while (t->next_acl < ACL_KINDS_ && t->acls[t->next_acl].n == 0)
		t->next_acl++;
	if (t->next_acl == ACL_KINDS_)
		return false;
	*ret_name = acl_names[t->next_acl];
	*ret_value = t->acls[t->next_acl].bytes;
	*ret_n = t->acls[t->next_acl++].n;
	return true;
}

static void end_record(const struct layer_tar *t, struct digest *ret)
{
	static const char zeros[LAYER_TAR_RECORD];
	AUTO(digest_stream_freep) struct digest_stream *hash = digest_stream_copy(t->hash);
	size_t over = t->n_bytes % LAYER_TAR_RECORD;

	if (over > 0)
		digest_stream_add(hash, zeros, LAYER_TAR_RECORD - over);
	digest_stream_end(hash, ret);
}

int layer_tar_finish(struct layer_tar *t, struct layer_tar_sums *ret, struct err *e)
{
	const void *data;
	size_t n = 1;

	/* libarchive stops at the end mark; the DiffID covers what comes behind it, too */
	while (n > 0)
		if (pull(t, &data, &n, e) < 0)
			return -1;
	if (!t->hash)
		return 0;
	end_record(t, &ret->record);
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

		if (DEFENCE(TAR_NAMES, n == 2 && p[0] == '.' && p[1] == '.', false))
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
