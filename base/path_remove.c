/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path_remove_tree(). Theory of operation
 *
 * The tree may have been written by a container: any depth, any name, links, and somebody may still be
 * renaming in it. So the walk is a loop with its stack on the heap, and goes by descriptors: down by
 * openat2 that follows no link and enters no mount, not even a bind mount of the same file system; up by
 * the parent's descriptor. Only the OPEN_LEVELS innermost directories stay open; the parent of the
 * outermost of them is opened again by "..", and must be the directory that we came from, or we stop.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "base/path.h"

#define OPEN_LEVELS   32u /* descriptors at a time */
#define MAX_REFILLS   8u  /* how often a directory that fills up again is emptied again */
#define OPENAT2_TRIES 64

struct level {
	DIR *dir;   /* owned; NULL: closed to save descriptors */
	char *name; /* owned; in the level above */
	dev_t dev;
	ino_t ino;
	unsigned n_refills;
};

struct walk {
	struct level *levels; /* [0] is the top of the tree */
	size_t n;
	size_t cap;
};

static void level_done(struct level *l)
{
	auto_dir_(&l->dir);
	free(TAKE_PTR(l->name));
}

static void walk_done(struct walk *w)
{
	for (size_t i = 0; i < w->n; i++)
		level_done(&w->levels[i]);
	free(w->levels);
	*w = (struct walk){ 0 };
}

static int open_same_mount(int dirfd, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
	};
	int fd = -1;

	for (int i = 0; i < OPENAT2_TRIES; i++) {
		fd = (int)syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return fd;
}

/* Put a directory on the stack. Takes fd, also on failure. */
static int push(struct walk *w, int fd, const char *name, unsigned n_refills, struct err *e)
{
	AUTO_CLOSE int dir_fd = fd;
	struct level l = { .n_refills = n_refills };
	struct stat st;

	if (fstat(dir_fd, &st) < 0)
		return err_sys(e, "stat '%s'", name);
	l.dir = fdopendir(dir_fd);
	if (l.dir == NULL)
		return err_sys(e, "read directory '%s'", name);
	dir_fd = -1;
	l.name = xstrdup(name);
	l.dev = st.st_dev;
	l.ino = st.st_ino;

	if (w->n == w->cap) {
		w->cap = w->cap > 0 ? w->cap * 2 : OPEN_LEVELS;
		w->levels = xrealloc(w->levels, w->cap * sizeof(*w->levels));
	}
	w->levels[w->n++] = l;
	if (w->n > OPEN_LEVELS)
		auto_dir_(&w->levels[w->n - 1 - OPEN_LEVELS].dir);
	return 0;
}

/* Open the level above the innermost one again, and prove that it is the one we came from. */
static int reopen_parent(struct walk *w, struct err *e)
{
	struct level *child = &w->levels[w->n - 1];
	struct level *parent = child - 1;
	AUTO_CLOSE int fd = -1;
	struct stat st;

	fd = open_same_mount(dirfd(child->dir), "..");
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "open the parent of '%s'", child->name);
	if (st.st_dev != parent->dev || st.st_ino != parent->ino)
		return err_set(e, ERR_CONFLICT, "'%s' was moved while it was being removed",
			       child->name);
	parent->dir = fdopendir(fd);
	if (parent->dir == NULL)
		return err_sys(e, "read directory '%s'", parent->name);
	fd = -1;
	return 0;
}

/*
 * Remove one entry: 1 when it is a directory that is on the stack now, 0 when it is gone.
 * The type that readdir told is only a hint; the system calls decide.
 */
static int remove_entry(struct walk *w, int dir_fd, const char *name, bool is_dir_hint,
			unsigned n_refills, struct err *e)
{
	int fd;

	if (!is_dir_hint) {
		if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
			return 0;
		if (errno != EISDIR)
			return err_sys(e, "'%s'", name);
	}
	fd = open_same_mount(dir_fd, name);
	if (fd >= 0)
		return push(w, fd, name, n_refills, e) < 0 ? -1 : 1;
	if (errno == ENOENT)
		return 0;
	if (errno == EXDEV)
		return err_set(e, ERR_CONFLICT, "'%s' is a mount point", name);
	if (errno != ENOTDIR && errno != ELOOP)
		return err_sys(e, "'%s'", name);
	if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
		return err_sys(e, "'%s'", name);
	return 0;
}

/* Empty the innermost directory until a directory is met, which is pushed (1), or the end (0). */
static int empty_level(struct walk *w, struct err *e)
{
	DIR *dir = w->levels[w->n - 1].dir;

	for (;;) {
		struct dirent *d;
		int rc;

		errno = 0;
		d = readdir(dir);
		if (d == NULL)
			return errno == 0
				       ? 0
				       : err_sys(e, "read directory '%s'", w->levels[w->n - 1].name);
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		rc = remove_entry(w, dirfd(dir), d->d_name, d->d_type == DT_DIR, 0, e);
		if (rc != 0)
			return rc;
	}
}

/* The innermost directory is empty: remove it from the one above (or from top_fd) and go up. */
static int pop(struct walk *w, int top_fd, struct err *e)
{
	struct level done;
	int parent_fd = top_fd;
	int rc = 0;

	if (w->n > 1 && w->levels[w->n - 2].dir == NULL && reopen_parent(w, e) < 0)
		return -1;
	done = w->levels[--w->n];
	if (w->n > 0)
		parent_fd = dirfd(w->levels[w->n - 1].dir);

	if (unlinkat(parent_fd, done.name, AT_REMOVEDIR) < 0 && errno != ENOENT) {
		/* somebody put something in meanwhile, or the file system skipped entries */
		if ((errno == ENOTEMPTY || errno == EEXIST) && done.n_refills < MAX_REFILLS)
			rc = remove_entry(w, parent_fd, done.name, true, done.n_refills + 1, e);
		else
			rc = err_sys(e, "'%s'", done.name);
	}
	level_done(&done);
	return rc < 0 ? -1 : 0;
}

/* The top: 1 when it is on the stack, 0 when nothing is left to do. */
static int open_top(struct walk *w, int dirfd_, const char *name, struct err *e)
{
	struct statx stx;
	int fd;

	if (unlinkat(dirfd_, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return err_sys(e, "remove '%s'", name);
	/* our own path to the tree may cross mounts and links; the tree itself may not be a mount */
	fd = openat(dirfd_, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "remove '%s'", name);
	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &stx) == 0 &&
	    (stx.stx_attributes_mask & stx.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0) {
		close_fd(&fd);
		return err_set(e, ERR_CONFLICT, "'%s' is a mount point", name);
	}
	return push(w, fd, name, 0, e) < 0 ? -1 : 1;
}

int path_remove_tree(int dirfd, const char *name, struct err *e)
{
	AUTO(walk_done) struct walk w = { 0 };
	int rc = open_top(&w, dirfd, name, e);

	while (rc >= 0 && w.n > 0) {
		rc = empty_level(&w, e);
		if (rc == 0)
			rc = pop(&w, dirfd, e);
	}
	return rc < 0 ? err_wrap(e, "remove tree '%s'", name) : 0;
}
