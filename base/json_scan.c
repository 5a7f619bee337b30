/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_scan.h"

#include <stdint.h>
#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "base/str.h"

/* "\u0000" and two quotes; the shortest integer outside int64 has 19 characters, so 11 digits remain */
#define MARK_HEAD     "\"\\u0000"
#define MARK_OVERHEAD 8u
#define BIG_MIN_CHARS 19u

/* --- tokens, good enough for text that may be wrong ---------------------------------------------- */

/* The end of a string that begins at text[i] == '"': behind its quote, or n. */
static size_t string_end(const char *text, size_t n, size_t i)
{
	for (i++; i < n; i++) {
		if (text[i] == '\\')
			i++;
		else if (text[i] == '"')
			return i + 1;
	}
	return n;
}

static size_t number_end(const char *text, size_t n, size_t i)
{
	while (i < n && text[i] != '\0' && strchr("0123456789+-.eE", text[i]) != NULL)
		i++;
	return i;
}

static bool starts_number(char c)
{
	return c == '-' || (c >= '0' && c <= '9');
}

/* Whether an integer token, as RFC 8259 writes them, does not fit int64. */
static bool is_big_integer(const char *token, size_t n)
{
	char digits[BIG_MIN_CHARS + 2];
	const char *p = token;
	size_t n_digits = n;
	int64_t v;

	if (*p == '-') {
		p++;
		n_digits--;
	}
	if (n < BIG_MIN_CHARS || p[0] == '0')
		return false;
	for (size_t i = 0; i < n_digits; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
	}
	if (n >= sizeof(digits))
		return true;
	memcpy(digits, token, n);
	digits[n] = '\0';
	return !str_to_i64(digits, &v);
}

/* --- where am I ---------------------------------------------------------------------------------- */

struct where {
	struct {
		size_t key, key_len; /* objects: the current key in the text, quotes included */
		size_t index;        /* arrays */
		bool is_array;
	} levels[JSON_MAX_DEPTH];
	size_t depth;
	bool expects_key;
};

static void where_open(struct where *w, bool is_array)
{
	if (w->depth < JSON_MAX_DEPTH) {
		memset(&w->levels[w->depth], 0, sizeof(w->levels[0]));
		w->levels[w->depth].is_array = is_array;
	}
	w->depth++;
	w->expects_key = !is_array;
}

static void where_token(struct where *w, char c, size_t start, size_t end)
{
	size_t top = w->depth - 1;

	if (c == '{' || c == '[') {
		where_open(w, c == '[');
		return;
	}
	if (w->depth == 0 || top >= JSON_MAX_DEPTH)
		return;
	if (c == '}' || c == ']') {
		w->depth--;
		w->expects_key = false;
	} else if (c == ',') {
		w->levels[top].index++;
		w->expects_key = !w->levels[top].is_array;
	} else if (c == '"' && w->expects_key) {
		w->levels[top].key = start;
		w->levels[top].key_len = end - start;
		w->expects_key = false;
	}
}

static void where_print(const struct where *w, const char *text, struct strbuf *out)
{
	for (size_t i = 0; i < w->depth && i < JSON_MAX_DEPTH; i++) {
		size_t len = w->levels[i].key_len;

		if (w->levels[i].is_array) {
			strbuf_addf(out, "[%zu]", w->levels[i].index);
		} else if (len > 2) {
			if (out->len > 0)
				strbuf_addc(out, '.');
			strbuf_add(out, text + w->levels[i].key + 1, len - 2);
		}
	}
}

/* The path to the value that the bytes before offset lead to. */
static void path_at(const char *text, size_t offset, struct strbuf *out)
{
	struct where w = { .depth = 0 };

	for (size_t i = 0; i < offset;) {
		size_t start = i;

		i = text[i] == '"' ? string_end(text, offset, i) : i + 1;
		where_token(&w, text[start], start, i);
	}
	where_print(&w, text, out);
}

/* Where the value at a path begins, or n. */
static size_t value_offset(const char *text, size_t n, const char *path)
{
	struct where w = { .depth = 0 };

	for (size_t i = 0; i < n;) {
		AUTO_STRBUF struct strbuf here = { 0 };
		size_t start = i;

		i = text[i] == '"' ? string_end(text, n, i) : i + 1;
		where_token(&w, text[start], start, i);
		if (text[start] != ':' && text[start] != '[' && text[start] != ',')
			continue;
		where_print(&w, text, &here);
		while (i < n && text[i] != '\0' && strchr(" \t\r\n", text[i]) != NULL)
			i++;
		if (!w.expects_key && str_eq(strbuf_cstr(&here), path))
			return i;
	}
	return n;
}

int json_err_in(const char *text, size_t n, const char *path, const char *what, struct err *e)
{
	size_t offset = value_offset(text, n, path);

	if (offset == n)
		return err_set(e, ERR_INVALID, "at %.200s: %s", path, what);
	return json_err_at(text, n, offset, what, e);
}

int json_err_at(const char *text, size_t n, size_t offset, const char *what, struct err *e)
{
	AUTO_STRBUF struct strbuf path = { 0 };
	size_t line = 1;
	size_t column = 1;

	if (offset > n)
		offset = n;
	for (size_t i = 0; i < offset; i++) {
		if (text[i] == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)text[i] & 0xc0) != 0x80) {
			column++; /* characters, not bytes */
		}
	}
	path_at(text, offset, &path);
	return err_set(e, ERR_INVALID, "line %zu, column %zu%s%.200s: %s", line, column,
		       path.len > 0 ? ", at " : "", strbuf_cstr(&path), what);
}

/* --- the scan ------------------------------------------------------------------------------------ */

static void mark(char *marked, size_t start, size_t len)
{
	size_t offset = start;
	char *digits = marked + start + sizeof(MARK_HEAD) - 1;

	memcpy(marked + start, MARK_HEAD, sizeof(MARK_HEAD) - 1);
	for (size_t i = len - MARK_OVERHEAD; i > 0; i--, offset /= 10)
		digits[i - 1] = (char)('0' + offset % 10);
	marked[start + len - 1] = '"';
	BUG(offset > 0, "text of more than 10^11 bytes");
}

bool json_mark_offset(const char *s, size_t n, size_t *ret_offset)
{
	size_t offset = 0;

	if (n == 0 || s[0] != '\0')
		return false;
	for (size_t i = 1; i < n; i++)
		offset = offset * 10 + (size_t)(s[i] - '0');
	*ret_offset = offset;
	return true;
}

/* The offset of a NUL, written as an escape, between two offsets; or the end. */
static size_t find_nul(const char *text, size_t start, size_t end)
{
	for (size_t i = start; i + 5 < end; i++) {
		if (text[i] != '\\')
			continue;
		if (memcmp(text + i + 1, "u0000", 5) == 0)
			return i;
		i++; /* what is escaped is no backslash that escapes */
	}
	return end;
}

static int scan_string(const char *text, size_t n, size_t start, size_t end, struct err *e)
{
	size_t nul = find_nul(text, start, end);

	return nul < end ? json_err_at(text, n, nul, "strings may not contain NUL", e) : 0;
}

size_t json_count_values(const char *text, size_t n)
{
	size_t count = 1;

	for (size_t i = 0; i < n;) {
		if (text[i] == '"') {
			i = string_end(text, n, i);
			continue;
		}
		count += text[i] == ',' || text[i] == '{' || text[i] == '[';
		i++;
	}
	return count;
}

int json_scan(const char *text, size_t n, char **ret_marked, struct err *e)
{
	AUTO_FREE char *marked = NULL;
	size_t depth = 0;

	if (memchr(text, '\0', n) != NULL)
		return json_err_at(text, n, strnlen(text, n), "NUL is no part of JSON", e);
	for (size_t i = 0; i < n;) {
		size_t start = i;
		char c = text[i];

		if (c == '"') {
			i = string_end(text, n, i);
			if (scan_string(text, n, start, i, e) < 0)
				return -1;
		} else if (starts_number(c)) {
			i = number_end(text, n, i);
			if (!is_big_integer(text + start, i - start))
				continue;
			if (marked == NULL) {
				marked = xmalloc(n);
				memcpy(marked, text, n);
			}
			mark(marked, start, i - start);
		} else {
			i++;
			if ((c == '{' || c == '[') && ++depth > JSON_MAX_DEPTH)
				return json_err_at(text, n, start, "nested too deeply", e);
			if ((c == '}' || c == ']') && depth > 0)
				depth--;
		}
	}
	*ret_marked = TAKE_PTR(marked);
	return 0;
}
