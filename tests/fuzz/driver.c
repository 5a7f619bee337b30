/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target without libFuzzer, so that `make check` with any compiler replays what was found:
 *
 *	fuzz_json                    each file of tests/fuzz/corpus/json, its beginnings, and mutations of it
 *	fuzz_json FILE...            these files as they are
 *
 * The mutations come from a fixed seed: two runs do the same. A crash leaves the input in the file that
 * is named on standard error.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "tests/fuzz/fuzz.h"

#define INPUT_MAX_BYTES (1 << 20)
#define N_BEGINNINGS    256
#define N_MUTATIONS     400

static const uint8_t *current;
static size_t n_current;
static char crash_path[64];
static uint64_t random_state = 88172645463325252u;

static void on_crash(int signo)
{
	int fd = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t n_written =
		fd >= 0 && write(fd, current, n_current) == (ssize_t)n_current ? n_current : 0;

	dprintf(STDERR_FILENO, "input of %zu bytes kept in %s (%zu written)\n", n_current,
		crash_path, n_written);
	signal(signo, SIG_DFL);
	raise(signo);
}

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void run_one(const uint8_t *data, size_t n)
{
	/* its own allocation of the exact size: a read behind the end is seen */
	AUTO_FREE uint8_t *copy = xmalloc(n);

	if (n > 0)
		memcpy(copy, data, n);
	current = copy;
	n_current = n;
	LLVMFuzzerTestOneInput(copy, n);
	current = NULL;
	n_current = 0;
}

/* A few bytes overwritten, removed or doubled. */
static void run_mutation(const uint8_t *data, size_t n)
{
	AUTO_FREE uint8_t *copy = xmalloc(2 * n + 8);
	size_t at;

	memcpy(copy, data, n);
	for (uint64_t edits = next_random() % 4 + 1; edits > 0 && n > 0; edits--) {
		at = next_random() % n;
		if (next_random() % 2 == 0)
			copy[at] = (uint8_t)next_random();
		else
			copy[at] = copy[next_random() % n];
	}
	if (n > 1 && next_random() % 4 == 0) {
		at = next_random() % n;
		memmove(copy + at, copy + at + 1, n - at - 1);
		n--;
	} else if (n > 1 && next_random() % 4 == 0) {
		at = next_random() % n;
		memmove(copy + n, copy + at, n - at);
		n += n - at;
	}
	run_one(copy, n);
}

static void run_file(int dir, const char *name, bool mutates)
{
	AUTO_FREE char *data = NULL;
	struct err e = { 0 };
	size_t n = 0;
	size_t step;

	if (file_read(dir, name, INPUT_MAX_BYTES, &data, &n, &e) < 0) {
		fprintf(stderr, "%s\n", e.msg);
		exit(2);
	}
	run_one((uint8_t *)data, n);
	if (!mutates)
		return;
	step = n / N_BEGINNINGS + 1;
	for (size_t len = 0; len < n; len += step)
		run_one((uint8_t *)data, len);
	for (int i = 0; i < N_MUTATIONS; i++)
		run_mutation((uint8_t *)data, n);
}

static int run_corpus(const char *target)
{
	AUTO_FREE char *path = xasprintf("tests/fuzz/corpus/%s", target + strlen("fuzz_"));
	AUTO_DIR DIR *dir = opendir(path);
	struct dirent *d;
	size_t n_files = 0;

	if (dir == NULL) {
		printf("FAIL unit:%s:corpus\n  no directory %s\n", target, path);
		return 1;
	}
	while ((d = readdir(dir)) != NULL) {
		if (d->d_name[0] == '.')
			continue;
		run_file(dirfd(dir), d->d_name, true);
		n_files++;
	}
	if (n_files == 0) {
		printf("FAIL unit:%s:corpus\n  %s is empty\n", target, path);
		return 1;
	}
	printf("ok unit:%s:corpus\n", target);
	return 0;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');

	snprintf(crash_path, sizeof(crash_path), "/tmp/kiln-fuzz-crash.%d", (int)getpid());
	signal(SIGABRT, on_crash);
	signal(SIGSEGV, on_crash);
	if (argc < 2)
		return run_corpus(slash != NULL ? slash + 1 : argv[0]);
	for (int i = 1; i < argc; i++)
		run_file(AT_FDCWD, argv[i], false);
	return 0;
}
