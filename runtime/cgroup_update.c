/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New limits for a group that is at work.
 *
 * Theory of operation. What is not asked for stays, so where one file holds two settings (cpu.max), or one setting is
 * counted from another (swap on v2), the other is read from the kernel. The kernel wants some values in an order that depends on
 * which way they go (memory and memory with swap on v1, quota and period): what it refuses is tried again once the rest is
 * written. When something is refused still, what was there before is written back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cgfile.h"
#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"
#include "oci/runtime_config.h"
#include "runtime/cgroup_limits.h"
#include "runtime/cgroup_parts.h"

#define TEXT_MAX 65536

/* --- what stays ------------------------------------------------------------------------------------------------------ */

/* "50000 100000", "max 100000" */
static void complete_cpu(int dir, struct oci_cpu *c)
{
	AUTO_FREE char *text = NULL;
	bool has_quota = c->quota_usec.set && c->quota_usec.v != 0, has_period = c->period_usec.set && c->period_usec.v != 0;
	char *rest;
	uint64_t v;

	if (has_quota == has_period || file_read(dir, "cpu.max", TEXT_MAX, &text, NULL, ERR_IGNORED) < 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	rest = text;
	if (str_to_u64(strsep(&rest, " "), &v) && !has_quota)
		c->quota_usec = (struct opt_i64){ true, (int64_t)v };
	if (rest != NULL && str_to_u64(rest, &v) && !has_period)
		c->period_usec = (struct opt_u64){ true, v };
}

static void complete_memory(int dir, struct oci_memory *m)
{
	struct cgfile_limit limit;
	bool has_limit = m->limit_bytes.set && m->limit_bytes.v != 0;

	if (m->swap_bytes.set && m->swap_bytes.v > 0 && !has_limit && cgfile_limit(dir, "memory.max", &limit, ERR_IGNORED) == 0)
		m->limit_bytes = (struct opt_i64){ true, limit.is_max ? -1 : (int64_t)limit.v };
}

/* Memory without end is not to end with the swap (runc). */
static void complete(const char *path, bool is_v2, struct arena *a, struct oci_resources *r)
{
	AUTO_CLOSE int dir = is_v2 ? cgroup_open_dir(path, NULL) : -1;

	if (r->cpu != NULL)
		r->cpu = memcpy(arena_new_obj(a, struct oci_cpu), r->cpu, sizeof(*r->cpu));
	if (r->memory != NULL)
		r->memory = memcpy(arena_new_obj(a, struct oci_memory), r->memory, sizeof(*r->memory));
	if (r->memory != NULL && r->memory->limit_bytes.v == -1 && (!r->memory->swap_bytes.set || r->memory->swap_bytes.v == 0))
		r->memory->swap_bytes = (struct opt_i64){ true, -1 };
	if (is_v2 && r->cpu != NULL)
		complete_cpu(dir, r->cpu);
	if (is_v2 && r->memory != NULL)
		complete_memory(dir, r->memory);
}

/* Spec: config-linux.md#memory "checkBeforeUpdate": v1 refuses by itself, v2 would kill. */
static int check_usage(const char *path, bool is_v2, const struct oci_memory *m, struct err *e)
{
	AUTO_CLOSE int dir = -1;
	uint64_t usage;

	if (m == NULL || !is_v2 || !m->check_before_update.v || m->limit_bytes.v <= 0)
		return 0;
	dir = cgroup_open_dir(path, NULL);
	if (cgfile_u64(dir, "memory.current", &usage, e) < 0)
		return -1;
	return usage <= (uint64_t)m->limit_bytes.v ? 0 : err_set(e, ERR_CONFLICT, "memory.limit: %lld is less than the %llu bytes in use",
		       (long long)m->limit_bytes.v, (unsigned long long)usage);
}

/* --- writing --------------------------------------------------------------------------------------------------------- */

/* One file that changes. */
struct change {
	char file[512];
	const char *value;
	char *before; /* owned; NULL: it cannot be put back, for it tells less than it takes */
	bool is_done;
};

static void changes_done(struct change *c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(c[i].before);
}

/* Lines about devices: those without a limit are not shown, and cannot be put back. */
static bool tells_all(const char *file)
{
	const char *name = strrchr(file, '/') + 1;

	return !str_starts(name, "io.") && !str_starts(name, "blkio.throttle.") && !str_starts(name, "blkio.bfq.weight_device") &&
	       !str_starts(name, "blkio.weight_device") && !str_starts(name, "rdma.") && !str_eq(name, "memory.oom_control") && !str_starts(name, "net_prio.");
}

/* Which file it is. Return: 1, 0 when the value is left out, or -1 with @e set */
static int find_file(const char *path, const struct cgroup_value *v, struct change *ret, struct err *e)
{
	const struct cgroup_value other = { .controller = v->controller, .file = v->or_file };

	if (!cgroup_has_controller(v->controller))
		return v->is_optional ? 0 : err_set(e, ERR_UNSUPPORTED, "%s: this host has no controller '%s'", v->file, v->controller);
	ret->value = v->value;
	if (cgroup_value_file(path, v, ret->file) && access(ret->file, F_OK) == 0)
		return 1;
	if (v->is_optional)
		return 0;
	ret->value = v->or_value;
	if (v->or_file != NULL && cgroup_value_file(path, &other, ret->file) && access(ret->file, F_OK) == 0)
		return 1;
	return err_set(e, ERR_UNSUPPORTED, "this kernel has no %s", v->file);
}

static int find_changes(const char *path, const struct cgroup_values *values, struct change *ret, size_t *ret_n, struct err *e)
{
	for (size_t i = 0; i < values->n; i++) {
		struct change *c = &ret[*ret_n];
		int found = find_file(path, &values->v[i], c, e);

		if (found < 0)
			return -1;
		*ret_n += (size_t)found;
		if (found == 1 && tells_all(c->file) && file_read(AT_FDCWD, c->file, TEXT_MAX, &c->before, NULL, ERR_IGNORED) < 0)
			c->before = NULL;
	}
	return 0;
}

/* Return: how many are written now; @e tells of the first that is not */
static size_t write_rest(struct change *c, size_t n, size_t *left, struct err *e)
{
	size_t n_done = 0;

	*left = 0;
	for (size_t i = 0; i < n; i++) {
		if (c[i].is_done)
			continue;
		c[i].is_done = cgroup_write_lines(c[i].file, c[i].value, *left == 0 ? e : ERR_IGNORED) == 0;
		n_done += c[i].is_done;
		*left += !c[i].is_done;
	}
	return n_done;
}

static void put_back(struct change *c, size_t n)
{
	size_t left;

	for (size_t i = 0; i < n; i++) {
		c[i].is_done = !c[i].is_done || c[i].before == NULL;
		c[i].value = c[i].before;
		if (!c[i].is_done)
			c[i].before[strcspn(c[i].before, "\n")] = '\0';
	}
	while (write_rest(c, n, &left, ERR_IGNORED) != 0 && left != 0)
		;
}

static int write_all(struct change *c, size_t n, struct err *e)
{
	size_t left = 0;

	while (write_rest(c, n, &left, e) != 0 && left != 0)
		;
	if (left == 0)
		return 0;
	e->kind = e->sys == EINVAL || e->sys == ERANGE ? ERR_INVALID : e->sys == EBUSY ? ERR_CONFLICT : e->kind;
	put_back(c, n);
	return -1;
}

int cgroup_update(const char *path, const struct oci_resources *resources, struct arena *a, struct cgroup_values *ret, struct err *e)
{
	bool is_v2 = cgroup_layout()->is_v2;
	struct oci_resources r = *resources;
	struct change *changes;
	size_t n = 0;
	int done;

	if (cgroup_check_path(path, e) < 0)
		return -1;
	complete(path, is_v2, a, &r);
	if (check_usage(path, is_v2, r.memory, e) < 0 || cgroup_limits_changed(&r, is_v2, a, ret, e) < 0)
		return -1;
	changes = arena_new_array(a, struct change, ret->n + 1);
	done = find_changes(path, ret, changes, &n, e);
	if (done == 0)
		done = write_all(changes, n, e);
	changes_done(changes, n);
	return done;
}
