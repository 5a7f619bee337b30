/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/path.h"
#include "runtime/seccomp_parts.h"

#define ENTRY_MAGIC     0x6b736563u
#define ENTRY_MAX_BYTES (sizeof(struct entry_head) + BPF_MAXINSNS * sizeof(struct sock_filter))

struct entry_head {
	uint32_t magic;
	uint32_t n_insns;
	char digest[DIGEST_TEXT_LEN + 1]; /* of the instructions */
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

static bool is_sound(const char *data, size_t n)
{
	struct entry_head head;
	struct digest d;

	if (n < sizeof(head))
		return false;
	memcpy(&head, data, sizeof(head));
	if (head.magic != ENTRY_MAGIC || head.n_insns == 0 || head.n_insns > BPF_MAXINSNS)
		return false;
	if (n != sizeof(head) + head.n_insns * sizeof(struct sock_filter))
		return false;
	digest_of(data + sizeof(head), n - sizeof(head), &d);
	return memcmp(d.text, head.digest, sizeof(head.digest)) == 0;
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
	    !is_sound(data, n))
		return false;
	bytes = n - sizeof(struct entry_head);
	ret->filter = arena_alloc(arena, bytes);
	memcpy(ret->filter, data + sizeof(struct entry_head), bytes);
	ret->len = (unsigned short)(bytes / sizeof(struct sock_filter));
	return true;
}

void seccomp_cache_save(const char *dir, const char *key, const struct sock_fprog *program)
{
	AUTO_CLOSE int dir_fd = -1;
	AUTO_STRBUF struct strbuf data = { 0 };
	struct entry_head head = { .magic = ENTRY_MAGIC, .n_insns = program->len };
	size_t bytes = program->len * sizeof(struct sock_filter);
	struct digest d;

	if (path_mkdirs(AT_FDCWD, dir, 0700, ERR_IGNORED) < 0)
		return;
	dir_fd = open_dir(dir);
	if (dir_fd < 0)
		return;
	digest_of(program->filter, bytes, &d);
	memcpy(head.digest, d.text, sizeof(head.digest));
	strbuf_add(&data, &head, sizeof(head));
	strbuf_add(&data, program->filter, bytes);
	file_replace(dir_fd, key, data.data, data.len, 0600, ERR_IGNORED);
}
