/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/digest.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"

struct digest_stream {
	EVP_MD_CTX *ctx;
};

bool digest_is_valid(const char *text)
{
	return text && str_starts(text, "sha256:") && str_is_hex(text + 7, DIGEST_HEX_LEN);
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

/* libcrypto fails here only when memory is out, or when it has no SHA-256 at all */
static void digest_check(int ok)
{
	static const char msg[] = "kiln: libcrypto cannot hash\n";

	if (ok == 1)
		return;
	(void)!write(STDERR_FILENO, msg, sizeof msg - 1);
	abort();
}

struct digest_stream *digest_stream_new(void)
{
	struct digest_stream *s = xcalloc(1, sizeof *s);

	s->ctx = EVP_MD_CTX_new();
	digest_check(s->ctx ? EVP_DigestInit_ex(s->ctx, EVP_sha256(), NULL) : 0);
	return s;
}

void digest_stream_add(struct digest_stream *s, const void *data, size_t n)
{
	digest_check(EVP_DigestUpdate(s->ctx, data, n));
}

void digest_stream_end(struct digest_stream *s, struct digest *ret)
{
	unsigned char sum[32];

	digest_check(EVP_DigestFinal_ex(s->ctx, sum, NULL));
	memcpy(ret->text, "sha256:", 7);
	str_hex(sum, sizeof sum, ret->text + 7);
	digest_check(EVP_DigestInit_ex(s->ctx, EVP_sha256(), NULL));
}

void digest_stream_free(struct digest_stream *s)
{
	if (!s)
		return;
	EVP_MD_CTX_free(s->ctx);
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
