/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * Members are written as "0", "1", … in order of arrival, whatever they are called, and hashed on the way, unless their
 * name is a digest: a layer is hashed when it is unpacked, a document when it is parsed, and once is enough.
 * Older `docker save` writes a layer that it wrote before as a symbolic link "../<id>/layer.tar": links are
 * never made on disk, only looked up by name when all is read, and appear in the listing as second names.
 */
#include "oci/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/defence.h"
#include "base/fd.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/layer_tar.h"

#define LINK_DEPTH_MAX 8
#define BLOB_READ_BYTES (256u << 10)

struct alias {
	char *name, *target;     /* both clean */
};

struct stage {
	struct layer_tar *tar;
	int dir_fd;
	struct arena *arena;
	struct unpack_file *files;       /* owned, moved into the arena at the end */
	size_t n_files, cap_files;
	struct alias *aliases;           /* owned */
	size_t n_aliases, cap_aliases;
	size_t n_written;
	uint64_t n_bytes;
	uint64_t n_hole_bytes, n_data_bytes;   /* of sparse files: what is hashed, and what was read for it */
	uint64_t max_ratio;
};

static int add_file(struct stage *s, const struct unpack_file *f, struct err *e)
{
	if (s->n_files + s->n_aliases >= ARCHIVE_MAX_FILES)
		return err_set(e, ERR_INVALID, "archive: more than %d files", ARCHIVE_MAX_FILES);
	if (s->n_files == s->cap_files) {
		s->cap_files = s->cap_files ? s->cap_files * 2 : 64;
		s->files = xrealloc(s->files, s->cap_files * sizeof *s->files);
	}
	s->files[s->n_files++] = *f;
	return 0;
}

static int add_alias(struct stage *s, const char *name, const char *target, struct err *e)
{
	if (s->n_files + s->n_aliases >= ARCHIVE_MAX_FILES)
		return err_set(e, ERR_INVALID, "archive: more than %d files", ARCHIVE_MAX_FILES);
	if (s->n_aliases == s->cap_aliases) {
		s->cap_aliases = s->cap_aliases ? s->cap_aliases * 2 : 64;
		s->aliases = xrealloc(s->aliases, s->cap_aliases * sizeof *s->aliases);
	}
	s->aliases[s->n_aliases++] = (struct alias){ arena_strdup(s->arena, name), arena_strdup(s->arena, target) };
	return 0;
}

/* --- members ----------------------------------------------------------------------------------------- */

static int write_all_at(int fd, const char *data, size_t n, uint64_t offset, struct err *e)
{
	while (n > 0) {
		ssize_t done = pwrite(fd, data, n, (off_t)offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_sys(e, "write");
		data += done;
		n -= (size_t)done;
		offset += (uint64_t)done;
	}
	return 0;
}

/* Holes cost no bytes in the archive, but time: they are bounded as what is decompressed is */
static int hash_hole(struct stage *s, struct digest_stream *hash, uint64_t n, struct err *e)
{
	static const char zeros[65536];

	s->n_hole_bytes += n;
	if (s->max_ratio && s->n_hole_bytes > INFLATE_RATIO_FROM && s->n_hole_bytes / s->max_ratio > s->n_data_bytes)
		return err_set(e, ERR_INVALID, "holes of more than %llu times what the files hold",
			       (unsigned long long)s->max_ratio);
	for (; hash && n > 0; n -= n < sizeof zeros ? n : sizeof zeros)
		digest_stream_add(hash, zeros, n < sizeof zeros ? n : sizeof zeros);
	return 0;
}

/* Pieces come in order; what is between them is a hole, which reads as zeros. @hash may be NULL */
static int copy_member(struct stage *s, int fd, uint64_t bytes, struct digest_stream *hash, struct err *e)
{
	uint64_t at = 0, offset = 0;
	const void *data;
	size_t n;
	int r;

	while ((r = layer_tar_data(s->tar, &data, &n, &offset, e)) > 0) {
		if (offset < at || offset > bytes || n > bytes - offset)
			return err_set(e, ERR_INVALID, "malformed sparse file");
		s->n_data_bytes += n;
		if (hash_hole(s, hash, offset - at, e) < 0)
			return -1;
		if (hash)
			digest_stream_add(hash, data, n);
		if (write_all_at(fd, data, n, offset, e) < 0)
			return -1;
		at = offset + n;
	}
	if (r < 0)
		return -1;
	if (hash_hole(s, hash, bytes - at, e) < 0)
		return -1;
	fd_write_behind(fd, bytes);
	if (at < bytes && ftruncate(fd, (off_t)bytes) < 0)
		return err_sys(e, "set size");
	return 0;
}

/* The hex digits of a blob's name: in OCI's layout, or in that of containers' "dir:". NULL: it is called otherwise */
static const char *claimed_hex(const char *name)
{
	const char *hex = str_starts(name, ARCHIVE_BLOBS) ? name + strlen(ARCHIVE_BLOBS) : name;

	return strlen(hex) == DIGEST_HEX_LEN && str_is_hex(hex, DIGEST_HEX_LEN) ? hex : NULL;
}

static int copy_and_name(struct stage *s, int fd, struct unpack_file *f, struct err *e)
{
	AUTO(digest_stream_freep) struct digest_stream *hash = NULL;
	const char *hex = claimed_hex(f->name);
	struct digest digest;

	f->is_claimed = hex != NULL;
	if (hex) {
		f->digest = arena_printf(s->arena, "sha256:%s", hex);
		return copy_member(s, fd, f->bytes, NULL, e);
	}
	hash = digest_stream_new();
	if (copy_member(s, fd, f->bytes, hash, e) < 0)
		return -1;
	digest_stream_end(hash, &digest);
	f->digest = arena_strdup(s->arena, digest.text);
	return 0;
}

static int stage_member(struct stage *s, const struct layer_tar_entry *t, const char *name, uint64_t max_bytes,
			struct err *e)
{
	struct unpack_file f = { .name = arena_strdup(s->arena, name), .bytes = t->bytes };
	AUTO_CLOSE int fd = -1;

	/* Also bounds the holes of sparse files, which cost time only */
	s->n_bytes += t->bytes;
	if (t->bytes > max_bytes || s->n_bytes > max_bytes)
		return err_set(e, ERR_INVALID, "archive: more than the %llu bytes that are allowed",
			       (unsigned long long)max_bytes);
	f.file = DEFENCE(MEMBER_NUMBERS, arena_printf(s->arena, "%zu", s->n_written++), arena_strdup(s->arena, name));
	fd = openat(s->dir_fd, f.file, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "archive: create '%s'", f.file);
	if (copy_and_name(s, fd, &f, e) < 0)
		return err_wrap(e, "archive: '%.200s'", name);
	return add_file(s, &f, e);
}

/* Where a link leads, by its text alone */
static int stage_link(struct stage *s, const struct layer_tar_entry *t, const char *name, struct err *e)
{
	const char *slash = t->type == LAYER_TAR_SYMLINK ? strrchr(name, '/') : NULL;
	AUTO_FREE char *joined = xasprintf("%.*s%s", slash ? (int)(slash - name) + 1 : 0, name, t->link);
	AUTO_FREE char *target = path_clean(joined);
	char checked[LAYER_PATH_MAX + 1];

	if (strlen(joined) > LAYER_PATH_MAX || layer_path_clean(target, checked, ERR_IGNORED) < 0)
		return err_set(e, ERR_INVALID, "archive: '%.200s': link leads outside", name);
	return add_alias(s, name, checked, e);
}

static int stage_entry(struct stage *s, const struct layer_tar_entry *t, uint64_t max_bytes, struct err *e)
{
	char name[LAYER_PATH_MAX + 1];

	if (layer_path_clean(t->path, name, e) < 0)
		return err_wrap(e, "archive");
	switch (t->type) {
	case LAYER_TAR_DIR:
		return 0;
	case LAYER_TAR_FILE:
		return stage_member(s, t, name, max_bytes, e);
	case LAYER_TAR_SYMLINK:
	case LAYER_TAR_HARDLINK:
		return stage_link(s, t, name, e);
	default:
		return err_set(e, ERR_INVALID, "archive: '%.200s': devices and pipes do not belong here", name);
	}
}

/* --- links ------------------------------------------------------------------------------------------- */

/* A name of a member: of equal ones the last counts, as when a tar is unpacked */
struct member {
	const char *name;
	size_t order;            /* of files, then of links, each as they came */
	const struct unpack_file *file;   /* NULL: a link */
	const char *target;
};

static int by_name(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	return r != 0 ? r : (x->order > y->order) - (x->order < y->order);
}

static int by_name_only(const void *key, const void *b)
{
	return strcmp(key, ((const struct member *)b)->name);
}

/* Sorted, each name once. A file counts more than a link. Return: how many */
static size_t sort_members(const struct stage *s, struct member *m)
{
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < s->n_aliases; i++, n++)
		m[n] = (struct member){ s->aliases[i].name, n, NULL, s->aliases[i].target };
	for (size_t i = 0; i < s->n_files; i++, n++)
		m[n] = (struct member){ s->files[i].name, n, &s->files[i], NULL };
	qsort(m, n, sizeof *m, by_name);
	for (size_t i = 0; i < n; i++) {
		if (kept > 0 && str_eq(m[kept - 1].name, m[i].name))
			kept--;
		m[kept++] = m[i];
	}
	return kept;
}

static const struct unpack_file *follow(const struct member *sorted, size_t n, const char *target)
{
	for (int depth = 0; target && depth < LINK_DEPTH_MAX; depth++) {
		const struct member *m = bsearch(target, sorted, n, sizeof *sorted, by_name_only);

		if (m && m->file)
			return m->file;
		target = m ? m->target : NULL;
	}
	return NULL;
}

/* Links to nothing are left out: whoever needs the name will say that it is missing */
static int resolve_links(struct stage *s, struct err *e)
{
	AUTO_FREE struct member *sorted = xcalloc(s->n_files + s->n_aliases + 1, sizeof *sorted);
	size_t n_sorted = sort_members(s, sorted), n = s->n_aliases;
	struct unpack_file *found = arena_new_array(s->arena, struct unpack_file, n + 1);
	size_t n_found = 0;

	/* The list of files moves when it grows: first all are looked up. */
	for (size_t i = 0; i < n; i++) {
		const struct unpack_file *f = follow(sorted, n_sorted, s->aliases[i].target);
		const struct member *own =
			bsearch(s->aliases[i].name, sorted, n_sorted, sizeof *sorted, by_name_only);

		if (!f || own->file)
			continue;
		found[n_found] = *f;
		found[n_found++].name = s->aliases[i].name;
	}
	s->n_aliases = 0;   /* they are counted as files from now on */
	for (size_t i = 0; i < n_found; i++) {
		if (add_file(s, &found[i], e) < 0)
			return -1;
	}
	return 0;
}

/* --- the archive ------------------------------------------------------------------------------------- */

static int stage_all(struct stage *s, uint64_t max_bytes, struct err *e)
{
	struct layer_tar_entry t;
	int r;

	while ((r = layer_tar_next(s->tar, &t, e)) > 0)
		if (stage_entry(s, &t, max_bytes, e) < 0)
			return -1;
	if (r < 0)
		return err_wrap(e, "archive");
	return resolve_links(s, e);
}

static int stage_to_end(struct stage *s, uint64_t max_bytes, struct unpack_listing *ret, struct err *e)
{
	if (stage_all(s, max_bytes, e) < 0)
		return -1;
	if (layer_tar_finish(s->tar, NULL, e) < 0)
		return err_wrap(e, "archive");
	if (s->n_files == 0)
		return err_set(e, ERR_INVALID, "archive: is empty");
	ret->files = arena_new_array(s->arena, struct unpack_file, s->n_files);
	memcpy(ret->files, s->files, s->n_files * sizeof *s->files);
	ret->n_files = s->n_files;
	return 0;
}

int archive_stage(int in_fd, int dir_fd, const struct archive_limits *limits, struct arena *a,
		  struct unpack_listing *ret, struct err *e)
{
	const struct inflate_limits stream = { limits->max_bytes, limits->max_ratio };
	AUTO(layer_tar_freep) struct layer_tar *tar = NULL;
	struct stage s = { .dir_fd = dir_fd, .arena = a, .max_ratio = limits->max_ratio };
	int r;

	if (layer_tar_open(in_fd, &stream, false, &tar, e) < 0)
		return err_wrap(e, "archive");
	s.tar = tar;
	r = stage_to_end(&s, limits->max_bytes, ret, e);
	free(s.files);
	free(s.aliases);
	return r;
}

/* --- any bytes --------------------------------------------------------------------------------------- */

static int copy_blob(int in_fd, int fd, uint64_t max_bytes, uint64_t *ret_bytes, struct err *e)
{
	AUTO_FREE char *buffer = xmalloc(BLOB_READ_BYTES);
	uint64_t at = 0;

	for (;;) {
		ssize_t n = read(in_fd, buffer, BLOB_READ_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "read");
		if (n == 0)
			break;
		if ((uint64_t)n > max_bytes - at)
			return err_set(e, ERR_INVALID, "more than the %llu bytes that are allowed",
				       (unsigned long long)max_bytes);
		if (write_all_at(fd, buffer, (size_t)n, at, e) < 0)
			return -1;
		at += (uint64_t)n;
	}
	*ret_bytes = at;
	return 0;
}

int archive_stage_blob(int in_fd, int dir_fd, const struct archive_limits *limits, struct arena *a,
		       struct unpack_listing *ret, struct err *e)
{
	struct unpack_file *f = arena_new_obj(a, struct unpack_file);
	AUTO_CLOSE int fd = openat(dir_fd, "0", O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, "blob: create '0'");
	if (copy_blob(in_fd, fd, limits->max_bytes, &f->bytes, e) < 0)
		return err_wrap(e, "blob");
	f->name = f->file = arena_strdup(a, "0");
	f->digest = arena_strdup(a, "");
	*ret = (struct unpack_listing){ .files = f, .n_files = 1 };
	return 0;
}
