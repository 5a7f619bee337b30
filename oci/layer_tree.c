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

int layer_tree_note_opaque(struct layer_tree *t, const char *path, struct err *e)
{
	char *kept = note_path(t, path, e);

	if (!kept)
		return -1;
	if (t->n_opaque == t->cap_opaque) {
		t->cap_opaque = t->cap_opaque ? t->cap_opaque * 2 : 16;
		t->opaque = xrealloc(t->opaque, t->cap_opaque * sizeof *t->opaque);
	}
	t->opaque[t->n_opaque++] = kept;
	return 0;
}

/* --- parents ----------------------------------------------------------------------------------------- */

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

/* A parent that no entry described. A whiteout in its way means: of the directory below, nothing stays */
static int make_parent(struct layer_tree *t, int dir_fd, const char *name, const char *path, struct err *e)
{
	struct stat st;

	if (mkdirat(dir_fd, name, 0755) == 0)
		return 0;
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
			if (make_parent(t, fd, path + from, path, e) < 0 ||
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

	if (path_open_in_root(t->root_fd, *parent ? parent : ".", O_PATH | O_DIRECTORY, 0, &fd, ERR_IGNORED) < 0 &&
	    make_parents(t, parent, &fd, e) < 0)
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

int layer_tree_finish(struct layer_tree *t, struct str_list *ret_opaque, struct err *e)
{
	/* Of one path the last entry counts */
	for (size_t i = 0; i < t->n_dirs; i++)
		if (set_dir_time(t, &t->dirs[i], e) < 0)
			return -1;
	ret_opaque->n = t->n_opaque;
	ret_opaque->v = arena_new_array(t->arena, char *, t->n_opaque + 1);
	for (size_t i = 0; i < t->n_opaque; i++)
		ret_opaque->v[i] = unpack_path_escape(t->opaque[i], t->arena);
	return 0;
}
