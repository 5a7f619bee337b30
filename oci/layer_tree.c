/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/layer_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/own.h"
#include "base/path.h"
#include "base/str.h"

void layer_tree_init(struct layer_tree *t, int root_fd, uint64_t max_note_bytes, struct arena *a)
{
	*t = (struct layer_tree){
		.root_fd = root_fd, .arena = a, .note_bytes_left = max_note_bytes, .parent_fd = -1,
	};
}

void layer_tree_done(struct layer_tree *t)
{
	free(t->dirs);
	free(t->opaque);
	free(t->implied);
	free(t->links);
	close_fd(&t->parent_fd);
	*t = (struct layer_tree){ .parent_fd = -1 };
}

/* --- notes ------------------------------------------------------------------------------------------- */

static char *note_path(struct layer_tree *t, const char *path, struct err *e)
{
	size_t n = strlen(path) * 3 + 64;   /* escaping, and the arrays */

	if (n > t->note_bytes_left) {
		err_set(e, ERR_INVALID, "too many directories");
		return NULL;
	}
	t->note_bytes_left -= n;
	return arena_strdup(t->arena, path);
}

int layer_tree_note_dir(struct layer_tree *t, const char *path, int64_t sec, long nsec, struct err *e)
{
	char *kept = note_path(t, path, e);

	if (!kept)
		return -1;
	if (t->n_dirs == t->cap_dirs) {
		t->cap_dirs = t->cap_dirs ? t->cap_dirs * 2 : 64;
		t->dirs = xrealloc(t->dirs, t->cap_dirs * sizeof *t->dirs);
	}
	t->dirs[t->n_dirs++] = (struct layer_dir_note){ kept, sec, nsec };
	return 0;
}

static int note(struct layer_tree *t, char ***list, size_t *n, size_t *cap, const char *path, struct err *e)
{
	char *kept = note_path(t, path, e);

	if (!kept)
		return -1;
	if (*n == *cap) {
		*cap = *cap ? *cap * 2 : 16;
		*list = xrealloc(*list, *cap * sizeof **list);
	}
	(*list)[(*n)++] = kept;
	return 0;
}

int layer_tree_note_opaque(struct layer_tree *t, const char *path, struct err *e)
{
	return note(t, &t->opaque, &t->n_opaque, &t->cap_opaque, path, e);
}

int layer_tree_note_link(struct layer_tree *t, const char *path, const char *target, struct err *e)
{
	if (t->n_links == 2 * (size_t)LAYER_LINKS_MAX)
		return err_set(e, ERR_INVALID, "'%.200s': more than %d hard links to files of the layers below", path,
			       LAYER_LINKS_MAX);
	if (note(t, &t->links, &t->n_links, &t->cap_links, path, e) < 0)
		return -1;
	return note(t, &t->links, &t->n_links, &t->cap_links, target, e);
}

/* --- parents ----------------------------------------------------------------------------------------- */

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static int note_implied(struct layer_tree *t, const char *path, struct err *e)
{
	if (t->n_implied == LAYER_IMPLIED_MAX)
		return err_set(e, ERR_INVALID, "'%.200s': more than %d directories that no entry describes", path,
			       LAYER_IMPLIED_MAX);
	return note(t, &t->implied, &t->n_implied, &t->cap_implied, path, e);
}

/* A parent that no entry described. A whiteout in its way means: of the directory below, nothing stays */
static int make_parent(struct layer_tree *t, int dir_fd, const char *name, const char *path, struct err *e)
{
	struct stat st;

	if (mkdirat(dir_fd, name, 0755) == 0)
		return note_implied(t, path, e);
	if (errno != EEXIST)
		return err_sys(e, "create directory '%.200s'", path);
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "look at '%.200s'", path);
	if (!is_whiteout(&st))
		return err_set(e, ERR_INVALID, "'%.200s' is not a directory, but has entries below it", path);
	if (unlinkat(dir_fd, name, 0) < 0 || mkdirat(dir_fd, name, 0755) < 0)
		return err_sys(e, "create directory '%.200s'", path);
	return layer_tree_note_opaque(t, path, e);
}

/* Can what could not be opened be made, or be put in the place of what is there? Anything else is no matter of the layer's. */
static bool may_be_made(const struct err *why)
{
	return why->sys == ENOENT || why->sys == ENOTDIR || why->sys == ELOOP;
}

/* Walk down from the root, making what is missing; links within the layer are followed below its root */
static int make_parents(struct layer_tree *t, char *path, int *ret_fd, struct err *e)
{
	AUTO_CLOSE int fd = -1;
	size_t from = 0;

	if (path_open_in_root(t->root_fd, ".", O_PATH | O_DIRECTORY, 0, &fd, e) < 0)
		return -1;
	for (;;) {
		size_t n = strcspn(path + from, "/");
		char end = path[from + n];
		int next = -1;

		path[from + n] = '\0';
		if (path_open_in_root(t->root_fd, path, O_PATH | O_DIRECTORY, 0, &next, e) < 0) {
			if (!may_be_made(e) || make_parent(t, fd, path + from, path, e) < 0 ||
			    path_open_in_root(t->root_fd, path, O_PATH | O_DIRECTORY, 0, &next, e) < 0)
				return -1;
		}
		path[from + n] = end;
		close_fd(&fd);
		fd = next;
		if (end == '\0')
			break;
		from += n + 1;
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int open_parent(struct layer_tree *t, char *parent, struct err *e)
{
	int fd = -1;

	if (path_open_in_root(t->root_fd, *parent ? parent : ".", O_PATH | O_DIRECTORY, 0, &fd, e) < 0 &&
	    (!may_be_made(e) || make_parents(t, parent, &fd, e) < 0))
		return -1;
	close_fd(&t->parent_fd);
	t->parent_fd = fd;
	t->is_parent_stale = false;
	return 0;
}

int layer_tree_place(struct layer_tree *t, const char *path, struct layer_place *ret, struct err *e)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;

	if (t->parent_fd < 0 || t->is_parent_stale || strncmp(t->parent, path, n) != 0 || t->parent[n] != '\0') {
		memcpy(t->parent, path, n);
		t->parent[n] = '\0';
		t->is_parent_stale = true;
		if (open_parent(t, t->parent, e) < 0)
			return -1;
	}
	*ret = (struct layer_place){ t->parent_fd, slash ? slash + 1 : path, path };
	return 0;
}

void layer_tree_enter(struct layer_tree *t, const char *path, int fd)
{
	close_fd(&t->parent_fd);
	t->parent_fd = fd;
	t->is_parent_stale = false;
	memcpy(t->parent, path, strlen(path) + 1);
}

int layer_tree_clear(struct layer_tree *t, const struct layer_place *at, bool keep_dir,
		     enum layer_cleared *ret, struct err *e)
{
	struct stat st;

	*ret = LAYER_CLEARED_NOTHING;
	if (fstatat(at->parent_fd, at->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "look at '%.200s'", at->path);
	if (S_ISDIR(st.st_mode) && keep_dir) {
		*ret = LAYER_KEPT_DIR;
		return 0;
	}
	t->is_parent_stale = true;
	*ret = is_whiteout(&st) ? LAYER_CLEARED_WHITEOUT : LAYER_CLEARED_SOMETHING;
	if (S_ISDIR(st.st_mode))
		return path_remove_tree(at->parent_fd, at->name, e);
	if (unlinkat(at->parent_fd, at->name, 0) < 0)
		return err_sys(e, "replace '%.200s'", at->path);
	return 0;
}

/* --- the end ----------------------------------------------------------------------------------------- */

/* Later entries may have replaced the directory by something else: then there is no time to set */
static int set_dir_time(struct layer_tree *t, const struct layer_dir_note *d, struct err *e)
{
	const struct timespec times[2] = { { .tv_sec = d->mtime_sec, .tv_nsec = d->mtime_nsec },
					   { .tv_sec = d->mtime_sec, .tv_nsec = d->mtime_nsec } };
	AUTO_CLOSE int fd = -1;

	if (path_open_in_root(t->root_fd, *d->path ? d->path : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0,
			      &fd, ERR_IGNORED) < 0)
		return 0;
	if (futimens(fd, times) < 0)
		return err_sys(e, "set time of '%.200s'", d->path);
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Those that no entry described later; the root is one, too */
static void find_implied(const struct layer_tree *t, struct str_list *ret)
{
	AUTO_FREE char **told = xcalloc(t->n_dirs + 1, sizeof *told);
	char *root = arena_strdup(t->arena, "");

	for (size_t i = 0; i < t->n_dirs; i++)
		told[i] = t->dirs[i].path;
	qsort(told, t->n_dirs, sizeof *told, by_text);
	ret->n = 0;
	ret->v = arena_new_array(t->arena, char *, t->n_implied + 1);
	if (!bsearch(&root, told, t->n_dirs, sizeof *told, by_text))
		ret->v[ret->n++] = root;
	for (size_t i = 0; i < t->n_implied; i++)
		if (!bsearch(&t->implied[i], told, t->n_dirs, sizeof *told, by_text))
			ret->v[ret->n++] = unpack_path_escape(t->implied[i], t->arena);
}

static void escape_all(const struct layer_tree *t, char *const *paths, size_t n, struct str_list *ret)
{
	ret->n = n;
	ret->v = arena_new_array(t->arena, char *, n + 1);
	for (size_t i = 0; i < n; i++)
		ret->v[i] = unpack_path_escape(paths[i], t->arena);
}

int layer_tree_finish(struct layer_tree *t, struct unpack_layer *ret, struct err *e)
{
	/* A layer that does not tell its root is the same whenever it is unpacked, as umoci's is; one below may tell it */
	const struct layer_dir_note root = { .path = (char *)"" };

	if (set_dir_time(t, &root, e) < 0)
		return -1;
	/* Of one path the last entry counts */
	for (size_t i = 0; i < t->n_dirs; i++)
		if (set_dir_time(t, &t->dirs[i], e) < 0)
			return -1;
	escape_all(t, t->opaque, t->n_opaque, &ret->opaque);
	escape_all(t, t->links, t->n_links, &ret->links);
	find_implied(t, &ret->implied);
	return 0;
}
