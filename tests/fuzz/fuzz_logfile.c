/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a log: entries come whole and in order, and the tail is the end of them. */
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "daemon/logfile.h"
#include "tests/fuzz/fuzz.h"

struct seen {
	size_t n_entries;
	uint64_t sum;   /* of the last entries' bytes, so that order and content count */
};

static char dir_path[] = "/tmp/kiln-fuzz-log.XXXXXX";
static char file_path[sizeof dir_path + 4];

static void log_remove(void)
{
	unlink(file_path);
	rmdir(dir_path);
}

static const char *log_path(void)
{
	if (!file_path[0]) {
		FUZZ_CHECK(mkdtemp(dir_path) != NULL);
		snprintf(file_path, sizeof file_path, "%s/log", dir_path);
		atexit(log_remove);
	}
	return file_path;
}

static bool on_entry(void *ctx, const struct log_entry *entry)
{
	struct seen *s = ctx;

	s->n_entries++;
	s->sum = s->sum * 31 + entry->n_text;
	for (size_t i = 0; i < entry->n_text; i++)
		s->sum = s->sum * 31 + (unsigned char)entry->text[i];
	return true;
}

static struct seen read_all(struct logfile *l)
{
	struct seen s = { 0 };
	struct err e = { 0 };
	bool more = true;

	while (more)
		FUZZ_CHECK(logfile_read(l, on_entry, &s, &more, &e) == 0);
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct logfile *l = NULL;
	struct seen whole, tail;
	struct err e = { 0 };

	FUZZ_CHECK(file_replace(AT_FDCWD, log_path(), data, n, 0600, &e) == 0);
	FUZZ_CHECK(logfile_open(log_path(), 1, &l, &e) == 0);
	whole = read_all(l);
	/* More lines than there are: all of them once more */
	FUZZ_CHECK(logfile_seek_tail(l, n + 1, &e) == 0);
	tail = read_all(l);
	FUZZ_CHECK(tail.n_entries == whole.n_entries && tail.sum == whole.sum);
	FUZZ_CHECK(logfile_seek_tail(l, 1, &e) == 0);
	tail = read_all(l);
	FUZZ_CHECK(tail.n_entries <= 1);
	logfile_free(l);
	return 0;
}
