/* SPDX-License-Identifier: Apache-2.0 */
/* For targets that eat tar archives: right checksums, and a directory to write to. */
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/path.h"
#include "tests/fuzz/fuzz.h"

/* Mutations break the checksums of headers, and nothing behind them would ever be seen */
static inline void tar_fuzz_repair(uint8_t *data, size_t n)
{
	for (size_t at = 0; at + 512 <= n; at += 512) {
		uint8_t *h = data + at;
		unsigned sum = 0;
		char text[8];

		if (memcmp(h + 257, "ustar", 5) != 0)
			continue;
		memset(h + 148, ' ', 8);
		for (size_t i = 0; i < 512; i++)
			sum += h[i];
		snprintf(text, sizeof text, "%06o", sum & 0777777);
		memcpy(h + 148, text, 7);
	}
}

/* The bytes as a file at offset 0; the caller closes it */
static inline int tar_fuzz_fd(const uint8_t *data, size_t n)
{
	char *copy = fuzz_text(data, n);
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	tar_fuzz_repair((uint8_t *)copy, n);
	FUZZ_CHECK(fd >= 0 && write(fd, copy, n) == (ssize_t)n && lseek(fd, 0, SEEK_SET) == 0);
	free(copy);
	return fd;
}

static char tar_fuzz_base[64];

static inline void tar_fuzz_end(void)
{
	path_remove_tree(AT_FDCWD, tar_fuzz_base, ERR_IGNORED);
}

/* An empty directory "in" beside an empty one "out"; the caller closes it and calls tar_fuzz_undir() */
static inline int tar_fuzz_dir(void)
{
	char path[96];
	int fd;

	if (!tar_fuzz_base[0]) {
		snprintf(tar_fuzz_base, sizeof tar_fuzz_base, "/tmp/kiln-fuzz.XXXXXX");
		FUZZ_CHECK(mkdtemp(tar_fuzz_base) != NULL);
		atexit(tar_fuzz_end);
		snprintf(path, sizeof path, "%s/out", tar_fuzz_base);
		FUZZ_CHECK(mkdir(path, 0755) == 0);
	}
	snprintf(path, sizeof path, "%s/in", tar_fuzz_base);
	mkdir(path, 0755);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(fd >= 0);
	return fd;
}

static inline void tar_fuzz_undir(void)
{
	char path[96];

	snprintf(path, sizeof path, "%s/in", tar_fuzz_base);
	path_remove_tree(AT_FDCWD, path, ERR_IGNORED);
	/* Nothing may ever appear beside it */
	snprintf(path, sizeof path, "%s/out", tar_fuzz_base);
	FUZZ_CHECK(rmdir(path) == 0 && mkdir(path, 0755) == 0);
}
