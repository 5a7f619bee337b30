/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever a container writes, in whatever pieces: each line of its log is one valid object, and the texts together
 * are what was written when that was UTF-8 without NUL. The first byte of the input is the size of the pieces.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/own.h"
#include "runtime/jsonlog.h"
#include "tests/fuzz/fuzz.h"

struct line { char *log, *stream, *time; };
static const struct jfield line_fields[] = {
	J_STRING(struct line, log, "log", J_REQUIRED),
	J_STRING(struct line, stream, "stream", J_REQUIRED),
	J_STRING(struct line, time, "time", J_REQUIRED),
};
static const struct jschema line_schema = J_SCHEMA(struct line, "json-file", line_fields);

static void read_back(const char *log, struct strbuf *out)
{
	while (*log) {
		AUTO_ARENA struct arena *a = arena_new();
		size_t n = strcspn(log, "\n");
		struct err e = { 0 };
		void *line = NULL;

		FUZZ_CHECK(log[n] == '\n');
		if (json_decode(log, n, &line_schema, a, NULL, NULL, &line, &e) < 0)
			FUZZ_CHECK(strstr(e.msg, "NUL") || strstr(e.msg, "\\u0000"));
		else
			strbuf_adds(out, ((struct line *)line)->log);
		log += n + 1;
	}
}

static bool is_plain(const uint8_t *data, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (data[i] == 0 || data[i] >= 0x80)
			return false;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_STRBUF struct strbuf back = { 0 };
	AUTO_FREE char *text = NULL;
	AUTO_CLOSE int fd = memfd_create("log", MFD_CLOEXEC);
	struct err e = { 0 };
	struct jsonlog log;
	size_t step;

	FUZZ_CHECK(fd >= 0);
	if (n == 0)
		return 0;
	step = (size_t)data[0] * 97 + 1;
	jsonlog_init(&log, dup(fd));
	for (size_t i = 1; i < n; i += step)
		jsonlog_feed(&log, JSONLOG_STDOUT, (const char *)data + i, step < n - i ? step : n - i, 1);
	jsonlog_end(&log, JSONLOG_STDOUT, 1);
	jsonlog_done(&log);
	lseek(fd, 0, SEEK_SET);
	FUZZ_CHECK(fd_read_all(fd, 64u << 20, &text, NULL, &e) == 0);
	read_back(text, &back);
	if (is_plain(data + 1, n - 1)) {
		FUZZ_CHECK(back.len == n - 1);
		FUZZ_CHECK(back.len == 0 || memcmp(back.data, data + 1, n - 1) == 0);
	}
	return 0;
}
