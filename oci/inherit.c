/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/defence.h"
#include "base/own.h"
#include "base/path.h"
#include "oci/inherit_parts.h"

#define XATTR_NAMES_MAX 65536   /* what the kernel takes, also for a value */
#define LINKS_MAX       40      /* as the kernel follows */
#define MOVES_MAX       1024

/* --- what shows -------------------------------------------------------------------------------------- */

bool inherit_is_opaque(int fd)
{
	char value[2];

	return fgetxattr(fd, "trusted.overlay.opaque", value, sizeof value) > 0;
}

static int not_a_dir(struct inherit_sight *s, int fd, const char *name, bool is_last, const char *path, struct err *e)
{
	int why = errno;
	ssize_t n;

	s->what = SEEN_WALL;
	if (why == ENOENT && !s->is_hidden)
		s->what = SEEN_NOTHING;
	else if (why != ENOENT && why != ENOTDIR && why != ELOOP)
		return err_sys(e, "look for '%.200s' in a layer", path);
	if (why == ENOENT || !is_last)
		return 0;
	n = readlinkat(fd, name, s->link, sizeof s->link - 1);
	if (n > 0) {
		s->link[n] = '\0';
		s->what = SEEN_LINK;
	}
	return 0;
}

/* Walk down one layer to @path. Whiteouts, files and links on the way are walls; so is an opaque directory to what it has not */
int inherit_look(int root_fd, const char *path, struct inherit_sight *s, struct err *e)
{
	AUTO_FREE char *rest = xstrdup(path);
	AUTO_CLOSE int fd = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *save = NULL, *name = strtok_r(rest, "/", &save);

	s->fd = -1;
	s->is_hidden = false;
	if (fd < 0)
		return err_sys(e, "open a layer");
	while (name) {
		char *after = strtok_r(NULL, "/", &save);
		int next;

		if (!path_is_name(name))
			return err_set(e, ERR_INTERNAL, "directory '%.200s': malformed", path);
		s->is_hidden |= inherit_is_opaque(fd);
		next = openat(fd, name, O_RDONLY | O_DIRECTORY | DEFENCE(BELOW_BY_FD, O_NOFOLLOW, 0) | O_NONBLOCK | O_CLOEXEC);
		if (next < 0)
			return not_a_dir(s, fd, name, !after, path, e);
		close_fd(&fd);
		fd = next;
		name = after;
	}
	s->what = SEEN_DIR;
	s->fd = TAKE_FD(fd);
	return 0;
}

/* What all layers below show at @path: SEEN_NOTHING when none has it */
static int look_below(const struct inherit *h, const char *path, struct inherit_sight *s, struct err *e)
{
	s->what = SEEN_NOTHING;
	s->fd = -1;
	for (size_t i = 0; i < h->n_lowers && s->what == SEEN_NOTHING; i++) {
		if (inherit_look(h->lowers[i], path, s, e) < 0)
			return -1;
	}
	return 0;
}

/*
 * Where @path leads through the links of the layers below, below their root. What is not there is taken as it is said.
 * @ret: owned; NULL when the links lead in circles
 */
int inherit_resolve(const struct inherit *h, const char *path, char **ret, struct err *e)
{
	AUTO_FREE char *rest = xstrdup(path), *done = xstrdup("");

	for (int hops = 0; *rest;) {
		size_t n = strcspn(rest, "/");
		AUTO_FREE char *name = xasprintf("%.*s", (int)n, rest);
		AUTO_FREE char *here = xasprintf("%s%s%s", done, *done ? "/" : "", name);
		AUTO_FREE char *after = xstrdup(rest + n + (rest[n] == '/'));
		struct inherit_sight s;

		free(rest);
		rest = TAKE_PTR(after);
		if (!*name || str_eq(name, "."))
			continue;
		if (str_eq(name, "..")) {
			char *slash = strrchr(done, '/');

			*(slash ? slash : done) = '\0';
			continue;
		}
		if (look_below(h, here, &s, e) < 0)
			return -1;
		close_fd(&s.fd);
		if (s.what != SEEN_LINK) {
			free(done);
			done = TAKE_PTR(here);
			continue;
		}
		if (++hops > LINKS_MAX || strlen(rest) + strlen(s.link) > 2 * LAYER_PATH_MAX) {
			*ret = NULL;
			return 0;
		}
		after = xasprintf("%s/%s", s.link, rest);
		free(rest);
		rest = TAKE_PTR(after);
		if (s.link[0] == '/')
			*done = '\0';
	}
	*ret = TAKE_PTR(done);
	return 0;
}

/* --- what is taken from it --------------------------------------------------------------------------- */

static int copy_xattrs(int from_fd, int to_fd, struct err *e)
{
	AUTO_FREE char *names = xmalloc(XATTR_NAMES_MAX), *value = xmalloc(XATTR_NAMES_MAX);
	ssize_t n = flistxattr(from_fd, names, XATTR_NAMES_MAX);

	if (n < 0)
		return errno == EOPNOTSUPP ? 0 : err_sys(e, "list attributes");
	for (const char *name = names; name < names + n; name += strlen(name) + 1) {
		ssize_t len;

		if (str_starts(name, "trusted.overlay.") || str_eq(name, "security.selinux"))
			continue;
		len = fgetxattr(from_fd, name, value, XATTR_NAMES_MAX);
		if (len < 0 || fsetxattr(to_fd, name, value, (size_t)len, 0) < 0)
			return err_sys(e, "copy attribute '%.80s'", name);
	}
	return 0;
}

int inherit_copy_meta(int from_fd, int to_fd, struct err *e)
{
	struct timespec times[2];
	struct stat st;

	if (fstat(from_fd, &st) < 0)
		return err_sys(e, "look");
	times[0] = times[1] = st.st_mtim;
	if (fchown(to_fd, st.st_uid, st.st_gid) < 0 || fchmod(to_fd, st.st_mode & 07777) < 0)
		return err_sys(e, "set owner and mode");
	if (copy_xattrs(from_fd, to_fd, e) < 0)
		return -1;
	return futimens(to_fd, times) < 0 ? err_sys(e, "set time") : 0;
}

/* --- what is said of directories that are links below ------------------------------------------------- */

static void inherit_done(struct inherit *h)
{
	for (size_t i = 0; i < h->n_moves; i++) {
		free(h->moves[i].from);
		free(h->moves[i].to);
	}
	free(h->moves);
}

char *inherit_moved(const struct inherit *h, const char *path)
{
	char *now = xstrdup(path);

	for (size_t i = 0; i < h->n_moves; i++) {
		size_t n = strlen(h->moves[i].from);
		char *next;

		if (strncmp(now, h->moves[i].from, n) != 0 || (now[n] != '/' && now[n] != '\0'))
			continue;
		next = xasprintf("%s%s", h->moves[i].to, now + n);
		free(now);
		now = next;
	}
	return now;
}

static int inherit_one(const struct inherit *h, const char *path, bool *ret_is_link, struct err *e)
{
	AUTO_CLOSE int own_fd = -1, from_fd = -1;
	struct inherit_sight s;

	*ret_is_link = false;
	/* A later entry of the layer put something else there, or hides all that is below */
	if (inherit_look(h->layer_fd, path, &s, e) < 0)
		return -1;
	own_fd = s.fd;
	if (s.what != SEEN_DIR || s.is_hidden)
		return 0;
	if (look_below(h, path, &s, e) < 0)
		return -1;
	from_fd = s.fd;
	*ret_is_link = s.what == SEEN_LINK;
	return s.what == SEEN_DIR ? inherit_copy_meta(from_fd, own_fd, e) : 0;
}

int inherit_made(const struct inherit *h, const char *path, size_t n, struct err *e)
{
	AUTO_FREE char *each = xstrdup(path);
	bool is_link;

	for (; n > 0; n--) {
		char *slash = strrchr(each, '/');

		if (inherit_one(h, each, &is_link, e) < 0)
			return -1;
		*(slash ? slash : each) = '\0';
	}
	return 0;
}

/* The layers below have a link where this one implies a directory: what is in it belongs to where the link leads */
static int follow_link(struct inherit *h, const char *path, struct err *e)
{
	AUTO_FREE char *to = NULL;
	struct inherit_sight s;
	size_t n_made;

	if (inherit_resolve(h, path, &to, e) < 0)
		return -1;
	if (!to || !*to)
		return 0;
	if (look_below(h, to, &s, e) < 0)
		return -1;
	close_fd(&s.fd);
	/* A link to a file: the directory takes its place, as it says */
	if (s.what != SEEN_DIR && s.what != SEEN_NOTHING)
		return 0;
	if (h->n_moves == MOVES_MAX)
		return err_set(e, ERR_INVALID, "more than %d links of the layers below have entries", MOVES_MAX);
	if (inherit_move(h->layer_fd, path, to, &n_made, e) < 0)
		return -1;
	h->moves = xrealloc(h->moves, (h->n_moves + 1) * sizeof *h->moves);
	h->moves[h->n_moves++] = (struct inherit_moved){ xstrdup(path), xstrdup(to) };
	return inherit_made(h, to, n_made, e);
}

static int inherit_dirs(struct inherit *h, const struct str_list *implied, struct err *e)
{
	for (size_t i = 0; i < implied->n; i++) {
		AUTO_FREE char *said = xstrdup(implied->v[i]), *path = NULL;
		bool is_link = false;

		if (!unpack_path_unescape(said))
			return err_set(e, ERR_INTERNAL, "directory '%.200s': malformed", implied->v[i]);
		path = inherit_moved(h, said);
		if (inherit_one(h, path, &is_link, e) < 0 || (is_link && follow_link(h, path, e) < 0))
			return err_wrap(e, "directory '/%.200s' as the layers below have it", implied->v[i]);
	}
	return 0;
}

int inherit_layer(int layer_fd, const int *lowers, size_t n_lowers, const struct unpack_layer *told, struct err *e)
{
	AUTO(inherit_done) struct inherit h = { .layer_fd = layer_fd, .lowers = lowers, .n_lowers = n_lowers };

	return inherit_dirs(&h, &told->implied, e) < 0 ? -1 : inherit_links(&h, &told->links, e);
}
