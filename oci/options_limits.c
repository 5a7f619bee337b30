/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of the control groups. Spec: moby daemon/daemon_unix.go verifyPlatformContainerResources() */
#include <string.h>

#include "base/defence.h"
#include "base/own.h"
#include "base/str.h"
#include "oci/options_parts.h"

#define CPUSET_TEXT_MAX 4096

/* --- sets -------------------------------------------------------------------------------------------- */

/* One number of a cpuset at *p, which moves behind it */
static bool cpu_take(const char **p, unsigned long *ret)
{
	unsigned long v = 0;
	const char *s = *p;

	/* A number with more digits cannot be a processor: no list is ever expanded beyond n_cpus (CVE-2018-20699) */
	for (; *s >= '0' && *s <= '9' && s - *p < DEFENCE(SETS_BOUNDED, 6, 18); s++)
		v = v * 10 + (unsigned long)(*s - '0');
	if (s == *p || (*s >= '0' && *s <= '9'))
		return false;
	*p = s;
	*ret = v;
	return true;
}

/* What a set is made of, in docker's words */
struct set_words {
	const char *name, *things;
};

static int set_parse(const char *text, unsigned n_max, const struct set_words *words, struct err *e)
{
	const char *p = text;
	unsigned long from, to;

	if (strlen(text) > CPUSET_TEXT_MAX)
		return err_set(e, ERR_INVALID, "Invalid value %.60s… for %s", text, words->name);
	for (;;) {
		if (!cpu_take(&p, &from))
			break;
		to = from;
		if (*p == '-' && (p++, !cpu_take(&p, &to)))
			break;
		if (to < from)
			break;
		if (DEFENCE(SETS_BOUNDED, to >= n_max, false))
			return err_set(e, ERR_INVALID, "Requested %s are not available - requested %.60s, available: 0-%u",
				       words->things, text, n_max - 1);
		if (*p == '\0')
			return 0;
		if (*p++ != ',')
			break;
	}
	return err_set(e, ERR_INVALID, "Invalid value %.60s for %s", text, words->name);
}

int options_cpuset_parse(const char *text, unsigned n_cpus, struct err *e)
{
	return set_parse(text, n_cpus, &(struct set_words){ "cpuset cpus", "CPUs" }, e);
}

/* --- processors -------------------------------------------------------------------------------------- */

static int check_quota(const struct opt_host_config *h, struct err *e)
{
	if (h->nano_cpus != 0 && h->cpu_period_usec != 0)
		return err_set(e, ERR_INVALID, "Conflicting options: Nano CPUs and CPU Period cannot both be set");
	if (h->nano_cpus != 0 && h->cpu_quota_usec != 0)
		return err_set(e, ERR_INVALID, "Conflicting options: Nano CPUs and CPU Quota cannot both be set");
	if (h->cpu_period_usec != 0 && (h->cpu_period_usec < 1000 || h->cpu_period_usec > 1000000))
		return err_set(e, ERR_INVALID,
			       "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
	if (h->cpu_quota_usec < -1 || (h->cpu_quota_usec >= 0 && h->cpu_quota_usec < 1000 && h->cpu_quota_usec != 0))
		return err_set(e, ERR_INVALID, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
	return 0;
}

static int check_real_time(const struct opt_host_config *h, const struct options_host *host, struct err *e)
{
	if (h->cpu_rt_period_usec == 0 && h->cpu_rt_runtime_usec == 0)
		return 0;
	if (!host->has_cpu_rt)
		return err_set(e, ERR_INVALID, "Your kernel does not support CPU real-time scheduler");
	if (h->cpu_rt_period_usec < 0 || h->cpu_rt_runtime_usec < 0)
		return err_set(e, ERR_INVALID, "cpu real-time period and runtime cannot be negative");
	if (h->cpu_rt_period_usec != 0 && h->cpu_rt_runtime_usec > h->cpu_rt_period_usec)
		return err_set(e, ERR_INVALID, "cpu real-time runtime cannot be higher than cpu real-time period");
	return 0;
}

static int check_cpu(const struct opt_host_config *h, const struct options_host *host, struct err *e)
{
	static const struct set_words mems = { "cpuset mems", "memory nodes" };

	if (h->nano_cpus != 0 &&
	    (h->nano_cpus < 10000000 || h->nano_cpus > (int64_t)host->n_cpus * 1000000000))
		return err_set(e, ERR_INVALID,
			       "Range of CPUs is from 0.01 to %u.00, as there are only %u CPUs available",
			       host->n_cpus, host->n_cpus);
	if (h->cpu_shares < 0)
		return err_set(e, ERR_INVALID, "invalid CPU shares (%lld): value must be a positive integer",
			       (long long)h->cpu_shares);
	if (check_quota(h, e) < 0 || check_real_time(h, host, e) < 0)
		return -1;
	if (!str_is_empty(h->cpuset_cpus) && options_cpuset_parse(h->cpuset_cpus, host->n_cpus, e) < 0)
		return -1;
	if (!str_is_empty(h->cpuset_mems) && set_parse(h->cpuset_mems, host->n_nodes ? host->n_nodes : 1, &mems, e) < 0)
		return -1;
	return 0;
}

/* --- memory ------------------------------------------------------------------------------------------ */

static int check_swap(const struct opt_host_config *h, struct err *e)
{
	if (h->memory_swap_bytes < -1)
		return err_set(e, ERR_INVALID, "invalid MemorySwap: %lld", (long long)h->memory_swap_bytes);
	if (h->memory_bytes > 0 && h->memory_swap_bytes > 0 && h->memory_swap_bytes < h->memory_bytes)
		return err_set(e, ERR_INVALID,
			       "Minimum memoryswap limit should be larger than memory limit, see usage");
	if (h->memory_bytes == 0 && h->memory_swap_bytes > 0)
		return err_set(e, ERR_INVALID,
			       "You should always set the Memory limit when using Memoryswap limit, see usage");
	if (h->memory_swappiness.set && (h->memory_swappiness.v < 0 || h->memory_swappiness.v > 100))
		return err_set(e, ERR_INVALID, "Invalid value: %lld, valid memory swappiness range is 0-100",
			       (long long)h->memory_swappiness.v);
	return 0;
}

static int check_memory(const struct opt_host_config *h, struct err *e)
{
	const int min_mb = (int)(OPTIONS_MEMORY_MIN_BYTES >> 20);

	if (h->memory_bytes != 0 && h->memory_bytes < OPTIONS_MEMORY_MIN_BYTES)
		return err_set(e, ERR_INVALID, "Minimum memory limit allowed is %dMB", min_mb);
	if (h->memory_reservation_bytes != 0 && h->memory_reservation_bytes < OPTIONS_MEMORY_MIN_BYTES)
		return err_set(e, ERR_INVALID, "Minimum memory reservation allowed is %dMB", min_mb);
	if (h->memory_bytes > 0 && h->memory_bytes < h->memory_reservation_bytes)
		return err_set(e, ERR_INVALID,
			       "Minimum memory limit can not be less than memory reservation limit, see usage");
	return check_swap(h, e);
}

int options_check_limits(const struct opt_host_config *h, const struct options_host *host, struct err *e)
{
	if (check_memory(h, e) < 0 || check_cpu(h, host, e) < 0 || options_check_blkio(h, e) < 0)
		return -1;
	if (h->pids_limit.set && h->pids_limit.v < -1)
		return err_set(e, ERR_INVALID, "invalid PidsLimit: %lld", (long long)h->pids_limit.v);
	if (h->shm_size_bytes < 0)
		return err_set(e, ERR_INVALID, "SHM size can not be less than 0");
	return 0;
}

/* --- what this host has not -------------------------------------------------------------------------- */

void options_warn(struct str_list *l, const char *text, struct arena *a)
{
	BUG(l->n == OPTIONS_WARNINGS_MAX, "%zu warnings", l->n);
	l->v[l->n++] = arena_strdup(a, text);
}

static void adapt_memory(struct opt_host_config *h, const struct options_host *host, struct str_list *l,
			 struct arena *a)
{
	if (host->is_v2 && h->memory_swappiness.set) {
		h->memory_swappiness = (struct opt_i64){0};
		options_warn(l, "Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. "
			"Memory swappiness discarded.", a);
	}
	if (host->is_v2 && h->oom_kill_disable.v) {
		h->oom_kill_disable = (struct opt_bool){0};
		options_warn(l, "Your kernel does not support OomKillDisable. OomKillDisable discarded.", a);
	}
	if (h->oom_kill_disable.v && h->memory_bytes == 0)
		options_warn(l, "OOM killer is disabled for the container, but no memory limit is set, this can result in the "
			"system running out of resources.", a);
	if (!host->has_swap_limit && h->memory_swap_bytes > 0) {
		h->memory_swap_bytes = -1;
		options_warn(l, "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory "
			"limited without swap.", a);
	}
}

struct str_list options_adapt(struct opt_host_config *h, const struct options_host *host, struct arena *a)
{
	struct str_list l = { arena_new_array(a, char *, OPTIONS_WARNINGS_MAX), 0 };

	adapt_memory(h, host, &l, a);
	options_adapt_blkio(h, host, &l, a);
	options_adapt_security(h, host, &l, a);
	if (!host->raises_limits && (h->n_ulimits > 0 || h->oom_score_adj < 0))
		options_warn(&l, "The daemon has no CAP_SYS_RESOURCE: ulimits and the OOM score get no further than its own.", a);
	return l;
}
