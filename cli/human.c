/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/human.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

static const char *scaled(double v, double base, int digits, const char *const units[], char out[HUMAN_MAX])
{
	size_t i = 0;

	while (v >= base && units[i + 1]) {
		v /= base;
		i++;
	}
	snprintf(out, HUMAN_MAX, "%.*g%s", digits, v, units[i]);
	return out;
}

const char *human_size(double bytes, int digits, char out[HUMAN_MAX])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB", NULL };

	return scaled(bytes, 1000, digits, units, out);
}

const char *human_bytes(double bytes, char out[HUMAN_MAX])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB", NULL };

	return scaled(bytes, 1024, 4, units, out);
}

const char *human_ago(int64_t then_s, int64_t now_s, char out[HUMAN_MAX + 8])
{
	char span[CLOCK_SPAN_MAX];
	int64_t s;

	if (__builtin_sub_overflow(now_s, then_s, &s))
		s = then_s < 0 ? INT64_MAX : INT64_MIN;
	snprintf(out, HUMAN_MAX + 8, "%s ago", clock_span(clock_from_s(s), span));
	return out;
}

const char *human_date(int64_t then_s, char out[64])
{
	time_t t = (time_t)then_s;
	struct tm tm;

	if (!localtime_r(&t, &tm))   /* no such year */
		snprintf(out, 64, "%lld", (long long)then_s);
	else
		strftime(out, 64, "%Y-%m-%d %H:%M:%S %z %Z", &tm);
	return out;
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

size_t human_width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += !is_continuation(*text);
	return n;
}

void human_ellipsis(struct strbuf *out, const char *text, size_t max)
{
	size_t n = 0;

	if (human_width(text) <= max) {
		strbuf_adds(out, text);
		return;
	}
	for (const char *p = text; *p; p++) {
		n += !is_continuation(*p);
		if (n >= max)
			break;
		strbuf_addc(out, *p);
	}
	strbuf_adds(out, "\342\200\246");
}

void human_quote(struct strbuf *out, const char *text)
{
	static const char plain[] = "abfnrtv", codes[] = "\a\b\f\n\r\t\v";

	strbuf_addc(out, '"');
	for (const char *p = text; *p; p++) {
		const char *known = strchr(codes, *p);

		if (known)
			strbuf_addf(out, "\\%c", plain[known - codes]);
		else if (*p == '"' || *p == '\\')
			strbuf_addf(out, "\\%c", *p);
		else if ((unsigned char)*p < ' ' || *p == 127)
			strbuf_addf(out, "\\x%02x", (unsigned char)*p);
		else
			strbuf_addc(out, *p);
	}
	strbuf_addc(out, '"');
}
