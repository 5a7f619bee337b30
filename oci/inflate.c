/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/inflate.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "base/defence.h"
#include "base/own.h"

#define IN_BYTES   (256u << 10)
#define OUT_BYTES  (256u << 10)
#define MAGIC_MAX  6
/* zstd needs a window of this many bits at most: 128 MiB, what `zstd --ultra --long=27` writes */
#define ZSTD_WINDOW_LOG_MAX 27

struct inflate {
	int fd;
	const struct codec *codec;
	struct inflate_limits limits;
	struct digest_stream *hash;      /* of the input; NULL when input and output are the same bytes */
	uint64_t in_total, out_total;
	unsigned char *in, *out;
	const unsigned char *data;       /* what the last step made: in out, or where it lies in the input */
	size_t in_pos, in_n;
	bool is_eof;                     /* of the input */
	bool in_frame;                   /* between the begin and the end of a gzip member or zstd frame */
	struct inflate_state *gzip;
	ZSTD_DStream *zstd;
};

struct codec {
	const char *name;
	const unsigned char magic[MAGIC_MAX];
	size_t n_magic;
	/* Consume input, set s->data, tell how much; may produce nothing. NULL: refused by name */
	int (*step)(struct inflate *s, size_t *ret_n, struct err *e);
};

/* --- input ------------------------------------------------------------------------------------------- */

/* More input behind what is there */
static int fill(struct inflate *s, struct err *e)
{
	ssize_t n;

	if (s->in_pos == s->in_n)
		s->in_pos = s->in_n = 0;
	do {
		n = read(s->fd, s->in + s->in_n, IN_BYTES - s->in_n);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "read");
	s->is_eof = n == 0;
	if (s->hash)
		digest_stream_add(s->hash, s->in + s->in_n, (size_t)n);
	s->in_n += (size_t)n;
	s->in_total += (uint64_t)n;
	return 0;
}

/* --- codecs ------------------------------------------------------------------------------------------ */

static int gzip_step(struct inflate *s, size_t *ret_n, struct err *e)
{
	struct inflate_state *z = s->gzip;
	int r;

	if (!z) {
		z = s->gzip = xcalloc(1, sizeof *z);
		isal_inflate_init(z);
	}
	if (!s->in_frame) {
		isal_inflate_reset(z);
		z->crc_flag = ISAL_GZIP;
		s->in_frame = true;
	}
	z->next_in = s->in + s->in_pos;
	z->avail_in = (uint32_t)(s->in_n - s->in_pos);
	z->next_out = s->out;
	z->avail_out = OUT_BYTES;
	r = isal_inflate(z);
	if (r < 0 || r > ISAL_OUT_OVERFLOW)
		return err_set(e, ERR_INVALID, r == ISAL_INCORRECT_CHECKSUM ? "gzip: wrong checksum" :
									    "gzip: malformed");
	s->in_pos = s->in_n - z->avail_in;
	s->data = s->out;
	*ret_n = OUT_BYTES - z->avail_out;
	if (z->block_state == ISAL_BLOCK_FINISH)
		s->in_frame = false;
	return 0;
}

static int zstd_step(struct inflate *s, size_t *ret_n, struct err *e)
{
	ZSTD_inBuffer in = { s->in, s->in_n, s->in_pos };
	ZSTD_outBuffer out = { s->out, OUT_BYTES, 0 };
	size_t r;

	if (!s->zstd) {
		s->zstd = ZSTD_createDStream();
		if (!s->zstd)
			return err_set(e, ERR_SYSTEM, "zstd: out of memory");
		ZSTD_DCtx_setParameter(s->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
	}
	r = ZSTD_decompressStream(s->zstd, &out, &in);
	if (ZSTD_isError(r))
		return err_set(e, ERR_INVALID, "zstd: %s", ZSTD_getErrorName(r));
	s->in_pos = in.pos;
	s->data = s->out;
	*ret_n = out.pos;
	s->in_frame = r != 0;
	return 0;
}

static int plain_step(struct inflate *s, size_t *ret_n, struct err *e)
{
	(void)e;
	s->data = s->in + s->in_pos;
	*ret_n = s->in_n - s->in_pos;
	s->in_pos = s->in_n;
	return 0;
}

static const struct codec codecs[] = {
	{ "gzip", { 0x1f, 0x8b }, 2, gzip_step },
	{ "zstd", { 0x28, 0xb5, 0x2f, 0xfd }, 4, zstd_step },
	{ "xz", { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, NULL },
	{ "bzip2", { 'B', 'Z', 'h' }, 3, NULL },
	{ "lz4", { 0x04, 0x22, 0x4d, 0x18 }, 4, NULL },
	{ "zip", { 'P', 'K', 3, 4 }, 4, NULL },
};
static const struct codec plain = { .name = "plain", .step = plain_step };

static const struct codec *codec_of(const unsigned char *data, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(codecs); i++)
		if (n >= codecs[i].n_magic && memcmp(data, codecs[i].magic, codecs[i].n_magic) == 0)
			return &codecs[i];
	return &plain;
}

/* --- stream ------------------------------------------------------------------------------------------ */

int inflate_open(int fd, const struct inflate_limits *limits, bool is_hashed, struct inflate **ret, struct err *e)
{
	AUTO(inflate_freep) struct inflate *s = xcalloc(1, sizeof *s);

	s->fd = fd;
	s->limits = *limits;
	s->hash = is_hashed ? digest_stream_new() : NULL;
	s->in = xmalloc(IN_BYTES);
	s->out = xmalloc(OUT_BYTES);
	while (s->in_n < MAGIC_MAX && !s->is_eof)
		if (fill(s, e) < 0)
			return -1;
	s->codec = codec_of(s->in, s->in_n);
	if (!s->codec->step)
		return err_set(e, ERR_UNSUPPORTED, "compressed with %s, which is not supported; gzip and zstd are",
			       s->codec->name);
	if (s->codec == &plain)
		digest_stream_freep(&s->hash);
	*ret = TAKE_PTR(s);
	return 0;
}

static int check_limits(const struct inflate *s, struct err *e)
{
	if (s->out_total > s->limits.max_bytes)
		return err_set(e, ERR_INVALID, "more than the %llu bytes that are allowed",
			       (unsigned long long)s->limits.max_bytes);
	if (s->limits.max_ratio && s->out_total > INFLATE_RATIO_FROM &&
	    DEFENCE(RATIO, s->out_total / s->limits.max_ratio > s->in_total, false))
		return err_set(e, ERR_INVALID, "decompresses to more than %llu times its size",
			       (unsigned long long)s->limits.max_ratio);
	return 0;
}

int inflate_read(struct inflate *s, const void **ret_data, size_t *ret_n, struct err *e)
{
	size_t n = 0;

	for (;;) {
		if (s->in_pos == s->in_n && !s->is_eof && fill(s, e) < 0)
			return -1;
		if (s->in_pos == s->in_n && s->is_eof && !s->in_frame)
			break;
		if (s->codec->step(s, &n, e) < 0)
			return -1;
		if (n > 0)
			break;
		/* Without input, and nothing left inside the decoder: the end came too early */
		if (DEFENCE(STREAM_ENDS, s->in_pos == s->in_n && s->is_eof && s->in_frame, false))
			return err_set(e, ERR_INVALID, "%s: truncated", s->codec->name);
	}
	s->out_total += n;
	if (check_limits(s, e) < 0)
		return -1;
	*ret_data = s->data;
	*ret_n = n;
	return 0;
}

bool inflate_input(struct inflate *s, struct digest *ret_digest, uint64_t *ret_bytes)
{
	*ret_bytes = s->in_total;
	if (!s->hash)
		return false;
	digest_stream_end(s->hash, ret_digest);
	return true;
}

void inflate_free(struct inflate *s)
{
	if (!s)
		return;
	digest_stream_free(s->hash);
	ZSTD_freeDStream(s->zstd);
	free(s->gzip);
	free(s->in);
	free(s->out);
	free(s);
}

void inflate_freep(struct inflate **s)
{
	inflate_free(*s);
	*s = NULL;
}
