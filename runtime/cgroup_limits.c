/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cgroup_limits.h"

#include <inttypes.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "oci/runtime_config.h"
#include "runtime/devices.h"

#define VALUES_MAX      256
#define VALUE_MAX_BYTES 4000 /* libcgroup holds 4096 */
#define PERIOD_USEC     100000

struct value_list {
	struct arena *arena;
	struct cgroup_values *out;
};

static struct cgroup_value *add(struct value_list *l, const char *controller, const char *file,
				const char *value)
{
	struct cgroup_value *v = &l->out->v[l->out->n++];

	BUG(l->out->n > VALUES_MAX, "%zu control values", l->out->n);
	v->controller = controller;
	v->file = file;
	v->value = value;
	return v;
}

/* -1 is "unlimited": -1 on v1, "max" on v2 */
static const char *limit_text(struct value_list *l, int64_t limit, bool is_v2)
{
	if (limit >= 0)
		return arena_printf(l->arena, "%" PRId64, limit);
	return is_v2 ? "max" : "-1";
}

static bool is_given(const struct opt_i64 *limit)
{
	return limit->set && limit->v != 0;
}

/* --- memory -------------------------------------------------------------------------------------------------- */

static int memory_refuse(const struct oci_memory *m, bool is_v2, struct err *e)
{
	if (is_v2 && m->swappiness.set)
		return err_set(e, ERR_UNSUPPORTED,
			       "memory.swappiness: cgroup v2 has no such setting");
	if (is_v2 && m->disable_oom_killer.set && m->disable_oom_killer.v)
		return err_set(e, ERR_UNSUPPORTED,
			       "memory.disableOOMKiller: cgroup v2 has no such setting");
	if (m->swap_bytes.set && m->swap_bytes.v > 0 && is_given(&m->limit_bytes) &&
	    m->swap_bytes.v < m->limit_bytes.v)
		return err_set(e, ERR_INVALID,
			       "memory.swap: it is memory and swap together, and below memory.limit");
	return 0;
}

/* The specification counts memory and swap together, v2 counts swap alone. */
static int swap_v2(struct value_list *l, const struct oci_memory *m, struct err *e)
{
	int64_t swap = m->swap_bytes.v;

	if (swap > 0 && (!is_given(&m->limit_bytes) || m->limit_bytes.v < 0))
		return err_set(e, ERR_INVALID, "memory.swap: needs memory.limit");
	if (swap > 0)
		swap -= m->limit_bytes.v;
	else if (swap == 0)
		return 0;
	add(l, "memory", "memory.swap.max", limit_text(l, swap, true))->is_optional = true;
	return 0;
}

static int memory_v2(struct value_list *l, const struct oci_memory *m, struct err *e)
{
	if (is_given(&m->reservation_bytes))
		add(l, "memory", "memory.low", limit_text(l, m->reservation_bytes.v, true));
	if (is_given(&m->limit_bytes))
		add(l, "memory", "memory.max", limit_text(l, m->limit_bytes.v, true));
	return m->swap_bytes.set ? swap_v2(l, m, e) : 0;
}

static void memory_v1(struct value_list *l, const struct oci_memory *m)
{
	if (is_given(&m->limit_bytes))
		add(l, "memory", "memory.limit_in_bytes", limit_text(l, m->limit_bytes.v, false));
	/* after the limit: the kernel wants memory and swap together to be no less than memory */
	if (m->swap_bytes.set && m->swap_bytes.v != 0)
		add(l, "memory", "memory.memsw.limit_in_bytes",
		    limit_text(l, m->swap_bytes.v, false))
			->is_optional = true;
	if (is_given(&m->reservation_bytes))
		add(l, "memory", "memory.soft_limit_in_bytes",
		    limit_text(l, m->reservation_bytes.v, false));
	if (m->swappiness.set)
		add(l, "memory", "memory.swappiness",
		    arena_printf(l->arena, "%" PRIu64, m->swappiness.v));
	if (m->disable_oom_killer.set && m->disable_oom_killer.v)
		add(l, "memory", "memory.oom_control", "1");
}

/* --- cpu ------------------------------------------------------------------------------------------------------- */

static int cpu_refuse(const struct oci_cpu *c, bool is_v2, struct err *e)
{
	if (!is_v2)
		return 0;
	if ((c->realtime_runtime_usec.set && c->realtime_runtime_usec.v != 0) ||
	    (c->realtime_period_usec.set && c->realtime_period_usec.v != 0))
		return err_set(e, ERR_UNSUPPORTED,
			       "cpu.realtimeRuntime and cpu.realtimePeriod: cgroup v2 has no such settings");
	return 0;
}

/* 2 to 262144 becomes 1 to 10000, as runc and crun do it */
static uint64_t weight_of_shares(uint64_t shares)
{
	shares = shares < 2 ? 2 : shares > 262144 ? 262144 : shares;
	return 1 + (shares - 2) * 9999 / 262142;
}

static void cpu_v2(struct value_list *l, const struct oci_cpu *c)
{
	uint64_t period =
		c->period_usec.set && c->period_usec.v != 0 ? c->period_usec.v : PERIOD_USEC;

	if (c->shares.set && c->shares.v != 0)
		add(l, "cpu", "cpu.weight",
		    arena_printf(l->arena, "%" PRIu64, weight_of_shares(c->shares.v)));
	if (c->idle.set)
		add(l, "cpu", "cpu.idle", arena_printf(l->arena, "%" PRId64, c->idle.v));
	if ((c->quota_usec.set && c->quota_usec.v != 0) || (c->period_usec.set && c->period_usec.v != 0))
		add(l, "cpu", "cpu.max",
		    arena_printf(l->arena, "%s %" PRIu64,
				 c->quota_usec.v > 0 ? limit_text(l, c->quota_usec.v, true) : "max",
				 period));
	if (c->burst_usec.set)
		add(l, "cpu", "cpu.max.burst", arena_printf(l->arena, "%" PRIu64, c->burst_usec.v));
}

/* The period first: the kernel wants the runtime to be no longer. */
static void cpu_real_time(struct value_list *l, const struct oci_cpu *c)
{
	if (c->realtime_period_usec.set && c->realtime_period_usec.v != 0)
		add(l, "cpu", "cpu.rt_period_us", arena_printf(l->arena, "%" PRIu64, c->realtime_period_usec.v));
	if (c->realtime_runtime_usec.set && c->realtime_runtime_usec.v != 0)
		add(l, "cpu", "cpu.rt_runtime_us", arena_printf(l->arena, "%" PRId64, c->realtime_runtime_usec.v));
}

static void cpu_v1(struct value_list *l, const struct oci_cpu *c)
{
	if (c->shares.set && c->shares.v != 0)
		add(l, "cpu", "cpu.shares", arena_printf(l->arena, "%" PRIu64, c->shares.v));
	if (c->idle.set)
		add(l, "cpu", "cpu.idle", arena_printf(l->arena, "%" PRId64, c->idle.v));
	if (c->period_usec.set && c->period_usec.v != 0)
		add(l, "cpu", "cpu.cfs_period_us",
		    arena_printf(l->arena, "%" PRIu64, c->period_usec.v));
	if (c->quota_usec.set && c->quota_usec.v != 0)
		add(l, "cpu", "cpu.cfs_quota_us", limit_text(l, c->quota_usec.v, false));
	if (c->burst_usec.set)
		add(l, "cpu", "cpu.cfs_burst_us",
		    arena_printf(l->arena, "%" PRIu64, c->burst_usec.v));
	cpu_real_time(l, c);
}

static void cpuset(struct value_list *l, const struct oci_cpu *c)
{
	if (!str_is_empty(c->mems))
		add(l, "cpuset", "cpuset.mems", c->mems);
	if (!str_is_empty(c->cpus))
		add(l, "cpuset", "cpuset.cpus", c->cpus);
}

/* --- devices on v1 ------------------------------------------------------------------------------------------------ */

/* One value for each run of rules of the same kind; within it one line a rule. */
static int devices_v1(struct value_list *l, const struct oci_resources *r, struct err *e)
{
	AUTO_STRBUF struct strbuf lines = { 0 };
	struct device_rule *rules;
	size_t n;

	if (devices_rules(r, l->arena, &rules, &n, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		char line[DEVICE_RULE_TEXT_MAX];
		bool ends_run;

		devices_rule_text(&rules[i], line);
		strbuf_addf(&lines, "%s%s", lines.len != 0 ? "\n" : "", line);
		ends_run = i + 1 == n || rules[i + 1].allow != rules[i].allow ||
			   lines.len > VALUE_MAX_BYTES - 64;
		if (!ends_run)
			continue;
		if (l->out->n == VALUES_MAX - 1)
			return err_set(e, ERR_INVALID, "resources.devices: too many rules");
		add(l, "devices", rules[i].allow ? "devices.allow" : "devices.deny",
		    arena_strdup(l->arena, strbuf_cstr(&lines)));
		strbuf_reset(&lines);
	}
	return 0;
}

/* --- the rest ------------------------------------------------------------------------------------------------------ */

/* What the door refuses already, and a bundle may still ask for. */
static int refuse(const struct oci_resources *r, bool is_v2, struct err *e)
{
	if (is_v2 && r->network != NULL && (r->network->n_priorities != 0 || (r->network->class_id.set && r->network->class_id.v != 0)))
		return err_set(e, ERR_UNSUPPORTED, "network: cgroup v2 has no such settings");
	if (!is_v2 && r->unified.n != 0)
		return err_set(e, ERR_UNSUPPORTED, "unified: this host has no cgroup v2 limits");
	return 0;
}

/* "memory.high": "…" - the part before the dot is the controller; nothing that could name another place. */
static int unified(struct value_list *l, const struct str_map *map, struct err *e)
{
	for (size_t i = 0; i < map->n; i++) {
		const char *file = map->v[i].key, *dot = strchr(file, '.');

		if (dot == NULL || dot == file || strchr(file, '/') != NULL ||
		    str_starts(file, "cgroup."))
			return err_set(e, ERR_INVALID,
				       "unified: '%s' is no setting of a controller", file);
		if (l->out->n == VALUES_MAX - 1)
			return err_set(e, ERR_INVALID, "unified: too many settings");
		if (strlen(map->v[i].value) >= VALUE_MAX_BYTES)
			return err_set(e, ERR_INVALID, "unified: the value of '%s' is too long",
				       file);
		add(l, arena_strndup(l->arena, file, (size_t)(dot - file)), file, map->v[i].value);
	}
	return 0;
}

static void pids(struct value_list *l, const struct oci_pids *p)
{
	if (is_given(&p->limit))
		add(l, "pids", "pids.max", limit_text(l, p->limit.v > 0 ? p->limit.v : -1, true));
}

/* --- what few hosts have -------------------------------------------------------------------------------------------- */

static int check_room(const struct value_list *l, size_t n_more, const char *what, struct err *e)
{
	return l->out->n + n_more < VALUES_MAX ? 0 : err_set(e, ERR_INVALID, "%s: too many settings", what);
}

/* "2MB", as the kernel names its files. Where reservations are counted, they are limited as well (runc and crun do). */
static int huge_pages(struct value_list *l, const struct oci_resources *r, bool is_v2, struct err *e)
{
	const char *ending = is_v2 ? "max" : "limit_in_bytes";

	for (size_t i = 0; i < r->n_hugepage_limits; i++) {
		const struct oci_hugepage_limit *h = &r->hugepage_limits[i];
		const char *unit = h->page_size + strspn(h->page_size, "0123456789");
		char *limit = arena_printf(l->arena, "%" PRIu64, h->limit_bytes);

		if (check_room(l, 2, "hugepageLimits", e) < 0)
			return -1;
		if (unit == h->page_size || unit - h->page_size > 4 || (!str_eq(unit, "KB") && !str_eq(unit, "MB") && !str_eq(unit, "GB")))
			return err_set(e, ERR_INVALID, "hugepageLimits[%zu].pageSize: '%.16s' is no size like 64KB, 2MB, 1GB", i, h->page_size);
		add(l, "hugetlb", arena_printf(l->arena, "hugetlb.%s.%s", h->page_size, ending), limit);
		add(l, "hugetlb", arena_printf(l->arena, "hugetlb.%s.rsvd.%s", h->page_size, ending), limit)->is_optional = true;
	}
	return 0;
}

static bool is_word(const char *text)
{
	return text[0] != '\0' && strpbrk(text, " \t\n") == NULL;
}

/* The files of one line a device, each written by itself. */
static int rdma(struct value_list *l, const struct oci_resources *r, struct err *e)
{
	AUTO_STRBUF struct strbuf lines = { 0 };

	for (size_t i = 0; i < r->n_rdma; i++) {
		const struct oci_rdma *d = &r->rdma[i];

		if (!is_word(d->device))
			return err_set(e, ERR_INVALID, "rdma: '%.64s' is no device", d->device);
		strbuf_addf(&lines, "%s%s", i != 0 ? "\n" : "", d->device);
		if (d->handles.set)
			strbuf_addf(&lines, " hca_handle=%" PRIu64, d->handles.v);
		if (d->objects.set)
			strbuf_addf(&lines, " hca_object=%" PRIu64, d->objects.v);
	}
	if (lines.len > VALUE_MAX_BYTES)
		return err_set(e, ERR_INVALID, "rdma: too many devices");
	if (lines.len != 0)
		add(l, "rdma", "rdma.max", arena_strdup(l->arena, lines.data));
	return 0;
}

static int network_v1(struct value_list *l, const struct oci_network *n, struct err *e)
{
	AUTO_STRBUF struct strbuf lines = { 0 };

	if (n->class_id.set && n->class_id.v != 0)
		add(l, "net_cls", "net_cls.classid", arena_printf(l->arena, "%" PRIu64, n->class_id.v));
	for (size_t i = 0; i < n->n_priorities; i++) {
		if (!is_word(n->priorities[i].name))
			return err_set(e, ERR_INVALID, "network.priorities[%zu].name: '%.64s' is no interface", i, n->priorities[i].name);
		strbuf_addf(&lines, "%s%s %u", i != 0 ? "\n" : "", n->priorities[i].name, n->priorities[i].priority);
	}
	if (lines.len > VALUE_MAX_BYTES)
		return err_set(e, ERR_INVALID, "network.priorities: too many of them");
	if (lines.len != 0)
		add(l, "net_prio", "net_prio.ifpriomap", arena_strdup(l->arena, lines.data));
	return 0;
}

static int rare_limits(struct value_list *l, const struct oci_resources *r, bool is_v2, struct err *e)
{
	if (huge_pages(l, r, is_v2, e) < 0 || rdma(l, r, e) < 0)
		return -1;
	return r->network != NULL && !is_v2 ? network_v1(l, r->network, e) : 0;
}

/* Without devices, which are rules, and without what is written as it is. */
static int all_limits(struct value_list *l, const struct oci_resources *r, bool is_v2, struct err *e)
{
	if (refuse(r, is_v2, e) < 0)
		return -1;
	if (r->cpu != NULL) {
		if (cpu_refuse(r->cpu, is_v2, e) < 0)
			return -1;
		cpuset(l, r->cpu);
		if (is_v2)
			cpu_v2(l, r->cpu);
		else
			cpu_v1(l, r->cpu);
	}
	if (r->memory != NULL) {
		if (memory_refuse(r->memory, is_v2, e) < 0)
			return -1;
		if (!is_v2)
			memory_v1(l, r->memory);
		else if (memory_v2(l, r->memory, e) < 0)
			return -1;
	}
	if (r->pids != NULL)
		pids(l, r->pids);
	if (r->block_io != NULL && cgroup_limits_block_io(r->block_io, is_v2, l->arena, l->out, e) < 0)
		return -1;
	if (rare_limits(l, r, is_v2, e) < 0)
		return -1;
	return is_v2 ? unified(l, &r->unified, e) : 0;
}

int cgroup_limits(const struct oci_resources *resources, bool is_v2, struct arena *arena,
		  struct cgroup_values *ret, struct err *e)
{
	struct value_list l = { .arena = arena, .out = ret };

	ret->v = arena_new_array(arena, struct cgroup_value, VALUES_MAX);
	ret->n = 0;
	if (resources == NULL)
		return 0;
	if (all_limits(&l, resources, is_v2, e) < 0 || (!is_v2 && devices_v1(&l, resources, e) < 0))
		return err_wrap(e, "linux.resources");
	return 0;
}

int cgroup_limits_changed(const struct oci_resources *resources, bool is_v2, struct arena *arena, struct cgroup_values *ret, struct err *e)
{
	struct value_list l = { .arena = arena, .out = ret };

	ret->v = arena_new_array(arena, struct cgroup_value, VALUES_MAX);
	ret->n = 0;
	return all_limits(&l, resources, is_v2, e);
}
