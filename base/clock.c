/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation: dates by the civil-calendar arithmetic of Howard Hinnant ("days from civil"), not by
 * gmtime(3), which takes the C library's time zone lock: what is formatted here must also work in a
 * process that was forked from a threaded one.
 */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/str.h"

#define SEC_PER_DAY 86400

static int64_t now_ns(clockid_t id)
{
	struct timespec ts;

	BUG(clock_gettime(id, &ts) < 0, "clock %d", (int)id);
	return (int64_t)ts.tv_sec * CLOCK_NS_PER_SEC + ts.tv_nsec;
}

int64_t clock_wall_ns(void)
{
	return now_ns(CLOCK_REALTIME);
}

int64_t clock_mono_ns(void)
{
	return now_ns(CLOCK_MONOTONIC);
}

/* The calendar is counted in eras of 400 years that begin on March 1st, so that leap days come last. */
static int64_t days_from_civil(int64_t y, int64_t m, int64_t d)
{
	int64_t era, yoe, doy, doe;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
	doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	return era * 146097 + doe - 719468;
}

static void civil_from_days(int64_t days, int *y, int *m, int *d)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*d = (int)(doy - (153 * mp + 2) / 5 + 1);
	*m = (int)(mp < 10 ? mp + 3 : mp - 9);
	*y = (int)(yoe + era * 400 + (*m <= 2));
}

static void print_time(int64_t wall_ns, bool is_fixed, char out[CLOCK_TEXT_MAX])
{
	int64_t sec = wall_ns / CLOCK_NS_PER_SEC;
	int64_t ns = wall_ns % CLOCK_NS_PER_SEC;
	int64_t days, of_day;
	char fraction[12] = "";
	int y, m, d;

	if (ns < 0) {
		ns += CLOCK_NS_PER_SEC;
		sec--;
	}
	days = sec / SEC_PER_DAY;
	of_day = sec % SEC_PER_DAY;
	if (of_day < 0) {
		of_day += SEC_PER_DAY;
		days--;
	}
	if (is_fixed || ns > 0) {
		size_t n = (size_t)snprintf(fraction, sizeof(fraction), ".%09d", (int)ns);

		while (!is_fixed && fraction[n - 1] == '0')
			fraction[--n] = '\0';
	}
	civil_from_days(days, &y, &m, &d);
	snprintf(out, CLOCK_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d%sZ", y, m, d,
		 (int)(of_day / 3600), (int)(of_day / 60 % 60), (int)(of_day % 60), fraction);
}

const char *clock_rfc3339(int64_t wall_ns, char out[CLOCK_TEXT_MAX])
{
	/* Go's zero time, which is what docker's clients take for "never" */
	if (wall_ns == 0)
		snprintf(out, CLOCK_TEXT_MAX, "0001-01-01T00:00:00Z");
	else
		print_time(wall_ns, false, out);
	return out;
}

const char *clock_rfc3339_fixed(int64_t wall_ns, char out[CLOCK_TEXT_MAX])
{
	print_time(wall_ns, true, out);
	return out;
}

/* Exactly n digits, from lo to hi. */
static bool take_digits(const char **p, int n, int lo, int hi, int *ret)
{
	int v = 0;

	for (int i = 0; i < n; i++, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		v = v * 10 + (**p - '0');
	}
	*ret = v;
	return v >= lo && v <= hi;
}

static bool take_char(const char **p, const char *any_of)
{
	if (**p == '\0' || strchr(any_of, **p) == NULL)
		return false;
	(*p)++;
	return true;
}

/* ".5" is 500000000; digits after the ninth are dropped. No dot: 0. */
static bool take_fraction(const char **p, int64_t *ret_ns)
{
	int64_t scale = CLOCK_NS_PER_SEC / 10;

	*ret_ns = 0;
	if (!take_char(p, "."))
		return true;
	if (**p < '0' || **p > '9')
		return false;
	for (; **p >= '0' && **p <= '9'; (*p)++, scale /= 10)
		*ret_ns += (**p - '0') * scale;
	return true;
}

/* "Z" or "+02:00", in seconds east of UTC */
static bool take_zone(const char **p, int *ret_offset_sec)
{
	bool is_west = **p == '-';
	int h, m;

	*ret_offset_sec = 0;
	if (take_char(p, "Zz"))
		return true;
	if (!take_char(p, "+-") || !take_digits(p, 2, 0, 23, &h) || !take_char(p, ":") ||
	    !take_digits(p, 2, 0, 59, &m))
		return false;
	*ret_offset_sec = (h * 3600 + m * 60) * (is_west ? -1 : 1);
	return true;
}

static int days_in_month(int y, int m)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool is_leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return days[m - 1] + (m == 2 && is_leap ? 1 : 0);
}

/* In 128 bits: the first second of the range overflows before its fraction is added. */
static bool to_ns(int64_t sec, int64_t fraction_ns, int64_t *ret_ns)
{
	__int128 ns = (__int128)sec * CLOCK_NS_PER_SEC + fraction_ns;

	if (ns < INT64_MIN || ns > INT64_MAX)
		return false;
	*ret_ns = (int64_t)ns;
	return true;
}

static bool parse_rfc3339(const char *p, int64_t *ret_ns)
{
	int y, mon, d, h, min, s, offset_sec;
	int64_t fraction_ns, sec;

	if (!take_digits(&p, 4, 0, 9999, &y) || !take_char(&p, "-") ||
	    !take_digits(&p, 2, 1, 12, &mon) || !take_char(&p, "-") ||
	    !take_digits(&p, 2, 1, days_in_month(y, mon), &d) || !take_char(&p, "Tt "))
		return false;
	/* second 60 is a leap second, which is the next second to us */
	if (!take_digits(&p, 2, 0, 23, &h) || !take_char(&p, ":") ||
	    !take_digits(&p, 2, 0, 59, &min) || !take_char(&p, ":") ||
	    !take_digits(&p, 2, 0, 60, &s) || !take_fraction(&p, &fraction_ns) ||
	    !take_zone(&p, &offset_sec) || *p != '\0')
		return false;
	sec = days_from_civil(y, mon, d) * SEC_PER_DAY + h * 3600 + min * 60 + s - offset_sec;
	if (y == 1 && mon == 1 && d == 1 && h + min + s == 0) {
		*ret_ns = 0; /* Go's zero time */
		return true;
	}
	return to_ns(sec, fraction_ns, ret_ns);
}

static bool parse_unix(const char *p, int64_t *ret_ns)
{
	bool is_negative = take_char(&p, "-");
	int64_t sec = 0;
	int64_t fraction_ns;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(sec, INT64_C(10), &sec) ||
		    __builtin_add_overflow(sec, (int64_t)(*p - '0'), &sec))
			return false;
	}
	if (!take_fraction(&p, &fraction_ns) || *p != '\0')
		return false;
	if (is_negative)
		return to_ns(-sec, -fraction_ns, ret_ns);
	return to_ns(sec, fraction_ns, ret_ns);
}

bool clock_parse(const char *text, int64_t *ret_ns)
{
	if (str_is_empty(text))
		return false;
	return parse_rfc3339(text, ret_ns) || parse_unix(text, ret_ns);
}

#define MINUTE_S 60
#define HOUR_S   3600

static const char *count(char out[CLOCK_SPAN_MAX], long long n, const char *unit)
{
	snprintf(out, CLOCK_SPAN_MAX, "%lld %s", n, unit);
	return out;
}

int64_t clock_from_s(int64_t s)
{
	int64_t ns;

	return __builtin_mul_overflow(s, CLOCK_NS_PER_SEC, &ns) ? s < 0 ? INT64_MIN : INT64_MAX : ns;
}

const char *clock_span(int64_t ns, char out[CLOCK_SPAN_MAX])
{
	long long s = ns / CLOCK_NS_PER_SEC;
	long long minutes = s / MINUTE_S;
	long long hours = (s + HOUR_S / 2) / HOUR_S; /* rounded, as docker does */

	if (s < 1)
		snprintf(out, CLOCK_SPAN_MAX, "Less than a second");
	else if (s == 1)
		snprintf(out, CLOCK_SPAN_MAX, "1 second");
	else if (s < MINUTE_S)
		count(out, s, "seconds");
	else if (minutes == 1)
		snprintf(out, CLOCK_SPAN_MAX, "About a minute");
	else if (minutes < 60)
		count(out, minutes, "minutes");
	else if (hours == 1)
		snprintf(out, CLOCK_SPAN_MAX, "About an hour");
	else if (hours < 48)
		count(out, hours, "hours");
	else if (hours < 24 * 7 * 2)
		count(out, hours / 24, "days");
	else if (hours < 24 * 30 * 2)
		count(out, hours / 24 / 7, "weeks");
	else if (hours < 24 * 365 * 2)
		count(out, hours / 24 / 30, "months");
	else
		count(out, s / HOUR_S / 24 / 365, "years");
	return out;
}
