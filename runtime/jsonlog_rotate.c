/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * log is written, log.1 is the one before it, and so on; the oldest goes. First the next file is made beside them
 * (log.new), so that a disk without room changes nothing: then one goes on with the file that there is, and tries again
 * a little later. Then each is renamed to the next number, the oldest first, and log.new to log.
 *
 * A monitor may be killed between any two of these steps. What a reader finds then has a gap in its numbers, or no log
 * at all, but each line still once, and in the order of the numbers; the next monitor removes a log.new and makes log.
 * A reader that has a file open keeps it through all of this.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "runtime/jsonlog.h"

#define RETRY_PARTS 16   /* of a file's size are written before a rotation that failed is tried again */

static void name_of(const struct jsonlog_rotation *r, unsigned number, char out[JSONLOG_NAME_MAX + 16])
{
	if (number == 0)
		snprintf(out, JSONLOG_NAME_MAX + 16, "%s", r->name);
	else
		snprintf(out, JSONLOG_NAME_MAX + 16, "%s.%u", r->name, number);
}

static void name_of_new(const struct jsonlog_rotation *r, char out[JSONLOG_NAME_MAX + 16])
{
	snprintf(out, JSONLOG_NAME_MAX + 16, "%s.new", r->name);
}

static int make_new(const struct jsonlog_rotation *r, const char *name)
{
	int fd = openat(r->dir_fd, name, JSONLOG_NEW_FLAGS, JSONLOG_MODE);   /* lint: cloexec it is among the flags */

	if (fd >= 0 || errno != EEXIST)
		return fd;
	unlinkat(r->dir_fd, name, 0);
	return openat(r->dir_fd, name, JSONLOG_NEW_FLAGS, JSONLOG_MODE);   /* lint: cloexec it is among the flags */
}

/* The system call itself: the monitor's filter knows this one. */
static int move(const struct jsonlog_rotation *r, const char *from, const char *to)
{
	return (int)syscall(SYS_renameat2, r->dir_fd, from, r->dir_fd, to, 0);
}

static bool shift(const struct jsonlog_rotation *r)
{
	char from[JSONLOG_NAME_MAX + 16], to[JSONLOG_NAME_MAX + 16];

	for (unsigned i = r->max_files - 1; i > 0; i--) {
		name_of(r, i - 1, from);
		name_of(r, i, to);
		if (move(r, from, to) < 0 && errno != ENOENT)
			return false;
	}
	return true;
}

static bool try_rotate(struct jsonlog *log)
{
	const struct jsonlog_rotation *r = &log->rotation;
	char fresh[JSONLOG_NAME_MAX + 16];
	AUTO_CLOSE int fd = -1;

	name_of_new(r, fresh);
	fd = make_new(r, fresh);
	if (fd < 0)
		return false;
	if (!shift(r) || move(r, fresh, r->name) < 0) {
		unlinkat(r->dir_fd, fresh, 0);
		return false;
	}
	close_fd(&log->fd);
	log->fd = TAKE_FD(fd);
	return true;
}

void jsonlog_rotate(struct jsonlog *log)
{
	if (try_rotate(log)) {
		log->n_bytes = 0;
		log->rotate_bytes = log->rotation.max_bytes;
	} else {
		log->rotate_bytes = log->n_bytes + log->rotation.max_bytes / RETRY_PARTS + 1;
	}
}

void jsonlog_set_rotation(struct jsonlog *log, const struct jsonlog_rotation *r)
{
	char fresh[JSONLOG_NAME_MAX + 16];
	struct stat st;

	log->rotation = *r;
	log->rotate_bytes = r->max_bytes;
	if (log->fd >= 0 && fstat(log->fd, &st) == 0)
		log->n_bytes = (uint64_t)st.st_size;
	/* Small files are kept near their size, at the price of more writes */
	if (r->max_bytes / 8 < log->batch_bytes)
		log->batch_bytes = (size_t)(r->max_bytes / 8);
	name_of_new(r, fresh);
	unlinkat(r->dir_fd, fresh, 0);
}
