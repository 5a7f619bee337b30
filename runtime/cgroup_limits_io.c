/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Block devices. Weights are the business of a scheduler (bfq) or of io.cost, whichever the kernel has: the value
 * names both files, and the group is looked at when it is there.
 *
 * Spec: runtime-spec config-linux.md#block-io; kernel Documentation/admin-guide/cgroup-v2.rst "IO"
 */
#include <inttypes.h>

#include "base/own.h"
#include "base/str.h"
#include "oci/runtime_config.h"
#include "runtime/cgroup_limits.h"

#define LINES_MAX_BYTES 4000 /* libcgroup holds 4096 */

static struct cgroup_value *add(struct cgroup_values *out, const char *controller, const char *file, char *value)
{
	struct cgroup_value *v = &out->v[out->n++];

	*v = (struct cgroup_value){ .controller = controller, .file = file, .value = value };
	return v;
}

/* 10 to 1000 becomes 1 to 10000, as runc and crun do it */
static uint64_t weight_v2(uint64_t weight)
{
	return 1 + (weight - 10) * 9999 / 990;
}

/* --- weights ----------------------------------------------------------------------------------------------- */

static int check_weight(const struct opt_u64 *w, const struct opt_u64 *leaf, struct err *e)
{
	if (leaf->set && leaf->v != 0)
		return err_set(e, ERR_UNSUPPORTED, "blockIO.leafWeight: current kernels have no such setting");
	if (w->set && w->v != 0 && (w->v < 10 || w->v > 1000))
		return err_set(e, ERR_INVALID, "blockIO.weight: %" PRIu64 " is not in 10 to 1000", w->v);
	return 0;
}

static void add_weight(struct cgroup_values *out, uint64_t weight, bool is_v2, struct arena *a)
{
	struct cgroup_value *v = add(out, is_v2 ? "io" : "blkio", is_v2 ? "io.bfq.weight" : "blkio.bfq.weight",
				     arena_printf(a, "%" PRIu64, weight));

	v->or_file = is_v2 ? "io.weight" : "blkio.weight";
	v->or_value = is_v2 ? arena_printf(a, "default %" PRIu64, weight_v2(weight)) : v->value;
}

static void add_device_weight(struct cgroup_values *out, const struct oci_weight_device *d, bool is_v2, struct arena *a)
{
	struct cgroup_value *v = add(out, is_v2 ? "io" : "blkio", is_v2 ? "io.bfq.weight" : "blkio.bfq.weight_device",
				     arena_printf(a, "%" PRId64 ":%" PRId64 " %" PRIu64, d->major, d->minor, d->weight.v));

	v->or_file = is_v2 ? "io.weight" : "blkio.weight_device";
	v->or_value = is_v2 ? arena_printf(a, "%" PRId64 ":%" PRId64 " %" PRIu64, d->major, d->minor, weight_v2(d->weight.v)) : v->value;
}

static int weights(struct cgroup_values *out, const struct oci_block_io *b, bool is_v2, struct arena *a, struct err *e)
{
	if (b->n_weight_devices > CGROUP_WEIGHT_DEVICES_MAX)
		return err_set(e, ERR_INVALID, "blockIO.weightDevice: more than %d devices", CGROUP_WEIGHT_DEVICES_MAX);
	if (check_weight(&b->weight, &b->leaf_weight, e) < 0)
		return -1;
	if (b->weight.set && b->weight.v != 0)
		add_weight(out, b->weight.v, is_v2, a);
	for (size_t i = 0; i < b->n_weight_devices; i++) {
		const struct oci_weight_device *d = &b->weight_devices[i];

		if (check_weight(&d->weight, &d->leaf_weight, e) < 0)
			return -1;
		if (d->weight.set && d->weight.v != 0)
			add_device_weight(out, d, is_v2, a);
	}
	return 0;
}

/* --- throttles --------------------------------------------------------------------------------------------- */

/* 0 takes the limit away: v1 says 0, v2 says "max" */
static void throttle_line(struct strbuf *lines, const struct oci_throttle *t, const char *key_v2)
{
	strbuf_addf(lines, "%s%" PRId64 ":%" PRId64 " ", lines->len != 0 ? "\n" : "", t->major, t->minor);
	if (key_v2 == NULL)
		strbuf_addf(lines, "%" PRIu64, t->rate);
	else if (t->rate == 0)
		strbuf_addf(lines, "%s=max", key_v2);
	else
		strbuf_addf(lines, "%s=%" PRIu64, key_v2, t->rate);
}

static int throttles(struct cgroup_values *out, const struct oci_block_io *b, bool is_v2, struct arena *a, struct err *e)
{
	const struct {
		const struct oci_throttle *v;
		size_t n;
		const char *file_v1, *key_v2;
	} all[] = {
		{ b->read_bps, b->n_read_bps, "blkio.throttle.read_bps_device", "rbps" },
		{ b->write_bps, b->n_write_bps, "blkio.throttle.write_bps_device", "wbps" },
		{ b->read_iops, b->n_read_iops, "blkio.throttle.read_iops_device", "riops" },
		{ b->write_iops, b->n_write_iops, "blkio.throttle.write_iops_device", "wiops" },
	};
	AUTO_STRBUF struct strbuf lines = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		for (size_t k = 0; k < all[i].n; k++)
			throttle_line(&lines, &all[i].v[k], is_v2 ? all[i].key_v2 : NULL);
		if (lines.len > LINES_MAX_BYTES)
			return err_set(e, ERR_INVALID, "blockIO: too many throttled devices");
		if (is_v2 || lines.len == 0)
			continue;
		add(out, "blkio", all[i].file_v1, arena_strdup(a, strbuf_cstr(&lines)));
		strbuf_reset(&lines);
	}
	if (lines.len != 0)
		add(out, "io", "io.max", arena_strdup(a, strbuf_cstr(&lines)));
	return 0;
}

int cgroup_limits_block_io(const struct oci_block_io *b, bool is_v2, struct arena *arena, struct cgroup_values *out, struct err *e)
{
	if (weights(out, b, is_v2, arena, e) < 0)
		return -1;
	return throttles(out, b, is_v2, arena, e);
}
