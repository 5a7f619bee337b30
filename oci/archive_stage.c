/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * Members are written as "0", "1", … in order of arrival, whatever they are called, and hashed on the way.
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

#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/layer_tar.h"

#define LINK_DEPTH_MAX 8

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

static void hash_hole(struct digest_stream *hash, uint64_t n)
{
	static const char zeros[65536];

	for (; n > 0; n -= n < sizeof zeros ? n : sizeof zeros)
		digest_stream_add(hash, zeros, n < sizeof zeros ? n : sizeof zeros);
}

/* Pieces come in order; what is between them is a hole, which reads as zeros */
static int copy_member(struct stage *s, int fd, uint64_t bytes, struct digest *ret, struct err *e)
{
	AUTO(digest_stream_freep) struct digest_stream *hash = digest_stream_new();
	uint64_t at = 0, offset = 0;
	const void *data;
	size_t n;
	int r;

	while ((r = layer_tar_data(s->tar, &data, &n, &offset, e)) > 0) {
		if (offset < at || offset > bytes || n > bytes - offset)
			return err_set(e, ERR_INVALID, "malformed sparse file");
		hash_hole(hash, offset - at);
		digest_stream_add(hash, data, n);
		if (write_all_at(fd, data, n, offset, e) < 0)
			return -1;
		at = offset + n;
	}
	if (r < 0)
		return -1;
	hash_hole(hash, bytes - at);
	if (ftruncate(fd, (off_t)bytes) < 0)
		return err_sys(e, "set size");
	digest_stream_end(hash, ret);
	return 0;
}

static int stage_member(struct stage *s, const struct layer_tar_entry *t, const char *name, uint64_t max_bytes,
			struct err *e)
{
	struct unpack_file f = { .name = arena_strdup(s->arena, name), .bytes = t->bytes };
	AUTO_CLOSE int fd = -1;
	struct digest digest;

	/* Also bounds the holes of sparse files, which cost time only */
	s->n_bytes += t->bytes;
	if (t->bytes > max_bytes || s->n_bytes > max_bytes)
		return err_set(e, ERR_INVALID, "archive: more than the %llu bytes that are allowed",
			       (unsigned long long)max_bytes);
	f.file = arena_printf(s->arena, "%zu", s->n_written++);
	fd = openat(s->dir_fd, f.file, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "archive: create '%s'", f.file);
	if (copy_member(s, fd, t->bytes, &digest, e) < 0)
		return err_wrap(e, "archive: '%.200s'", name);
	f.digest = arena_strdup(s->arena, digest.text);
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

static const struct unpack_file *find_file(const struct stage *s, const char *name)
{
	for (size_t i = s->n_files; i-- > 0;)
		if (str_eq(s->files[i].name, name))
			return &s->files[i];
	return NULL;
}

static const char *find_alias(const struct stage *s, const char *name)
{
	for (size_t i = s->n_aliases; i-- > 0;)
		if (str_eq(s->aliases[i].name, name))
			return s->aliases[i].target;
	return NULL;
}

/* Links to nothing are left out: whoever needs the name will say that it is missing */
static int resolve_links(struct stage *s, struct err *e)
{
	size_t n = s->n_aliases;

	for (size_t i = 0; i < n; i++) {
		const char *target = s->aliases[i].target;
		const struct unpack_file *f = NULL;
		struct unpack_file other;

		for (int depth = 0; target && !f && depth < LINK_DEPTH_MAX; depth++) {
			f = find_file(s, target);
			target = f ? target : find_alias(s, target);
		}
		if (!f)
			continue;
		other = *f;
		other.name = s->aliases[i].name;
		s->n_aliases--;   /* it is counted as a file from now on; the array stays as it is */
		if (add_file(s, &other, e) < 0)
			return -1;
		s->n_aliases++;
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

static int stage_and_sum(struct stage *s, uint64_t max_bytes, struct unpack_listing *ret, struct err *e)
{
	struct layer_tar_sums sums;

	if (stage_all(s, max_bytes, e) < 0)
		return -1;
	if (layer_tar_finish(s->tar, &sums, e) < 0)
		return err_wrap(e, "archive");
	if (s->n_files == 0)
		return err_set(e, ERR_INVALID, "archive: is empty");
	ret->files = arena_new_array(s->arena, struct unpack_file, s->n_files);
	memcpy(ret->files, s->files, s->n_files * sizeof *s->files);
	ret->n_files = s->n_files;
	ret->digest = arena_strdup(s->arena, sums.blob.text);
	ret->bytes = sums.blob_bytes;
	return 0;
}

int archive_stage(int in_fd, int dir_fd, const struct archive_limits *limits, struct arena *a,
		  struct unpack_listing *ret, struct err *e)
{
	const struct inflate_limits stream = { limits->max_bytes, limits->max_ratio };
	AUTO(layer_tar_freep) struct layer_tar *tar = NULL;
	struct stage s = { .dir_fd = dir_fd, .arena = a };
	int r;

	if (layer_tar_open(in_fd, &stream, &tar, e) < 0)
		return err_wrap(e, "archive");
	s.tar = tar;
	r = stage_and_sum(&s, limits->max_bytes, ret, e);
	free(s.files);
	free(s.aliases);
	return r;
}
