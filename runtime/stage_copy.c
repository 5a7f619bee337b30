/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tmpcopyup: what the image has at the place of a tmpfs is copied into it before it hides it.
 *
 * Directories, regular files and symbolic links, with owner and mode; what else there is (devices, sockets, FIFOs) is left out.
 *
 * Must: take every step by descriptor and without following a link, for the image's tree is anybody's, and may be exchanged meanwhile.
 * Must not: be endless: the file system bounds the bytes, STAGE_COPY_DEPTH the levels.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/stages.h"

#define STAGE_COPY_DEPTH 64
#define STAGE_COPY_CHUNK (1u << 24)

/* What is copied, for messages. */
struct stage_copy {
	const struct stage_ctx *c;
	const char *place;
};

/* The kernel's struct linux_dirent64. */
struct stage_dirent {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

static _Noreturn void stage_copy_failed(const struct stage_copy *k, const char *what, const char *name)
{
	stage_die(k->c, "copy '", k->place, "' into its tmpfs: ", what, " '", name, "'", NULL);
}

static void stage_copy_bytes(const struct stage_copy *k, int from, int to, const char *name)
{
	long n;

	do
		n = syscall(SYS_sendfile, to, from, NULL, (size_t)STAGE_COPY_CHUNK);
	while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		stage_copy_failed(k, "copy", name);
}

static void stage_copy_file(const struct stage_copy *k, int from_dir, int to_dir, const char *name)
{
	/* It may have become a FIFO meanwhile */
	int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	int to;

	if (from < 0 || fstat(from, &st) < 0)
		stage_copy_failed(k, "open", name);
	if (S_ISREG(st.st_mode)) {
		to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (to < 0)
			stage_copy_failed(k, "make", name);
		stage_copy_bytes(k, from, to, name);
		if (fchown(to, st.st_uid, st.st_gid) < 0 || fchmod(to, st.st_mode & 07777) < 0)
			stage_copy_failed(k, "give away", name);
		stage_close(to);
	}
	stage_close(from);
}

static void stage_copy_link(const struct stage_copy *k, int from_dir, int to_dir, const char *name, const struct stat *st)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from_dir, name, target, sizeof(target) - 1);

	if (n < 0)
		stage_copy_failed(k, "read", name);
	target[n] = '\0';
	if (symlinkat(target, to_dir, name) < 0 || fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		stage_copy_failed(k, "make", name);
}

static void stage_copy_dir(const struct stage_copy *k, int from, int to, unsigned depth);

static void stage_copy_below(const struct stage_copy *k, int from_dir, int to_dir, const char *name, const struct stat *st, unsigned depth)
{
	int from = openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), to;

	if (depth == STAGE_COPY_DEPTH)
		stage_refuse(k->c, ERR_INVALID, 125, 0, "copy '", k->place, "' into its tmpfs: too many levels of directories", NULL);
	if (from < 0)
		stage_copy_failed(k, "open", name);
	if (mkdirat(to_dir, name, 0700) < 0)
		stage_copy_failed(k, "make", name);
	to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		stage_copy_failed(k, "open", name);
	stage_copy_dir(k, from, to, depth + 1);
	if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0)
		stage_copy_failed(k, "give away", name);
	stage_close(to);
	stage_close(from);
}

static void stage_copy_one(const struct stage_copy *k, int from, int to, const char *name, unsigned depth)
{
	struct stat st;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return;
	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		stage_copy_failed(k, "look at", name);
	if (S_ISDIR(st.st_mode))
		stage_copy_below(k, from, to, name, &st, depth);
	else if (S_ISREG(st.st_mode))
		stage_copy_file(k, from, to, name);
	else if (S_ISLNK(st.st_mode))
		stage_copy_link(k, from, to, name, &st);
}

static void stage_copy_dir(const struct stage_copy *k, int from, int to, unsigned depth)
{
	char buffer[4096] __attribute__((aligned(8)));
	long n;

	while ((n = syscall(SYS_getdents64, from, buffer, sizeof(buffer))) > 0)
		for (long at = 0; at < n;) {
			const struct stage_dirent *d = (const void *)(buffer + at);

			stage_copy_one(k, from, to, d->name, depth);
			at += d->reclen;
		}
	if (n < 0)
		stage_copy_failed(k, "read", ".");
}

void stage_copy_up(const struct stage_ctx *c, const struct mount_op *op, int target_fd, int mount_fd)
{
	const struct stage_copy k = { .c = c, .place = op->target };
	/* Both are descriptors that only name a place */
	int from = openat(target_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int to = openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (from < 0 || to < 0 || fstat(from, &st) < 0)
		stage_copy_failed(&k, "open", op->target);
	stage_copy_dir(&k, from, to, 0);
	if (fchown(to, st.st_uid, st.st_gid) < 0 || (!op->has_mode && fchmod(to, st.st_mode & 07777) < 0))
		stage_copy_failed(&k, "give away", op->target);
	stage_close(to);
	stage_close(from);
}
