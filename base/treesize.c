/* SPDX-License-Identifier: Apache-2.0 */
#include "base/treesize.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"

/* A file with more than one name */
struct linked {
	dev_t dev;
	ino_t ino;
	int64_t bytes;
};

struct count {
	int64_t bytes;
	size_t n_entries;
	struct linked *linked;
	size_t n_linked;
};

static void add_linked(struct count *c, const struct stat *st)
{
	if ((c->n_linked & (c->n_linked - 1)) == 0)   /* grow at powers of two */
		c->linked = xrealloc(c->linked, (c->n_linked ? c->n_linked * 2 : 1) * sizeof(*c->linked));
	c->linked[c->n_linked++] = (struct linked){ st->st_dev, st->st_ino, st->st_size };
}

static int by_inode(const void *a, const void *b)
{
	const struct linked *x = a, *y = b;

	return x->dev != y->dev ? (x->dev > y->dev) - (x->dev < y->dev) : (x->ino > y->ino) - (x->ino < y->ino);
}

static void sum_linked(struct count *c)
{
	if (c->n_linked > 0)
		qsort(c->linked, c->n_linked, sizeof(*c->linked), by_inode);
	for (size_t i = 0; i < c->n_linked; i++)
		if (i == 0 || by_inode(&c->linked[i - 1], &c->linked[i]) != 0)
			c->bytes += c->linked[i].bytes;
}

static int walk(struct count *c, int dir_fd, const char *name, unsigned depth, struct err *e);

static int add_entry(struct count *c, int dir_fd, const char *name, unsigned depth, struct err *e)
{
	struct stat st;

	if (++c->n_entries > TREESIZE_MAX_ENTRIES)
		return err_set(e, ERR_INVALID, "more than %u files", TREESIZE_MAX_ENTRIES);
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "look at a file");
	if (S_ISDIR(st.st_mode))
		return walk(c, dir_fd, name, depth + 1, e);
	if (st.st_nlink > 1)
		add_linked(c, &st);
	else
		c->bytes += st.st_size;
	return 0;
}

static int open_dir(int dir_fd, const char *name, DIR **ret, struct err *e)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open a directory");
	*ret = fdopendir(fd);
	if (*ret)
		return 0;
	err_sys(e, "read a directory");
	close(fd);
	return -1;
}

static int walk(struct count *c, int dir_fd, const char *name, unsigned depth, struct err *e)
{
	struct dirent *d;
	DIR *dir = NULL;
	int rc = 0;

	if (depth > TREESIZE_MAX_DEPTH)
		return err_set(e, ERR_INVALID, "more than %d directories within each other", TREESIZE_MAX_DEPTH);
	if (open_dir(dir_fd, name, &dir, e) < 0)
		return depth > 0 && (e->sys == ENOENT || e->sys == ENOTDIR || e->sys == ELOOP) ? 0 : -1;   /* gone, or another thing by now */
	while (rc == 0 && (d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			rc = add_entry(c, dirfd(dir), d->d_name, depth, e);
	closedir(dir);
	return rc;
}

int treesize(const char *path, int64_t *ret_bytes, struct err *e)
{
	struct count c = {0};
	int rc = walk(&c, AT_FDCWD, path, 0, e);

	if (rc == 0) {
		sum_linked(&c);
		*ret_bytes = c.bytes;
	}
	free(c.linked);
	return rc;
}
