/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room on a full disk: so that it can still take what frees it (a removal, an exit).
 *
 * Theory of operation. Space that is given back can be taken by anybody who writes at that moment, above all by the
 * container that has filled the disk. So what commits need belongs to the database's own files already: blocks behind
 * the end of the log (WAL), which SQLite writes over from its beginning when it has moved all of it into the database
 * (at 4 MiB, its default), and a database that grows in large steps. A database that has to grow all the same, and a
 * file system that cannot allocate ahead, get the ballast: a file that is given up when a commit finds no space, and
 * made again when there is plenty.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/own.h"
#include "daemon/state_priv.h"

#define BALLAST_NAME  "kiln.ballast"
#define BALLAST_BYTES (4 * 1024 * 1024)
#define WAL_NAME      "kiln.db-wal"
#define WAL_BYTES     (6 * 1024 * 1024)   /* what SQLite moves at, and the largest commit behind it */
#define STEP_BYTES    (512 * 1024)

static uint64_t free_bytes(int dir_fd)
{
	struct statvfs v;

	return fstatvfs(dir_fd, &v) == 0 ? (uint64_t)v.f_bavail * v.f_frsize : 0;
}

void state_ballast_set_up(struct state *s)
{
	int step_bytes = STEP_BYTES, is_kept = 1;

	sqlite3_file_control(s->db, "main", SQLITE_FCNTL_CHUNK_SIZE, &step_bytes);
	/* The log, and with it its room, stays when the database is closed. */
	sqlite3_file_control(s->db, "main", SQLITE_FCNTL_PERSIST_WAL, &is_kept);
}

/* Closing it loses no lock: SQLite has none on this file, unlike on the other two. */
static void keep_wal_room(struct state *s)
{
	AUTO_CLOSE int fd = openat(s->data_fd, WAL_NAME, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);

	s->has_wal_room = fd >= 0 && fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, WAL_BYTES) == 0;
}

static void make_ballast(struct state *s)
{
	AUTO_CLOSE int fd = openat(s->data_fd, BALLAST_NAME, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	if (fallocate(fd, 0, 0, BALLAST_BYTES) == 0)
		s->has_ballast = true;
	else
		unlinkat(s->data_fd, BALLAST_NAME, 0);   /* no such call here, or no room: go without */
}

void state_ballast_make(struct state *s)
{
	if ((s->has_ballast && s->has_wal_room) || free_bytes(s->data_fd) <= 4 * (BALLAST_BYTES + WAL_BYTES))
		return;
	if (!s->has_wal_room)
		keep_wal_room(s);
	if (!s->has_ballast)
		make_ballast(s);
}

bool state_ballast_give(struct state *s)
{
	bool had = s->has_ballast;

	s->has_ballast = false;
	if (unlinkat(s->data_fd, BALLAST_NAME, 0) == 0)
		had = true;
	if (!s->has_wal_room)
		keep_wal_room(s);
	return had;
}

bool state_ballast_is_needed(const struct state *s)
{
	return faccessat(s->data_fd, BALLAST_NAME, F_OK, 0) == 0 && free_bytes(s->data_fd) < BALLAST_BYTES;
}
