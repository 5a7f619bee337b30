/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hard links of a layer to files that only the layers below have.
 *
 * The file is copied to where it is (copied up), with all that it has, and linked; one that this layer removes is
 * copied under the first name that was linked to it, and the others are linked to that. Names that a later entry of
 * the layer took are left alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/own.h"
#include "oci/inherit_parts.h"

#define COPIES_MAX 4096   /* of files that the layer removes */

struct linker {
	const struct inherit *h;
	uint64_t n_bytes;              /* copied */
	struct copied {
		char *target, *path;
	} *copied;                     /* owned; removed files, and the name that they have now */
	size_t n_copied;
};

static void linker_done(struct linker *l)
{
	for (size_t i = 0; i < l->n_copied; i++) {
		free(l->copied[i].target);
		free(l->copied[i].path);
	}
	free(l->copied);
}

/* Cut "a/b/c" behind the "b". Return: "c"; @dir becomes "a/b", or "" */
static const char *split(char *dir)
{
	char *slash = strrchr(dir, '/');

	if (!slash)
		return NULL;
	*slash = '\0';
	return slash + 1;
}

/* The directory of @path, made when it is missing, and its time kept. Return: 0, or -1 with @e set */
static int open_parent(const struct inherit *h, const char *path, struct inherit_kept *kept, int *ret_fd,
		       const char **ret_name, struct err *e)
{
	AUTO_FREE char *dir = xstrdup(path);
	bool is_top = !split(dir);
	size_t n_made = 0;

	*ret_name = is_top ? path : path + strlen(dir) + 1;
	if (inherit_make_dirs(h->layer_fd, is_top ? "" : dir, kept, &n_made, ret_fd, e) < 0)
		return -1;
	if (n_made == 0)
		return 0;
	/* One that was made has the time of the layers below, and keeps that */
	inherit_kept_done(kept);
	return inherit_made(h, dir, n_made, e) < 0 ? -1 : inherit_keep(kept, *ret_fd, e);
}

/* ---- copying ---- */

static int copy_data(int from_fd, int to_fd, uint64_t n_all, struct err *e)
{
	off_t at = 0;

	if (ftruncate(to_fd, (off_t)n_all) < 0)
		return err_sys(e, "set size");
	while ((at = lseek(from_fd, at, SEEK_DATA)) >= 0) {
		off_t end = lseek(from_fd, at, SEEK_HOLE), to = at;

		while (at < end) {
			ssize_t n = copy_file_range(from_fd, &at, to_fd, &to, (size_t)(end - at), 0);

			if (n < 0)
				return err_sys(e, "copy");
			if (n == 0)
				return err_set(e, ERR_SYSTEM, "copy: the file became shorter");
		}
	}
	return errno == ENXIO ? 0 : err_sys(e, "look for data");
}

static int copy_file(struct linker *l, int from_dir, const char *from, const struct stat *st, int to_dir, const char *to,
		     struct err *e)
{
	AUTO_CLOSE int from_fd = openat(from_dir, from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	AUTO_CLOSE int to_fd = openat(to_dir, to, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
	uint64_t n = (uint64_t)st->st_blocks * 512;

	if (from_fd < 0 || to_fd < 0)
		return err_sys(e, "open");
	l->n_bytes += n;
	if (n > INHERIT_COPY_MAX_BYTES || l->n_bytes > INHERIT_COPY_MAX_BYTES)
		return err_set(e, ERR_INVALID, "hard links need more than %llu bytes of the layers below",
			       (unsigned long long)INHERIT_COPY_MAX_BYTES);
	if (copy_data(from_fd, to_fd, (uint64_t)st->st_size, e) < 0)
		return -1;
	return inherit_copy_meta(from_fd, to_fd, e);
}

static int copy_link(int from_dir, const char *from, const struct stat *st, int to_dir, const char *to, struct err *e)
{
	const struct timespec times[2] = { st->st_mtim, st->st_mtim };
	char text[LAYER_PATH_MAX + 1];
	ssize_t n = readlinkat(from_dir, from, text, sizeof text - 1);

	if (n < 0)
		return err_sys(e, "read the link");
	text[n] = '\0';
	if (symlinkat(text, to_dir, to) < 0 || fchownat(to_dir, to, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    utimensat(to_dir, to, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "make the link");
	return 0;
}

/* ---- where it is ---- */

/* What the layers below show at @path. @ret_fd: its directory, -1 when there is none. Return: 0, or -1 with @e set */
static int find_below(const struct inherit *h, const char *path, int *ret_fd, struct stat *ret, struct err *e)
{
	AUTO_FREE char *dir = xstrdup(path);
	const char *name = split(dir);

	*ret_fd = -1;
	for (size_t i = 0; i < h->n_lowers; i++) {
		struct inherit_sight s;
		AUTO_CLOSE int fd = -1;

		if (inherit_look(h->lowers[i], name ? dir : "", &s, e) < 0)
			return -1;
		fd = s.fd;
		if (s.what == SEEN_NOTHING)
			continue;
		if (s.what != SEEN_DIR)
			return 0;
		if (fstatat(fd, name ? name : path, ret, AT_SYMLINK_NOFOLLOW) == 0) {
			*ret_fd = TAKE_FD(fd);
			return 0;
		}
		if (errno != ENOENT)
			return err_sys(e, "look for '%.200s' in a layer", path);
		if (s.is_hidden || inherit_is_opaque(fd))
			return 0;
	}
	return 0;
}

static int copy_up(struct linker *l, const char *target, const char *to, struct err *e)
{
	AUTO(inherit_kept_done) struct inherit_kept kept = { .fd = -1 };
	AUTO_CLOSE int from_dir = -1, to_dir = -1;
	const char *from_name = strrchr(target, '/'), *to_name;
	struct stat st;

	from_name = from_name ? from_name + 1 : target;
	if (find_below(l->h, target, &from_dir, &st, e) < 0)
		return -1;
	if (from_dir < 0 || (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode)))
		return err_set(e, ERR_INVALID, "is no file of this layer or of those below");
	if (open_parent(l->h, to, &kept, &to_dir, &to_name, e) < 0)
		return -1;
	if (S_ISLNK(st.st_mode))
		return copy_link(from_dir, from_name, &st, to_dir, to_name, e);
	return copy_file(l, from_dir, from_name, &st, to_dir, to_name, e);
}

/* ---- one link ---- */

enum own { OWN_NOTHING, OWN_WHITEOUT, OWN_FILE };

/* What the layer itself has at @path. Return: 0, or -1 with @e set */
static int own_of(const struct inherit *h, const char *path, enum own *ret, struct err *e)
{
	AUTO_FREE char *dir = xstrdup(path);
	const char *name = split(dir);
	struct inherit_sight s;
	AUTO_CLOSE int fd = -1;
	struct stat st;

	*ret = OWN_NOTHING;
	if (inherit_look(h->layer_fd, name ? dir : "", &s, e) < 0)
		return -1;
	fd = s.fd;
	if (s.what == SEEN_WALL) {
		*ret = OWN_WHITEOUT;   /* of a directory above */
		return 0;
	}
	if (fd < 0 || fstatat(fd, name ? name : path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	*ret = S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0) ? OWN_WHITEOUT : OWN_FILE;
	return 0;
}

static int link_own(const struct inherit *h, const char *target, const char *path, struct err *e)
{
	AUTO(inherit_kept_done) struct inherit_kept kept = { .fd = -1 }, kept_too = { .fd = -1 };
	AUTO_CLOSE int from_dir = -1, to_dir = -1;
	const char *from, *to;

	if (open_parent(h, target, &kept, &from_dir, &from, e) < 0 ||
	    open_parent(h, path, &kept_too, &to_dir, &to, e) < 0)
		return -1;
	return linkat(from_dir, from, to_dir, to, 0) < 0 ? err_sys(e, "link") : 0;
}

static const char *copy_of(const struct linker *l, const char *target)
{
	for (size_t i = 0; i < l->n_copied; i++) {
		if (str_eq(l->copied[i].target, target))
			return l->copied[i].path;
	}
	return NULL;
}

static int make_link(struct linker *l, const char *path, const char *target, struct err *e)
{
	const char *copy = copy_of(l, target);
	enum own own, there;

	if (own_of(l->h, path, &there, e) < 0 || own_of(l->h, target, &own, e) < 0)
		return -1;
	if (there != OWN_NOTHING)
		return 0;
	if (own == OWN_FILE)
		return link_own(l->h, target, path, e);
	if (own == OWN_NOTHING)
		return copy_up(l, target, target, e) < 0 ? -1 : link_own(l->h, target, path, e);
	if (copy)
		return link_own(l->h, copy, path, e);
	if (l->n_copied == COPIES_MAX)
		return err_set(e, ERR_INVALID, "more than %d removed files have hard links", COPIES_MAX);
	if (copy_up(l, target, path, e) < 0)
		return -1;
	l->copied = xrealloc(l->copied, (l->n_copied + 1) * sizeof *l->copied);
	l->copied[l->n_copied++] = (struct copied){ xstrdup(target), xstrdup(path) };
	return 0;
}

/* Where a name of the tar is: through links of the layers below, but not through the last. Return: 0, or -1 with @e set */
static int place_of(const struct inherit *h, const char *escaped, char **ret, struct err *e)
{
	AUTO_FREE char *said = xstrdup(escaped), *now = NULL, *dir = NULL;
	const char *name;

	if (!unpack_path_unescape(said) || !*said)
		return err_set(e, ERR_INTERNAL, "'%.200s': malformed", escaped);
	now = inherit_moved(h, said);
	name = split(now);
	if (name && inherit_resolve(h, now, &dir, e) < 0)
		return -1;
	*ret = name ? xasprintf("%s%s%s", dir ? dir : now, dir && !*dir ? "" : "/", name) : TAKE_PTR(now);
	return 0;
}

int inherit_links(const struct inherit *h, const struct str_list *links, struct err *e)
{
	AUTO(linker_done) struct linker l = { .h = h };

	for (size_t i = 0; i + 1 < links->n; i += 2) {
		AUTO_FREE char *path = NULL, *target = NULL;

		if (place_of(h, links->v[i], &path, e) < 0 || place_of(h, links->v[i + 1], &target, e) < 0)
			return -1;
		if (make_link(&l, path, target, e) < 0)
			return err_wrap(e, "'%.200s': hard link to '%.200s'", links->v[i], links->v[i + 1]);
	}
	return 0;
}
