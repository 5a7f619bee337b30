/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/defence.h"
#include "base/err.h"
#include "base/own.h"

#define STRBUF_MIN 64u

void strbuf_done(struct strbuf *b)
{
	free(b->data);
	*b = (struct strbuf){ 0 };
}

void strbuf_reset(struct strbuf *b)
{
	b->len = 0;
	if (b->data != NULL)
		b->data[0] = '\0';
}

void strbuf_reserve(struct strbuf *b, size_t extra)
{
	size_t need;
	size_t cap;

	BUG(__builtin_add_overflow(b->len, extra, &need) || need > SIZE_MAX / 4,
	    "string of %zu + %zu bytes", b->len, extra);
	if (need < b->cap)
		return;
	cap = b->cap * 2 > need + 1 ? b->cap * 2 : need + 1;
	if (cap < STRBUF_MIN)
		cap = STRBUF_MIN;
	b->data = xrealloc(b->data, cap);
	b->cap = cap;
	b->data[b->len] = '\0';
}

void strbuf_add(struct strbuf *b, const void *data, size_t n)
{
	strbuf_reserve(b, n);
	if (n > 0)
		memcpy(b->data + b->len, data, n);
	b->len += n;
	b->data[b->len] = '\0';
}

void strbuf_adds(struct strbuf *b, const char *s)
{
	strbuf_add(b, s, strlen(s));
}

void strbuf_addc(struct strbuf *b, char c)
{
	strbuf_reserve(b, 1);
	b->data[b->len++] = c;
	b->data[b->len] = '\0';
}

/* Also the C1's, in UTF-8. */
void strbuf_add_visible(struct strbuf *b, const char *text, const char *keep)
{
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		bool is_c1 = p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;

		if (DEFENCE(VISIBLE, (*p < 0x20 && strchr(keep, *p) == NULL) || *p == 0x7f || is_c1, false))
			strbuf_addf(b, "\\x%02x", *p);
		else
			strbuf_addc(b, (char)*p);
		if (is_c1)
			strbuf_addf(b, "\\x%02x", *++p);
	}
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	BUG(n < 0, "format '%s'", fmt);

	strbuf_reserve(b, (size_t)n);
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void strbuf_drop_front(struct strbuf *b, size_t n)
{
	BUG(n > b->len, "drop %zu of %zu bytes", n, b->len);
	if (n == 0)
		return;
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
	b->data[b->len] = '\0';
}

char *strbuf_take(struct strbuf *b)
{
	char *data = b->data != NULL ? b->data : xstrdup("");

	*b = (struct strbuf){ 0 };
	return data;
}

const char *strbuf_cstr(const struct strbuf *b)
{
	return b->data != NULL ? b->data : "";
}

bool str_eq(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s);
	size_t m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

bool str_has_word(const char *words, const char *separators, const char *word)
{
	size_t len = strlen(word);

	for (size_t n; *words != '\0'; words += n + (words[n] != '\0')) {
		n = strcspn(words, separators);
		if (n == len && memcmp(words, word, n) == 0)
			return true;
	}
	return false;
}

bool str_is_empty(const char *s)
{
	return s == NULL || s[0] == '\0';
}

bool str_to_u64(const char *s, uint64_t *ret)
{
	uint64_t v = 0;

	if (str_is_empty(s))
		return false;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9')
			return false;
		if (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return false;
	}
	*ret = v;
	return true;
}

bool str_to_i64(const char *s, int64_t *ret)
{
	bool is_negative = s != NULL && s[0] == '-';
	uint64_t v;

	if (!str_to_u64(is_negative ? s + 1 : s, &v))
		return false;
	if (v > (uint64_t)INT64_MAX + (is_negative ? 1 : 0))
		return false;
	/* negated as unsigned: -INT64_MIN does not exist */
	*ret = (int64_t)(is_negative ? 0 - v : v);
	return true;
}

void str_hex(const void *bytes, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * n] = '\0';
}

bool str_is_hex(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
			return false;
	}
	return s[n] == '\0';
}

size_t str_utf8_length(const unsigned char *p, size_t n)
{
	size_t len = p[0] < 0x80   ? 1
		     : p[0] < 0xc2 ? 0
		     : p[0] < 0xe0 ? 2
		     : p[0] < 0xf0 ? 3
		     : p[0] < 0xf5 ? 4
				   : 0;

	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	return -1;
}

void *str_base64_decode(const char *s, size_t n, size_t *ret_n)
{
	AUTO_FREE unsigned char *out = NULL;
	size_t n_pad = 0;
	size_t n_out = 0;
	uint32_t bits = 0;
	unsigned n_bits = 0;

	while (n_pad < 2 && n_pad < n && s[n - 1 - n_pad] == '=')
		n_pad++;
	/* padding is optional, but where it is, it is right */
	if (n_pad > 0 && n % 4 != 0)
		return NULL;
	n -= n_pad;
	if (n % 4 == 1)
		return NULL;

	out = xmalloc(n / 4 * 3 + 3);
	for (size_t i = 0; i < n; i++) {
		int v = base64_value(s[i]);

		if (v < 0)
			return NULL;
		bits = bits << 6 | (uint32_t)v;
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			out[n_out++] = (unsigned char)(bits >> n_bits);
		}
	}
	out[n_out] = '\0';
	*ret_n = n_out;
	return TAKE_PTR(out);
}
