/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/inflate.h"

#include <signal.h>
#include <sys/wait.h>
#include <zlib.h>
#include <zstd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"
#include "tests/unit/tarmake.h"
#include "tests/unit/unit.h"

static struct err e;

/* Everything the stream gives, or NULL with e set */
static char *drain(int fd, uint64_t max_bytes, size_t *ret_n, bool *ret_packed)
{
	const struct inflate_limits limits = { max_bytes, 0 };
	AUTO(inflate_freep) struct inflate *s = NULL;
	struct strbuf out = {0};
	const void *data;
	struct digest d;
	uint64_t bytes;
	size_t n;

	memset(&e, 0, sizeof e);
	if (inflate_open(fd, &limits, true, &s, &e) < 0)
		return NULL;
	do {
		if (inflate_read(s, &data, &n, &e) < 0) {
			strbuf_done(&out);
			return NULL;
		}
		strbuf_add(&out, data, n);
	} while (n > 0);
	*ret_packed = inflate_input(s, &d, &bytes);
	*ret_n = out.len;
	return strbuf_take(&out);
}

/* Bytes through a pipe in pieces of @step, written by a child */
static int trickle(const void *data, size_t n, size_t step)
{
	int fds[2];
	pid_t pid;

	ck_assert_int_eq(fd_pipe(fds, 0), 0);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		for (size_t at = 0; at < n; at += step)
			if (write(fds[1], (const char *)data + at, n - at < step ? n - at : step) < 0)
				_exit(1);
		_exit(0);
	}
	close(fds[1]);
	return fds[0];
}

static void gives(const void *packed, size_t n_packed, const void *want, size_t n_want, bool want_packed)
{
	static const size_t steps[] = { 1, 7, 4096, 1 << 20 };

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		AUTO_CLOSE int fd = trickle(packed, n_packed, steps[i]);
		bool is_packed = false;
		size_t n = 0;
		AUTO_FREE char *got = drain(fd, UINT64_MAX, &n, &is_packed);

		ck_assert_msg(got != NULL, "in pieces of %zu: %s", steps[i], e.msg);
		ck_assert_uint_eq(n, n_want);
		ck_assert(memcmp(got, want, n) == 0);
		ck_assert_int_eq(is_packed, want_packed);
		wait(NULL);
	}
}

static void fails(const void *packed, size_t n, const char *why)
{
	AUTO_CLOSE int fd = tar_fd(packed, n);
	bool is_packed;
	size_t got;

	ck_assert_ptr_null(drain(fd, UINT64_MAX, &got, &is_packed));
	ck_assert_msg(strstr(e.msg, why) != NULL, "said '%s'", e.msg);
}

#define N_TEXT 20000
static char text[N_TEXT];
static unsigned char packed[4 * N_TEXT];

static void make_text(void)
{
	unsigned x = 1;

	for (size_t i = 0; i < N_TEXT; i++)
		text[i] = "abcdefgh"[(x = x * 1103515245 + 12345) >> 16 & 7];
}

static size_t gzip(const void *data, size_t n, unsigned char *out, size_t max)
{
	z_stream z = { .next_in = (unsigned char *)data, .avail_in = (unsigned)n, .next_out = out,
		       .avail_out = (unsigned)max };

	ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return max - z.avail_out;
}

START_TEST(plain_bytes_pass)
{
	make_text();
	gives(text, N_TEXT, text, N_TEXT, false);
	gives("", 0, "", 0, false);
	gives("abc", 3, "abc", 3, false);
}
END_TEST

START_TEST(gzip_in_any_pieces)
{
	make_text();
	gives(packed, gzip(text, N_TEXT, packed, sizeof packed), text, N_TEXT, true);
}
END_TEST

START_TEST(many_gzip_members_are_one_stream)
{
	size_t n = 0;

	make_text();
	for (size_t at = 0; at < N_TEXT; at += 1000)
		n += gzip(text + at, 1000, packed + n, sizeof packed - n);
	n += gzip("", 0, packed + n, sizeof packed - n);
	gives(packed, n, text, N_TEXT, true);
}
END_TEST

START_TEST(zstd_frames_in_any_pieces)
{
	static const unsigned char skippable[] = { 0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'x', 'y', 'z' };
	size_t n;

	make_text();
	n = ZSTD_compress(packed, sizeof packed, text, N_TEXT / 2, 3);
	memcpy(packed + n, skippable, sizeof skippable);
	n += sizeof skippable;
	n += ZSTD_compress(packed + n, sizeof packed - n, text + N_TEXT / 2, N_TEXT / 2, 3);
	gives(packed, n, text, N_TEXT, true);
}
END_TEST

START_TEST(every_cut_is_noticed)
{
	size_t n;

	make_text();
	n = gzip(text, 300, packed, sizeof packed);
	for (size_t cut = 6; cut < n; cut++)
		fails(packed, cut, "gzip");
	n = ZSTD_compress(packed, sizeof packed, text, 300, 3);
	for (size_t cut = 6; cut < n; cut++)
		fails(packed, cut, "zstd");
}
END_TEST

START_TEST(rubbish_behind_gzip_is_noticed)
{
	size_t n = gzip("hello", 5, packed, sizeof packed);

	memset(packed + n, 'x', 100);
	fails(packed, n + 100, "gzip: malformed");
}
END_TEST

START_TEST(huge_zstd_window_is_refused)
{
	/* A frame header that asks for 2 GiB: magic, descriptor, window */
	static const unsigned char frame[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00, 0x00 };

	fails(frame, sizeof frame, "zstd");
}
END_TEST

START_TEST(limit_counts_output)
{
	size_t n_out, n = gzip(text, N_TEXT, packed, sizeof packed);
	AUTO_CLOSE int fd = tar_fd(packed, n);
	bool is_packed;

	ck_assert_ptr_null(drain(fd, N_TEXT - 1, &n_out, &is_packed));
	ck_assert_int_eq(e.kind, ERR_INVALID);
}
END_TEST

START_TEST(others_are_refused_by_name)
{
	fails("\x04\x22\x4d\x18 lz4", 9, "lz4");
	fails("PK\3\4 zip", 9, "zip");
	fails("BZh9", 4, "bzip2");
}
END_TEST

UNIT_MAIN("inflate", plain_bytes_pass, gzip_in_any_pieces, many_gzip_members_are_one_stream,
	  zstd_frames_in_any_pieces, every_cut_is_noticed, rubbish_behind_gzip_is_noticed,
	  huge_zstd_window_is_refused, limit_counts_output, others_are_refused_by_name)
