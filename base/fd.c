/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"

#define BESIDE_ENDING ".tmp"

#define READ_MIN_BYTES    4096u
#define WRITE_BEHIND_FROM (1u << 20)

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

int fd_write_all(int fd, const void *data, size_t n, struct err *e)
{
	const char *p = data;

	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_sys(e, "write %zu bytes", n);
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

/* The first allocation: the file's size where it has one (files of /proc say 0), within the limit. */
static size_t first_capacity(int fd, size_t max_bytes)
{
	struct stat st;
	size_t cap = READ_MIN_BYTES;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    (uintmax_t)st.st_size < SIZE_MAX / 4)
		cap = (size_t)st.st_size + 2;
	/* one byte more than allowed shows that there is too much, one is for the NUL */
	return cap < max_bytes + 2 ? cap : max_bytes + 2;
}

int fd_read_all(int fd, size_t max_bytes, char **ret_data, size_t *ret_n, struct err *e)
{
	AUTO_FREE char *data = NULL;
	size_t cap;
	size_t n = 0;

	BUG(max_bytes > SIZE_MAX / 4, "limit of %zu bytes", max_bytes);
	cap = first_capacity(fd, max_bytes);
	data = xmalloc(cap);
	for (;;) {
		ssize_t got = read(fd, data + n, cap - 1 - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(e, "read");
		if (got == 0)
			break;
		n += (size_t)got;
		if (n > max_bytes)
			return err_set(e, ERR_INVALID, "larger than %zu bytes", max_bytes);
		if (n == cap - 1) {
			cap = cap * 2 < max_bytes + 2 ? cap * 2 : max_bytes + 2;
			data = xrealloc(data, cap);
		}
	}
	data[n] = '\0';
	*ret_data = TAKE_PTR(data);
	if (ret_n != NULL)
		*ret_n = n;
	return 0;
}

int file_read(int dirfd, const char *name, size_t max_bytes, char **ret_data, size_t *ret_n,
	      struct err *e)
{
	AUTO_CLOSE int fd = -1;

	fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	if (fd < 0)
		return err_sys(e, "open '%s'", name);
	if (fd_read_all(fd, max_bytes, ret_data, ret_n, e) < 0)
		return err_wrap(e, "'%s'", name);
	return 0;
}

/* A name beside the wanted one that no other thread or process uses; a left-over of a dead one is removed. */
static int open_beside(int dirfd, const char *name, char **ret_beside, int *ret_fd, struct err *e)
{
	static atomic_uint counter;
	AUTO_FREE char *beside = NULL;
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
	int fd;

	beside = xasprintf("%s.%d-%u" BESIDE_ENDING, name, (int)getpid(), atomic_fetch_add(&counter, 1));
	fd = openat(dirfd, beside, flags, 0600);
	if (fd < 0 && errno == EEXIST && unlinkat(dirfd, beside, 0) == 0)
		fd = openat(dirfd, beside, flags, 0600);
	if (fd < 0)
		return err_sys(e, "create '%s'", beside);
	*ret_beside = TAKE_PTR(beside);
	*ret_fd = fd;
	return 0;
}

static int fill_and_rename(int dirfd, const char *beside, const char *name, int fd,
			   const void *data, size_t n, mode_t mode, struct err *e)
{
	if (fd_write_all(fd, data, n, e) < 0)
		return err_wrap(e, "'%s'", beside);
	if (fchmod(fd, mode) < 0)
		return err_sys(e, "change mode of '%s'", beside);
	if (renameat(dirfd, beside, dirfd, name) < 0)
		return err_sys(e, "rename '%s' to '%s'", beside, name);
	return 0;
}

int file_replace(int dirfd, const char *name, const void *data, size_t n, mode_t mode, struct err *e)
{
	AUTO_FREE char *beside = NULL;
	AUTO_CLOSE int fd = -1;

	if (open_beside(dirfd, name, &beside, &fd, e) < 0)
		return -1;
	if (fill_and_rename(dirfd, beside, name, fd, data, n, mode, e) < 0) {
		unlinkat(dirfd, beside, 0);
		return -1;
	}
	return 0;
}

void file_replace_sweep(int dirfd, const char *dir)
{
	AUTO_DIR DIR *d = NULL;
	struct dirent *de;
	int fd = openat(dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	d = fd < 0 ? NULL : fdopendir(fd);
	if (fd >= 0 && !d)
		close(fd);
	while (d && (de = readdir(d))) {
		if (str_ends(de->d_name, BESIDE_ENDING))
			unlinkat(fd, de->d_name, 0);
	}
}

static rlim_t files_max(void)
{
	struct rlimit files;

	return getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_cur : RLIM_INFINITY;
}

bool fd_leaves_spare(int fd)
{
	return (rlim_t)fd + FD_SPARE < files_max();
}

int fd_check_spare(struct err *e)
{
	AUTO_CLOSE int fd = open("/", O_PATH | O_CLOEXEC);

	if (fd >= 0 && fd_leaves_spare(fd))
		return 0;
	if (fd < 0 && errno != EMFILE)
		return err_sys(e, "open '/'");
	err_set(e, ERR_SYSTEM, "too many open files: of %llu the last %d are kept for what ends something; raise the limit (LimitNOFILE=)",
		(unsigned long long)files_max(), FD_SPARE);
	e->sys = EMFILE;
	return -1;
}

void fd_write_behind(int fd, uint64_t n_bytes)
{
	if (n_bytes >= WRITE_BEHIND_FROM)
		(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

int fd_set_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -1;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) < 0 ? -1 : 0;
}

int fd_pipe(int ret_fds[2], int extra_flags)
{
	return pipe2(ret_fds, O_CLOEXEC | extra_flags);
}

int fd_memfd_sealed(const char *name, const void *data, size_t n, int *ret_fd, struct err *e)
{
	AUTO_CLOSE int fd = -1;

	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	/* where vm.memfd_noexec is 2, only memfds that promise not to be executed are granted */
	if (fd < 0 && errno == EACCES)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (fd < 0)
		return err_sys(e, "create memfd '%s'", name);
	if (fd_write_all(fd, data, n, e) < 0)
		return err_wrap(e, "memfd '%s'", name);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, "rewind memfd '%s'", name);
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return err_sys(e, "seal memfd '%s'", name);
	*ret_fd = TAKE_FD(fd);
	return 0;
}
