/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plain functions of libcrypto, not EVP: that looks for providers and reads openssl.cnf first, which takes a program that hashes a page
 * a millisecond, and these come from the archive without the rest (docs/performance.md).
 */
#include "oci/digest.h"

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "base/defence.h"
#include "base/own.h"
#include "base/str.h"

struct digest_stream {
	SHA256_CTX ctx;
};

bool digest_is_valid(const char *text)
{
	return text && str_starts(text, "sha256:") && DEFENCE(DIGEST_GRAMMAR, str_is_hex(text + 7, DIGEST_HEX_LEN), true);
}

int digest_parse(const char *text, struct digest *ret, struct err *e)
{
	if (!digest_is_valid(text))
		return err_set(e, ERR_INVALID, "invalid digest '%.80s': expected sha256 and 64 hex digits",
			       text ? text : "");
	memcpy(ret->text, text, DIGEST_TEXT_LEN + 1);
	return 0;
}

const char *digest_hex(const char *text)
{
	return text + 7;
}

/* libcrypto does not fail here */
static void digest_check(int ok)
{
	BUG(ok != 1, "libcrypto cannot hash");
}

struct digest_stream *digest_stream_new(void)
{
	struct digest_stream *s = xcalloc(1, sizeof *s);

	digest_check(SHA256_Init(&s->ctx));
	return s;
}

struct digest_stream *digest_stream_copy(const struct digest_stream *s)
{
	struct digest_stream *copy = xcalloc(1, sizeof *copy);

	*copy = *s;
	return copy;
}

void digest_stream_add(struct digest_stream *s, const void *data, size_t n)
{
	digest_check(SHA256_Update(&s->ctx, data, n));
}

void digest_stream_end(struct digest_stream *s, struct digest *ret)
{
	unsigned char sum[32];

	digest_check(SHA256_Final(sum, &s->ctx));
	memcpy(ret->text, "sha256:", 7);
	str_hex(sum, sizeof sum, ret->text + 7);
	digest_check(SHA256_Init(&s->ctx));
}

void digest_stream_free(struct digest_stream *s)
{
	free(s);
}

void digest_stream_freep(struct digest_stream **s)
{
	digest_stream_free(*s);
	*s = NULL;
}

void digest_of(const void *data, size_t n, struct digest *ret)
{
	AUTO(digest_stream_freep) struct digest_stream *s = digest_stream_new();

	digest_stream_add(s, data, n);
	digest_stream_end(s, ret);
}
