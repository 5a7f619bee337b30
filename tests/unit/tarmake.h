/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A tar archive in memory, entry by entry, for tests: ustar headers and pax records exactly as told, so that
 * malformed ones can be made, too. Owners are the caller's own unless set, so that no test needs root.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/str.h"

struct tarmake {
	struct strbuf out;
	struct strbuf pax;       /* records that the next entry gets */
	unsigned uid, gid;
};

static inline void tar_begin(struct tarmake *t)
{
	memset(t, 0, sizeof *t);
	t->uid = geteuid();
	t->gid = getegid();
}

static inline void tar_pad_(struct tarmake *t)
{
	static const char zeros[512];

	strbuf_add(&t->out, zeros, (512 - t->out.len % 512) % 512);
}

struct tar_head {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[6], version[2];
	char uname[32], gname[32], major[8], minor[8], prefix[155], pad[12];
};

/* @name: at most 100 bytes; @type: ustar's typeflag */
static inline void tar_entry_raw(struct tarmake *t, const char *name, char type, unsigned mode, const char *link,
				 const void *data, size_t n, unsigned major, unsigned minor)
{
	struct tar_head h;
	unsigned sum = 0;

	if (t->pax.len > 0) {
		struct strbuf records = t->pax;

		t->pax = (struct strbuf){0};
		tar_entry_raw(t, "pax", 'x', 0644, "", records.data, records.len, 0, 0);
		strbuf_done(&records);
	}
	memset(&h, 0, sizeof h);
	memcpy(h.name, name, strnlen(name, sizeof h.name));
	memcpy(h.link, link, strnlen(link, sizeof h.link));
	snprintf(h.mode, sizeof h.mode, "%07o", mode);
	snprintf(h.uid, sizeof h.uid, "%07o", t->uid & 07777777);
	snprintf(h.gid, sizeof h.gid, "%07o", t->gid & 07777777);
	snprintf(h.size, sizeof h.size, "%011o", (unsigned)n);
	snprintf(h.mtime, sizeof h.mtime, "%011o", 1000000000u);
	snprintf(h.major, sizeof h.major, "%07o", major & 07777777);
	snprintf(h.minor, sizeof h.minor, "%07o", minor & 07777777);
	h.type = type;
	memcpy(h.magic, "ustar", 6);
	memcpy(h.version, "00", 2);
	memset(h.sum, ' ', sizeof h.sum);
	for (size_t i = 0; i < sizeof h; i++)
		sum += ((unsigned char *)&h)[i];
	snprintf(h.sum, sizeof h.sum, "%06o", sum & 0777777);
	strbuf_add(&t->out, &h, sizeof h);
	strbuf_add(&t->out, data, n);
	tar_pad_(t);
}

static inline void tar_file(struct tarmake *t, const char *name, unsigned mode, const char *text)
{
	tar_entry_raw(t, name, '0', mode, "", text, strlen(text), 0, 0);
}

static inline void tar_dir(struct tarmake *t, const char *name, unsigned mode)
{
	tar_entry_raw(t, name, '5', mode, "", "", 0, 0, 0);
}

static inline void tar_symlink(struct tarmake *t, const char *name, const char *to)
{
	tar_entry_raw(t, name, '2', 0777, to, "", 0, 0, 0);
}

static inline void tar_hardlink(struct tarmake *t, const char *name, const char *to)
{
	tar_entry_raw(t, name, '1', 0644, to, "", 0, 0, 0);
}

/* A pax record "<length> key=value\n" for the next entry; @n_value counts, so that values may hold anything */
static inline void tar_pax(struct tarmake *t, const char *key, const void *value, size_t n_value)
{
	size_t n = strlen(key) + n_value + 3, len = n + 1;
	char num[24];

	while (len != n + (size_t)snprintf(num, sizeof num, "%zu", len))
		len++;
	strbuf_addf(&t->pax, "%s %s=", num, key);
	strbuf_add(&t->pax, value, n_value);
	strbuf_addc(&t->pax, '\n');
}

static inline void tar_end(struct tarmake *t)
{
	static const char zeros[1024];

	strbuf_add(&t->out, zeros, sizeof zeros);
}

/* Bytes as a descriptor at offset 0; owned by the caller */
static inline int tar_fd(const void *data, size_t n)
{
	int fd = memfd_create("tar", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) != 0)
		return -1;
	return fd;
}
