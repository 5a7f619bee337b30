/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * An entry is a head, the instructions, and the hash of both; the head has the key, so that an entry that was moved under the
 * name of another one is none. Whoever can write to the directory can write a sound one, too: that is the user who launches, and root.
 * Nothing is waited for and nothing is locked: an entry appears as a whole, and one that is removed while somebody reads it is read.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/path.h"
#include "runtime/seccomp_parts.h"

#define ENTRY_MAGIC     0x6b736564u
#define ENTRY_MAX_BYTES (sizeof(struct entry_head) + BPF_MAXINSNS * sizeof(struct sock_filter) + DIGEST_TEXT_LEN)
#define REMOVALS_MAX    8 /* at once; others remove, too */

struct entry_head {
	uint32_t magic;
	uint32_t n_insns;
	char key[DIGEST_HEX_LEN];
};

/* Only a directory that nobody else can write to is believed. */
static int open_dir(const char *dir)
{
	struct stat st;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 077) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool is_sound(const char *data, size_t n, const char *key)
{
	size_t hashed = n - DIGEST_TEXT_LEN;
	struct entry_head head;
	struct digest d;

	if (n < sizeof(head) + DIGEST_TEXT_LEN)
		return false;
	memcpy(&head, data, sizeof(head));
	if (head.magic != ENTRY_MAGIC || head.n_insns == 0 || head.n_insns > BPF_MAXINSNS)
		return false;
	if (hashed != sizeof(head) + head.n_insns * sizeof(struct sock_filter) || memcmp(head.key, key, sizeof(head.key)) != 0)
		return false;
	digest_of(data, hashed, &d);
	return memcmp(d.text, data + hashed, DIGEST_TEXT_LEN) == 0;
}

static int open_entry(int dir, const char *key)
{
	struct stat st;
	int fd = openat(dir, key, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 022) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

bool seccomp_cache_load(const char *dir, const char *key, struct arena *arena,
			struct sock_fprog *ret)
{
	AUTO_CLOSE int dir_fd = open_dir(dir);
	AUTO_CLOSE int fd = dir_fd >= 0 ? open_entry(dir_fd, key) : -1;
	AUTO_FREE char *data = NULL;
	size_t n = 0, bytes;

	if (fd < 0 || fd_read_all(fd, ENTRY_MAX_BYTES, &data, &n, ERR_IGNORED) < 0 ||
	    !is_sound(data, n, key))
		return false;
	bytes = n - sizeof(struct entry_head) - DIGEST_TEXT_LEN;
	ret->filter = arena_alloc(arena, bytes);
	memcpy(ret->filter, data + sizeof(struct entry_head), bytes);
	ret->len = (unsigned short)(bytes / sizeof(struct sock_filter));
	return true;
}

/* --- writing ------------------------------------------------------------------------------------------------- */

static int64_t made_ns(const struct stat *st)
{
	return st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec;
}

/* What a writer that was killed has left beside is an entry here, and goes in its turn. Return: how many there are */
static size_t find_oldest(DIR *d, char ret_name[NAME_MAX + 1])
{
	int64_t oldest = INT64_MAX;
	struct dirent *entry;
	struct stat st;
	size_t n = 0;

	rewinddir(d);
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.' || fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		n++;
		if (made_ns(&st) < oldest) {
			oldest = made_ns(&st);
			memcpy(ret_name, entry->d_name, strlen(entry->d_name) + 1);
		}
	}
	return n;
}

static void remove_oldest(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_DIR DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	char name[NAME_MAX + 1];

	if (d == NULL) {
		close_fd(&fd);
		return;
	}
	for (int i = 0; i < REMOVALS_MAX && find_oldest(d, name) > SECCOMP_CACHE_MAX; i++)
		unlinkat(dir_fd, name, 0);
}

static void emit(const char *key, const struct sock_fprog *program, struct strbuf *out)
{
	struct entry_head head = { .magic = ENTRY_MAGIC, .n_insns = program->len };
	struct digest d;

	memcpy(head.key, key, sizeof(head.key));
	strbuf_add(out, &head, sizeof(head));
	strbuf_add(out, program->filter, program->len * sizeof(*program->filter));
	digest_of(out->data, out->len, &d);
	strbuf_add(out, d.text, DIGEST_TEXT_LEN);
}

void seccomp_cache_save(const char *dir, const char *key, const struct sock_fprog *program)
{
	AUTO_CLOSE int dir_fd = -1;
	AUTO_STRBUF struct strbuf data = { 0 };

	if (path_mkdirs(AT_FDCWD, dir, 0700, ERR_IGNORED) < 0)
		return;
	dir_fd = open_dir(dir);
	if (dir_fd < 0)
		return;
	emit(key, program, &data);
	if (file_replace(dir_fd, key, data.data, data.len, 0600, ERR_IGNORED) == 0)
		remove_oldest(dir_fd);
}
