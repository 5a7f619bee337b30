/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/update_options.h"

#include "base/own.h"
#include "oci/runtime_config.h"

/* No negative number. */
static int count(const struct opt_i64 *n, const char *option, struct opt_u64 *ret, struct err *e)
{
	if (!n->set)
		return 0;
	if (n->v < 0)
		return err_set(e, ERR_INVALID, "--%s: %lld is less than 0", option, (long long)n->v);
	*ret = (struct opt_u64){ true, (uint64_t)n->v };
	return 0;
}

static int cpu(const struct update_options *o, struct arena *a, struct oci_cpu *c, struct err *e)
{
	c->quota_usec = o->cpu_quota;
	c->realtime_runtime_usec = o->cpu_rt_runtime;
	c->idle = o->cpu_idle;
	c->cpus = o->cpus != NULL ? arena_strdup(a, o->cpus) : NULL;
	c->mems = o->mems != NULL ? arena_strdup(a, o->mems) : NULL;
	if (count(&o->cpu_period, "cpu-period", &c->period_usec, e) < 0 || count(&o->cpu_burst, "cpu-burst", &c->burst_usec, e) < 0 ||
	    count(&o->cpu_share, "cpu-share", &c->shares, e) < 0)
		return -1;
	return count(&o->cpu_rt_period, "cpu-rt-period", &c->realtime_period_usec, e);
}

int update_resources(const struct update_options *o, struct arena *a, struct oci_resources **ret, struct err *e)
{
	struct oci_resources *r = arena_new_obj(a, struct oci_resources);

	r->cpu = arena_new_obj(a, struct oci_cpu);
	r->memory = arena_new_obj(a, struct oci_memory);
	r->pids = arena_new_obj(a, struct oci_pids);
	r->block_io = arena_new_obj(a, struct oci_block_io);
	r->pids->limit = o->pids_limit;
	r->memory->limit_bytes = o->memory;
	r->memory->reservation_bytes = o->memory_reservation;
	r->memory->swap_bytes = o->memory_swap;
	if (cpu(o, a, r->cpu, e) < 0 || count(&o->blkio_weight, "blkio-weight", &r->block_io->weight, e) < 0)
		return -1;
	*ret = r;
	return 0;
}
