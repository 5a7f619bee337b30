/* SPDX-License-Identifier: Apache-2.0 */
#include "base/value.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/own.h"
#include "base/str.h"

/* "12.5" up to what is no digit, in billionths and 128 bits, so that units multiply exactly. @ret_end: behind it */
static bool read_digits(const char *text, unsigned n_fraction_max, __int128 *ret, const char **ret_end)
{
	__int128 v = 0;
	unsigned n = 0, n_fraction = 0;
	const char *p = text;

	for (; isdigit((unsigned char)*p) && n < 19; p++, n++)
		v = v * 10 + (*p - '0');
	if (isdigit((unsigned char)*p))
		return false;
	if (*p == '.')
		for (p++; isdigit((unsigned char)*p); p++) {
			if (n_fraction == n_fraction_max && *p != '0')
				return false;
			if (n_fraction < n_fraction_max) {
				v = v * 10 + (*p - '0');
				n_fraction++;
			}
		}
	if (n + n_fraction == 0)
		return false;
	for (; n_fraction < 9; n_fraction++)
		v *= 10;
	*ret = v;
	*ret_end = p;
	return true;
}

static bool fits(__int128 v, int64_t *ret)
{
	if (v > INT64_MAX)
		return false;
	*ret = (int64_t)v;
	return true;
}

int value_bytes(const char *text, int64_t *ret, struct err *e)
{
	static const char units[] = "kmgtp";
	const char *end = NULL, *unit;
	unsigned shift = 0;
	__int128 v = 0;

	if (str_eq(text, "-1")) {
		*ret = -1;
		return 0;
	}
	if (!read_digits(text, 9, &v, &end))
		return err_set(e, ERR_INVALID, "invalid size: '%.64s'", text);
	end += *end == ' ';
	if (*end && (unit = strchr(units, tolower((unsigned char)*end)))) {
		shift = 10 * (unsigned)(unit - units + 1);
		end++;
		end += strcasecmp(end, "ib") == 0;
	}
	end += tolower((unsigned char)*end) == 'b';
	if (*end || !fits((v << shift) / 1000000000, ret))
		return err_set(e, ERR_INVALID, "invalid size: '%.64s'", text);
	return 0;
}

int value_duration(const char *text, int64_t *ret_ns, struct err *e)
{
	static const struct { const char *name; int64_t ns; } units[] = {
		{ "ns", 1 }, { "us", 1000 }, { "\302\265s", 1000 }, { "\316\274s", 1000 }, { "ms", 1000000 },
		{ "s", 1000000000 }, { "m", 60000000000 }, { "h", 3600000000000 },
	};
	bool is_negative = text[0] == '-';
	const char *p = text + (text[0] == '-' || text[0] == '+');
	__int128 sum = 0;

	if (str_eq(p, "0")) {
		*ret_ns = 0;
		return 0;
	}
	do {
		__int128 v = 0;
		size_t i = 0;

		if (!read_digits(p, 9, &v, &p))
			break;
		while (i < ARRAY_SIZE(units) && (!str_starts(p, units[i].name) ||
						 isalpha((unsigned char)p[strlen(units[i].name)])))
			i++;
		if (i == ARRAY_SIZE(units))
			break;
		p += strlen(units[i].name);
		sum += v * units[i].ns / 1000000000;
		if (!*p && fits(sum, ret_ns)) {
			*ret_ns = is_negative ? -*ret_ns : *ret_ns;
			return 0;
		}
	} while (*p);
	return err_set(e, ERR_INVALID, "invalid duration \"%.64s\" (as 1m30s, 200ms)", text);
}

int value_decimal(const char *text, int64_t *ret, struct err *e)
{
	const char *end = NULL;
	__int128 v = 0;

	if (!read_digits(text, 9, &v, &end) || *end || !fits(v, ret))
		return err_set(e, ERR_INVALID, "failed to parse %.64s as a rational number of at most nine places", text);
	return 0;
}
