/* SPDX-License-Identifier: Apache-2.0 */
/* A program's bytes as JSON text, escaped as Go does it. */
#include <stdbool.h>
#include <string.h>

#include "base/own.h"
#include "runtime/jsonlog.h"

/* Bytes that stand for themselves: ASCII without controls, quotes, backslash and what Go escapes for HTML. */
static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

/* Length of the UTF-8 sequence that a first byte announces; 0: no first byte. */
static size_t announced_bytes(unsigned char c)
{
	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c < 0xe0)
		return 2;
	if (c >= 0xe0 && c < 0xf0)
		return 3;
	return c >= 0xf0 && c < 0xf5 ? 4 : 0;
}

/* Whether the second byte may follow the first: no overlong forms, no surrogates, nothing above U+10FFFF. */
static bool is_second(unsigned char first, unsigned char second)
{
	unsigned char low = 0x80, high = 0xbf;

	if (first == 0xe0)
		low = 0xa0;
	else if (first == 0xed)
		high = 0x9f;
	else if (first == 0xf0)
		low = 0x90;
	else if (first == 0xf4)
		high = 0x8f;
	return second >= low && second <= high;
}

size_t jsonlog_valid_bytes(const char *text, size_t n, size_t *ret_whole)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t whole = announced_bytes(p[0]), i = 1;

	*ret_whole = whole;
	if (whole == 0)
		return 0;
	while (i < whole && i < n && (i == 1 ? is_second(p[0], p[1]) : (p[i] & 0xc0) == 0x80))
		i++;
	return i;
}

static void encode_ascii(struct strbuf *out, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char code[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

	switch (c) {
	case '"': strbuf_add(out, "\\\"", 2); break;
	case '\\': strbuf_add(out, "\\\\", 2); break;
	case '\n': strbuf_add(out, "\\n", 2); break;
	case '\r': strbuf_add(out, "\\r", 2); break;
	case 0x7f: strbuf_addc(out, 0x7f); break;
	default: strbuf_add(out, code, sizeof code); break;
	}
}

/* Return: bytes of text used */
static size_t encode_wide(struct strbuf *out, const char *text, size_t n)
{
	size_t whole, valid = jsonlog_valid_bytes(text, n, &whole);

	if (whole == 0 || valid < whole) {
		strbuf_add(out, "\\ufffd", 6);
		return 1;
	}
	if (whole == 3 && memcmp(text, "\xe2\x80\xa8", 3) == 0)
		strbuf_add(out, "\\u2028", 6);
	else if (whole == 3 && memcmp(text, "\xe2\x80\xa9", 3) == 0)
		strbuf_add(out, "\\u2029", 6);
	else
		strbuf_add(out, text, whole);
	return whole;
}

static void encode_text(struct strbuf *out, const char *text, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t run = i;

		while (run < n && is_plain((unsigned char)text[run]))
			run++;
		strbuf_add(out, text + i, run - i);
		i = run;
		if (i == n)
			break;
		if ((unsigned char)text[i] < 0x80)
			encode_ascii(out, (unsigned char)text[i++]);
		else
			i += encode_wide(out, text + i, n - i);
	}
}

void jsonlog_encode(struct strbuf *out, const char *text, size_t n, enum jsonlog_stream stream, const char *attrs,
		    const char *time)
{
	strbuf_add(out, "{\"log\":\"", 8);
	encode_text(out, text, n);
	strbuf_adds(out, stream == JSONLOG_STDOUT ? "\",\"stream\":\"stdout\"" : "\",\"stream\":\"stderr\"");
	if (attrs) {
		strbuf_add(out, ",\"attrs\":", 9);
		strbuf_adds(out, attrs);
	}
	strbuf_add(out, ",\"time\":\"", 9);
	strbuf_adds(out, time);
	strbuf_add(out, "\"}\n", 3);
}
