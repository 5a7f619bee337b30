/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/sched.h"

#include <limits.h>
#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/personality.h>

#include "base/own.h"
#include "base/str.h"
#include "oci/runtime_config.h"

#ifndef MPOL_WEIGHTED_INTERLEAVE
#define MPOL_WEIGHTED_INTERLEAVE 6
#endif
#define MPOL_PREFERRED_MANY_ 5
#define BITS_OF_LONG         (sizeof(unsigned long) * CHAR_BIT)

/* A word of the configuration and what the kernel calls it. */
struct word {
	const char *name;
	uint64_t value;
};

static const struct word policies[] = {
	{ "SCHED_OTHER", SCHED_NORMAL }, { "SCHED_FIFO", SCHED_FIFO }, { "SCHED_RR", SCHED_RR },
	{ "SCHED_BATCH", SCHED_BATCH },  { "SCHED_IDLE", SCHED_IDLE }, { "SCHED_DEADLINE", SCHED_DEADLINE },
};

static const struct word sched_flags[] = {
	{ "SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK },   { "SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM },
	{ "SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN },         { "SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY },
	{ "SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS },       { "SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN },
	{ "SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX },
};

static const struct word io_classes[] = {
	{ "IOPRIO_CLASS_RT", IOPRIO_CLASS_RT }, { "IOPRIO_CLASS_BE", IOPRIO_CLASS_BE }, { "IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE },
};

static const struct word domains[] = { { "LINUX", PER_LINUX }, { "LINUX32", PER_LINUX32 } };

static const struct word memory_modes[] = {
	{ "MPOL_DEFAULT", MPOL_DEFAULT },       { "MPOL_PREFERRED", MPOL_PREFERRED },
	{ "MPOL_BIND", MPOL_BIND },             { "MPOL_INTERLEAVE", MPOL_INTERLEAVE },
	{ "MPOL_LOCAL", MPOL_LOCAL },           { "MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY_ },
	{ "MPOL_WEIGHTED_INTERLEAVE", MPOL_WEIGHTED_INTERLEAVE },
};

static const struct word memory_flags[] = {
	{ "MPOL_F_NUMA_BALANCING", 1 << 13 }, { "MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES }, { "MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES },
};

static int find(const struct word *words, size_t n, const char *name, uint64_t *ret, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(words[i].name, name)) {
			*ret = words[i].value;
			return 0;
		}
	return err_set(e, ERR_INVALID, "unknown word '%.64s'", name);
}

static int find_all(const struct word *words, size_t n, const struct str_list *names, uint64_t *ret, struct err *e)
{
	uint64_t one = 0;

	*ret = 0;
	for (size_t i = 0; i < names->n; i++) {
		if (find(words, n, names->v[i], &one, e) < 0)
			return err_wrap(e, "flags[%zu]", i);
		*ret |= one;
	}
	return 0;
}

/* --- sets ------------------------------------------------------------------------------------------------------------ */

static bool parse_range(const char *text, size_t n_max, uint64_t *ret_from, uint64_t *ret_to)
{
	AUTO_FREE char *copy = xstrdup(text);
	char *rest = copy, *from = strsep(&rest, "-");

	if (!str_to_u64(from, ret_from))
		return false;
	*ret_to = *ret_from;
	return (rest == NULL || str_to_u64(rest, ret_to)) && *ret_from <= *ret_to && *ret_to < n_max;
}

int sched_bits(const char *text, size_t n_max, struct arena *a, struct stage_bits *ret, struct err *e)
{
	AUTO_FREE char *copy = xstrdup(text);
	char *rest = copy;
	uint64_t from, to;

	*ret = (struct stage_bits){ arena_new_array(a, unsigned long, n_max / BITS_OF_LONG), n_max };
	for (char *part; (part = strsep(&rest, ",")) != NULL;) {
		if (!parse_range(part, n_max, &from, &to))
			return err_set(e, ERR_INVALID, "'%.64s' is no list of numbers below %zu, like 0-3,7", text, n_max);
		for (; from <= to; from++)
			ret->v[from / BITS_OF_LONG] |= 1ul << from % BITS_OF_LONG;
	}
	return 0;
}

/* --- parts ----------------------------------------------------------------------------------------------------------- */

static int scheduler(const struct oci_scheduler *s, struct stage_sched *ret, struct err *e)
{
	uint64_t policy = 0, flags = 0;

	if (find(policies, ARRAY_SIZE(policies), s->policy, &policy, e) < 0)
		return err_wrap(e, "policy");
	if (find_all(sched_flags, ARRAY_SIZE(sched_flags), &s->flags, &flags, e) < 0)
		return -1;
	if (s->nice < -20 || s->nice > 19)
		return err_set(e, ERR_INVALID, "nice: %lld is not in -20 to 19", (long long)s->nice);
	if (s->priority < 0 || s->priority > 99)
		return err_set(e, ERR_INVALID, "priority: %lld is not in 0 to 99", (long long)s->priority);
	if (policy != SCHED_DEADLINE && (s->runtime_ns != 0 || s->deadline_ns != 0 || s->period_ns != 0))
		return err_set(e, ERR_INVALID, "runtime, deadline and period are for SCHED_DEADLINE");
	ret->has_attr = true;
	ret->policy = s->policy;
	ret->attr.size = sizeof(ret->attr);
	ret->attr.policy = (uint32_t)policy;
	ret->attr.flags = flags;
	ret->attr.nice = (int32_t)s->nice;
	ret->attr.priority = (uint32_t)s->priority;
	ret->attr.runtime = s->runtime_ns;
	ret->attr.deadline = s->deadline_ns;
	ret->attr.period = s->period_ns;
	return 0;
}

static int io_priority(const struct oci_io_priority *p, struct stage_sched *ret, struct err *e)
{
	uint64_t class = 0;

	if (find(io_classes, ARRAY_SIZE(io_classes), p->class_, &class, e) < 0)
		return err_wrap(e, "class");
	if (p->priority < 0 || p->priority > 7)
		return err_set(e, ERR_INVALID, "priority: %lld is not in 0 to 7", (long long)p->priority);
	ret->io_priority = (int)(class << IOPRIO_CLASS_SHIFT | (uint64_t)p->priority);
	return 0;
}

static int affinity(const struct oci_cpu_affinity *c, struct arena *a, struct stage_bits *ret_initial, struct stage_bits *ret_final,
		    struct err *e)
{
	if (!str_is_empty(c->initial) && sched_bits(c->initial, CPU_MASK_BITS, a, ret_initial, e) < 0)
		return err_wrap(e, "initial");
	if (!str_is_empty(c->final) && sched_bits(c->final, CPU_MASK_BITS, a, ret_final, e) < 0)
		return err_wrap(e, "final");
	return 0;
}

static int personality_of(const struct oci_personality *p, struct stage_sched *ret, struct err *e)
{
	uint64_t domain = 0;

	if (find(domains, ARRAY_SIZE(domains), p->domain, &domain, e) < 0)
		return err_wrap(e, "domain");
	if (p->flags.n != 0)
		return err_set(e, ERR_UNSUPPORTED, "flags: the specification knows none, and this is '%.64s'", p->flags.v[0]);
	ret->has_personality = true;
	ret->personality = domain;
	return 0;
}

static int memory_policy(const struct oci_memory_policy *m, struct arena *a, struct stage_sched *ret, struct err *e)
{
	uint64_t mode = 0, flags = 0;

	if (find(memory_modes, ARRAY_SIZE(memory_modes), m->mode, &mode, e) < 0)
		return err_wrap(e, "mode");
	if (find_all(memory_flags, ARRAY_SIZE(memory_flags), &m->flags, &flags, e) < 0)
		return -1;
	if (!str_is_empty(m->nodes) && sched_bits(m->nodes, NODE_MASK_BITS, a, &ret->memory_nodes, e) < 0)
		return err_wrap(e, "nodes");
	ret->has_memory = true;
	ret->memory_mode = (int)(mode | flags);
	return 0;
}

int sched_plan(const struct oci_process *p, const struct oci_linux *lin, bool is_exec, struct arena *a, struct stage_sched *ret,
	       struct err *e)
{
	struct stage_bits initial = { 0 }, final = { 0 };

	if (p->scheduler != NULL && scheduler(p->scheduler, ret, e) < 0)
		return err_wrap(e, "process.scheduler");
	if (p->io_priority != NULL && io_priority(p->io_priority, ret, e) < 0)
		return err_wrap(e, "process.ioPriority");
	if (p->exec_cpu_affinity != NULL && affinity(p->exec_cpu_affinity, a, &initial, &final, e) < 0)
		return err_wrap(e, "process.execCPUAffinity");
	if (is_exec) {
		ret->initial_cpus = initial;
		ret->final_cpus = final;
	}
	if (lin != NULL && lin->personality != NULL && personality_of(lin->personality, ret, e) < 0)
		return err_wrap(e, "linux.personality");
	if (lin != NULL && lin->memory_policy != NULL && memory_policy(lin->memory_policy, a, ret, e) < 0)
		return err_wrap(e, "linux.memoryPolicy");
	return 0;
}

const char *sched_memory_word(bool is_flag, size_t i)
{
	const struct word *words = is_flag ? memory_flags : memory_modes;

	return i < (is_flag ? ARRAY_SIZE(memory_flags) : ARRAY_SIZE(memory_modes)) ? words[i].name : NULL;
}
