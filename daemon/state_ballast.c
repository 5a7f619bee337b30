/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ballast: room that is kept so that a full disk can still take what frees it (a removal, an exit). It is given
 * when a commit finds no space, and made again when there is plenty.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/own.h"
#include "daemon/state_priv.h"

#define BALLAST_NAME  "kiln.ballast"
#define BALLAST_BYTES (4 * 1024 * 1024)

static bool has_plenty(int dir_fd)
{
	struct statvfs v;

	return fstatvfs(dir_fd, &v) == 0 && (uint64_t)v.f_bavail * v.f_frsize > 4ull * BALLAST_BYTES;
}

void state_ballast_make(struct state *s)
{
	AUTO_CLOSE int fd = -1;

	if (s->has_ballast || !has_plenty(s->data_fd))
		return;
	fd = openat(s->data_fd, BALLAST_NAME, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	if (fallocate(fd, 0, 0, BALLAST_BYTES) == 0)
		s->has_ballast = true;
	else
		unlinkat(s->data_fd, BALLAST_NAME, 0);   /* no such call here, or no room: go without */
}

bool state_ballast_give(struct state *s)
{
	bool had = s->has_ballast;

	s->has_ballast = false;
	return unlinkat(s->data_fd, BALLAST_NAME, 0) == 0 || had;
}
