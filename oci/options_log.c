/* SPDX-License-Identifier: Apache-2.0 */
/* LogConfig. Spec: moby daemon/logger/jsonfilelog/jsonfilelog.go New(), ValidateLogOpt() */
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "oci/options_rules.h"

#define FILES_MAX 64           /* a reader may have all of them open */
#define BYTES_MIN 1000
#define BYTES_MAX (UINT64_C(1) << 50)

/* --- values ------------------------------------------------------------------------------------------ */

/* "10m", "1.5g", "100": decimal, as docker reads it here. Spec: go-units FromHumanSize() */
static bool size_parse(const char *text, uint64_t *ret)
{
	static const char units[] = "kmgtp";
	char *end;
	double v;

	if (text[0] < '0' || text[0] > '9')
		return false;
	v = strtod(text, &end);
	end += *end == ' ';
	for (size_t i = 0; *end && i < sizeof units - 1; i++) {
		if ((*end | 32) != units[i])
			continue;
		for (size_t k = 0; k <= i; k++)
			v *= 1000;
		end++;
		break;
	}
	end += (*end | 32) == 'b';
	if (*end || !(v >= BYTES_MIN && v <= (double)BYTES_MAX))
		return false;
	*ret = (uint64_t)v;
	return true;
}

static int take_max_size(struct options_log *l, const char *value, struct err *e)
{
	if (str_eq(value, "-1")) {
		l->max_bytes = 0;
		return 0;
	}
	if (size_parse(value, &l->max_bytes))
		return 0;
	return err_set(e, ERR_INVALID, "invalid log opt max-size '%.60s': a size of at least %d bytes (10m, 1g), or -1 for no bound",
		       value, BYTES_MIN);
}

static int take_max_file(struct options_log *l, const char *value, struct err *e)
{
	uint64_t n;

	if (!str_to_u64(value, &n))
		return err_set(e, ERR_INVALID, "invalid log opt max-file '%.60s': it is no number", value);
	if (n < 1)
		return err_set(e, ERR_INVALID, "max-file cannot be less than 1");
	if (n > FILES_MAX)
		return err_set(e, ERR_INVALID, "max-file cannot be more than %d", FILES_MAX);
	l->max_files = (unsigned)n;
	return 0;
}

static int take_labels(struct options_log *l, const char *value, struct err *e)
{
	(void)e;
	l->labels = value;
	return 0;
}

static int take_env(struct options_log *l, const char *value, struct err *e)
{
	(void)e;
	l->env = value;
	return 0;
}

static int take_tag(struct options_log *l, const char *value, struct err *e)
{
	(void)e;
	l->tag = value;
	return 0;
}

static int take_compress(struct options_log *l, const char *value, struct err *e)
{
	(void)l;
	if (str_eq(value, "false"))
		return 0;
	return err_set(e, ERR_UNSUPPORTED, "log opt compress=%.20s is not supported: rotated logs are kept as they are", value);
}

static int take_mode(struct options_log *l, const char *value, struct err *e)
{
	(void)l;
	if (str_eq(value, "blocking"))
		return 0;
	return err_set(e, ERR_UNSUPPORTED, "log opt mode=%.20s is not supported: a log waits for nobody but its disk", value);
}

static int refuse(struct options_log *l, const char *value, struct err *e)
{
	(void)l;
	return err_set(e, ERR_UNSUPPORTED, "log opts labels-regex, env-regex and max-buffer-size are not supported ('%.60s')", value);
}

static const struct {
	const char *name;
	int (*take)(struct options_log *l, const char *value, struct err *e);
} rows[] = {
	{ "max-size", take_max_size },
	{ "max-file", take_max_file },
	{ "labels", take_labels },
	{ "env", take_env },
	{ "tag", take_tag },
	{ "compress", take_compress },
	{ "mode", take_mode },
	{ "labels-regex", refuse },
	{ "env-regex", refuse },
	{ "max-buffer-size", refuse },
};

static int take(struct options_log *l, const struct str_pair *p, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (str_eq(p->key, rows[i].name))
			return rows[i].take(l, p->value, e);
	return err_set(e, ERR_INVALID, "unknown log opt '%.60s' for json-file log driver", p->key);
}

/* --- the whole --------------------------------------------------------------------------------------- */

int options_log(const struct opt_log_config *l, struct options_log *ret, struct err *e)
{
	bool has_size = str_map_get(&l->config, "max-size") != NULL;
	/* Who names a size and no number means that size, as with docker */
	struct options_log out = { .max_bytes = OPTIONS_LOG_MAX_BYTES, .max_files = has_size ? 1 : OPTIONS_LOG_MAX_FILES };

	if (str_eq(l->type, "none") && l->config.n > 0)
		return err_set(e, ERR_INVALID, "unknown log opt '%.60s' for none log driver", l->config.v[0].key);
	for (size_t i = 0; i < l->config.n; i++)
		if (take(&out, &l->config.v[i], e) < 0)
			return -1;
	*ret = out;
	return 0;
}
