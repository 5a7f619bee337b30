/* SPDX-License-Identifier: Apache-2.0 */
/* What the first process starts with. Spec: moby daemon/daemon_unix.go, go-units ulimit.go, runc validate */
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "oci/options_parts.h"
#include "oci/sysctl.h"

#define LIST_MAX           1024
#define GROUP_MAX_BYTES    255
#define ANNOTATION_BYTES   65536   /* of all of them */

/* --- limits ------------------------------------------------------------------------------------------ */

static const char *const ulimits[] = {
	"as",    "core", "cpu",    "data",  "fsize",  "locks",      "memlock", "msgqueue",
	"nice",  "nofile", "nproc", "rss",  "rtprio", "rttime",     "sigpending", "stack",
};

static bool is_ulimit(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(ulimits); i++)
		if (str_eq(name, ulimits[i]))
			return true;
	return false;
}

/* -1 is unlimited: nothing is above it */
static bool is_above(int64_t soft, int64_t hard)
{
	return hard != -1 && (soft == -1 || soft > hard);
}

int options_check_ulimits(const struct opt_ulimit *v, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		const struct opt_ulimit *u = &v[i];

		if (!is_ulimit(u->name))
			return err_set(e, ERR_INVALID, "invalid ulimit type: %.60s", u->name);
		if (u->soft < -1 || u->hard < -1)
			return err_set(e, ERR_INVALID, "invalid ulimit %s: below -1, which is unlimited", u->name);
		if (is_above(u->soft, u->hard))
			return err_set(e, ERR_INVALID,
				       "ulimit soft limit must be less than or equal to hard limit: %lld > %lld",
				       (long long)u->soft, (long long)u->hard);
		for (size_t k = 0; k < i; k++)
			if (str_eq(u->name, v[k].name))
				return err_set(e, ERR_INVALID, "ulimit %s comes twice", u->name);
	}
	return 0;
}

/* --- groups, score, controls, annotations ------------------------------------------------------------ */

static int check_groups(const struct str_list *groups, struct err *e)
{
	if (groups->n > LIST_MAX)
		return err_set(e, ERR_INVALID, "more than %d groups to add", LIST_MAX);
	for (size_t i = 0; i < groups->n; i++)
		if (groups->v[i][0] == '\0' || strlen(groups->v[i]) > GROUP_MAX_BYTES ||
		    strpbrk(groups->v[i], ":,\n"))
			return err_set(e, ERR_INVALID, "invalid GroupAdd: '%.60s' is no group", groups->v[i]);
	return 0;
}

static int check_sysctls(const struct opt_host_config *h, struct err *e)
{
	if (h->sysctls.n > LIST_MAX)
		return err_set(e, ERR_INVALID, "more than %d sysctls", LIST_MAX);
	for (size_t i = 0; i < h->sysctls.n; i++) {
		const struct str_pair *p = &h->sysctls.v[i];

		if (sysctl_check(p, e) < 0)
			return err_wrap(e, "invalid sysctl");
		if (options_check_sysctl(h, p->key, e) < 0)
			return -1;
	}
	return 0;
}

static int check_annotations(const struct str_map *m, struct err *e)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++) {
		if (m->v[i].key[0] == '\0')
			return err_set(e, ERR_INVALID,
				       "invalid Annotations: the empty string is not permitted as an annotation key");
		n += strlen(m->v[i].key) + strlen(m->v[i].value);
	}
	if (n > ANNOTATION_BYTES)
		return err_set(e, ERR_INVALID, "invalid Annotations: more than %d bytes", ANNOTATION_BYTES);
	return 0;
}

int options_check_process(const struct opt_host_config *h, struct err *e)
{
	if (h->oom_score_adj < -1000 || h->oom_score_adj > 1000)
		return err_set(e, ERR_INVALID, "Invalid value %lld, range for oom score adj is [-1000, 1000]",
			       (long long)h->oom_score_adj);
	if (options_check_ulimits(h->ulimits, h->n_ulimits, e) < 0 || check_groups(&h->group_add, e) < 0 || check_sysctls(h, e) < 0)
		return -1;
	return check_annotations(&h->annotations, e);
}
